/* ThreadSpawner: threads beside each other, each with a ring and thread-local variables of its own.
 */
#include "check.h"

#define THREADS 8

static _Thread_local int own = 5;
static struct capos_mutex mutex;
static int sum;
static struct ring_header *rings[THREADS];

static uint64_t adds(void *argument)
{
    int number = (int)(uintptr_t)argument;
    rings[number] = capos_self()->ring;
    CHECK(own == 5);
    own += number;
    for (int i = 0; i < 100; i++) {
        capos_mutex_lock(&mutex);
        sum += number;
        capos_mutex_unlock(&mutex);
    }
    return (uint64_t)own;
}

static void beside_each_other(void)
{
    struct capos_thread *threads[THREADS];
    uint64_t result;
    own = 1000;
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_spawn(adds, (void *)i, NULL, &threads[i]));
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_join(threads[i], &result));
        CHECK(result == 5 + i);
        CHECK(rings[i] != NULL && rings[i] != capos_self()->ring);
    }
    CHECK(sum == 100 * (THREADS - 1) * THREADS / 2 && own == 1000);
    ok("eight threads");
}

static uint64_t fills_its_ring(void *argument)
{
    static struct capos_wait waits[256];
    (void)argument;
    CHECK(capos_self()->ring->sq_entries == 256 && capos_self()->ring->cq_entries == 512);
    for (int i = 0; i < 256; i++) {
        struct ring_entry nop = {.opcode = RING_OP_NOP};
        capos_submit_entry(&nop, &waits[i]);
    }
    for (int i = 0; i < 256; i++) {
        CHECK_OK(capos_await_entry(&waits[i]));
    }
    return 1;
}

static status_t try_spawn(uint64_t entry, uint64_t stack, uint64_t fs_base, uint32_t ring_entries)
{
    struct capos_thread_spawner_spawn_results made;
    return capos_thread_spawner_spawn(CAPOS_THREADS, entry, stack, 0, fs_base, ring_entries, &made);
}

static void refusals(void)
{
    uint64_t entry = (uintptr_t)adds, stack = 0x200000;
    CHECK_INVALID(try_spawn(0, stack, 0, 0));
    CHECK_INVALID(try_spawn(USER_END, stack, 0, 0));
    CHECK_INVALID(try_spawn(0xffffffff80000000, stack, 0, 0));
    CHECK_INVALID(try_spawn(entry, stack + 8, 0, 0));
    CHECK_INVALID(try_spawn(entry, UINT64_MAX & ~15ull, 0, 0));
    CHECK_INVALID(try_spawn(entry, stack, USER_END, 0));
    CHECK_INVALID(try_spawn(entry, stack, 0, 3));
    CHECK_INVALID(try_spawn(entry, stack, 0, 2 * RING_ENTRIES_MAX));
    ok("refusals");
}

/* In a process with a budget of its own: each thread beyond it is refused, and those that there are
 * go on. */
static uint64_t waits_for_the_lock(void *argument)
{
    (void)argument;
    capos_mutex_lock(&mutex);
    capos_mutex_unlock(&mutex);
    return 0;
}

static int exhaust(void)
{
    struct capos_thread *threads[8];
    size_t count = 0;
    status_t status;
    capos_mutex_lock(&mutex);
    while ((status = capos_thread_spawn(waits_for_the_lock, NULL, NULL, &threads[count]))
           == STATUS_OK) {
        count++;
        CHECK(count < 8);
    }
    CHECK(status == STATUS_THREADS_EXHAUSTED && count == 3);
    capos_mutex_unlock(&mutex);
    for (size_t i = 0; i < count; i++) {
        CHECK_OK(capos_thread_join(threads[i], NULL));
    }
    return 0;
}

static void budget(void)
{
    const char *const arguments[] = {"thread_spawner", "exhaust", NULL};
    const struct capos_child_grant grants[] = {{"stdio", STD_IO_INTERFACE_ID,
                                                capos_need("stdio", STD_IO_INTERFACE_ID),
                                                CAP_TRANSFER_COPY}};
    struct capos_child child = {.image = check_image("thread_spawner"),
                                .arguments = arguments,
                                .grants = grants,
                                .grant_count = 1,
                                .limits = {.threads = 4}};
    cap_t handle;
    CHECK_OK(capos_spawn(capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID), &child, &handle));
    check_exited(handle, 0);
    ok("four and no more");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "exhaust") == 0) {
        return exhaust();
    }
    const struct capos_thread_options large = {.ring_entries = 256};
    struct capos_thread *thread;
    uint64_t result;
    beside_each_other();
    CHECK_OK(capos_thread_spawn(fills_its_ring, NULL, &large, &thread));
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1);
    ok("a larger ring");
    refusals();
    budget();
    check_object(CAPOS_THREADS, THREAD_SPAWNER_INTERFACE_ID, THREAD_CONTROL_INTERFACE_ID);
    return 0;
}
