/* Linux processes, one for each address space that runs: taken from the zygote, told what to map,
 * killed at the end; and the Linux threads in them.
 *
 * A manager answers through a pipe that only managers hold, with words that name the process and
 * the sequence, so no user thread can say that something was unmapped which was not. There is one
 * virtual CPU, so at most one answer is awaited.
 *
 * With two processors the manager takes that of the thread for which it works: this one sleeps
 * (WORD_SLEEP, or by itself after a fault), the manager is kept off ours, does its commands and
 * wakes it, and we look at the pipe meanwhile. So no processor becomes idle, and none is
 * interrupted: either costs as much as all the rest. What a hostile thread does instead only makes
 * us wait longer. In the same way a thread that waits gives way to another one that is to run.
 *
 * A process that fails a command is killed: it is `dead` from then on, and core learns of it when
 * it is to run (linux_resume). */
#include "kernel/arch/linux/linux.h"

#include "kernel/core/log.h"

#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <asm/mman.h>
#include <asm/signal.h>
#include <asm/errno.h>
#include <asm/poll.h>
#include <linux/wait.h>

#define ANY_CPU UINT32_MAX
#define TOGETHER_MAX 4 /* times that a served thread is on our processor, before we leave it */
#define LOOKS 128 /* at the pipe: some 40 us, longer than a manager takes for a page */

volatile bool linux_waits_for_manager;
uint32_t linux_cpu_here;

static struct linux_process processes[PROCESSES_MAX];
static struct linux_slot slots[AREAS_MAX];
static uint32_t process_free[PROCESSES_MAX], process_free_count, process_frontier;
static uint32_t slot_free[AREAS_MAX], slot_free_count, slot_frontier;
static struct linux_process *queued; /* with commands that are not under way */
static struct linux_slot *last_served; /* that may look at its word still, or NULL */
static struct linux_process *spare;  /* asked for, and not taken yet */
static int done_pipe;

struct linux_siginfo { /* of a child: siginfo_t */
    int32_t number, error, code, zero, pid;
    uint8_t rest[108];
};

static uint32_t number_of(const struct linux_process *p)
{
    return (uint32_t)(p - processes);
}

static struct linux_commands *commands_of(const struct linux_process *p)
{
    return (struct linux_commands *)(linux_helper + HELPER_FILE_COMMANDS +
                                     number_of(p) * PAGE_SIZE);
}

static uint64_t answer_of(const struct linux_process *p, bool ok)
{
    return (uint64_t)(number_of(p) + 1) << 33 | (uint64_t)ok << 32 | p->sequence;
}

/* What a process wrote there is not for the next one to see. */
static void wipe(uint64_t offset, uint64_t size)
{
    int64_t result = LINUX_CALL(__NR_fallocate, linux_helper_file,
                                FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, size);
    if (result < 0) {
        memset(linux_helper + offset, 0, size);
    }
}

/* --- processes --- */

/* Asks the zygote for one, so that it is made while the kernel goes on. */
static void ask_for_spare(void)
{
    uint32_t n;
    if (process_free_count > 0) {
        n = process_free[--process_free_count];
    } else if (process_frontier < PROCESSES_MAX) {
        n = process_frontier++;
    } else {
        return;
    }
    spare = &processes[n];
    memset(spare, 0, sizeof(*spare));
    spare->off_cpu = spare->told_cpu = ANY_CPU;
    commands_of(spare)->spin = linux_spin;
    commands_of(spare)->expected = linux_spin > 0;
    commands_of(spare)->bases = linux_bases_by_call ? BASES_BY_CALL : BASES_BY_INSTRUCTION;
    linux_zygote_ask(n);
}

void linux_process_bring_up(int done)
{
    done_pipe = done;
    ask_for_spare();
}

struct linux_process *linux_process_take(void)
{
    if (spare == NULL) {
        ask_for_spare();
    }
    struct linux_process *p = spare;
    if (p == NULL) {
        return NULL;
    }
    spare = NULL;
    int32_t pid = linux_zygote_answer();
    if (pid <= 0) {
        log_line("linux: no process more: error %d", (int)-pid);
        process_free[process_free_count++] = number_of(p);
        return NULL;
    }
    p->pid = pid;
    ask_for_spare();
    return p;
}

void linux_process_foreign_gs(struct linux_process *p)
{
    commands_of(p)->bases = BASES_FOREIGN;
}

void linux_process_kill(struct linux_process *p)
{
    if (!p->dead) {
        p->dead = true;
        LINUX_CALL(__NR_kill, p->pid, SIGKILL);
    }
}

static void dequeue(struct linux_process *p)
{
    struct linux_process **link = &queued;
    while (*link != p) {
        link = &(*link)->next_queued;
    }
    *link = p->next_queued;
    p->queued = false;
}

void linux_process_end(struct linux_process *p)
{
    linux_process_kill(p);
    while (LINUX_CALL(__NR_wait4, p->pid, 0, __WALL, 0) == -EINTR) {
    }
    if (p->queued) {
        dequeue(p);
    }
    if (last_served != NULL && last_served->process == p) {
        last_served = NULL;
    }
    struct linux_slot *next;
    for (struct linux_slot *s = p->slots; s != NULL; s = next) {
        next = s->next;
        KASSERT(s->owner == NULL);
        wipe((uint64_t)(linux_slot_memory(s) - linux_helper), AREA_SIZE);
        slot_free[slot_free_count++] = (uint32_t)(s - slots);
    }
    wipe(HELPER_FILE_COMMANDS + number_of(p) * PAGE_SIZE, PAGE_SIZE);
    p->pid = 0;
    p->slots = NULL;
    process_free[process_free_count++] = number_of(p);
}

/* Whether it was ended by somebody else: without waiting. It stays a zombie until
 * linux_process_end(), so that its number is nobody else's. */
static void look_whether_dead(struct linux_process *p)
{
    struct linux_siginfo info = {.pid = 0};
    int64_t result = LINUX_CALL(__NR_waitid, P_PID, p->pid, &info, WEXITED | WNOHANG | WNOWAIT, 0);
    if (!p->dead && (result < 0 || info.pid != 0)) {
        p->dead = true;
        log_line("linux: the host has ended process %d", (int)p->pid);
    }
}

void linux_process_reap(void)
{
    struct linux_siginfo info = {.pid = 0};
    LINUX_CALL(__NR_waitid, P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT, 0);
    if (info.pid == 0) { /* one that we have ended */
        return;
    }
    for (uint32_t i = 0; i < process_frontier; i++) {
        if (processes[i].pid > 0 && !processes[i].dead) {
            look_whether_dead(&processes[i]);
        }
    }
}

/* --- commands --- */

void linux_process_command(struct linux_process *p, uint64_t number, uint64_t a, uint64_t b,
                           uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    if (p->dead) {
        return;
    }
    if (p->count == COMMANDS_MAX) {
        linux_process_flush(p);
    }
    if (!p->queued) {
        p->queued = true;
        p->next_queued = queued;
        queued = p;
    }
    commands_of(p)->command[p->count++] =
        (struct linux_command){.number = number, .arguments = {a, b, c, d, e, f}};
}

/* Looks for a while, where that is likely to help, then sleeps. */
static uint64_t next_word(bool looks)
{
    uint64_t word = 0;
    for (int i = looks ? LOOKS : 0; i >= 0; i--) {
        struct pollfd one = {.fd = done_pipe, .events = POLLIN};
        if (i == 0) {
            LINUX_CALL(__NR_poll, &one, 1, -1);
        }
        if (LINUX_CALL(__NR_read, done_pipe, &word, sizeof(word)) == sizeof(word)) {
            break;
        }
    }
    return word;
}

/* A dead child writes a word that is nobody's answer (meet.c), so that this never waits in vain. */
static void await_answer(struct linux_process *p, bool looks)
{
    uint64_t good = answer_of(p, true), bad = answer_of(p, false);
    linux_waits_for_manager = true;
    if (linux_child_ended()) {
        look_whether_dead(p);
    }
    while (!p->dead) {
        uint64_t word = next_word(looks);
        if (word == good) {
            break;
        }
        if (word == bad) {
            log_line("linux: the host refuses process %d a mapping or a thread", (int)p->pid);
            p->refused = true;
            linux_process_kill(p);
        }
        look_whether_dead(p);
    }
    linux_waits_for_manager = false;
}

/* As the stub reads it: only to be compared. */
void linux_process_look_where(void)
{
    uint32_t cpu;
    __asm__ volatile("lsl %1, %0" : "=r"(cpu) : "r"(CPU_SELECTOR), "0"(CPU_SELECTOR) : "cc");
    linux_cpu_here = cpu & 0xfff;
}

/* Who waits without sleeping goes to sleep. */
static void send_to_sleep(const struct linux_slot *s)
{
    uint32_t expected = WORD_POSTED;
    __atomic_compare_exchange_n(&linux_slot_state(s)->word, &expected, WORD_POSTED | WORD_SLEEP,
                                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

/* Where that Linux thread may run: not on that processor. ANY_CPU: everywhere. */
static void keep_thread_off(int32_t thread, uint32_t cpu)
{
    uint64_t cpus[LINUX_CPU_WORDS];
    memcpy(cpus, linux_cpus, sizeof(cpus));
    if (cpu != ANY_CPU) {
        cpus[cpu / 64 % LINUX_CPU_WORDS] &= ~(1ull << cpu % 64);
    }
    LINUX_CALL(__NR_sched_setaffinity, thread, sizeof(cpus), cpus);
}

static void keep_off(struct linux_process *p, uint32_t cpu) /* its manager */
{
    if (p->off_cpu != cpu) {
        p->off_cpu = cpu;
        keep_thread_off(p->pid, cpu);
    }
}

/* Where we and the thread that we serve are on one processor for long, Linux does not find a better
 * place by itself: none of them is ever idle. */
static void move_away(const struct linux_slot *served)
{
    static uint32_t together;
    linux_process_look_where();
    together = linux_slot_state(served)->cpu == linux_cpu_here ? together + 1 : 0;
    if (together == TOGETHER_MAX) {
        together = 0;
        keep_thread_off(0, linux_cpu_here);
        keep_thread_off(0, ANY_CPU);
        linux_process_look_where();
    }
}

/* The thread that waits leaves its processor to its manager, which wakes it at the end, and we stay
 * on ours and look. Returns the word on which the thread sleeps. */
static uint64_t make_room(struct linux_process *p, struct linux_commands *c)
{
    move_away(p->served);
    c->cpu = p->told_cpu = linux_cpu_here;
    keep_off(p, c->cpu);
    send_to_sleep(p->served);
    return linux_slot_area(p->served) + AREA_STATE;
}

void linux_process_serve(struct linux_slot *s, bool fault)
{
    last_served = s;
    s->process->served = linux_spin > 0 ? s : NULL;
    s->process->faulted = fault;
    s->process->asked = false;
}

void linux_process_served(const struct linux_slot *s)
{
    struct linux_process *p = s->process;
    if (last_served != NULL && last_served != s && linux_cpu_count == 2) {
        send_to_sleep(last_served); /* we have one processor, and who runs needs the other */
    }
    last_served = NULL;
    if (p->told_cpu != linux_cpu_here) {
        p->told_cpu = linux_cpu_here;
        commands_of(p)->cpu = linux_cpu_here;
    }
    if (p->served != NULL && p->faulted) {
        commands_of(p)->expected = p->asked;
    }
    p->served = NULL;
}

void linux_process_flush(struct linux_process *p)
{
    if (p->dead || p->count == 0) {
        return;
    }
    struct linux_commands *c = commands_of(p);
    p->sequence++;
    p->asked = true;
    c->count = p->count;
    if (p->clones) { /* a thread may run wherever its manager may when it makes it */
        keep_off(p, ANY_CPU);
    }
    c->wake = p->served != NULL && !p->clones ? make_room(p, c) : 0;
    p->clones = false;
    c->ok = answer_of(p, true);
    c->bad = answer_of(p, false);
    p->count = 0;
    dequeue(p);
    __atomic_store_n(&c->sequence, p->sequence, __ATOMIC_SEQ_CST); /* pairs with its futex */
    LINUX_CALL(__NR_futex, &c->sequence, FUTEX_WAKE, 1);
    await_answer(p, c->wake != 0);
}

void linux_process_flush_all(void)
{
    while (queued != NULL) {
        struct linux_process *p = queued;
        linux_process_flush(p);
        if (p->queued) { /* it is dead */
            dequeue(p);
            p->count = 0;
        }
    }
}

/* --- threads --- */

uint8_t *linux_slot_memory(const struct linux_slot *s)
{
    return linux_helper + HELPER_FILE_AREAS + (uint64_t)(s - slots) * AREA_SIZE;
}

struct linux_state *linux_slot_state(const struct linux_slot *s)
{
    return (struct linux_state *)(linux_slot_memory(s) + AREA_STATE);
}

uint64_t linux_slot_area(const struct linux_slot *s)
{
    return HELPER_AREAS + (uint64_t)(s - slots) * AREA_SIZE;
}

static void fill_setup(const struct linux_slot *s)
{
    struct linux_setup *setup = (struct linux_setup *)linux_slot_memory(s);
    uint64_t area = linux_slot_area(s);
    setup->stack =
        (struct linux_stack){.address = area + AREA_STACK, .size = AREA_SIZE - AREA_STACK};
    setup->filter_count = (uint16_t)linux_filter_thread(setup->instructions, area + AREA_STATE);
    setup->filter = area + offsetof(struct linux_setup, instructions);
    setup->tsc = s->time_open ? PR_TSC_ENABLE : PR_TSC_SIGSEGV;
    linux_slot_state(s)->self = area + AREA_STATE;
}

static struct linux_slot *new_slot(struct linux_process *p, bool time_open)
{
    struct linux_slot *s;
    if (slot_free_count > 0) {
        s = &slots[slot_free[--slot_free_count]];
    } else if (slot_frontier < AREAS_MAX) {
        s = &slots[slot_frontier++];
    } else {
        return NULL;
    }
    *s = (struct linux_slot){
        .process = p, .next = p->slots, .time_open = time_open, .fs = BASE_UNKNOWN};
    p->slots = s;
    fill_setup(s);
    uint64_t area = linux_slot_area(s);
    uint64_t offset = (uint64_t)(linux_slot_memory(s) - linux_helper);
    linux_process_command(p, __NR_mmap, area, AREA_STATE, PROT_READ,
                          MAP_SHARED | MAP_FIXED | MAP_POPULATE, MANAGER_HELPER_FD, offset);
    linux_process_command(p, __NR_mmap, area + AREA_STATE, AREA_SIZE - AREA_STATE,
                          PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, MANAGER_HELPER_FD,
                          offset + AREA_STATE);
    p->clones = true;
    linux_process_command(p, __NR_clone, LINUX_THREAD_FLAGS, area,
                          area + AREA_STATE + offsetof(struct linux_state, thread), 0, 0, 0);
    return s;
}

struct linux_slot *linux_slot_take(struct linux_process *p, struct thread *owner, bool time_open)
{
    struct linux_slot *s = p->slots;
    while (s != NULL && (s->owner != NULL || s->time_open != time_open)) {
        s = s->next;
    }
    s = s != NULL ? s : new_slot(p, time_open);
    if (s != NULL) {
        s->owner = owner;
        p->attached++;
    }
    return s;
}

void linux_slot_release(struct linux_slot *s)
{
    KASSERT(s->owner != NULL && s->process->attached > 0);
    s->owner = NULL;
    s->process->attached--;
}

void linux_slot_interrupt(const struct linux_slot *s)
{
    uint32_t thread = __atomic_load_n(&linux_slot_state(s)->thread, __ATOMIC_RELAXED);
    LINUX_CALL(__NR_tgkill, s->process->pid, thread, SIGNAL_PREEMPT);
}
