/* Timers: in order, stopped, started from a timer, on the CPU that started them. */
#include "kernel/core/timer_queue.h"
#include "tests/lib/sim.h"

#define TIMERS 100

static struct timer timers[TIMERS];
static uint64_t fired_at[TIMERS];
static uint32_t fired;

static void note(struct timer *t)
{
    CHECK(!t->armed);
    fired_at[t - timers] = arch_now_ns();
    fired++;
}

TEST(timers_fire_in_time_and_stopped_ones_never)
{
    sim_boot(NULL);
    struct random r = {test_seed(4)};
    uint64_t due[TIMERS];
    uint32_t left = 0;
    for (uint32_t i = 0; i < TIMERS; i++) {
        due[i] = 1 + random_below(&r, 1000000);
        timer_start(&timers[i], due[i], note);
    }
    CHECK_EQ(tally.timers, TIMERS);
    for (uint32_t i = 0; i < TIMERS; i++) {
        if (random_chance(&r, 3)) {
            timer_stop(&timers[i]);
            timer_stop(&timers[i]); /* no effect */
            due[i] = 0;
        } else {
            left++;
        }
    }
    CHECK_EQ(tally.timers, left);
    sim_settle(); /* sets the machine's timer */
    sim_advance(1000000);
    CHECK_EQ(fired, left);
    CHECK_EQ(tally.timers, 0);
    for (uint32_t i = 0; i < TIMERS; i++) {
        CHECK_EQ(fired_at[i], due[i]);
    }
    CHECK(timer_next_ns() == UINT64_MAX);
}

static void again(struct timer *t)
{
    fired++;
    if (fired < 10) {
        timer_start(t, arch_now_ns() + 1000, again);
    }
}

TEST(a_timer_may_start_itself_again)
{
    sim_boot(NULL);
    timer_start(&timers[0], 1000, again);
    sim_settle();
    sim_advance(9999);
    CHECK_EQ(fired, 9);
    sim_advance(100000);
    CHECK_EQ(fired, 10);
}

static void start_twice(void)
{
    timer_start(&timers[0], 1000, note);
}

TEST(starting_an_armed_timer_is_our_own_mistake)
{
    sim_boot(NULL);
    timer_start(&timers[0], 1000, note);
    CHECK(sim_panics(start_twice));
}
