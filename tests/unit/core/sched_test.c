/* The scheduler: shares by weight, slices, hand-off, no tick without need, and what sleeping gains
 * nobody. */
#include "kernel/core/timer_queue.h"
#include "tests/lib/sim.h"

#define MS 1000000ull

/* Lets the machine run for that long with user code that only computes: time passes, timers
 * interrupt. */
static void compute(uint64_t ns)
{
    sim_advance(ns);
    struct thread *t = arch_cpu()->current;
    if (t != NULL) {
        sched_charge(t, arch_now_ns());
    }
}

static struct thread *thread_of(struct process *p)
{
    return LIST_FIRST(&p->threads, struct thread, of_process);
}

static bool near(uint64_t value, uint64_t expected, uint64_t slack)
{
    return value + slack >= expected && value <= expected + slack;
}

TEST(equal_threads_get_equal_shares)
{
    sim_boot(NULL);
    struct thread *t[5];
    for (int i = 0; i < 5; i++) {
        t[i] = thread_of(sim_process(NULL, 0));
    }
    sim_settle();
    compute(1000 * MS);
    uint64_t sum = 0;
    for (int i = 0; i < 5; i++) {
        CHECK(near(t[i]->cpu_ns, 200 * MS, 5 * MS));
        sum += t[i]->cpu_ns;
    }
    CHECK_EQ(sum, 1000 * MS);
}

TEST(shares_follow_weights)
{
    sim_boot(NULL);
    const uint32_t weights[] = {256, 1024, 2048, 4096};
    struct thread *t[4];
    for (int i = 0; i < 4; i++) {
        t[i] = thread_of(sim_process(NULL, 0));
        t[i]->weight = weights[i];
    }
    sim_settle();
    compute(10000 * MS);
    for (int i = 0; i < 4; i++) {
        uint64_t due = 10000 * MS * weights[i] / (256 + 1024 + 2048 + 4096);
        CHECK(near(t[i]->cpu_ns, due, due / 20 + 8 * MS));
    }
}

TEST(random_weights_are_fair_within_a_slice_or_two)
{
    sim_boot(NULL);
    struct random r = {test_seed(3)};
    struct thread *t[12];
    uint64_t total = 0;
    for (int i = 0; i < 12; i++) {
        t[i] = thread_of(sim_process(NULL, 0));
        t[i]->weight = (uint32_t)(64 + random_below(&r, 4000));
        total += t[i]->weight;
    }
    sim_settle();
    compute(60000 * MS);
    for (int i = 0; i < 12; i++) {
        uint64_t due = 60000 * MS * t[i]->weight / total;
        CHECK(near(t[i]->cpu_ns, due, due / 10 + 16 * MS));
    }
}

TEST(a_lonely_thread_has_no_tick)
{
    sim_boot(NULL);
    (void)sim_process(NULL, 0);
    sim_settle();
    CHECK(arch_cpu()->arch.timer_ns == UINT64_MAX);
    compute(1000 * MS);
    CHECK(arch_cpu()->arch.timer_ns == UINT64_MAX);
    (void)sim_process(NULL, 0); /* now somebody waits */
    sim_settle();
    CHECK(arch_cpu()->arch.timer_ns <= arch_now_ns() + 4 * MS);
}

TEST(a_sleeper_saves_no_time_up)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0), *q = sim_process(NULL, 0);
    p->time_granted = true;
    struct user *sleeper = user_of(p);
    CHECK_EQ(user_enter(sleeper, 1, 1000 * MS), USER_BLOCKED);
    compute(1000 * MS);
    uint64_t before = thread_of(p)->cpu_ns;
    uint64_t other = thread_of(q)->cpu_ns;
    CHECK_NE(user_state(sleeper), USER_BLOCKED);
    compute(400 * MS);
    CHECK(near(thread_of(p)->cpu_ns - before, 200 * MS, 8 * MS));
    CHECK(near(thread_of(q)->cpu_ns - other, 200 * MS, 8 * MS));
}

TEST(a_timer_wakes_a_thread_in_time_beside_a_busy_one)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    (void)sim_process(NULL, 0);
    p->time_granted = true;
    struct user *u = user_of(p);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(user_enter(u, 1, 3 * MS), USER_BLOCKED);
        uint64_t due = arch_now_ns() + 3 * MS;
        while (arch_cpu()->current != u->thread) {
            sim_advance(MS / 10);
            CHECK_LE(arch_now_ns(), due + 5 * MS);
        }
        CHECK_EQ(user_result(u), -STATUS_TIMED_OUT);
    }
}

TEST(hand_off_runs_the_woken_thread_first)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *client = user_of(p), *server = user_thread(p);
    for (int i = 0; i < 3; i++) { /* others who wait longer */
        (void)sim_process(NULL, 0);
    }
    uint32_t word = 7;
    uint64_t address = user_place(client, &word, sizeof word);
    struct ring_entry park = {.opcode = RING_OP_PARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .user_data = 1,
                              .message = address,
                              .interface_id = CAP_ENTER_FOREVER,
                              .result_size = 7};
    struct ring_entry unpark = {.opcode = RING_OP_UNPARK,
                                .cap = CAP_ID(CAP_SLOT_PARK, 1),
                                .user_data = 2,
                                .message = address,
                                .result_size = 1};
    user_submit(server, &park);
    CHECK_EQ(user_enter(server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    user_submit(client, &unpark);
    CHECK_EQ(user_enter(client, 5, CAP_ENTER_FOREVER),
             USER_BLOCKED); /* wakes the server, then waits */
    CHECK(arch_cpu()->current == server->thread);
}
