/* What the random programs have found, each in the fewest steps: none of it may come back. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/upcall.h"
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

/* A thread is picked only to be ended by its interrupt; then the CPU idles with another space
 * loaded than that of the thread it picked last. A call that completes meanwhile has to fault its
 * buffer in. */
TEST(an_idle_cpu_copies_through_the_space_it_has_loaded)
{
    sim_boot(NULL);
    struct object *grants[] = {&timer_object};
    struct user *sleeper = user_of(sim_process(grants, 1));
    struct user *doomed = user_of(sim_process(NULL, 0));
    struct user_message m;
    struct wire_builder b = user_message(&m, TIMER_SLEEP_PARAMS_DATA_WORDS, 0);
    timer_sleep_params_set_ns(b, 1000);
    struct ring_entry e = user_call_entry(sleeper, CAP_ID(CAP_SLOT_FIRST_GRANT, 1),
                                          TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, &m, NULL, 0);
    e.result = sleeper->scratch + USER_SCRATCH_SIZE / 2; /* never touched */
    user_submit(sleeper, &e);
    user_switch_to(sleeper);
    upcall_interrupt(doomed->thread);
    CHECK_EQ(user_enter(sleeper, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_EQ(user_state(doomed), USER_DIED);
    sim_advance(1000);
    CHECK_EQ(user_state(sleeper), USER_RETURNED);
    struct ring_completion c;
    CHECK(user_reap(sleeper, &c));
    CHECK_OK(c.status);
    CHECK_GT(c.result_size, 0);
    invariants_check();
}
