/* ProcessHandle: how children end, and what ends them. The children are copies of this program. */
#include "check.h"

static cap_t spawner, timer;

static cap_t begin(void (*role)(void))
{
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        role();
        exit(99);
    }
    return handle;
}

static void exits(void)
{
    exit(7);
}

static void waits_for_ever(void)
{
    CHECK_OK(capos_wait_any(CAP_ENTER_FOREVER));
}

static void computes_for_ever(void)
{
    for (;;) {
        __asm__ volatile("pause");
    }
}

static void writes_to_nowhere(void)
{
    volatile uintptr_t nowhere = 0x18;
    *(volatile int *)nowhere = 1;
}

static void is_denied(void)
{
    (void)capos_need("code", CODE_MEMORY_INTERFACE_ID);
}

static struct wire_reader end_of(cap_t handle)
{
    struct capos_process_handle_wait_results ended;
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    return ended.status_;
}

static void statuses(void)
{
    cap_t handle = begin(exits);
    check_exited(handle, 7);
    check_exited(handle, 7); /* and again */
    capos_release(handle);
    handle = begin(writes_to_nowhere);
    struct wire_reader status = end_of(handle);
    CHECK(exit_status_kind(status) == EXIT_KIND_FAULTED);
    CHECK(exit_status_cause(status) == FAULT_CAUSE_PAGE_FAULT);
    CHECK(exit_status_access(status) == FAULT_ACCESS_WRITE && exit_status_address(status) == 0x18);
    capos_release(handle);
    handle = begin(is_denied);
    status = end_of(handle);
    CHECK(exit_status_kind(status) == EXIT_KIND_DENIED);
    struct wire_reader denial = wire_list_get_struct(exit_status_denials(status), 0);
    CHECK(check_same(denial_grant(denial), "code"));
    CHECK(denial_interface_id(denial) == CODE_MEMORY_INTERFACE_ID);
    CHECK(denial_reason(denial) == DENIAL_REASON_NOT_GRANTED);
    capos_release(handle);
    ok("wait");
}

static void termination(void (*role)(void))
{
    struct capos_process_handle_stats_results stats;
    cap_t handle = begin(role);
    CHECK_OK(capos_timer_sleep(timer, 2000000)); /* it runs, or does not yet: both must do */
    CHECK_OK(capos_process_handle_stats(handle, &stats));
    CHECK(stats.threads == 1 && stats.frames > 4 && stats.slots >= 4);
    CHECK_OK(capos_process_handle_terminate(handle));
    CHECK(exit_status_kind(end_of(handle)) == EXIT_KIND_TERMINATED);
    CHECK_OK(capos_process_handle_terminate(handle)); /* it has ended: no error */
    CHECK_OK(capos_process_handle_stats(handle, &stats));
    CHECK(stats.threads == 0 && stats.frames == 0 && stats.slots == 0);
    capos_release(handle);
}

static void readiness(void)
{
    static struct capos_call call;
    static _Alignas(8) uint8_t request[64], reply[64];
    struct capos_process_handle_ready_results ready;
    capos_call_init(&call, request, sizeof request, reply, sizeof reply);
    cap_t handle = begin(waits_for_ever);
    CHECK_INVALID(capos_process_handle_ready(handle, READINESS_WRITABLE, &ready));
    CHECK_OK(capos_process_handle_ready_submit(&call, handle, READINESS_READABLE));
    capos_flush();
    CHECK(!capos_is_complete(&call));
    CHECK_OK(capos_process_handle_terminate(handle));
    CHECK_OK(capos_process_handle_ready_await(&call, &ready));
    CHECK(ready.mask == READINESS_READABLE);
    capos_release(handle);
    ok("ready");
}

static cap_t parents_handle;

/* A copy of the parent is no parent. */
static void uses_parents_handle(void)
{
    CHECK_STATUS(capos_process_handle_terminate(parents_handle), STATUS_STALE_CAPABILITY);
}

int main(void)
{
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    statuses();
    termination(waits_for_ever);
    termination(computes_for_ever);
    ok("terminate and stats");
    readiness();
    parents_handle = begin(waits_for_ever);
    check_in_child(spawner, uses_parents_handle);
    ok("a fork drops it");
    check_object(parents_handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_SPAWNER_INTERFACE_ID);
    CHECK_OK(capos_process_handle_terminate(parents_handle));
    return 0;
}
