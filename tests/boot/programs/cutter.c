/* Cutter: what another process was lent through a forwarder is taken back: its calls are refused,
 * the one that waits ends, and what it had mapped is gone. The thing itself is as it was. */
#include "check.h"

static cap_t spawner, timer, endpoint;
static struct capos_process_spawner_create_pipe_results done, go;
static struct capos_endpoint_revocable_results lent_timer, lent_memory;

static void lend(cap_t cap, struct capos_endpoint_revocable_results *lent)
{
    CHECK_OK(capos_endpoint_revocable(endpoint, cap, lent));
}

static void signal_to(cap_t writer)
{
    struct capos_pipe_writer_write_results written;
    CHECK_OK(capos_pipe_writer_write(writer, "x", 1, &written));
}

static void wait_for(cap_t reader)
{
    struct capos_pipe_reader_read_results got;
    CHECK_OK(capos_pipe_reader_read(reader, 1, &got));
    CHECK(got.data.size == 1);
}

/* The borrower. */
static void borrows(void)
{
    static struct capos_call sleep;
    static _Alignas(8) uint8_t request[64], reply[64];
    struct capos_timer_now_results now;
    struct capos_memory_object_map_results map;
    check_catch_faults();
    capos_call_init(&sleep, request, sizeof request, reply, sizeof reply);
    CHECK_OK(capos_timer_now(lent_timer.forwarder, &now));
    CHECK_OK(capos_memory_object_map(lent_memory.forwarder, 0, 0, PAGE, PROTECTION_READ_WRITE,
                                     SHARING_SHARED, &map));
    CHECK(can_write(map.address));
    CHECK_OK(capos_timer_sleep_submit(&sleep, lent_timer.forwarder, UINT64_MAX));
    capos_flush();
    signal_to(done.writer);
    CHECK_STATUS(capos_await(&sleep), STATUS_REVOKED); /* no time would have ended it */
    wait_for(go.reader);
    CHECK_STATUS(capos_timer_now(lent_timer.forwarder, &now), STATUS_REVOKED);
    CHECK_STATUS(capos_memory_object_map(lent_memory.forwarder, 0, 0, PAGE, PROTECTION_READ,
                                         SHARING_SHARED, &map),
                 STATUS_REVOKED);
    CHECK(!can_read(map.address));
}

static void another_process(void)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_map_results map;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &done));
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &go));
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, PAGE, &made));
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED,
                                     &map));
    lend(timer, &lent_timer);
    lend(made.object, &lent_memory);
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        borrows();
        exit(0);
    }
    wait_for(done.reader);
    CHECK(*at(map.address) == 1); /* what the child wrote: it is the same memory */
    CHECK_OK(capos_cutter_cut(lent_timer.cutter));
    CHECK_OK(capos_cutter_cut(lent_memory.cutter));
    signal_to(go.writer);
    check_exited(handle, 0);
    CHECK(*at(map.address) == 1);
    ok("what another process was lent");
}

static void shallow_and_deep(void)
{
    struct capos_endpoint_revocable_results first, second;
    struct capos_timer_now_results now;
    lend(timer, &first);
    lend(first.forwarder, &second);
    CHECK_OK(capos_timer_now(second.forwarder, &now));
    CHECK_OK(capos_cutter_cut(first.cutter));
    CHECK_STATUS(capos_timer_now(second.forwarder, &now), STATUS_REVOKED); /* made of the first */
    CHECK_OK(capos_cutter_cut(first.cutter));                              /* idempotent */
    CHECK_OK(capos_timer_now(timer, &now));
    CHECK_STATUS(capos_endpoint_revocable(endpoint, first.forwarder, &second), STATUS_REVOKED);
    CHECK_STATUS(capos_endpoint_revocable(endpoint, endpoint, &second), STATUS_NOT_SUPPORTED);
    CHECK_INVALID(capos_endpoint_revocable(endpoint, CAP_ID_NONE, &second));
    ok("forwarders of forwarders");
    lend(timer, &first);
    cap_t at_depth = first.forwarder;
    for (int depth = 1; depth < FORWARDER_DEPTH_MAX; depth++) {
        lend(at_depth, &second);
        at_depth = second.forwarder;
    }
    CHECK_OK(capos_timer_now(at_depth, &now));
    CHECK_INVALID(capos_endpoint_revocable(endpoint, at_depth, &second));
    ok("to a depth of 8");
    check_object(first.cutter, CUTTER_INTERFACE_ID, ENDPOINT_INTERFACE_ID);
}

int main(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    endpoint = made.endpoint;
    another_process();
    shallow_and_deep();
    return 0;
}
