/* ThreadHandle: join gives the thread's code to any number of waiters; a detached thread is joined
 * by nobody. */
#include "check.h"

static uint32_t gate;

static uint64_t waits_at_the_gate(void *argument)
{
    status_t status;
    do {
        status = capos_park(&gate, 0, CAP_ENTER_FOREVER);
    } while (status == STATUS_OK && __atomic_load_n(&gate, __ATOMIC_ACQUIRE) == 0);
    capos_thread_exit((uintptr_t)argument);
}

static struct capos_thread *begin(uintptr_t code)
{
    struct capos_thread *thread;
    CHECK_OK(capos_thread_spawn(waits_at_the_gate, (void *)code, NULL, &thread));
    return thread;
}

static void open_gate(void)
{
    __atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&gate, 100);
}

static void joins(void)
{
    static struct capos_call calls[3];
    static _Alignas(8) uint8_t buffers[3][2][128];
    struct capos_thread_handle_join_results joined;
    struct capos_thread *thread = begin(0x1122334455667788);
    cap_t handle = capos_thread_handle(thread);
    for (int i = 0; i < 3; i++) {
        capos_call_init(&calls[i], buffers[i][0], 128, buffers[i][1], 128);
        CHECK_OK(capos_thread_handle_join_submit(&calls[i], handle));
    }
    CHECK_OK(capos_cancel(&calls[1]));
    CHECK_STATUS(capos_await(&calls[1]), STATUS_CANCELLED);
    CHECK(!capos_is_complete(&calls[0]));
    open_gate();
    for (int i = 0; i < 3; i += 2) {
        CHECK_OK(capos_thread_handle_join_await(&calls[i], &joined));
        CHECK(joined.code == 0x1122334455667788);
    }
    CHECK_OK(capos_thread_handle_join(handle, &joined)); /* long over */
    CHECK(joined.code == 0x1122334455667788);
    ok("join");
    check_object(handle, THREAD_HANDLE_INTERFACE_ID, PROCESS_HANDLE_INTERFACE_ID);
    CHECK_OK(capos_thread_join(thread, NULL));
}

static void detaches(void)
{
    static struct capos_call call;
    static _Alignas(8) uint8_t request[128], reply[128];
    struct capos_thread_handle_join_results joined;
    gate = 0;
    cap_t handle = capos_thread_handle(begin(1));
    capos_call_init(&call, request, sizeof request, reply, sizeof reply);
    CHECK_OK(capos_thread_handle_join_submit(&call, handle));
    capos_flush();
    CHECK_OK(capos_thread_handle_detach(handle));
    CHECK_STATUS(capos_await(&call), STATUS_BAD_STATE); /* who waited learns it */
    CHECK_STATUS(capos_thread_handle_join(handle, &joined), STATUS_BAD_STATE);
    open_gate();
    ok("detach");
}

static cap_t parents;

static void knows_no_threads_of_its_parent(void)
{
    struct capos_thread_handle_join_results joined;
    CHECK_STATUS(capos_thread_handle_join(parents, &joined), STATUS_STALE_CAPABILITY);
}

int main(void)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    joins();
    detaches();
    gate = 0;
    struct capos_thread *thread = begin(2);
    parents = capos_thread_handle(thread);
    check_in_child(spawner, knows_no_threads_of_its_parent);
    open_gate();
    CHECK_OK(capos_thread_join(thread, NULL));
    ok("a fork drops it");
    return 0;
}
