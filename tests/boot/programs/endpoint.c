/* Endpoint: this process serves, copies of it are the clients. Every way in which a call can end.
 */
#include "check.h"

static cap_t spawner, endpoint, clock_cap;

/* --- the serving side, entry by entry --- */

struct request {
    struct capos_wait wait;
    _Alignas(8) uint8_t bytes[1024];
    struct cap_transfer transfers[4];
};

static void receive_submit(struct request *r)
{
    memset(r, 0, sizeof *r);
    struct ring_entry entry = {.opcode = RING_OP_RECV,
                               .cap = endpoint,
                               .result = (uintptr_t)r->bytes,
                               .result_size = sizeof r->bytes,
                               .transfers = (uintptr_t)r->transfers,
                               .transfer_max = 4};
    capos_submit_entry(&entry, &r->wait);
    capos_flush();
}

static uint64_t tag_of(const struct request *r)
{
    return ((const struct ring_request *)r->bytes)->tag;
}

/* Answers a wallTime with `ns`; what the RETURN completes with. */
static struct ring_completion answer(const struct request *r, int64_t ns)
{
    static _Alignas(8) uint8_t bytes[256];
    struct wire_message_builder message;
    wire_message_begin(&message, bytes, sizeof bytes);
    struct wire_builder results = wall_clock_wall_time_results_init(&message);
    wall_clock_wall_time_results_set_unix_ns(results, ns);
    struct capos_wait wait;
    struct ring_entry entry = {.opcode = RING_OP_RETURN,
                               .cap = r->wait.completion.aux,
                               .message = (uintptr_t)bytes,
                               .message_size = (uint32_t)wire_message_finish(&message)};
    capos_submit_entry(&entry, &wait);
    status_t status = capos_await_entry(&wait);
    (void)status; /* the completion has it */
    return wait.completion;
}

static cap_t mint(uint64_t interface_id, uint64_t tag)
{
    struct capos_endpoint_mint_results minted;
    CHECK_OK(capos_endpoint_mint(endpoint, interface_id, tag, &minted));
    return minted.facet;
}

/* Receives before the client exists, so that its call is delivered at once. */
static cap_t serve_child(struct request *r, void (*role)(void))
{
    bool is_child;
    cap_t handle;
    receive_submit(r);
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        role();
        exit(0);
    }
    CHECK_OK(capos_await_entry(&r->wait));
    CHECK(((const struct ring_request *)r->bytes)->interface_id == WALL_CLOCK_INTERFACE_ID);
    CHECK(r->wait.completion.flags == 0 && r->wait.completion.method == 0);
    return handle;
}

/* --- the clients --- */

static void asks_twice(void)
{
    struct capos_wall_clock_wall_time_results time;
    CHECK_OK(capos_wall_clock_wall_time(clock_cap, &time));
    CHECK(time.unix_ns == 1234);
    CHECK_OK(capos_wall_clock_wall_time(clock_cap, &time));
    CHECK(time.unix_ns == -5);
}

static void is_dropped(void)
{
    struct capos_wall_clock_wall_time_results time;
    CHECK_EXCEPTION(capos_wall_clock_wall_time(clock_cap, &time), EXCEPTION_TYPE_FAILED);
}

static void calls_and_ends(void)
{
    static struct capos_call call;
    static _Alignas(8) uint8_t request[64], reply[64];
    capos_call_init(&call, request, sizeof request, reply, sizeof reply);
    CHECK_OK(capos_wall_clock_wall_time_submit(&call, clock_cap));
    capos_flush();
}

/* The copy owns nothing: not the endpoint, and it cannot receive. */
static void is_no_owner(void)
{
    struct request r;
    struct capos_endpoint_mint_results minted;
    CHECK_STATUS(capos_endpoint_mint(endpoint, 1, 1, &minted), STATUS_STALE_CAPABILITY);
    receive_submit(&r);
    CHECK_STATUS(capos_await_entry(&r.wait), STATUS_STALE_CAPABILITY);
}

/* Sends a facet of an endpoint of its own, and ends: its caller is left with nothing behind it. */
static void sends_its_own(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    struct capos_endpoint_mint_results minted;
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    CHECK_OK(capos_endpoint_mint(made.endpoint, WALL_CLOCK_INTERFACE_ID, 1, &minted));
    struct capos_call *call = capos_call_begin();
    (void)capos_send(call, minted.facet, CAP_TRANSFER_MOVE);
    CHECK_OK(capos_invoke(call, clock_cap, WALL_CLOCK_INTERFACE_ID, 0));
}

/* --- the checks --- */

static void calls(void)
{
    static struct request r;
    cap_t handle = serve_child(&r, asks_twice);
    CHECK(tag_of(&r) == 77);
    CHECK(answer(&r, 1234).flags == 0);
    CHECK(answer(&r, 1234).status == -STATUS_STALE_CAPABILITY); /* once only */
    receive_submit(&r);
    CHECK_OK(capos_await_entry(&r.wait));
    CHECK(answer(&r, -5).status == 0);
    check_exited(handle, 0);
    capos_release(handle);
    ok("call and return");
}

static void ends(void)
{
    static struct request r;
    cap_t handle = serve_child(&r, is_dropped);
    capos_release(r.wait.completion.aux);
    check_exited(handle, 0);
    capos_release(handle);
    ok("a dropped Reply");
    handle = serve_child(&r, calls_and_ends);
    check_exited(handle, 0);
    struct ring_completion returned = answer(&r, 1);
    CHECK(returned.status == 0 && returned.flags == RING_FLAG_CALLER_GONE);
    capos_release(handle);
    ok("a caller that is gone");
    struct capos_wall_clock_wall_time_results time;
    handle = serve_child(&r, sends_its_own);
    CHECK(r.wait.completion.transfer_count == 1);
    CHECK(answer(&r, 1).status == 0);
    check_exited(handle, 0);
    CHECK_STATUS(capos_wall_clock_wall_time(r.transfers[0].cap, &time), STATUS_DISCONNECTED);
    ok("an owner that is gone");
}

static void facets(void)
{
    static struct request r;
    struct capos_endpoint_mint_results minted;
    struct capos_timer_now_results now;
    struct capos_call *call;
    CHECK_INVALID(capos_endpoint_mint(endpoint, 0, 1, &minted));
    cap_t facet = mint(WALL_CLOCK_INTERFACE_ID, 5);
    CHECK_STATUS(capos_timer_now(facet, &now), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(capos_endpoint_mint(facet, 1, 1, &minted), STATUS_WRONG_INTERFACE); /* no owner */
    call = capos_call_begin();
    (void)capos_send(call, endpoint, CAP_TRANSFER_COPY);
    CHECK_STATUS(capos_invoke(call, facet, WALL_CLOCK_INTERFACE_ID, 0), STATUS_NOT_SUPPORTED);
    capos_release(facet);
    receive_submit(&r);
    CHECK_OK(capos_await_entry(&r.wait));
    CHECK(r.wait.completion.flags == RING_FLAG_NOTICE && tag_of(&r) == 5);
    CHECK(r.wait.completion.aux == 0);
    ok("facets and their notice");
}

int main(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    endpoint = made.endpoint;
    clock_cap = mint(WALL_CLOCK_INTERFACE_ID, 77);
    calls();
    ends();
    check_in_child(spawner, is_no_owner);
    ok("a fork drops it");
    facets();
    check_object(endpoint, ENDPOINT_INTERFACE_ID, WALL_CLOCK_INTERFACE_ID);
    return 0;
}
