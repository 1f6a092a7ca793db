/* Threads: spawned, joined, detached, ended, with and without their process; and cap_enter's
 * waiting. */
#include "kernel/core/timer_queue.h"
#include "lib/wire/gen/thread_control.h"
#include "lib/wire/gen/thread_handle.h"
#include "lib/wire/gen/thread_spawner.h"
#include "tests/lib/sim.h"

#define THREADS_CAP CAP_ID(CAP_SLOT_THREADS, 1)
#define THREAD_CAP CAP_ID(CAP_SLOT_THREAD, 1)

struct spawn {
    uint64_t entry, stack, argument, fs_base;
    uint32_t ring_entries;
};

static const struct spawn usual = {.entry = 0x400800, .stack = 0x7000000, .argument = 42};

static status_t spawn(struct user *u, const struct spawn *s, struct user_reply *reply)
{
    struct user_message m;
    struct wire_builder params = user_message(&m, THREAD_SPAWNER_SPAWN_PARAMS_DATA_WORDS, 0);
    thread_spawner_spawn_params_set_entry(params, s->entry);
    thread_spawner_spawn_params_set_stack(params, s->stack);
    thread_spawner_spawn_params_set_argument(params, s->argument);
    thread_spawner_spawn_params_set_fs_base(params, s->fs_base);
    thread_spawner_spawn_params_set_ring_entries(params, s->ring_entries);
    return user_call(u, THREADS_CAP, THREAD_SPAWNER_INTERFACE_ID, THREAD_SPAWNER_METHOD_SPAWN, &m,
                     NULL, 0, reply);
}

static struct thread *newest(const struct process *p)
{
    return CONTAINER_OF(p->threads.previous, struct thread, of_process);
}

static void exit_thread(struct user *u, uint64_t code)
{
    struct user_message m;
    struct wire_builder params = user_message(&m, THREAD_CONTROL_EXIT_PARAMS_DATA_WORDS, 0);
    thread_control_exit_params_set_code(params, code);
    struct ring_entry e = user_call_entry(u, THREAD_CAP, THREAD_CONTROL_INTERFACE_ID,
                                          THREAD_CONTROL_METHOD_EXIT, &m, NULL, 0);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
}

static struct ring_entry join_entry(struct user *u, cap_id_t handle)
{
    return user_call_entry(u, handle, THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_JOIN, NULL,
                           NULL, 0);
}

TEST(a_thread_starts_where_it_was_told_and_is_joined)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    struct user_reply reply;
    struct spawn s = usual;
    s.fs_base = 0x123000;
    CHECK_OK(spawn(u, &s, &reply));
    cap_id_t handle = reply.transfers[0].cap;
    struct thread *t = newest(p);
    const struct user_registers *r = &t->arch.registers;
    CHECK_EQ(r->rip, s.entry);
    CHECK_EQ(r->rsp, s.stack);
    CHECK_EQ(r->rdi, 42);
    CHECK_EQ(r->rsi, thread_spawner_spawn_results_ring(reply.root));
    CHECK_EQ(r->fs_base, 0x123000);
    struct user *v = user_of_thread(t);
    struct ring_entry e = join_entry(u, handle);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    exit_thread(v, 0x1234567890);
    CHECK_EQ(user_state(u), USER_RETURNED);
    CHECK(user_reap(u, &reply.completion));
    CHECK_OK(reply.completion.status);
    user_take_reply(u, &e, &reply.completion, &reply);
    CHECK_EQ(thread_handle_join_results_code(reply.root), 0x1234567890);
    CHECK_OK(user_call(u, handle, THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_JOIN, NULL, NULL,
                       0, &reply));
    CHECK_EQ(thread_handle_join_results_code(reply.root), 0x1234567890);
    CHECK_EQ(p->thread_count, 1);
}

TEST(a_detached_thread_is_not_joined)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p), *w = user_thread(p);
    struct user_reply reply;
    CHECK_OK(spawn(u, &usual, &reply));
    cap_id_t handle = reply.transfers[0].cap;
    struct ring_entry e = join_entry(w, handle);
    user_submit(w, &e);
    CHECK_EQ(user_enter(w, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_OK(user_call(u, handle, THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_DETACH, NULL,
                       NULL, 0, &reply));
    CHECK(user_reap(w, &reply.completion));
    CHECK_STATUS(reply.completion.status, -STATUS_BAD_STATE);
    CHECK_STATUS(user_call(u, handle, THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_JOIN, NULL,
                           NULL, 0, &reply),
                 STATUS_BAD_STATE);
}

TEST(a_joiner_in_another_process_learns_of_the_end_of_the_process)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0), *q = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(q);
    cap_id_t handle = sim_grant(p, &v->thread->object);
    struct ring_entry e = join_entry(u, handle);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    process_end(q, &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    struct user_reply reply;
    CHECK(user_reap(u, &reply.completion));
    CHECK_STATUS(reply.completion.status, -STATUS_DISCONNECTED);
    CHECK_STATUS(user_call(u, handle, THREAD_HANDLE_INTERFACE_ID, THREAD_HANDLE_METHOD_JOIN, NULL,
                           NULL, 0, &reply),
                 STATUS_DISCONNECTED);
}

TEST(a_thread_that_joins_itself_may_still_end)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *v = user_thread(p);
    cap_id_t handle = sim_grant(p, &v->thread->object);
    struct ring_entry e = join_entry(v, handle);
    user_submit(v, &e);
    CHECK_EQ(user_enter(v, 0, 0), USER_RETURNED);
    exit_thread(v, 1);
    CHECK(!p->ended);
}

TEST(the_last_thread_ends_the_process)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(p);
    exit_thread(u, 3);
    CHECK(!p->ended);
    exit_thread(v, 9);
    CHECK(p->ended);
    CHECK_EQ(p->exit.kind, EXIT_KIND_EXITED);
    CHECK_EQ(p->exit.code, 9);
}

TEST(hostile_spawns_are_refused_without_effect)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    static const struct spawn bad[] = {
        {.entry = 0, .stack = 0x7000000},
        {.entry = 0x1000, .stack = 0x7000000},
        {.entry = USER_END, .stack = 0x7000000},
        {.entry = UINT64_MAX, .stack = 0x7000000},
        {.entry = 0x400800, .stack = 0x7000008},
        {.entry = 0x400800, .stack = USER_END + 16},
        {.entry = 0x400800, .stack = 0x7000000, .fs_base = USER_END},
        {.entry = 0x400800, .stack = 0x7000000, .ring_entries = 3},
        {.entry = 0x400800, .stack = 0x7000000, .ring_entries = 8192},
        {.entry = 0x400800, .stack = 0x7000000, .ring_entries = UINT32_MAX},
    };
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct user_reply reply;
        CHECK_STATUS(spawn(u, &bad[i], &reply), STATUS_EXCEPTION);
        CHECK_EQ(p->thread_count, 1);
        user_scratch_reset(u);
    }
}

TEST(threads_are_charged_and_limited)
{
    sim_boot(NULL);
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_THREADS] = 3};
    struct process *p;
    CHECK_OK(sim_process_try(&ledger_root, NULL, 0, limits, &p));
    struct user *u = user_of(p);
    struct user_reply reply;
    CHECK_OK(spawn(u, &usual, &reply));
    struct user *v = user_of_thread(newest(p));
    CHECK_OK(spawn(u, &usual, &reply));
    CHECK_STATUS(spawn(u, &usual, &reply), STATUS_THREADS_EXHAUSTED);
    CHECK_EQ(p->account->used[LEDGER_THREADS], 3);
    exit_thread(v, 0);
    CHECK_OK(spawn(u, &usual, &reply));
}

TEST(large_rings_work)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    struct spawn s = usual;
    s.ring_entries = 1024;
    struct user_reply reply;
    CHECK_OK(spawn(u, &s, &reply));
    struct user *v = user_of_thread(newest(p));
    for (uint64_t i = 0; i < 1024; i++) {
        user_submit(v, &(struct ring_entry){.opcode = RING_OP_NOP, .user_data = i});
    }
    CHECK_EQ(user_enter(v, 1024, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_result(v), 1024);
}

/* --- cap_enter --- */

TEST(cap_enter_waits_for_as_many_as_asked)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    p->time_granted = true;
    struct user *u = user_of(p), *v = user_thread(p);
    uint32_t zero = 0;
    CHECK(user_write(p, u->scratch, &zero, sizeof zero));
    for (uint64_t i = 0; i < 3; i++) {
        user_submit(u, &(struct ring_entry){.opcode = RING_OP_PARK,
                                            .cap = CAP_ID(CAP_SLOT_PARK, 1),
                                            .user_data = i,
                                            .message = u->scratch,
                                            .interface_id = CAP_ENTER_FOREVER});
    }
    CHECK_EQ(user_enter(u, 2, 5000), USER_BLOCKED);
    struct ring_entry wake = {.opcode = RING_OP_UNPARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .message = u->scratch,
                              .result_size = 1};
    CHECK_EQ(user_run(v, wake).aux, 1);
    CHECK_EQ(user_state(u), USER_BLOCKED);
    CHECK_EQ(tally.timers, 1);
    CHECK_EQ(user_run(v, wake).aux, 1);
    CHECK_EQ(user_state(u), USER_RETURNED);
    CHECK_EQ(user_result(u), 2);
    CHECK_EQ(tally.timers, 0);
    CHECK_EQ(user_enter(u, 2, 5000), USER_RETURNED); /* they still wait to be taken */
    CHECK_EQ(user_enter(u, 3, 5000), USER_BLOCKED);
    sim_advance(5000);
    CHECK_EQ(user_result(u), -STATUS_TIMED_OUT);
    CHECK_EQ(user_enter(u, 1000, UINT64_MAX - 1),
             USER_BLOCKED); /* a time-out that wraps is for ever */
    CHECK_EQ(user_run(v, wake).aux, 1);
    CHECK_EQ(user_state(u), USER_BLOCKED); /* a full queue would end it */
}

TEST(a_full_completion_queue_ends_any_wait)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 16; i++) {
            user_submit(u, &(struct ring_entry){.opcode = RING_OP_NOP, .user_data = i});
        }
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    }
    CHECK_EQ(user_enter(u, UINT32_MAX, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_result(u), 32);
}

TEST(cap_enter_with_another_count_of_upcalls_returns_at_once)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    user_submit(u, &(struct ring_entry){.opcode = RING_OP_NOP, .user_data = 1});
    CHECK_EQ(user_syscall(u, SYSCALL_CAP_ENTER, 1, CAP_ENTER_FOREVER, 1), USER_RETURNED);
    CHECK_EQ(user_result(u), -STATUS_INTERRUPTED);
    CHECK_EQ(user_ring(u).cq_tail, 0); /* nothing was taken */
    uint32_t nonsense = 55;            /* the thread's own copy is not what counts */
    CHECK(user_write(u->process, u->ring + offsetof(struct ring_header, upcalls), &nonsense,
                     sizeof nonsense));
    CHECK_EQ(user_syscall(u, SYSCALL_CAP_ENTER, 1, CAP_ENTER_FOREVER, 0), USER_RETURNED);
    CHECK_EQ(user_result(u), 1);
}

static struct user *failing;

static void make_failing(void)
{
    static uint8_t zeroes[USER_SCRATCH_SIZE];
    failing = user_of(sim_process(NULL, 0));
    CHECK(user_write(failing->process, failing->scratch, zeroes,
                     sizeof zeroes)); /* so that only the kernel allocates */
}

static void spawn_once(void)
{
    struct user_reply reply;
    (void)spawn(failing, &usual, &reply);
    user_scratch_reset(failing);
}

TEST(spawning_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, spawn_once);
}
