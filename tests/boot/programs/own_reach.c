/* A process's own four objects cannot be withheld; they reach nothing outside of it. A copy of this
 * process, with the same ids and the same addresses, uses its own, and nothing happens here.
 *
 *   own_reach STEM */
#include "check.h"

static cap_t spawner, timer;
static _Alignas(4096) uint8_t page[2 * 4096] = {11};
static uint32_t word, ran;

static void wrong_interfaces(cap_t own, uint64_t id)
{
    static const uint64_t others[] = {VIRTUAL_MEMORY_INTERFACE_ID,
                                      THREAD_SPAWNER_INTERFACE_ID,
                                      THREAD_CONTROL_INTERFACE_ID,
                                      PARK_SPACE_INTERFACE_ID,
                                      PROCESS_SPAWNER_INTERFACE_ID,
                                      CODE_MEMORY_INTERFACE_ID,
                                      CONSOLE_INTERFACE_ID,
                                      0,
                                      UINT64_MAX};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (others[i] != id) {
            CHECK_STATUS(check_call(own, others[i], 0), STATUS_WRONG_INTERFACE);
        }
    }
    CHECK_STATUS(check_call(own, id, 1000), STATUS_UNKNOWN_METHOD);
    ok("it answers for nothing else");
}

/* --- VirtualMemory --- */

static void spoils_its_memory(void)
{
    check_catch_faults();
    page[0] = 12;
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, (uintptr_t)page, PAGE));
    CHECK_OK(
        capos_virtual_memory_protect(CAPOS_MEMORY, (uintptr_t)page + PAGE, PAGE, PROTECTION_NONE));
    CHECK(!can_read((uintptr_t)page) && !can_read((uintptr_t)page + PAGE));
}

static void memory(void)
{
    check_in_child(spawner, spoils_its_memory);
    check_catch_faults();
    CHECK(page[0] == 11 && can_write((uintptr_t)page + PAGE));
    ok("another process's memory is out of reach");
    wrong_interfaces(CAPOS_MEMORY, VIRTUAL_MEMORY_INTERFACE_ID);
}

/* --- ThreadSpawner --- */

static uint64_t counts(void *argument)
{
    (void)argument;
    ran++;
    return 0;
}

static void starts_a_thread(void)
{
    struct capos_thread *thread;
    CHECK_OK(capos_thread_spawn(counts, NULL, NULL, &thread));
    CHECK_OK(capos_thread_join(thread, NULL));
    CHECK(ran == 1);
}

static void threads(void)
{
    check_in_child(spawner, starts_a_thread);
    CHECK(ran == 0);
    ok("no thread starts in another process");
    wrong_interfaces(CAPOS_THREADS, THREAD_SPAWNER_INTERFACE_ID);
}

/* --- ThreadControl --- */

static cap_t parents_thread;
static struct capos_thread *thread;

static uint64_t parks(void *argument)
{
    (void)argument;
    while (capos_park(&word, 0, CAP_ENTER_FOREVER) == STATUS_OK
           && __atomic_load_n(&word, __ATOMIC_ACQUIRE) == 0) {
    }
    return 0;
}

static void interrupts_its_parent(void)
{
    CHECK_STATUS(capos_thread_control_interrupt(CAPOS_THREAD, parents_thread),
                 STATUS_STALE_CAPABILITY);
    CHECK_OK(capos_thread_control_exit(CAPOS_THREAD, 0));
    CHECK(!"it is its own end");
}

static void release_thread(void)
{
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&word, 1);
    CHECK_OK(capos_thread_join(thread, NULL));
}

static void control(void)
{
    CHECK_OK(capos_thread_spawn(parks, NULL, NULL, &thread));
    parents_thread = capos_thread_handle(thread);
    check_in_child(spawner, interrupts_its_parent); /* without a handler it would have ended us */
    release_thread();
    ok("no thread of another process is interrupted");
    wrong_interfaces(CAPOS_THREAD, THREAD_CONTROL_INTERFACE_ID);
}

/* --- ParkSpace --- */

static void wakes_nobody(void)
{
    CHECK(capos_unpark(&word, 100) == 0);
}

static void park(void)
{
    CHECK_OK(capos_thread_spawn(parks, NULL, NULL, &thread));
    while (capos_unpark(&word, 1) == 0) { /* until it has come; it parks again */
        CHECK_OK(capos_timer_sleep(timer, 200000));
    }
    check_in_child(spawner, wakes_nobody);
    release_thread();
    ok("nobody of another process is woken");
    wrong_interfaces(CAPOS_PARK, PARK_SPACE_INTERFACE_ID);
}

int main(int argc, char **argv)
{
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK(argc == 2);
    if (strcmp(argv[1], "virtual_memory") == 0) {
        memory();
    } else if (strcmp(argv[1], "thread_spawner") == 0) {
        threads();
    } else if (strcmp(argv[1], "thread_control") == 0) {
        control();
    } else if (strcmp(argv[1], "park_space") == 0) {
        park();
    } else {
        return 1;
    }
    return 0;
}
