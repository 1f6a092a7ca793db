/* The serial port COM1: the log until the host link is up, and panics. Also the ends of the
 * machine. Any context, no lock. */
#include "abi/qemu.h"
#include "kernel/arch/x86_64/x86.h"

#define COM1 0x3f8
#define LINE_STATUS (COM1 + 5)
#define TRANSMITTER_EMPTY 0x20
#define FIFO_SIZE 16u
/* seconds: a reader on a busy host may be that late, and a panic has time */
#define WAIT_MAX 5000000u

void x86_serial_start(void)
{
    out8(COM1 + 1, 0);    /* no interrupts */
    out8(COM1 + 3, 0x80); /* divisor: 115200 baud */
    out8(COM1 + 0, 1);
    out8(COM1 + 1, 0);
    out8(COM1 + 3, 3);    /* 8 bits, no parity, one stop bit */
    out8(COM1 + 2, 7);    /* FIFOs on and empty */
}

static void wait_empty(void)
{
    for (uint32_t i = 0; i < WAIT_MAX && !(in8(LINE_STATUS) & TRANSMITTER_EMPTY); i++) {
        __asm__ volatile("pause");
    }
}

void arch_log(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (i % FIFO_SIZE == 0) {
            wait_empty();
        }
        out8(COM1, (uint8_t)text[i]);
    }
}

/* QEMU ends at once; other machines are asked in the ways that PCs know. */
_Noreturn void x86_machine_end(uint8_t value)
{
    wait_empty();
    out8(QEMU_EXIT_PORT, value);
    out16(0x604, 0x2000); /* q35's ACPI: power off */
    out8(0x64, 0xfe);     /* the keyboard controller: reset */
    for (;;) {
        __asm__ volatile("cli\n\thlt");
    }
}

_Noreturn void arch_machine_exit(int code)
{
    (void)code; /* the exit record has said it */
    x86_machine_end(QEMU_EXIT_DONE);
}
