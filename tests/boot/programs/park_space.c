/* ParkSpace: threads sleep on a word and are woken in the order in which they came; in shared
 * memory, across processes. */
#include "check.h"

static cap_t spawner, timer;
static uint32_t word, woken;

static struct ring_completion run(struct ring_entry entry)
{
    struct capos_wait wait;
    capos_submit_entry(&entry, &wait);
    status_t status = capos_await_entry(&wait);
    (void)status; /* the completion has it */
    return wait.completion;
}

static void words(void)
{
    word = 1;
    CHECK_STATUS(capos_park(&word, 0, CAP_ENTER_FOREVER), STATUS_VALUE_CHANGED);
    CHECK_STATUS(capos_park(&word, 1, 0), STATUS_TIMED_OUT);
    CHECK_STATUS(capos_park(&word, 1, 1000000), STATUS_TIMED_OUT);
    CHECK_STATUS(capos_park((const uint32_t *)0x1000, 1, 0), STATUS_BAD_ADDRESS);
    CHECK_STATUS(capos_park((const uint32_t *)0xffffffff80000000, 1, 0), STATUS_BAD_ADDRESS);
    CHECK(capos_unpark(&word, 5) == 0);
    struct ring_entry odd = {.opcode = RING_OP_PARK,
                             .cap = CAPOS_PARK,
                             .message = (uintptr_t)&word + 1,
                             .result_size = 1};
    CHECK(run(odd).status < 0);
    odd.message = (uintptr_t)&word;
    odd.cap = CAPOS_THREADS;
    CHECK(run(odd).status == -STATUS_WRONG_INTERFACE);
    ok("words");
}

/* Parks by an entry of its own, so that the order of arrival is the order of submission. */
static void in_order(void)
{
    static struct capos_wait waits[3];
    word = 7;
    for (int i = 0; i < 3; i++) {
        struct ring_entry park = {.opcode = RING_OP_PARK,
                                  .cap = CAPOS_PARK,
                                  .message = (uintptr_t)&word,
                                  .interface_id = CAP_ENTER_FOREVER,
                                  .result_size = 7};
        capos_submit_entry(&park, &waits[i]);
    }
    capos_flush();
    CHECK(capos_unpark(&word, 1) == 1);
    CHECK_OK(capos_await_entry(&waits[0]));
    CHECK(!waits[1].done && !waits[2].done);
    CHECK(capos_unpark(&word, 5) == 2);
    CHECK_OK(capos_await_entry(&waits[1]));
    CHECK_OK(capos_await_entry(&waits[2]));
    ok("in order");
}

static uint64_t parks(void *argument)
{
    (void)argument;
    status_t status;
    while ((status = capos_park(&word, 0, CAP_ENTER_FOREVER)) == STATUS_OK
           && __atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0) {
    }
    (void)__atomic_fetch_add(&woken, 1, __ATOMIC_RELAXED);
    return status == STATUS_OK || status == STATUS_VALUE_CHANGED;
}

static void threads(void)
{
    struct capos_thread *all[3];
    uint64_t result;
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(capos_thread_spawn(parks, NULL, NULL, &all[i]));
    }
    CHECK_OK(capos_timer_sleep(timer, 3000000)); /* most likely they sleep by now: both must do */
    CHECK(woken == 0);
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&word, 3);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(capos_thread_join(all[i], &result));
        CHECK(result == 1);
    }
    CHECK(woken == 3);
    ok("threads");
}

static uint32_t *shared;

static void parks_in_shared_memory(void)
{
    status_t status;
    __atomic_store_n(shared + 1, 1, __ATOMIC_RELEASE);
    while ((status = capos_park(shared, 0, CAP_ENTER_FOREVER)) == STATUS_OK
           && __atomic_load_n(shared, __ATOMIC_ACQUIRE) == 0) {
    }
    CHECK(status == STATUS_OK || status == STATUS_VALUE_CHANGED);
}

static void across_processes(void)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_map_results map;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, PAGE, &made));
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED,
                                     &map));
    shared = (uint32_t *)map.address;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        parks_in_shared_memory();
        exit(0);
    }
    while (capos_unpark(shared, 1) == 0) { /* until it has come */
        CHECK_OK(capos_timer_sleep(timer, 200000));
    }
    CHECK(__atomic_load_n(shared + 1, __ATOMIC_ACQUIRE) == 1);
    __atomic_store_n(shared, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(shared, 1);
    check_exited(handle, 0);
    ok("across processes");
}

int main(void)
{
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    words();
    in_order();
    threads();
    across_processes();
    CHECK_STATUS(check_call(CAPOS_PARK, PARK_SPACE_INTERFACE_ID, 0), STATUS_UNKNOWN_METHOD);
    CHECK_STATUS(check_call(CAPOS_PARK, TIMER_INTERFACE_ID, 0), STATUS_WRONG_INTERFACE);
    ok("it has no methods");
    return 0;
}
