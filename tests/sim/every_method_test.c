/* Every method of every kernel interface: answers what it should, and survives the failure of each
 * of its allocations. */
#include "kernel/core/kmem.h"
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

static struct scene scene;
static const struct scene_case *current;
static struct ring_entry entry;

static const char *method_name(const struct scene_case *c)
{
    return c->interface->methods[c->method].name;
}

static void set(void)
{
    scene_make(&scene);
    entry = scene_entry(&scene, current);
}

/* Enters with the case's entry. True: it came to what the case says. False: it was refused with
 * *status. */
static bool attempt(int *status)
{
    struct ring_completion c;
    user_submit(scene.u, &entry);
    enum outcome outcome = user_enter(scene.u, 1, CAP_ENTER_FOREVER);
    int64_t failing = kmem_fail_after;
    kmem_fail_after = -1;
    invariants_check();
    kmem_fail_after = failing;
    *status = 0;
    if (outcome == USER_BLOCKED) {
        CHECK_EQ(current->answer, SCENE_WAITS);
        return true;
    }
    if (current->answer == SCENE_ENDS
        && (outcome == USER_DIED || user_state(scene.u) == USER_DIED)) {
        return true;
    }
    CHECK_EQ(outcome, USER_RETURNED);
    if (!user_reap(scene.u, &c)) {
        FAIL("no completion; cap_enter answered %s", test_status_name((int)user_result(scene.u)));
    }
    CHECK_EQ(c.user_data, entry.user_data);
    *status = -c.status;
    if (c.status == 0) {
        CHECK_EQ(current->answer, SCENE_ANSWERS);
    }
    return c.status == 0;
}

static bool exhausted(int status)
{
    return status == STATUS_FRAMES_EXHAUSTED || status == STATUS_BYTES_EXHAUSTED
           || status == STATUS_SLOTS_EXHAUSTED || status == STATUS_CALLS_EXHAUSTED
           || status == STATUS_MAPPINGS_EXHAUSTED || status == STATUS_THREADS_EXHAUSTED;
}

static void try_and_retry(void)
{
    int status;
    bool fails = kmem_fail_after >= 0;
    test_context("%s.%s, allocation %lld fails", current->interface->name, method_name(current),
                 (long long)kmem_fail_after);
    if (attempt(&status)) {
        return;
    }
    if (!exhausted(status) || !fails) {
        FAIL("answers %s", test_status_name(status));
    }
    CHECK_EQ(kmem_fail_after, -1);
    if (!attempt(&status)) { /* a refusal has no effect: the same works as if for the first time */
        FAIL("tried again, answers %s", test_status_name(status));
    }
}

TEST(every_method_has_a_case)
{
    scene_check_complete();
}

TEST(every_method_answers)
{
    scene_boot();
    for (uint32_t i = 0; i < scene_case_count; i++) {
        struct counts before = counts_take();
        current = &scene_cases[i];
        set();
        try_and_retry();
        sim_end_all();
        counts_check(&before);
    }
}

TEST(no_allocation_is_taken_for_granted)
{
    scene_boot();
    for (uint32_t i = 0; i < scene_case_count; i++) {
        current = &scene_cases[i];
        for_each_allocation_failure(set, try_and_retry);
    }
}

TEST(the_time_page_can_fail_to_be_made)
{
    scene_boot_bare();
    current = scene_find(&timer_interface, TIMER_METHOD_PAGE);
    for (int64_t n = 0, fired = 1; fired; n++) {
        set();
        kmem_fail_after = n;
        try_and_retry();
        fired = kmem_fail_after < 0;
        kmem_fail_after = -1;
        sim_end_all();
    }
    counts_start(); /* it is kept */
}
