/* The rest of a machine: its log, its link, its end, randomness. */
#include "abi/qemu.h"
#include "kernel/arch/linux/linux.h"

#include "kernel/core/log.h"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/wait.h>

#define MSG_DONTWAIT 0x40
#define MSG_NOSIGNAL 0x4000
#define FRAMES_MAX 32

static int log_file, link_file;
static bool panicking;

void linux_machine_start(int log, int link)
{
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

static void say_line(const char *text)
{
    arch_log("  ", 2);
    arch_log(text, strlen(text));
    arch_log("\n", 1);
}

_Noreturn void arch_panic(const char *text)
{
    if (panicking) {
        leave(QEMU_EXIT_PANIC);
    }
    panicking = true;
    arch_log("\nKERNEL PANIC: ", 15);
    arch_log(text, strlen(text));
    arch_log("\nbacktrace:\n", 12);
    const uint64_t *frame = __builtin_frame_address(0);
    for (int i = 0; i < FRAMES_MAX && frame != NULL && frame[1] != 0; i++) {
        char line[40];
        format_text(line, sizeof(line), "by %016lx", (unsigned long)frame[1] - 1);
        say_line(line);
        const uint64_t *next = (const uint64_t *)frame[0];
        if (next <= frame) {
            break;
        }
        frame = next;
    }
    arch_log("last ring entries, newest first:\n", 33);
    trace_dump(say_line);
    arch_log("end of panic\n", 13);
    leave(QEMU_EXIT_PANIC);
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
