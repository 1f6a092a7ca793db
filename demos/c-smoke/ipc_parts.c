/* Two threads as client and server: endpoints, facets, transfer, revocation, notices; then pipes
 * and fork. */
#include "smoke.h"

#include <stdlib.h>

/* --- a clock that a thread serves: its time is the facet's tag --- */

static status_t wall_time(void *self, struct capos_request *request, struct wire_builder results)
{
    struct capos_server *server = self;
    if (request->tag == 13) {
        return capos_request_fail(request, EXCEPTION_TYPE_FAILED, "thirteen");
    }
    server->stop = request->tag == 99;
    wall_clock_wall_time_results_set_unix_ns(results, (int64_t)request->tag * 1000);
    wall_clock_wall_time_results_set_provenance(results, (struct wire_span){"smoke", 5});
    return STATUS_OK;
}

static const struct capos_wall_clock_server methods = {.wall_time = wall_time};

static status_t serve(void *context, struct capos_request *request)
{
    return capos_wall_clock_serve(&methods, context, request);
}

static uint64_t run_server(void *argument)
{
    struct capos_server server = {.endpoint = (cap_t)(uintptr_t)argument, .serve = serve};
    server.context = &server;
    return capos_serve(&server);
}

static bool mint(cap_t endpoint, uint64_t interface_id, uint64_t tag, cap_t *facet)
{
    struct capos_endpoint_mint_results minted;
    CHECK_OK(capos_endpoint_mint(endpoint, interface_id, tag, &minted));
    *facet = minted.facet;
    return true;
}

static bool make_endpoint(cap_t *endpoint)
{
    struct capos_process_spawner_create_endpoint_results made;
    CHECK_OK(capos_process_spawner_create_endpoint(smoke_spawner, &made));
    *endpoint = made.endpoint;
    return true;
}

bool smoke_ipc(void)
{
    cap_t endpoint, clock, bad, stop;
    struct capos_thread *thread;
    struct capos_wall_clock_wall_time_results time;
    uint64_t result;
    CHECK(make_endpoint(&endpoint));
    CHECK(mint(endpoint, WALL_CLOCK_INTERFACE_ID, 7, &clock));
    CHECK(mint(endpoint, WALL_CLOCK_INTERFACE_ID, 13, &bad));
    CHECK(mint(endpoint, WALL_CLOCK_INTERFACE_ID, 99, &stop));
    CHECK_OK(capos_thread_spawn(run_server, (void *)(uintptr_t)endpoint, NULL, &thread));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(capos_wall_clock_wall_time(clock, &time));
        CHECK(time.unix_ns == 7000);
        CHECK(time.provenance.size == 5 && memcmp(time.provenance.data, "smoke", 5) == 0);
    }
    CHECK_STATUS(capos_wall_clock_wall_time(bad, &time), STATUS_EXCEPTION);
    struct capos_timer_now_results now;
    CHECK_STATUS(capos_timer_now(clock, &now),
                 STATUS_WRONG_INTERFACE); /* the facet has the interface it was minted for */
    CHECK_OK(capos_wall_clock_wall_time(stop, &time));
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == STATUS_OK);
    capos_release(clock), capos_release(bad), capos_release(stop), capos_release(endpoint);
    return true;
}

/* --- entries by hand: one thread is both sides --- */

struct both {
    cap_t endpoint, facet;
    struct capos_wait call, receive;
    _Alignas(8) uint64_t message[2], request[8], reply[8];
    struct cap_transfer sent[4], received[4];
};

static void put_call(struct both *b, uint16_t transfers)
{
    b->message[0] = 1ull << 32;
    b->message[1] = 0;
    struct ring_entry call = {.opcode = RING_OP_CALL,
                              .cap = b->facet,
                              .interface_id = 5,
                              .method = 3,
                              .message = (uintptr_t)b->message,
                              .message_size = sizeof b->message,
                              .result = (uintptr_t)b->reply,
                              .result_size = sizeof b->reply,
                              .transfers = (uintptr_t)b->sent,
                              .transfer_count = transfers,
                              .transfer_max = 4};
    capos_submit_entry(&call, &b->call);
}

static void put_receive(struct both *b)
{
    struct ring_entry receive = {.opcode = RING_OP_RECV,
                                 .cap = b->endpoint,
                                 .result = (uintptr_t)b->request,
                                 .result_size = sizeof b->request,
                                 .transfers = (uintptr_t)b->received,
                                 .transfer_max = 4};
    capos_submit_entry(&receive, &b->receive);
}

static status_t answer(const struct both *b, uint32_t reply_cap)
{
    struct ring_entry entry = {.opcode = RING_OP_RETURN,
                               .cap = reply_cap,
                               .message = (uintptr_t)b->message,
                               .message_size = sizeof b->message};
    return (status_t)-smoke_run(entry).status;
}

static bool begin(struct both *b, uint64_t tag)
{
    memset(b, 0, sizeof *b);
    CHECK(make_endpoint(&b->endpoint));
    CHECK(mint(b->endpoint, 5, tag, &b->facet));
    return true;
}

bool smoke_transfer(void)
{
    static struct both b;
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_pipe_writer_write_results written;
    struct capos_pipe_reader_read_results got;
    CHECK(begin(&b, 77));
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &pipe));
    b.sent[0] = (struct cap_transfer){pipe.reader, CAP_TRANSFER_MOVE};
    b.sent[1] = (struct cap_transfer){pipe.writer, CAP_TRANSFER_COPY};
    put_call(&b, 2);
    capos_flush();
    CHECK_STATUS(capos_pipe_reader_read(pipe.reader, 1, &got),
                 STATUS_IN_TRANSIT); /* neither here nor there */
    put_receive(&b);
    CHECK_OK(capos_await_entry(&b.receive));
    CHECK(b.receive.completion.transfer_count == 2 && b.receive.completion.method == 3);
    const struct ring_request *request = (const struct ring_request *)b.request;
    CHECK(request->tag == 77 && request->interface_id == 5);
    cap_t reader = b.received[0].cap, writer = b.received[1].cap;
    CHECK(reader != pipe.reader && writer != pipe.writer);
    CHECK_STATUS(capos_pipe_reader_read(pipe.reader, 1, &got), STATUS_STALE_CAPABILITY); /* moved */
    CHECK_OK(capos_pipe_writer_write(pipe.writer, "ab", 2, &written)); /* copied: both work */
    CHECK_OK(capos_pipe_writer_write(writer, "cd", 2, &written));
    CHECK_OK(capos_pipe_reader_read(reader, 10, &got));
    CHECK(got.data.size == 4 && memcmp(got.data.data, "abcd", 4) == 0);
    uint32_t reply_cap = b.receive.completion.aux;
    CHECK_OK(answer(&b, reply_cap));
    CHECK_OK(capos_await_entry(&b.call));
    CHECK_STATUS(answer(&b, reply_cap), STATUS_STALE_CAPABILITY); /* single use */
    /* a call that is cancelled before it is received: what it moved is back */
    b.sent[0] = (struct cap_transfer){reader, CAP_TRANSFER_MOVE};
    put_call(&b, 1);
    capos_flush();
    capos_release(b.endpoint);
    CHECK_STATUS(capos_await_entry(&b.call), STATUS_DISCONNECTED);
    CHECK_OK(capos_pipe_writer_write(writer, "x", 1, &written));
    CHECK_OK(capos_pipe_reader_read(reader, 10, &got));
    /* a transfer that names what is not there sends nothing */
    CHECK(begin(&b, 1));
    b.sent[0] = (struct cap_transfer){reader, CAP_TRANSFER_MOVE};
    b.sent[1] = (struct cap_transfer){CAP_ID(4000, 1), CAP_TRANSFER_COPY};
    put_call(&b, 2);
    CHECK_STATUS(capos_await_entry(&b.call), STATUS_BAD_CAPABILITY);
    CHECK_OK(capos_pipe_writer_write(writer, "y", 1, &written));
    CHECK_OK(capos_pipe_reader_read(reader, 10, &got));
    capos_release(reader), capos_release(writer), capos_release(pipe.writer);
    capos_release(b.endpoint), capos_release(b.facet);
    return true;
}

bool smoke_revocation(void)
{
    static struct both b;
    struct capos_endpoint_revocable_results revocable;
    struct capos_timer_now_results now;
    CHECK(begin(&b, 1));
    CHECK_OK(capos_endpoint_revocable(b.endpoint, smoke_timer, &revocable));
    CHECK_OK(capos_timer_now(revocable.forwarder, &now));
    CHECK_OK(capos_cutter_cut(revocable.cutter));
    CHECK_STATUS(capos_timer_now(revocable.forwarder, &now), STATUS_REVOKED);
    CHECK_OK(capos_timer_now(smoke_timer, &now)); /* the thing itself is as it was */
    CHECK_OK(capos_cutter_cut(revocable.cutter)); /* idempotent */
    capos_release(revocable.forwarder), capos_release(revocable.cutter);
    capos_release(b.endpoint), capos_release(b.facet);
    return true;
}

bool smoke_notice(void)
{
    static struct both b;
    CHECK(begin(&b, 31));
    put_call(&b, 0);
    capos_flush();
    capos_release(b.facet); /* a call is still on its way: the notice comes behind it */
    put_receive(&b);
    CHECK_OK(capos_await_entry(&b.receive));
    CHECK((b.receive.completion.flags & RING_FLAG_NOTICE) == 0);
    CHECK_OK(answer(&b, b.receive.completion.aux));
    CHECK_OK(capos_await_entry(&b.call));
    put_receive(&b);
    CHECK_OK(capos_await_entry(&b.receive));
    CHECK((b.receive.completion.flags & RING_FLAG_NOTICE) != 0);
    CHECK(((const struct ring_request *)b.request)->tag == 31);
    capos_release(b.endpoint);
    return true;
}

bool smoke_owner_gone(void)
{
    static struct both b;
    CHECK(begin(&b, 1));
    put_call(&b, 0);
    put_receive(&b);
    CHECK_OK(capos_await_entry(&b.receive));
    capos_release(b.receive.completion.aux); /* dropping the Reply completes the call */
    status_t status = capos_await_entry(&b.call);
    CHECK(status == STATUS_EXCEPTION || status == STATUS_DISCONNECTED);
    capos_release(b.endpoint);
    put_call(&b, 0);
    CHECK_STATUS(capos_await_entry(&b.call), STATUS_DISCONNECTED);
    capos_release(b.facet);
    return true;
}

static struct capos_process_spawner_create_pipe_results ends;

static uint64_t fill(void *argument)
{
    static char chunk[10000];
    (void)argument;
    memset(chunk, 'z', sizeof chunk);
    for (int i = 0; i < 30; i++) { /* more than the pipe holds */
        struct capos_pipe_writer_write_results written;
        if (capos_pipe_writer_write(ends.writer, chunk, sizeof chunk, &written) != STATUS_OK) {
            return 0;
        }
    }
    capos_release(ends.writer);
    capos_flush();
    return 1;
}

bool smoke_pipe(void)
{
    struct capos_thread *thread;
    struct capos_pipe_reader_read_results got;
    uint64_t result, total = 0;
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &ends));
    CHECK_OK(capos_thread_spawn(fill, NULL, NULL, &thread));
    do {
        CHECK_OK(capos_pipe_reader_read(ends.reader, 7000, &got));
        total += got.data.size;
    } while (!got.end_of_file);
    CHECK(total == 300000);
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1);
    capos_release(ends.reader);
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &ends));
    capos_release(ends.reader);
    capos_flush(); /* an end goes with the last entry of a batch */
    struct capos_pipe_writer_write_results written;
    CHECK_STATUS(capos_pipe_writer_write(ends.writer, "x", 1, &written), STATUS_DISCONNECTED);
    capos_release(ends.writer);
    return true;
}

bool smoke_fork(void)
{
    static int value = 1;
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_pipe_reader_read_results got;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &pipe));
    CHECK_OK(capos_fork(smoke_spawner, &is_child, &handle));
    if (is_child) {
        struct capos_pipe_writer_write_results written;
        value = 2; /* its own copy */
        status_t status = capos_pipe_writer_write(pipe.writer, "child", 5, &written);
        _Exit(status == STATUS_OK ? 33 : 34);
    }
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 10, &got));
    CHECK(got.data.size == 5 && memcmp(got.data.data, "child", 5) == 0);
    struct capos_process_handle_wait_results ended;
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    CHECK(exit_status_kind(ended.status_) == EXIT_KIND_EXITED
          && exit_status_code(ended.status_) == 33);
    CHECK(value == 1);
    capos_release(handle), capos_release(pipe.reader), capos_release(pipe.writer);
    return true;
}
