/* The two system calls. There is no third: a new operation is an opcode of the ring.
 *
 * On x86_64 the number is in rax and the arguments in rdi, rsi, rdx; rax returns the result, rcx
 * and r11 are lost, every other register is kept. Programs enter through the gate whose address
 * stands in the start block.
 *
 *   cap_enter(min_complete, timeout_ns, upcalls_seen) -> count of completions waiting in the
 *   ring, or a negated
 *       enum status: -STATUS_INTERRUPTED (an upcall was delivered, or upcalls_seen differs from
 *       the ring's count), -STATUS_TIMED_OUT, -STATUS_BAD_RING (indices out of bounds),
 *       -STATUS_TIME_NOT_GRANTED (a time-out other than 0 and CAP_ENTER_FOREVER in a process
 *       without Timer).
 *   exit(code) -> does not return. Bits 0 to 31: the exit code. EXIT_BECAUSE_DENIED: the program
 *   says that it ends
 *       because something was refused; its last denial record tells what. EXIT_BECAUSE_PANIC: its
 *       runtime cannot go on. EXIT_BECAUSE_EXHAUSTED: it cannot go on without more of a budget;
 *       the code is the Status that says which. */
#pragma once

#define SYSCALL_CAP_ENTER 0x0CA90000
#define SYSCALL_EXIT 0x0CA90001

#define CAP_ENTER_FOREVER (~0ull)
#define EXIT_BECAUSE_DENIED (1ull << 32)
#define EXIT_BECAUSE_PANIC (1ull << 33)
#define EXIT_BECAUSE_EXHAUSTED (1ull << 34)
