/* Where the helper pages of a process lie and what is in them: shared by the code that is mapped
 * into every process (stub.S) and the kernel. Plain numbers, because the assembler reads them.
 *
 * Helper pages lie above USER_END, so no program can ask for their addresses:
 *
 *   HELPER_STUB      read, execute   the gate, the signal handler, the manager's loop
 *   HELPER_COMMANDS  read            what the kernel asks of the manager: one page a process
 *   HELPER_AREAS     one area of AREA_SIZE for each Linux thread, at its number in the machine:
 *     + 0              read          its set-up: filter, signal stack. Constant once it runs
 *     + AREA_STATE     read, write   where it meets the kernel: struct linux_state
 *     + AREA_STACK     read, write   its signal stack, to the end of the area
 *
 * "read" is what the process may do; the kernel has a mapping of its own in which it writes. */
#pragma once

#define HELPER_BASE 0x7fffc0000000 /* USER_END */
#define HELPER_SHIFT 30            /* of its size: to the end of what Linux gives a process */
#define HELPER_STUB HELPER_BASE
#define HELPER_COMMANDS (HELPER_BASE + 0x2000)
#define HELPER_AREAS (HELPER_BASE + 0x10000)
#define HELPER_END 0x7ffffffff000

#define AREA_SIZE 0x8000
#define AREA_STATE 0x1000
#define AREA_STACK 0x2000

/* The only descriptors of a manager; user threads have none. */
#define MANAGER_MEMORY_FD 0
#define MANAGER_HELPER_FD 1
#define MANAGER_DONE_FD 2
#define ZYGOTE_CONTROL_FD 3 /* in the zygote */

/* struct linux_commands */
#define COMMANDS_SEQUENCE 0
#define COMMANDS_COUNT 4
#define COMMANDS_SPIN 8
#define COMMANDS_CPU 12
#define COMMANDS_OK 16
#define COMMANDS_BAD 24
#define COMMANDS_WAKE 32
#define COMMANDS_EXPECTED 40
#define COMMANDS_BASES 44
#define COMMANDS_FIRST 64
#define COMMAND_SIZE 64
#define COMMANDS_MAX 63

/* struct linux_setup */
#define SETUP_STACK 0
#define SETUP_PROGRAM 24
#define SETUP_TSC 40

/* struct linux_state */
#define STATE_WORD 0
#define STATE_KIND 4
#define STATE_CAUSE 8
#define STATE_THREAD 12
#define STATE_RESULT 16
#define STATE_FRAME 24
#define STATE_FS 32
#define STATE_GS 40
#define STATE_RAX 48
#define STATE_RDI 56
#define STATE_RSI 64
#define STATE_RDX 72
#define STATE_R10 80
#define STATE_CPU 88
#define STATE_SET_BASES 92
#define STATE_SELF 96

/* The word. 0: the thread runs user code. It posts by exchanging it for WORD_POSTED; the kernel
 * lets it go by exchanging it for 0. Whoever is about to sleep says so first, and whoever takes the
 * word away from a sleeper wakes it. */
#define WORD_KERNEL_SLEEPS 1
#define WORD_POSTED 2
#define WORD_USER_SLEEPS 4
#define WORD_SLEEP 8    /* of one that is posted: the manager needs the processor */
#define WORD_KICK 0x100 /* the kernel is wanted elsewhere */

/* How a thread goes on. */
#define KIND_LIGHT 0 /* from the gate: rax = result, nothing else has changed */
#define KIND_DEEP 1  /* from the gate: into the signal handler, which shows all registers */
#define KIND_FRAME 2 /* by rt_sigreturn of the frame, with both bases */

/* How a process's threads read and set FS and GS base, and find their state. */
#define BASES_BY_INSTRUCTION 0 /* FSGSBASE: what they are is looked at */
#define BASES_BY_CALL 1 /* arch_prctl: they are what the kernel had set, and GS is the gate's */
#define BASES_FOREIGN 2 /* the same, but a thread has a GS of its own: the gate's slow way */

/* Causes that are no signals. */
#define CAUSE_GATE 0
#define CAUSE_READY 0x100 /* a new thread has shut the door behind it */

#define CPU_SELECTOR 0x7b /* of a segment whose limit is the processor's number, and its node */

#define SIGNAL_PREEMPT 10 /* SIGUSR1 */
#define SIGNAL_FAULT 11   /* SIGSEGV */
