/* The generated clients and servers, connected by a runtime that stands in for ring and kernel:
 * what a client is given is what the server's function sees, and the other way round. */
#include <stdio.h>

#include "lib/capos/gen/client.h"
#include "lib/capos/gen/server.h"
#include "lib/wire/gen/messages.h"
#include "tests/lib/test.h"

/* --- the stand-in for libcapos: one thread, a call is answered at once by `serve` --- */

static uint64_t request_words[500], reply_words[500];
static struct capos_call thread_call = {
    .request = request_words,
    .request_size = sizeof(request_words),
    .reply = reply_words,
    .reply_size = sizeof(reply_words),
};
static status_t (*serve)(struct capos_request *request);
static uint64_t called_interface;
static cap_t called_cap;
static unsigned released;

void capos_release(cap_t cap)
{
    released += cap != CAP_ID_NONE;
}

void capos_call_reset(struct capos_call *call)
{
    for (uint16_t i = 0; i < call->received; i++) {
        capos_release(call->transfers[i].cap);
    }
    call->received = 0;
    call->sent = 0;
    wire_message_begin(&call->message, call->request, call->request_size);
}

struct capos_call *capos_call_begin(void)
{
    capos_call_reset(&thread_call);
    return &thread_call;
}

void capos_call_init(struct capos_call *call, void *request, uint32_t request_size, void *reply,
                     uint32_t reply_size)
{
    *call = (struct capos_call){
        .request = request, .request_size = request_size, .reply = reply, .reply_size = reply_size};
}

status_t capos_request_fail(struct capos_request *request, enum exception_type type,
                            const char *reason)
{
    wire_message_begin(&request->reply, request->reply.segment - 1, sizeof(reply_words));
    struct wire_builder exception = exception_init(&request->reply);
    exception_set_type(exception, type);
    exception_set_reason(exception, wire_span_of(reason));
    return STATUS_EXCEPTION;
}

status_t capos_submit(struct capos_call *call, cap_t cap, uint64_t interface_id, uint16_t method)
{
    static struct capos_request request;
    size_t size = wire_message_finish(&call->message);
    if (size == 0) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    called_cap = cap;
    called_interface = interface_id;
    request = (struct capos_request){.method = method, .received = call->sent};
    memcpy(request.transfers_in, call->transfers, sizeof(call->transfers));
    CHECK_EQ(wire_message_open(&request.message, call->request, size), WIRE_OK);
    request.params = wire_message_root(&request.message);
    wire_message_begin(&request.reply, call->reply, call->reply_size);
    status_t status = serve(&request);
    size = wire_message_finish(&request.reply);
    call->status = size == 0 ? -STATUS_RESULT_TOO_SMALL : -(int)status;
    call->received = request.sent;
    memcpy(call->transfers, request.transfers_out, sizeof(call->transfers));
    if (wire_message_open(&call->answer, call->reply, size) == WIRE_OK) {
        call->results = wire_message_root(&call->answer);
    }
    call->state = CAPOS_CALL_COMPLETE;
    return STATUS_OK;
}

status_t capos_await(struct capos_call *call)
{
    return (status_t)-call->status;
}

status_t capos_invoke(struct capos_call *call, cap_t cap, uint64_t interface_id, uint32_t method)
{
    status_t status = capos_submit(call, cap, interface_id, (uint16_t)method);
    return status == STATUS_OK ? capos_await(call) : status;
}

/* Its words as the message that they stand for. */
struct capos_call *capos_invoke_short(cap_t cap, uint64_t interface_id, uint64_t what,
                                      uint64_t first, uint64_t second)
{
    struct capos_call *call = capos_call_begin();
    uint32_t words = (uint32_t)(what >> 32) / 8;
    CHECK_EQ(what & 0xffff, (uint64_t)(RING_FLAG_SHORT << 8 | RING_OP_CALL));
    CHECK_LE(words, 2);
    struct wire_builder params = wire_message_init_root(&call->message, words, 0);
    wire_set_u64(params, 0, first);
    wire_set_u64(params, 1, second);
    CHECK_STATUS(capos_submit(call, cap, interface_id, (uint16_t)(what >> 16)), STATUS_OK);
    return call;
}

/* The message that bytes go into. */
status_t capos_invoke_bytes(cap_t cap, uint64_t interface_id, uint32_t method, const void *bytes,
                            size_t size)
{
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = wire_message_init_root(&call->message, 0, 1);
    struct wire_span span = {bytes, size};
    if ((method & CAPOS_TEXT) != 0) {
        wire_set_text(params, 0, span);
    } else {
        wire_set_data(params, 0, span);
    }
    return capos_invoke(call, cap, interface_id, method);
}

struct capos_call *capos_call_own(void)
{
    return &thread_call;
}

/* --- a timer: numbers --- */

static status_t my_now(void *self, struct capos_request *request, struct wire_builder results)
{
    (void)request;
    timer_now_results_set_monotonic_ns(results, *(uint64_t *)self);
    timer_now_results_set_tick(results, UINT64_MAX);
    return STATUS_OK;
}

static uint64_t slept;

static status_t my_sleep(void *self, struct capos_request *request)
{
    (void)self;
    slept = timer_sleep_params_ns(request->params);
    if (slept == 13) {
        return capos_request_fail(request, EXCEPTION_TYPE_INVALID_ARGUMENT, "not 13");
    }
    return STATUS_OK;
}

static status_t serve_timer(struct capos_request *request)
{
    static const struct capos_timer_server server = {.now = my_now, .sleep = my_sleep};
    static uint64_t now = 0x1122334455667788;
    return capos_timer_serve(&server, &now, request);
}

TEST(numbers_go_both_ways)
{
    struct capos_timer_now_results results = {0};
    serve = serve_timer;
    CHECK_EQ(capos_timer_now(99, &results), STATUS_OK);
    CHECK_EQ(called_cap, 99);
    CHECK(called_interface == TIMER_INTERFACE_ID);
    CHECK_EQ(results.monotonic_ns, 0x1122334455667788);
    CHECK(results.tick == UINT64_MAX);
    CHECK_EQ(capos_timer_sleep(99, 0x8000000000000000), STATUS_OK);
    CHECK(slept == 0x8000000000000000);
}

TEST(exceptions_and_missing_methods)
{
    struct capos_timer_page_results page = {.address = 5};
    serve = serve_timer;
    CHECK_EQ(capos_timer_sleep(99, 13), STATUS_EXCEPTION);
    CHECK_EQ(exception_type(thread_call.results), EXCEPTION_TYPE_INVALID_ARGUMENT);
    CHECK_BYTES(exception_reason(thread_call.results).data, "not 13", 7);
    CHECK_EQ(capos_timer_page(99, &page), STATUS_NOT_SUPPORTED);
    CHECK_EQ(page.address, 5); /* only success fills results */
    struct capos_call *call = capos_call_begin();
    timer_now_params_init(&call->message);
    CHECK_EQ(capos_invoke(call, 99, TIMER_INTERFACE_ID, TIMER_METHOD_COUNT), STATUS_UNKNOWN_METHOD);
}

TEST(call_with_a_record_of_its_own)
{
    static uint64_t request[10], reply[10];
    struct capos_call call;
    struct capos_timer_now_results results = {0};
    serve = serve_timer;
    capos_call_init(&call, request, sizeof(request), reply, sizeof(reply));
    CHECK_EQ(capos_timer_now_submit(&call, 98), STATUS_OK);
    CHECK_EQ(capos_timer_now_await(&call, &results), STATUS_OK);
    CHECK_EQ(results.monotonic_ns, 0x1122334455667788);
}

/* --- streams: bytes, and what does not fit --- */

static status_t my_read(void *self, struct capos_request *request, struct wire_builder results)
{
    (void)self;
    (void)request;
    uint32_t size = std_io_read_params_max_bytes(request->params);
    uint8_t *data = std_io_read_results_init_data(results, size);
    if (data != NULL) {
        memset(data, 'x', 7);
        std_io_read_results_truncate_data(results, 7);
        std_io_read_results_set_end_of_input(results, true);
    }
    return STATUS_OK;
}

static status_t my_write(void *self, struct capos_request *request, struct wire_builder results)
{
    struct wire_span data = std_io_write_params_data(request->params);
    (void)request;
    CHECK_BYTES(data.data, self, data.size);
    std_io_write_results_set_written(results, (uint32_t)data.size);
    return STATUS_OK;
}

static status_t serve_stdio(struct capos_request *request)
{
    static const struct capos_std_io_server server = {.read = my_read, .write = my_write};
    return capos_std_io_serve(&server, "some\0bytes", request);
}

TEST(bytes_go_both_ways)
{
    struct capos_std_io_read_results read;
    struct capos_std_io_write_results written;
    serve = serve_stdio;
    CHECK_EQ(capos_std_io_read(5, 1000, &read), STATUS_OK);
    CHECK_EQ(read.data.size, 7);
    CHECK_BYTES(read.data.data, "xxxxxxx", 7);
    CHECK(read.end_of_input);
    CHECK_EQ(capos_std_io_write(5, "some\0bytes", 10, &written), STATUS_OK);
    CHECK_EQ(written.written, 10);
}

TEST(too_large)
{
    static char many[5000];
    struct capos_std_io_read_results read;
    struct capos_std_io_write_results written = {77};
    serve = serve_stdio;
    CHECK_EQ(capos_std_io_write(5, many, sizeof(many), &written), STATUS_MESSAGE_TOO_LARGE);
    CHECK_EQ(written.written, 77);
    CHECK_EQ(capos_std_io_read(5, 5000, &read), STATUS_RESULT_TOO_SMALL);
}

/* --- a spawner: capabilities, texts, lists of structs, a struct --- */

static status_t my_spawn(void *self, struct capos_request *request, struct wire_builder results)
{
    (void)self;
    struct wire_list grants = process_spawner_spawn_params_grants(request->params);
    struct wire_reader limits = process_spawner_spawn_params_limits(request->params);
    CHECK_EQ(process_spawner_spawn_params_name(request->params).size, 5);
    CHECK_BYTES(process_spawner_spawn_params_name(request->params).data, "child", 6);
    CHECK_EQ(grants.count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        struct wire_reader grant = wire_list_get_struct(grants, i);
        CHECK_EQ(granted_cap_name(grant).size, i + 1);
        CHECK_EQ(capos_request_take(request, granted_cap_cap(grant)), 200 + i);
        CHECK_EQ(capos_request_take(request, granted_cap_cap(grant)), CAP_ID_NONE);
    }
    CHECK_EQ(request->transfers_in[1].mode, CAP_TRANSFER_MOVE);
    uint32_t image = process_spawner_spawn_params_image(request->params);
    CHECK_EQ(image, 2); /* after those of the list */
    CHECK_EQ(request->transfers_in[image].mode, CAP_TRANSFER_COPY);
    CHECK_EQ(capos_request_take(request, image), 300);
    CHECK_EQ(limits_frames(limits), 64);
    CHECK_EQ(limits_calls(limits), 0);
    (void)capos_request_give(request, 400, CAP_TRANSFER_COPY); /* which nobody takes */
    process_spawner_spawn_results_set_handle(results,
                                             capos_request_give(request, 401, CAP_TRANSFER_MOVE));
    return STATUS_OK;
}

static status_t serve_spawner(struct capos_request *request)
{
    static const struct capos_process_spawner_server server = {.spawn = my_spawn};
    return capos_process_spawner_serve(&server, NULL, request);
}

/* A message with the parameters that stubs take as list and struct. */
static struct wire_reader build_spawn(uint64_t *words, size_t size, struct wire_message *message)
{
    struct wire_message_builder m;
    wire_message_begin(&m, words, size);
    struct wire_builder b = process_spawner_spawn_params_init(&m);
    struct wire_list_builder grants = process_spawner_spawn_params_init_grants(b, 2);
    granted_cap_set_name(wire_list_at(grants, 0), wire_span_of("a"));
    granted_cap_set_cap(wire_list_at(grants, 0), 0);
    granted_cap_set_name(wire_list_at(grants, 1), wire_span_of("bb"));
    granted_cap_set_cap(wire_list_at(grants, 1), 1);
    limits_set_frames(process_spawner_spawn_params_init_limits(b), 64);
    CHECK_EQ(wire_message_open(message, words, wire_message_finish(&m)), WIRE_OK);
    return wire_message_root(message);
}

TEST(capabilities_lists_and_structs)
{
    static uint64_t words[100];
    struct wire_message message;
    struct wire_reader p = build_spawn(words, sizeof(words), &message);
    static const struct cap_transfer transfers[] = {{200, CAP_TRANSFER_COPY},
                                                    {201, CAP_TRANSFER_MOVE}};
    struct capos_process_spawner_spawn_results results = {0};
    serve = serve_spawner;
    CHECK_EQ(capos_process_spawner_spawn(
                 7, "child", 5, 300, "start", 5, process_spawner_spawn_params_grants(p),
                 process_spawner_spawn_params_limits(p), transfers, 2, &results),
             STATUS_OK);
    CHECK_EQ(results.handle, 401);
    CHECK_EQ(released, 0);
    capos_call_begin();
    CHECK_EQ(released, 1); /* the one that was not taken */
    capos_call_begin();
    CHECK_EQ(released, 1);
}

TEST(more_capabilities_than_a_message_has_room_for)
{
    struct capos_call *call = capos_call_begin();
    endpoint_revocable_params_init(&call->message);
    for (uint32_t i = 0; i < RING_TRANSFERS_MAX; i++) {
        CHECK_EQ(capos_send(call, 5, CAP_TRANSFER_COPY), i);
    }
    CHECK_EQ(capos_send(call, CAP_ID_NONE, CAP_TRANSFER_COPY), WIRE_NO_CAPABILITY);
    CHECK_EQ(call->message.error, WIRE_OK);
    CHECK_EQ(capos_send(call, 5, CAP_TRANSFER_COPY), WIRE_NO_CAPABILITY);
    CHECK_EQ(capos_invoke(call, 9, ENDPOINT_INTERFACE_ID, ENDPOINT_METHOD_REVOCABLE),
             STATUS_MESSAGE_TOO_LARGE);
}
