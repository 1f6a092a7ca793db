/* Processes: making and ending them, what their ends give back, whom they answer, and who may use
 * time. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/kmem.h"
#include "kernel/core/park.h"
#include "kernel/core/process.h"
#include "kernel/core/timer_queue.h"
#include "lib/wire/gen/process_handle.h"
#include "lib/wire/gen/timer.h"
#include "lib/wire/gen/types.h"
#include "tests/lib/sim.h"

static const struct exit_record exited_7 = {.kind = EXIT_KIND_EXITED, .code = 7};

static struct ring_entry wait_entry(struct user *u, cap_id_t handle)
{
    return user_call_entry(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_WAIT, NULL,
                           NULL, 0);
}

static struct wire_reader status_of(struct user *u, const struct ring_entry *e,
                                    struct user_reply *reply)
{
    CHECK(user_reap(u, &reply->completion));
    CHECK_OK(reply->completion.status);
    user_take_reply(u, e, &reply->completion, reply);
    return process_handle_wait_results_status(reply->root);
}

TEST(a_process_finds_its_own_objects_and_its_grants)
{
    sim_boot(NULL);
    struct object *grants[] = {&timer_object, &console_object, &timer_object};
    struct process *p = sim_process(grants, 3);
    struct object *o;
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_MEMORY, 1), &o));
    CHECK(o == &p->own[OWN_MEMORY] && process_of_own(o) == p);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_THREADS, 1), &o));
    CHECK(o == &p->own[OWN_THREADS] && process_of_own(o) == p);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_THREAD, 1), &o));
    CHECK(o == &p->own[OWN_CONTROL] && process_of_own(o) == p);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_PARK, 1), &o));
    CHECK(o == &p->own[OWN_PARK] && process_of_own(o) == p);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1), &o));
    CHECK(o == &console_object);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_FIRST_GRANT + 2, 1), &o));
    CHECK(o == &timer_object);
    CHECK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_FIRST_GRANT + 3, 1), &o)
          == STATUS_BAD_CAPABILITY);
}

TEST(the_start_block_lies_on_the_stack)
{
    sim_boot(NULL);
    const char *reason = NULL;
    _Alignas(8) uint8_t start[5000];
    for (size_t i = 0; i < sizeof start; i++) {
        start[i] = (uint8_t)(i * 7);
    }
    struct process *p;
    CHECK_OK(process_create(&ledger_root, "name", 4, sim_image(), start, sizeof start, NULL, 0,
                            NULL, &p, &reason));
    struct thread *t = LIST_FIRST(&p->threads, struct thread, of_process);
    const struct user_registers *r = &t->arch.registers;
    uint8_t found[sizeof start];
    uint64_t zero = 1;
    CHECK_EQ(r->rdx, sizeof start);
    CHECK_EQ(r->rsi, t->ring.user_address);
    CHECK(user_read(p, r->rdi, found, sizeof found));
    CHECK_BYTES(found, start, sizeof start);
    CHECK_EQ(r->rsp % 16, 0);
    CHECK(user_read(p, r->rsp, &zero, sizeof zero));
    CHECK_EQ(zero, 0);
    uint64_t size = process_stack_size();
    CHECK(user_read(p, r->rsp - size + 64, &zero, sizeof zero)); /* the whole stack is there */
    /* and a guard below it */
    CHECK(!user_read(p, (r->rdi & ~0xfffull) - size - 8, &zero, sizeof zero));
    CHECK(strcmp(p->name, "name") == 0);
    process_end(p, &exited_7);
    object_put(&p->object);
}

TEST(making_a_process_fails_without_effect)
{
    sim_boot(NULL);
    const char *reason = NULL;
    struct process *p;
    struct object *object;
    uint64_t start[2] = {1ull << 32, 0};
    CHECK_STATUS(process_create(&ledger_root, "x", 1, sim_image(), start, MESSAGE_MAX + 1, NULL, 0,
                                NULL, &p, &reason),
                 STATUS_MESSAGE_TOO_LARGE);
    CHECK_OK(memory_object_create(&ledger_root, PAGE_SIZE, &object)); /* zeroes: no program */
    CHECK_STATUS(process_create(&ledger_root, "x", 1, object, start, sizeof start, NULL, 0, NULL,
                                &p, &reason),
                 STATUS_BAD_MESSAGE);
    CHECK(reason != NULL && reason[0] != '\0');
    object_put(object);
    uint64_t limits[LEDGER_KINDS] = {0};
    static const struct {
        enum ledger_kind kind;
        uint64_t limit;
        status_t status;
    } cases[] = {{LEDGER_FRAMES, 3, STATUS_FRAMES_EXHAUSTED},
                 {LEDGER_SLOTS, 3, STATUS_SLOTS_EXHAUSTED},
                 {LEDGER_KERNEL_BYTES, 500, STATUS_BYTES_EXHAUSTED}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        memset(limits, 0, sizeof limits);
        limits[cases[i].kind] = cases[i].limit;
        CHECK_STATUS(sim_process_try(&ledger_root, NULL, 0, limits, &p), cases[i].status);
    }
    sim_settle();
    CHECK_EQ(tally.processes, 0);
}

static void make_image(void)
{
    (void)sim_image();
}

static void make_one(void)
{
    struct object *grants[] = {&timer_object, &console_object};
    struct process *p;
    status_t status = sim_process_try(&ledger_root, grants, 2, NULL, &p);
    if (status != STATUS_FRAMES_EXHAUSTED && status != STATUS_BYTES_EXHAUSTED) {
        CHECK_OK(status);
    }
}

TEST(making_a_process_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_image, make_one);
}

TEST(waiters_learn_how_it_ended)
{
    sim_boot(NULL);
    struct process *parent = sim_process(NULL, 0), *child = sim_process(NULL, 0);
    struct user *a = user_of(parent), *b = user_thread(parent);
    cap_id_t handle = sim_grant(parent, &child->object);
    struct ring_entry ea = wait_entry(a, handle), eb = wait_entry(b, handle);
    user_submit(a, &ea);
    CHECK_EQ(user_enter(a, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    user_submit(b, &eb);
    CHECK_EQ(user_enter(b, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    struct user *c = user_of(child);
    CHECK_EQ(user_syscall(c, SYSCALL_EXIT, (uint32_t)-3, 0, 0), USER_DIED);
    struct user_reply reply;
    struct wire_reader status = status_of(a, &ea, &reply);
    CHECK_EQ(exit_status_kind(status), EXIT_KIND_EXITED);
    CHECK_EQ(exit_status_code(status), -3);
    status = status_of(b, &eb, &reply);
    CHECK_EQ(exit_status_code(status), -3);
    /* and whoever asks later */
    CHECK_OK(user_call(a, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_WAIT, NULL,
                       NULL, 0, &reply));
    CHECK_EQ(exit_status_code(process_handle_wait_results_status(reply.root)), -3);
}

TEST(exit_says_why)
{
    sim_boot(NULL);
    struct process *denied = sim_process(NULL, 0), *panicked = sim_process(NULL, 0);
    CHECK_EQ(user_syscall(user_of(denied), SYSCALL_EXIT, 5 | EXIT_BECAUSE_DENIED, 0, 0), USER_DIED);
    CHECK_EQ(user_syscall(user_of(panicked), SYSCALL_EXIT, 6 | EXIT_BECAUSE_PANIC, 0, 0),
             USER_DIED);
    CHECK_EQ(denied->exit.kind, EXIT_KIND_DENIED);
    CHECK_EQ(denied->exit.code, 5);
    CHECK_EQ(panicked->exit.kind, EXIT_KIND_PANICKED);
    CHECK_EQ(panicked->exit.code, 6);
    struct process *exhausted = sim_process(NULL, 0), *confused = sim_process(NULL, 0);
    CHECK_EQ(user_syscall(user_of(exhausted), SYSCALL_EXIT,
                          STATUS_SLOTS_EXHAUSTED | EXIT_BECAUSE_EXHAUSTED, 0, 0),
             USER_DIED);
    CHECK_EQ(user_syscall(user_of(confused), SYSCALL_EXIT, 0xffffffff | EXIT_BECAUSE_EXHAUSTED, 0,
                          0),
             USER_DIED);
    CHECK_EQ(exhausted->exit.kind, EXIT_KIND_OUT_OF_BUDGET);
    CHECK_EQ(exhausted->exit.exhausted, STATUS_SLOTS_EXHAUSTED);
    CHECK_EQ(confused->exit.exhausted, STATUS_FRAMES_EXHAUSTED);
}

TEST(a_fault_nobody_handles_ends_the_process_with_a_trace)
{
    sim_boot(NULL);
    struct process *parent = sim_process(NULL, 0), *child = sim_process(NULL, 0);
    struct user *w = user_of(parent), *u = user_of(child);
    cap_id_t handle = sim_grant(parent, &child->object);
    struct ring_entry e = wait_entry(w, handle);
    user_submit(w, &e);
    CHECK_EQ(user_enter(w, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    uint64_t frames[6] = {u->scratch + 16, 0x1111, u->scratch + 32, 0x2222, 0, 0x3333};
    CHECK(user_write(child, u->scratch, frames, sizeof frames));
    u->thread->arch.registers.rbp = u->scratch;
    u->thread->arch.registers.rip = 0x400900;
    CHECK(!user_touch(u, 0x18, UPCALL_ACCESS_WRITE));
    CHECK_EQ(user_state(u), USER_DIED);
    struct user_reply reply;
    struct wire_reader status = status_of(w, &e, &reply);
    CHECK_EQ(exit_status_kind(status), EXIT_KIND_FAULTED);
    CHECK_EQ(exit_status_cause(status), FAULT_CAUSE_PAGE_FAULT);
    CHECK_EQ(exit_status_access(status), FAULT_ACCESS_WRITE);
    CHECK_EQ(exit_status_address(status), 0x18);
    CHECK_EQ(exit_status_instruction(status), 0x400900);
    struct wire_list trace = exit_status_backtrace(status);
    CHECK_EQ(trace.count, 3);
    CHECK_EQ(wire_list_get_u64(trace, 0), 0x1111);
    CHECK_EQ(wire_list_get_u64(trace, 2), 0x3333);
}

TEST(a_machine_without_frames_ends_who_needs_one)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    kmem_fail_after = 0;
    bool touched = user_touch(u, u->scratch + 20 * PAGE_SIZE, UPCALL_ACCESS_WRITE);
    CHECK_LT(kmem_fail_after, 0); /* it was that allocation */
    CHECK(!touched);
    CHECK_EQ(user_state(u), USER_DIED);
    CHECK_EQ(p->exit.kind, EXIT_KIND_OUT_OF_BUDGET);
    CHECK_EQ(p->exit.exhausted, STATUS_FRAMES_EXHAUSTED);
}

TEST(a_hostile_chain_of_frames_is_followed_no_further_than_it_goes)
{
    sim_boot(NULL);
    for (int i = 0; i < 5; i++) {
        struct process *p = sim_process(NULL, 0);
        struct user *u = user_of(p);
        const uint64_t chains[5][2] = {{u->scratch, 0x10},     /* to itself */
                                       {u->scratch - 8, 0x10}, /* down */
                                       {UINT64_MAX - 7, 0x10}, /* out of user memory */
                                       {u->scratch + 4, 0x10}, /* not aligned */
                                       {0x30, 0x10}};          /* unmapped */
        CHECK(user_write(p, u->scratch, chains[i], sizeof chains[i]));
        u->thread->arch.registers.rbp = u->scratch;
        CHECK(!user_touch(u, 0x18, UPCALL_ACCESS_READ));
        CHECK_EQ(p->exit.kind, EXIT_KIND_FAULTED);
        CHECK_EQ(p->exit.backtrace_count, 1);
    }
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    u->thread->arch.registers.rbp = UINT64_MAX - 15; /* the words wrap */
    CHECK(!user_touch(u, USER_END, UPCALL_ACCESS_READ));
    CHECK_EQ(p->exit.backtrace_count, 0);
}

TEST(terminate_and_ready_and_stats)
{
    sim_boot(NULL);
    struct process *parent = sim_process(NULL, 0), *child = sim_process(NULL, 0);
    struct user *u = user_of(parent), *v = user_thread(parent);
    cap_id_t handle = sim_grant(parent, &child->object);
    struct user_reply reply;
    struct user_message m;
    CHECK_OK(user_call(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_STATS, NULL,
                       NULL, 0, &reply));
    CHECK_EQ(process_handle_stats_results_threads(reply.root), 1);
    CHECK_EQ(process_handle_stats_results_slots(reply.root), 4);
    CHECK_GT(process_handle_stats_results_frames(reply.root), 64);
    struct wire_builder params = user_message(&m, PROCESS_HANDLE_READY_PARAMS_DATA_WORDS, 0);
    process_handle_ready_params_set_mask(params, READINESS_WRITABLE);
    CHECK_STATUS(user_call(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_READY, &m,
                           NULL, 0, &reply),
                 STATUS_EXCEPTION);
    params = user_message(&m, PROCESS_HANDLE_READY_PARAMS_DATA_WORDS, 0);
    process_handle_ready_params_set_mask(params, READINESS_READABLE | READINESS_WRITABLE);
    struct ring_entry e = user_call_entry(v, handle, PROCESS_HANDLE_INTERFACE_ID,
                                          PROCESS_HANDLE_METHOD_READY, &m, NULL, 0);
    user_submit(v, &e);
    CHECK_EQ(user_enter(v, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_OK(user_call(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_TERMINATE,
                       NULL, NULL, 0, &reply));
    CHECK_EQ(child->exit.kind, EXIT_KIND_TERMINATED);
    CHECK(user_reap(v, &reply.completion));
    user_take_reply(v, &e, &reply.completion, &reply);
    CHECK_EQ(process_handle_ready_results_mask(reply.root), READINESS_READABLE);
    CHECK_OK(user_call(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_TERMINATE,
                       NULL, NULL, 0, &reply));
    CHECK_OK(user_call(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_STATS, NULL,
                       NULL, 0, &reply));
    CHECK_EQ(process_handle_stats_results_frames(reply.root), 0);
}

TEST(a_process_may_hold_and_end_itself)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    cap_id_t handle = sim_grant(p, &p->object);
    struct ring_entry wait = wait_entry(u, handle);
    user_submit(u, &wait);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    struct ring_entry end = user_call_entry(u, handle, PROCESS_HANDLE_INTERFACE_ID,
                                            PROCESS_HANDLE_METHOD_TERMINATE, NULL, NULL, 0);
    user_submit(u, &end);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
    CHECK_EQ(p->exit.kind, EXIT_KIND_TERMINATED);
}

TEST(time_outs_need_a_timer_that_is_or_was_there)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    CHECK_EQ(user_enter(u, 1, 1000), USER_RETURNED);
    CHECK_EQ(user_result(u), -STATUS_TIME_NOT_GRANTED);
    CHECK_EQ(user_enter(u, 1, 0), USER_RETURNED);
    CHECK_EQ(user_result(u), -STATUS_TIMED_OUT);
    cap_id_t timer = sim_grant(p, &timer_object);
    CHECK_EQ(user_enter(u, 1, 1000), USER_BLOCKED);
    sim_advance(1000);
    CHECK_EQ(user_result(u), -STATUS_TIMED_OUT);
    CHECK_OK(cap_table_release(&p->table, timer));
    CHECK_EQ(user_enter(u, 1, 1000), USER_BLOCKED);
    sim_advance(1000);
}

/* A process with something in every state: parked, sleeping, waiting, joined, half a transfer, a
 * second thread blocked. */
static void busy_process_ends(void)
{
    struct object *grants[] = {&timer_object};
    struct process *p, *q;
    if (sim_process_try(&ledger_root, grants, 1, NULL, &p) != STATUS_OK
        || sim_process_try(&ledger_root, NULL, 0, NULL, &q) != STATUS_OK) {
        return;
    }
    struct user *u = user_of(p);
    cap_id_t handle;
    if (cap_table_insert(&p->table, object_get(&q->object), &handle) != STATUS_OK) {
        object_put(&q->object);
        return;
    }
    struct user_message m;
    struct wire_builder params = user_message(&m, TIMER_SLEEP_PARAMS_DATA_WORDS, 0);
    timer_sleep_params_set_ns(params, 1000000);
    struct ring_entry sleep = user_call_entry(u, CAP_ID(CAP_SLOT_FIRST_GRANT, 1),
                                              TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, &m, NULL, 0);
    struct ring_entry wait = wait_entry(u, handle);
    struct ring_entry park = {.opcode = RING_OP_PARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .user_data = 9,
                              .message = u->scratch,
                              .interface_id = 5000,
                              .result_size = 0};
    uint32_t zero = 0;
    CHECK(user_write(p, u->scratch, &zero, sizeof zero));
    user_submit(u, &sleep);
    user_submit(u, &wait);
    user_submit(u, &park);
    (void)user_enter(u, 30, CAP_ENTER_FOREVER);
    process_end(p, &exited_7);
    CHECK(p->ended && p->thread_count == 0);
    CHECK_EQ(tally.timers, 0);
    CHECK_EQ(tally.parked, 0);
}

TEST(the_end_of_a_busy_process_gives_everything_back)
{
    sim_boot(NULL);
    busy_process_ends();
}
