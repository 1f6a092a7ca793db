/* The rest of a machine: its log, its link, its end, randomness. */
#include "abi/qemu.h"
#include "kernel/arch/linux/linux.h"

#include "kernel/core/log.h"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/wait.h>

#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000

static int log_file, link_file;
static uint64_t stack_end;
static bool panicking;

void linux_machine_start(int log, int link, const void *stack)
{
    stack_end = (uint64_t)stack;
    log_file = log;
    link_file = link;
}

void arch_log(const char *text, size_t size)
{
    while (size > 0) {
        int64_t n = LINUX_CALL(__NR_write, log_file, text, size);
        if (n == -EINTR) {
            continue;
        }
        if (n <= 0) {
            return;
        }
        text += n;
        size -= (size_t)n;
    }
}

size_t arch_link_write(const void *bytes, size_t size)
{
    int64_t n;
    do {
        n = LINUX_CALL(__NR_sendto, link_file, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0);
    } while (n == -EINTR);
    return n > 0 ? (size_t)n : 0;
}

size_t arch_link_read(void *bytes, size_t size)
{
    int64_t n;
    do {
        n = LINUX_CALL(__NR_recvfrom, link_file, bytes, size, MSG_DONTWAIT, 0, 0);
    } while (n == -EINTR);
    return n > 0 ? (size_t)n : 0;
}

void arch_entropy(void *out, size_t size)
{
    uint8_t *to = out;
    while (size > 0) {
        int64_t n = LINUX_CALL(__NR_getrandom, to, size, 0);
        if (n > 0) {
            to += n;
            size -= (size_t)n;
        } else if (n != -EINTR) {
            panic("linux: no random numbers: error %d", (int)-n);
        }
    }
}

static _Noreturn void leave(int value)
{
    for (;;) { /* the processes end with us: their parent-death signal */
        LINUX_CALL(__NR_exit_group, QEMU_EXIT_STATUS(value));
    }
}

_Noreturn void arch_machine_exit(int code)
{
    (void)code;
    leave(QEMU_EXIT_DONE);
}

static bool in_stack(uint64_t frame)
{
    return frame > (uint64_t)&frame && frame < stack_end && frame % 8 == 0;
}

_Noreturn void linux_panic(const char *text, uint64_t rip, uint64_t rbp)
{
    if (panicking) {
        leave(QEMU_EXIT_PANIC);
    }
    panicking = true;
    panic_say("\nKERNEL PANIC: %s\n", text);
    panic_end(rip, rbp, in_stack);
    leave(QEMU_EXIT_PANIC);
}

_Noreturn void arch_panic(const char *text)
{
    const uint64_t *frame = __builtin_frame_address(0);
    linux_panic(text, frame[1] - 1, frame[0]);
}

uint32_t arch_cpu_count(void)
{
    return 1;
}

struct cpu *arch_cpu_by_number(uint32_t n)
{
    KASSERT(n == 0);
    return arch_cpu();
}

void arch_cpu_poke(uint32_t n)
{
    panic("CPU %u is to be poked, and only one runs", n);
}

void arch_cpu_stop(uint32_t n)
{
    panic("CPU %u is to be stopped, and only one runs", n);
}

uint64_t arch_gate_address(void)
{
    return HELPER_STUB;
}
