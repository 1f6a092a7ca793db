/* What the files of this folder share. docs/linux-machine.md has the picture.
 *
 * Everything here runs on one thread of the kernel's process, the virtual CPU, under what is the
 * kernel lock elsewhere. What a user process can write (struct linux_state, signal stacks) is its
 * own claim about itself: each word is read once, checked, and decides about nobody else. */
#pragma once

#include "kernel/arch/arch.h"
#include "kernel/arch/hosted/hosted.h"
#include "kernel/arch/linux/layout.h"
#include "kernel/arch/linux/syscall.h"
#include "kernel/core/types.h"

#include <linux/filter.h>
#include <string.h>

#define PROCESSES_MAX 4096 /* alive at a time; each has a page of commands */
#define AREAS_MAX 32000    /* Linux threads in the machine: as many areas as fit the helper pages */
#define FILTER_MAX 40      /* instructions of a user thread's filter */
#define BASE_UNKNOWN UINT64_MAX
#define MEMORY_FD 63 /* the file of all memory: a number that the filter knows */
/* A thread that does not answer an interrupt has its process killed: when the process has computed
 * for so long meanwhile, or after so many slices of the kernel's own waiting. Hosts may be busy. */
#define ANSWER_CPU_NS 100000000ull
#define ANSWER_SLICE_NS 10000000ull
#define ANSWER_SLICES 200
#define BEGIN_SLICES 1000 /* for a new thread to be there */

/* Offsets in the file of helper pages, of which the kernel has all mapped. */
#define HELPER_FILE_COMMANDS 0x1000ull
#define HELPER_FILE_AREAS                                                                        \
    ALIGN_UP(HELPER_FILE_COMMANDS + PROCESSES_MAX * PAGE_SIZE, (uint64_t)AREA_SIZE)
#define HELPER_FILE_SIZE (HELPER_FILE_AREAS + (uint64_t)AREAS_MAX * AREA_SIZE)

struct linux_command {
    uint64_t number, arguments[6], zero;
};

/* A process's page of commands. The manager takes `count` of them when `sequence` has changed, in
 * order, up to the first that fails, writes `ok` or `bad` to the pipe, and wakes who sleeps on the
 * word at `wake`, if that is not 0. */
struct linux_commands {
    uint32_t sequence, count, spin, cpu; /* cpu: where the kernel ran when it last asked */
    uint64_t ok, bad, wake;
    uint32_t expected; /* to be asked for something by a fault: the last one was like that */
    uint32_t bases;    /* BASES_* */
    uint32_t zero[4];
    struct linux_command command[COMMANDS_MAX];
};

struct linux_stack { /* stack_t */
    uint64_t address;
    uint32_t flags, zero;
    uint64_t size;
};

struct linux_setup {
    struct linux_stack stack;
    uint16_t filter_count, zero[3];
    uint64_t filter;
    uint32_t tsc, zero2;
    struct sock_filter instructions[FILTER_MAX];
};

struct linux_state {
    uint32_t word, kind, cause, thread;
    uint64_t result, frame, fs, gs, rax, rdi, rsi, rdx, r10;
    uint32_t cpu;       /* where it ran when it last woke the kernel */
    uint32_t set_bases; /* fs and gs are to be set (BASES_BY_CALL) */
    uint64_t self;      /* its address in the process */
};

/* What Linux pushes for a signal, and takes back by rt_sigreturn. */
struct linux_signal_frame {
    uint64_t restorer;
    uint64_t flags, link;
    struct linux_stack stack;
    uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip;
    uint64_t rflags;
    uint16_t cs, gs, fs, ss;
    uint64_t error, trap, old_mask, cr2;
    uint64_t extended; /* address of the XSAVE area, or 0: the state after reset */
    uint64_t reserved[8];
    uint64_t mask;
    uint8_t siginfo[128];
};

/* A Linux process: one address space. */
struct linux_process {
    int32_t pid;              /* 0: this entry is free */
    bool dead;                /* the host has ended it, or we have: it runs no more code */
    bool refused;             /* ... because the host did not do what its manager asked for */
    uint32_t sequence;        /* of its commands */
    uint32_t off_cpu;         /* where its manager may not run */
    uint32_t told_cpu;        /* where we run, as it was told */
    uint32_t count;           /* queued */
    uint32_t attached;        /* slots with an owner */
    struct linux_slot *slots; /* all its threads */
    struct linux_process *next_queued; /* those with queued commands */
    struct linux_slot *served; /* whose thread came last, and waits; NULL: none, or one CPU */
    bool faulted;             /* it came by a fault */
    bool asked;               /* the manager was, since then */
    bool clones;              /* a thread is to be made by what is queued */
    bool queued;
    bool waits_for_debugger;  /* is stopped before its first instruction */
};

/* A Linux thread of one. It never ends before its process; when its owner ends it waits for the
 * next. */
struct linux_slot {
    struct linux_process *process;
    struct linux_slot *next;
    struct thread *owner;
    uint64_t fs, gs; /* BASES_BY_CALL: what they were set to; BASE_UNKNOWN: nothing known */
    bool time_open;
};

extern int linux_helper_file;
extern uint8_t *linux_helper;  /* the file of helper pages, mapped */
extern bool linux_debugged;    /* --gdb: the user's debugger may look at processes and stop them */
extern bool linux_test_panic;  /* at the first Timer.page */
extern bool linux_bases_by_call; /* FS and GS: no FSGSBASE here */
extern uint32_t linux_cpu_count; /* that we may run on */
extern uint32_t linux_spin;    /* rounds of waiting that take 20 us; 0: only one CPU */
#define LINUX_CPU_WORDS 16
extern uint64_t linux_cpus[LINUX_CPU_WORDS]; /* on which we may run: a bit each */
/* The same where a third one wants a processor too. */
static inline uint32_t linux_spin_aside(void)
{
    return linux_cpu_count < 3 ? 0 : linux_spin;
}
extern uint64_t linux_frames;  /* of memory and package, from 0 */
extern const char linux_stub[], linux_stub_end[], linux_gate_posts[], linux_gate_posted[],
    linux_gate_deep[], linux_gate_end[], linux_gate_returns[], linux_stub_handler[],
    linux_stub_restorer[], linux_stub_manager[], linux_stub_goes[], linux_stub_goes_end[];
/* Where something of the stub lies in a process. */
static inline uint64_t linux_stub_address(const char *in_stub)
{
    return HELPER_STUB + (uint64_t)(in_stub - linux_stub);
}

static inline struct arch_cpu *linux_cpu(void)
{
    return (struct arch_cpu *)(void *)arch_cpu();
}

/* boot.c */
_Noreturn void linux_fail(const char *text, int64_t error); /* before the machine runs */

/* zygote.c */
/* Forks the process that makes all others. The three descriptors become a manager's. */
void linux_zygote_start(int memory, int helper, int done);
void linux_zygote_ask(uint32_t commands_page); /* another process, with that page */
int32_t linux_zygote_answer(void);             /* its pid, or a negated error */

/* process.c */
void linux_process_bring_up(int done);
struct linux_process *linux_process_take(void); /* NULL: the host gives no more */
void linux_process_end(struct linux_process *p); /* it and all its pages are gone on return */
/* Queues a system call for its manager. */
void linux_process_command(struct linux_process *p, uint64_t number, uint64_t a, uint64_t b,
                           uint64_t c, uint64_t d, uint64_t e, uint64_t f);
/* Returns when all that was queued has been done. Where that fails, the process dies. */
void linux_process_flush(struct linux_process *p);
void linux_process_flush_all(void);
/* A thread has come, by a fault or otherwise, and waits; and when it goes on. */
void linux_process_serve(struct linux_slot *s, bool fault);
/* Where we run, as far as it is known: read again after each sleep. */
extern uint32_t linux_cpu_here;
void linux_process_look_where(void);
void linux_process_served(const struct linux_slot *s);
void linux_process_kill(struct linux_process *p); /* only marks and signals: linux_process_end */
void linux_process_reap(void); /* SIGCHLD has come */
/* A thread of it has a GS base of its own, which its gate cannot see (BASES_BY_CALL). */
void linux_process_foreign_gs(struct linux_process *p);
/* A Linux thread without owner that has the time-stamp counter open or not. NULL: no more. */
struct linux_slot *linux_slot_take(struct linux_process *p, struct thread *owner, bool time_open);
void linux_slot_release(struct linux_slot *s);
struct linux_state *linux_slot_state(const struct linux_slot *s); /* where the kernel sees it */
uint64_t linux_slot_area(const struct linux_slot *s); /* its address in the process */
uint8_t *linux_slot_memory(const struct linux_slot *s);    /* the same, where the kernel sees it */
void linux_slot_interrupt(const struct linux_slot *s);

/* filter.c */
#define LINUX_THREAD_FLAGS                                                                       \
    (CLONE_VM | CLONE_FS | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_PARENT_SETTID)
#define LINUX_FORK_FLAGS (CLONE_PARENT | SIGCHLD) /* of the zygote */
uint32_t linux_filter_thread(struct sock_filter out[FILTER_MAX], uint64_t word);
int64_t linux_filter_manager(void); /* installs it in the caller */
int64_t linux_filter_zygote(void);
int64_t linux_filter_kernel(void);
uint32_t linux_filter_worker(struct sock_filter out[FILTER_MAX], int32_t kernel);
int64_t linux_filter_folders(int32_t kernel); /* pid, which may be signalled */

/* Where the folder process says that it has answered. Whoever is about to sleep says so first and
 * looks again, so no answer is slept over. */
extern struct linux_folder_news {
    const uint32_t *done; /* NULL: there are no folders */
    uint32_t *kernel_sleeps;
    uint32_t seen, asked; /* answers, questions: ever */
} linux_folder_news;
/* Somebody is at a question, and wants a processor for it. */
static inline bool linux_folders_at_work(void)
{
    const struct linux_folder_news *n = &linux_folder_news;
    return n->done != NULL && __atomic_load_n(n->done, __ATOMIC_SEQ_CST) != n->asked;
}
static inline bool linux_folders_answered(void)
{
    const struct linux_folder_news *n = &linux_folder_news;
    return n->done != NULL && __atomic_load_n(n->done, __ATOMIC_SEQ_CST) != n->seen;
}
static inline bool linux_folders_may_sleep(void)
{
    if (linux_folder_news.done != NULL) {
        __atomic_store_n(linux_folder_news.kernel_sleeps, 1, __ATOMIC_SEQ_CST);
    }
    return !linux_folders_answered();
}
static inline void linux_folders_awake(void)
{
    if (linux_folder_news.done != NULL) {
        __atomic_store_n(linux_folder_news.kernel_sleeps, 0, __ATOMIC_SEQ_CST);
    }
}

/* folders.c: --dir */
struct boot_info;
void linux_folders_option(const char *value, bool read_only); /* DESCRIPTOR:NAME */
uint64_t linux_folders_last(void); /* the highest of the descriptors */
/* Forks the folder process, if there are folders: before the kernel's process has anything mapped
 * that is not for it. */
void linux_folders_start(void);
void linux_folders_hand(struct boot_info *info);
void linux_folders_serve(void); /* after linux_folders_answered() */
void linux_folders_look(void);  /* SIGCHLD has come */

/* mirror.c: what the tables say, said to the Linux process. */
void linux_mirror_all(struct arch_address_space *as, struct linux_process *p);
/* now: the host brings them in at once, where not too many follow each other. */
void linux_mirror_map(struct linux_process *p, uint64_t address, const frame_t *frames,
                      uint64_t pages, enum protection protection, bool now);
/* Frames that follow each other. */
void linux_mirror_map_run(struct linux_process *p, uint64_t address, frame_t first, uint64_t pages,
                          enum protection protection, bool now);
void linux_mirror_unmap(struct linux_process *p, uint64_t address, uint64_t end);
void linux_mirror_protect(struct linux_process *p, uint64_t address, uint64_t end,
                          enum protection protection);

/* meet.c: the virtual CPU and the thread that it runs. */
enum linux_event { LINUX_EVENT_POSTED = 1, LINUX_EVENT_TIMER, LINUX_EVENT_SIGNAL };
void linux_meet_bring_up(int done_write);
/* Lets it run. Not STATUS_OK: it cannot, as kernel_lost() wants to know it. */
status_t linux_resume(struct thread *t) MUST_CHECK;
enum linux_event linux_wait(struct thread *t); /* until something happens */
enum linux_event linux_idle(void);
void linux_stop(struct thread *t); /* RUNNING: it is in the kernel on return, and pending */
void linux_deepen(struct thread *t); /* GATE: FRAME on return */
#define LINUX_SIGNAL_LINK 1u
#define LINUX_SIGNAL_CHILD 2u
#define LINUX_SIGNAL_FOLDERS 4u
uint32_t linux_take_signals(void); /* LINUX_SIGNAL_*, cleared */
bool linux_child_ended(void);      /* one is there */
/* That the next copy will most likely go to, or FRAME_NONE. */
extern frame_t linux_wanted_frame;
/* process.c waits for a manager: a dead child ends its wait. */
extern volatile bool linux_waits_for_manager;

/* thread.c */
void linux_extended_detect(void);
void linux_thread_load(struct thread *t);   /* into its state: how it goes on */
void linux_thread_take(struct thread *t);   /* out of its state: why it came; pending then */
void linux_thread_unload(struct thread *t); /* FRESH on return, without a Linux thread */

/* run.c */
_Noreturn void linux_run(void);

/* machine.c, clock.c */
void linux_machine_start(int log, int link, const void *stack); /* stack: its end */
_Noreturn void linux_panic(const char *text, uint64_t rip, uint64_t rbp);
void linux_clock_start(void);
uint64_t linux_monotonic_ns(void);     /* Linux's clock */
uint64_t linux_cpu_time_ns(int32_t pid); /* that a process has had */
