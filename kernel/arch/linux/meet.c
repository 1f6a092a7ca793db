/* The virtual CPU meets the thread that it runs: one word, in memory that the process can write.
 *
 * The kernel lets a thread go by exchanging the word for 0, the thread comes by exchanging it for
 * WORD_POSTED. Both look at it for 20 us before they sleep, so a busy ring costs no call of Linux.
 * Whoever sleeps has said so in the word, and is woken by the other; so both may sleep only on a
 * value that the other changes first, and no wake-up is lost. Nobody looks from a processor that
 * the other needs: each tells on which it is, the thread when it has woken the kernel.
 *
 * Whatever else the virtual CPU is wanted for comes as a signal of Linux (the link has news, a
 * child has ended, the folder process has answered while the kernel slept), whose handler changes
 * the word that is waited for. A hostile thread may write the word at any moment: then the wait
 * ends early, or, if it hits a few instructions, as late as NAP_MAX_NS; and one that will not let
 * the kernel sleep is killed. */
#include "kernel/arch/linux/linux.h"

#include "kernel/core/entry.h"
#include "kernel/core/frame.h"
#include "kernel/core/log.h"
#include "kernel/core/process.h"

#include <asm/errno.h>
#include <asm/signal.h>
#include <linux/falloc.h>
#include <linux/futex.h>

#define NAP_MAX_NS 100000000ull
#define IDLE_MAX_NS 3600000000000ull /* nobody else writes that word */
#define GIVE_BACK_LEAST 16 /* frames in a piece: a page of memory is dearer to get than to clear */
#define GIVE_BACK_MOST 1024 /* in one go: nobody is kept waiting for longer than that takes */
#define TRIES_MAX 10000 /* of sleeping on a word that somebody else keeps changing */

struct kernel_timespec {
    int64_t seconds, nanoseconds;
};

static uint32_t signals;      /* LINUX_SIGNAL_* that have come */
static uint32_t idle_word;
static uint32_t *waited_for;  /* what the handler changes */
static int done_pipe;         /* its writing end */

frame_t linux_wanted_frame = FRAME_NONE;

void linux_signal_restorer(void);

static void on_signal(int number)
{
    bool child = number == SIGCHLD;
    uint32_t news = number == SIGUSR2 ? LINUX_SIGNAL_FOLDERS : LINUX_SIGNAL_LINK;
    __atomic_or_fetch(&signals, child ? LINUX_SIGNAL_CHILD : news, __ATOMIC_SEQ_CST);
    if (child && linux_waits_for_manager) {
        uint64_t nobody = 0;
        LINUX_CALL(__NR_write, done_pipe, &nobody, sizeof(nobody));
    }
    if (waited_for != NULL) {
        __atomic_or_fetch(waited_for, WORD_KICK, __ATOMIC_SEQ_CST);
    }
}

static void on_fault(int number, void *info, const uint8_t *context)
{
    char text[80];
    const struct linux_signal_frame *f =
        (const void *)(context - offsetof(struct linux_signal_frame, flags));
    (void)info;
    format_text(text, sizeof(text), "signal %d, trap %lu, error %lx, at %lx in the kernel", number,
                (unsigned long)f->trap, (unsigned long)f->error, (unsigned long)f->rip);
    linux_panic(text, f->rip, f->rbp);
}

static void catch(int number, uint64_t handler)
{
    struct {
        uint64_t handler, flags, restorer, mask;
    } action = {handler, SA_RESTORER | SA_SIGINFO, (uint64_t)linux_signal_restorer, 0};
    LINUX_CALL(__NR_rt_sigaction, number, &action, 0, sizeof(uint64_t));
}

void linux_meet_bring_up(int done_write)
{
    done_pipe = done_write;
    waited_for = &idle_word;
    catch(SIGIO, (uint64_t)on_signal);
    catch(SIGCHLD, (uint64_t)on_signal);
    catch(SIGUSR2, (uint64_t)on_signal);
    catch(SIGSEGV, (uint64_t)on_fault);
    catch(SIGBUS, (uint64_t)on_fault);
    catch(SIGILL, (uint64_t)on_fault);
    catch(SIGFPE, (uint64_t)on_fault);
}

uint32_t linux_take_signals(void)
{
    return __atomic_exchange_n(&signals, 0, __ATOMIC_SEQ_CST);
}

static bool any_signal(void)
{
    return __atomic_load_n(&signals, __ATOMIC_SEQ_CST) != 0;
}

bool linux_child_ended(void)
{
    return (__atomic_load_n(&signals, __ATOMIC_SEQ_CST) & LINUX_SIGNAL_CHILD) != 0;
}

static bool posted(const uint32_t *word)
{
    return (__atomic_load_n(word, __ATOMIC_ACQUIRE) & WORD_POSTED) != 0;
}

static void wake(uint32_t *word)
{
    LINUX_CALL(__NR_futex, word, FUTEX_WAKE, INT32_MAX);
}

/* Sleeps while the word is WORD_KERNEL_SLEEPS, at most until then (of Linux's monotonic clock). */
static void sleep_on(uint32_t *word, uint64_t until_ns)
{
    struct kernel_timespec t = {(int64_t)(until_ns / 1000000000), (int64_t)(until_ns % 1000000000)};
    LINUX_CALL(__NR_futex, word, FUTEX_WAIT_BITSET, WORD_KERNEL_SLEEPS, &t, 0,
               FUTEX_BITSET_MATCH_ANY);
    linux_process_look_where();
}

/* Says that the kernel sleeps. False: the thread has come, or somebody else changed the word. */
static bool lie_down(uint32_t *word)
{
    uint32_t expected = 0;
    if (__atomic_compare_exchange_n(word, &expected, WORD_KERNEL_SLEEPS, false, __ATOMIC_SEQ_CST,
                                    __ATOMIC_SEQ_CST) || expected == WORD_KERNEL_SLEEPS) {
        return true;
    }
    if ((expected & WORD_POSTED) == 0) { /* a kick, or nonsense */
        __atomic_compare_exchange_n(word, &expected, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    }
    return false;
}

/* Until it has posted: true. False after so many slices, or when its process has computed for
 * ANSWER_CPU_NS. Slices are counted, not measured, so that a machine that was stopped meanwhile
 * does not take that for silence. Who is debugged may be silent as long as the user thinks. */
static bool await_post(struct linux_slot *s, uint32_t slices)
{
    uint32_t *word = &linux_slot_state(s)->word;
    uint64_t cpu_until_ns = 0;
    for (uint32_t i = 0; (i < slices || linux_debugged) && !s->process->dead; i++) {
        for (uint32_t round = 0; round <= linux_spin; round++) {
            if (posted(word)) {
                return true;
            }
            __builtin_ia32_pause();
        }
        if (linux_child_ended()) {
            linux_process_reap();
        }
        if (lie_down(word)) {
            sleep_on(word, linux_monotonic_ns() + ANSWER_SLICE_NS);
        }
        if (!posted(word)) {
            uint64_t cpu_ns = linux_cpu_time_ns(s->process->pid);
            cpu_until_ns = cpu_until_ns == 0 ? cpu_ns + ANSWER_CPU_NS : cpu_until_ns;
            if (cpu_ns > cpu_until_ns) {
                break;
            }
        }
    }
    return posted(word);
}

static void go(struct thread *t)
{
    struct linux_state *s = linux_slot_state(t->arch.slot);
    t->arch.before = t->arch.mode;
    t->arch.mode = LINUX_RUNNING;
    linux_process_served(t->arch.slot);
    uint32_t before = __atomic_exchange_n(&s->word, 0, __ATOMIC_SEQ_CST);
    if ((before & WORD_USER_SLEEPS) != 0) {
        wake(&s->word);
    }
}

/* A thread that will never answer: its process ends. What core still wants to know of it is
 * nonsense, as is what a process says of itself that does not follow the rules. */
static void give_up(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    if (!a->slot->process->dead) {
        log_line("linux: a thread of process %d does not answer", (int)a->slot->process->pid);
        linux_process_kill(a->slot->process);
    }
    a->registers = (struct user_registers){.rsp = 0};
    a->frame = linux_slot_area(a->slot) + AREA_STACK;
    a->extended_at = 0;
    a->mode = LINUX_FRAME;
    a->cause = SIGNAL_PREEMPT;
    a->pending = false;
}

static void take(struct thread *t)
{
    linux_thread_take(t);
    if (t->arch.mode == LINUX_RUNNING) {
        give_up(t);
    }
    if (linux_cpu()->running == t) {
        linux_cpu()->running = NULL;
    }
}

void linux_stop(struct thread *t)
{
    struct linux_slot *s = t->arch.slot;
    KASSERT(t->arch.mode == LINUX_RUNNING);
    if (!posted(&linux_slot_state(s)->word)) {
        linux_slot_interrupt(s);
    }
    if (await_post(s, ANSWER_SLICES)) {
        take(t);
        return;
    }
    give_up(t);
    if (linux_cpu()->running == t) {
        linux_cpu()->running = NULL;
    }
}

void linux_deepen(struct thread *t)
{
    struct linux_slot *s = t->arch.slot;
    KASSERT(t->arch.mode == LINUX_GATE);
    linux_slot_state(s)->kind = KIND_DEEP;
    go(t);
    if (await_post(s, ANSWER_SLICES)) {
        take(t);
    } else {
        give_up(t);
    }
    if (t->arch.mode == LINUX_GATE) { /* it did not do as it was told */
        give_up(t);
    }
    t->arch.pending = false;
}

static status_t why_dead(const struct linux_process *p)
{
    return !p->dead ? STATUS_OK : p->refused ? STATUS_MAPPINGS_EXHAUSTED : STATUS_DISCONNECTED;
}

/* A Linux thread for it, which waits to load its registers. */
static status_t attach(struct thread *t, struct linux_process *p)
{
    struct linux_slot *s = linux_slot_take(p, t, t->process->arch.time_open);
    if (s == NULL) {
        return STATUS_THREADS_EXHAUSTED;
    }
    t->arch.slot = s;
    linux_process_flush(p);
    if (!posted(&linux_slot_state(s)->word) && !await_post(s, BEGIN_SLICES)) {
        linux_process_kill(p);
    }
    return why_dead(p);
}

/* The address space as a Linux process. */
static struct linux_process *process_of(struct arch_address_space *as)
{
    if (as->process == NULL) {
        struct linux_process *p = linux_process_take();
        if (p != NULL) {
            static uint32_t made;
            p->waits_for_debugger = linux_debugged && ++made == 2; /* init, then the program */
            linux_mirror_all(as, p);
            as->process = p;
        }
    }
    return as->process;
}

/* A debugger can put a breakpoint only where there is a page. */
static void bring_in_code(const struct thread *t)
{
    const uint64_t entry = t->arch.registers.rip & ~(PAGE_SIZE - 1);
    for (uint64_t at = entry; kernel_copy_fault(at, UPCALL_ACCESS_EXECUTE); at -= PAGE_SIZE) {
    }
    for (uint64_t at = entry + PAGE_SIZE; kernel_copy_fault(at, UPCALL_ACCESS_EXECUTE);
         at += PAGE_SIZE) {
    }
}

status_t linux_resume(struct thread *t)
{
    struct arch_cpu *c = linux_cpu();
    struct arch_thread *a = &t->arch;
    if (c->running != NULL && c->running != t) {
        linux_stop(c->running);
    }
    struct arch_address_space *as = &t->process->space->arch;
    c->space = as;
    struct linux_process *p = process_of(as);
    if (p == NULL) {
        return STATUS_THREADS_EXHAUSTED;
    }
    if (a->slot != NULL && a->slot->time_open != t->process->arch.time_open) {
        linux_thread_unload(t);
    }
    if (a->slot == NULL && !p->dead) {
        status_t status = attach(t, p);
        if (status != STATUS_OK) {
            return status;
        }
    }
    if (p->waits_for_debugger) {
        bring_in_code(t);
    }
    linux_process_flush_all();
    if (p->dead) {
        return why_dead(p);
    }
    if (!a->pending && a->mode != LINUX_RUNNING) {
        linux_thread_load(t);
        if (p->waits_for_debugger) { /* it and its manager stop, on the way to what is loaded */
            p->waits_for_debugger = false;
            LINUX_CALL(__NR_kill, p->pid, SIGSTOP);
        }
        go(t);
    }
    c->running = a->pending ? NULL : t;
    return STATUS_OK;
}

/* How often to look at its word before we sleep: but once if it is on our processor, as it says;
 * nor with few of them while the folder process needs ours. */
static uint32_t looks(const struct thread *t)
{
    if (t == NULL && linux_folders_at_work()) {
        return linux_spin_aside();
    }
    return t != NULL && linux_slot_state(t->arch.slot)->cpu == linux_cpu_here ? 0 : linux_spin;
}

/* Freed frames go back to the host; they are holes of the file then, and zero. */
static void give_back(frame_t first, uint64_t count)
{
    int64_t result = LINUX_CALL(__NR_fallocate, MEMORY_FD,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, first << PAGE_SHIFT,
                                count << PAGE_SHIFT);
    if (result < 0) {
        memset(arch_frame_address(first), 0, count << PAGE_SHIFT);
    }
}

static enum linux_event wait_on(uint32_t *word, const struct thread *t)
{
    const struct arch_cpu *c = linux_cpu();
    bool clean = false; /* nothing is left to give back */
    for (uint32_t tries = 0;; tries++) {
        for (uint32_t round = 0, last = looks(t); round <= last; round++) {
            if (t != NULL && posted(word)) {
                return LINUX_EVENT_POSTED;
            }
            if (any_signal() || linux_folders_answered()) {
                return LINUX_EVENT_SIGNAL;
            }
            __builtin_ia32_pause();
        }
        uint64_t now_ns = arch_now_ns();
        if (now_ns >= c->deadline_ns) {
            return LINUX_EVENT_TIMER;
        }
        if (tries > TRIES_MAX && t != NULL) {
            linux_process_kill(t->arch.slot->process);
            return LINUX_EVENT_SIGNAL;
        }
        if (lie_down(word)) {
            uint64_t left_ns = c->deadline_ns - now_ns;
            uint64_t most_ns = t != NULL || !clean ? NAP_MAX_NS : IDLE_MAX_NS;
            left_ns = left_ns < most_ns ? left_ns : most_ns;
            uint64_t before = now_ns;
            if (linux_folders_may_sleep()) {
                sleep_on(word, linux_monotonic_ns() + left_ns);
            }
            linux_folders_awake();
            if (arch_now_ns() - before > NAP_MAX_NS / 2) { /* there is time for it */
                tries = 0;
                clean = !frame_clean(GIVE_BACK_LEAST, GIVE_BACK_MOST, give_back);
            }
        }
    }
}

/* While the thread runs, the host brings in the frame that the next fault will most likely want.
 * Whoever has it keeps what is in it. */
static void prepare(void)
{
    if (linux_wanted_frame < linux_frames && linux_spin > 0) {
        __atomic_or_fetch((uint32_t *)arch_frame_address(linux_wanted_frame), 0, __ATOMIC_RELAXED);
    }
    linux_wanted_frame = FRAME_NONE;
}

enum linux_event linux_wait(struct thread *t)
{
    if (t->arch.pending) {
        return LINUX_EVENT_POSTED;
    }
    if (linux_wanted_frame != FRAME_NONE) {
        prepare();
    }
    waited_for = &linux_slot_state(t->arch.slot)->word;
    enum linux_event e = wait_on(waited_for, t);
    waited_for = &idle_word;
    if (e == LINUX_EVENT_POSTED) {
        take(t);
    }
    return e;
}

enum linux_event linux_idle(void)
{
    if (linux_cpu()->running != NULL) {
        linux_stop(linux_cpu()->running);
    }
    linux_process_flush_all();
    return wait_on(&idle_word, NULL);
}
