/* Linux's system calls, without a C library: results are negated errors. */
#pragma once

#include <asm/unistd.h>
#include <stdint.h>

static inline int64_t linux_syscall(int64_t number, uint64_t a, uint64_t b, uint64_t c, uint64_t d,
                                    uint64_t e, uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

#define LINUX_PICK(_1, _2, _3, _4, _5, _6, _7, name, ...) name
#define LINUX_CALL(...)                                                                          \
    LINUX_PICK(__VA_ARGS__, LINUX_7, LINUX_6, LINUX_5, LINUX_4, LINUX_3, LINUX_2, LINUX_1, )     \
    (__VA_ARGS__)
#define LINUX_WORD(x) ((uint64_t)(x))
#define LINUX_1(n) linux_syscall(n, 0, 0, 0, 0, 0, 0)
#define LINUX_2(n, a) linux_syscall(n, LINUX_WORD(a), 0, 0, 0, 0, 0)
#define LINUX_3(n, a, b) linux_syscall(n, LINUX_WORD(a), LINUX_WORD(b), 0, 0, 0, 0)
#define LINUX_4(n, a, b, c) linux_syscall(n, LINUX_WORD(a), LINUX_WORD(b), LINUX_WORD(c), 0, 0, 0)
#define LINUX_5(n, a, b, c, d)                                                                   \
    linux_syscall(n, LINUX_WORD(a), LINUX_WORD(b), LINUX_WORD(c), LINUX_WORD(d), 0, 0)
#define LINUX_6(n, a, b, c, d, e)                                                                \
    linux_syscall(n, LINUX_WORD(a), LINUX_WORD(b), LINUX_WORD(c), LINUX_WORD(d), LINUX_WORD(e), 0)
#define LINUX_7(n, a, b, c, d, e, f)                                                             \
    linux_syscall(n, LINUX_WORD(a), LINUX_WORD(b), LINUX_WORD(c), LINUX_WORD(d), LINUX_WORD(e),  \
                  LINUX_WORD(f))
