/* StdIO: the three standard streams of the command that started the machine, over the host link.
 *
 * The machine has one StdIO. What cannot be answered at once waits in one of four lists until
 * the link has news: reads, writes (of both outputs in one order, since they share the link's
 * room and the host shows them in their order), ready(), and questions about the terminal before
 * the host's greeting. A read takes what is there and fits; a write waits until all is taken. A
 * write that cannot be kept after part of it was taken answers how much that was.
 *
 * CLOSED holds when input has ended or nobody reads standard output any more. */
#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/cap/stream.h"
#include "kernel/core/address_space.h"
#include "kernel/core/host_link.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/std_io.h"

#define STREAMS 3u

static struct {
    struct list reads;     /* value[0]: at most how many bytes */
    struct list writes;    /* stream.h; context: the stream's number */
    struct list readies;
    struct list questions; /* isTerminal, windowSize; value[0]: the stream */
} waiting = {
    .reads = {&waiting.reads, &waiting.reads},
    .writes = {&waiting.writes, &waiting.writes},
    .readies = {&waiting.readies, &waiting.readies},
    .questions = {&waiting.questions, &waiting.questions},
};

static void link_news(uint32_t events);

static void cancel_waiting(struct call *call)
{
    list_remove(&call->queue);
}

static void cancel_write(struct call *call)
{
    list_remove(&call->queue);
    stream_note_done(call);
}

static status_t wait_in(struct call *call, struct list *list, void (*cancel)(struct call *),
                        struct call **kept)
{
    status_t s = call_keep(call, cancel, kept);
    if (s != STATUS_OK) {
        return s;
    }
    host_link_listen(link_news); /* the link may have been made anew since the last time */
    list_append(list, &(*kept)->queue);
    return STATUS_PENDING;
}

/* --- read --- */

static bool input_there(void)
{
    bool end;
    return host_link_input_size(&end) != 0 || end;
}

static void take_input(const struct call *call, uint32_t max_bytes, struct wire_builder results)
{
    bool end;
    size_t size = host_link_input_size(&end);
    uint32_t room = stream_room(call);
    size = size < max_bytes ? size : max_bytes;
    size = size < room ? size : room;
    void *to = std_io_read_results_init_data(results, size);
    KASSERT(to != NULL);
    size_t got = host_link_read(to, size, &end);
    KASSERT(got == size);
    std_io_read_results_set_end_of_input(results, end && max_bytes > 0);
}

status_t std_io_read(struct object *self, struct call *call, struct wire_reader params,
                     struct wire_builder results)
{
    uint32_t max_bytes = std_io_read_params_max_bytes(params);
    struct call *kept;
    KASSERT(self == &std_io_object);
    status_t s = stream_check_read(call, max_bytes);
    if (s != STATUS_OK) {
        return s;
    }
    if (max_bytes == 0 || (list_empty(&waiting.reads) && input_there())) {
        take_input(call, max_bytes, results);
        return STATUS_OK;
    }
    s = wait_in(call, &waiting.reads, cancel_waiting, &kept);
    if (s == STATUS_PENDING) {
        kept->value[0] = max_bytes;
    }
    return s;
}

static void serve_reads(void)
{
    while (!list_empty(&waiting.reads) && input_there()) {
        struct call *call = LIST_FIRST(&waiting.reads, struct call, queue);
        list_remove(&call->queue);
        take_input(call, (uint32_t)call->value[0], call_reply(call));
        call_finish(call, STATUS_OK);
    }
}

/* --- write --- */

static void set_written(struct wire_builder results, uint32_t method, uint32_t written)
{
    if (method == STD_IO_METHOD_WRITE) {
        std_io_write_results_set_written(results, written);
    } else {
        std_io_write_error_results_set_written(results, written);
    }
}

/* Nobody reads the stream any more. The link tells the host that a write has met that. */
static bool refused(enum host_link_stream stream)
{
    if (!host_link_closed(stream)) {
        return false;
    }
    size_t none = host_link_write(stream, NULL, 0);
    KASSERT(none == 0);
    return true;
}

static status_t begin_write(struct call *call, enum host_link_stream stream, struct wire_span data,
                            struct wire_builder results)
{
    struct call *kept;
    status_t s = stream_check_write(call, data);
    if (s != STATUS_OK) {
        return s;
    }
    if (refused(stream)) {
        return STATUS_DISCONNECTED;
    }
    uint32_t done = 0;
    if (list_empty(&waiting.writes)) {
        done = (uint32_t)host_link_write(stream, data.data, data.size);
    }
    if (done < data.size) {
        s = wait_in(call, &waiting.writes, cancel_write, &kept);
        if (s == STATUS_PENDING) {
            kept->context = (void *)(uintptr_t)stream;
            stream_set_rest(kept, data, done);
        }
        if (s == STATUS_PENDING || done == 0) {
            return s;
        }
    }
    set_written(results, call->method_number, done);
    return STATUS_OK;
}

status_t std_io_write(struct object *self, struct call *call, struct wire_reader params,
                      struct wire_builder results)
{
    KASSERT(self == &std_io_object);
    return begin_write(call, HOST_LINK_STREAM_OUT, std_io_write_params_data(params), results);
}

status_t std_io_write_error(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    KASSERT(self == &std_io_object);
    return begin_write(call, HOST_LINK_STREAM_ERR, std_io_write_error_params_data(params), results);
}

/* As much of a kept write as there is room for. False: it waits on. */
static bool go_on_writing(struct call *call, status_t *outcome)
{
    enum host_link_stream stream = (enum host_link_stream)(uintptr_t)call->context;
    /* no handler is at work: the link's news come with an interrupt */
    uint8_t *buffer = arch_cpu()->request;
    KASSERT(arch_cpu()->building == NULL);
    if (refused(stream)) {
        *outcome = STATUS_DISCONNECTED;
        return true;
    }
    /* until there is no room: only then is the link bound to have news again */
    size_t room;
    while (stream_rest(call).left > 0 && (room = host_link_output_room()) > 0) {
        struct stream_rest rest = stream_rest(call);
        uint32_t size = room < rest.left ? (uint32_t)room : rest.left;
        *outcome = user_copy_in(call->process->space, buffer, rest.address, size);
        if (*outcome != STATUS_OK) {
            return true;
        }
        stream_took(call, (uint32_t)host_link_write(stream, buffer, size));
    }
    *outcome = STATUS_OK;
    return stream_rest(call).left == 0;
}

static void serve_writes(void)
{
    status_t outcome;
    while (!list_empty(&waiting.writes)) {
        struct call *call = LIST_FIRST(&waiting.writes, struct call, queue);
        if (!go_on_writing(call, &outcome)) {
            return;
        }
        list_remove(&call->queue);
        if (outcome == STATUS_OK) {
            set_written(call_reply(call), call->method_number, stream_rest(call).done);
        }
        call_finish(call, outcome);
    }
}

/* --- ready --- */

static uint32_t readiness(void)
{
    bool end;
    size_t input = host_link_input_size(&end);
    bool closed = host_link_closed(HOST_LINK_STREAM_OUT);
    uint32_t state = 0;
    if (input != 0 || end) {
        state |= READINESS_READABLE;
    }
    if (closed || (list_empty(&waiting.writes) && host_link_output_room() != 0)) {
        state |= READINESS_WRITABLE;
    }
    if (closed || (input == 0 && end)) {
        state |= READINESS_CLOSED;
    }
    return state;
}

status_t std_io_ready(struct object *self, struct call *call, struct wire_reader params,
                      struct wire_builder results)
{
    KASSERT(self == &std_io_object);
    host_link_listen(link_news);
    return stream_ready(call, results, std_io_ready_params_mask(params), readiness(),
                        &waiting.readies, std_io_ready_results_set_mask);
}

/* --- the terminal --- */

static bool answer_terminal(uint32_t stream, struct wire_builder results)
{
    bool is_terminal;
    if (!host_link_terminal((enum host_link_stream)stream, &is_terminal)) {
        return false;
    }
    std_io_is_terminal_results_set_is_terminal(results, is_terminal);
    return true;
}

static bool answer_window(struct wire_builder results)
{
    struct host_link_window window;
    if (!host_link_window(&window)) {
        return false;
    }
    std_io_window_size_results_set_columns(results, window.columns);
    std_io_window_size_results_set_rows(results, window.rows);
    return true;
}

status_t std_io_is_terminal(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    uint32_t stream = std_io_is_terminal_params_stream(params);
    struct call *kept;
    KASSERT(self == &std_io_object);
    if (stream >= STREAMS) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "streams are 0, 1 and 2",
                              "stream");
    }
    if (answer_terminal(stream, results)) {
        return STATUS_OK;
    }
    status_t s = wait_in(call, &waiting.questions, cancel_waiting, &kept);
    if (s == STATUS_PENDING) {
        kept->value[0] = stream;
    }
    return s;
}

status_t std_io_window_size(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    struct call *kept;
    KASSERT(self == &std_io_object && params.message != NULL);
    return answer_window(results) ? STATUS_OK
                                  : wait_in(call, &waiting.questions, cancel_waiting, &kept);
}

static void serve_questions(void)
{
    struct host_link_window window;
    while (!list_empty(&waiting.questions) && host_link_window(&window)) {
        struct call *call = LIST_FIRST(&waiting.questions, struct call, queue);
        list_remove(&call->queue);
        struct wire_builder results = call_reply(call);
        bool answered = call->method_number == STD_IO_METHOD_IS_TERMINAL
                            ? answer_terminal((uint32_t)call->value[0], results)
                            : answer_window(results);
        KASSERT(answered); /* the greeting brings both */
        call_finish(call, STATUS_OK);
    }
}

/* --- */

/* The host link's listener: a hint to look at everything again. */
static void link_news(uint32_t events)
{
    KASSERT(events != 0);
    serve_questions();
    serve_reads();
    serve_writes();
    stream_wake_ready(&waiting.readies, readiness(), std_io_ready_results_set_mask);
}

static void std_io_destroy(struct object *o)
{
    panic("StdIO %p released once too often", (void *)o); /* the machine has one, for ever */
}

static const struct object_class std_io_class = {.interface = &std_io_interface,
                                                 .destroy = std_io_destroy};
struct object std_io_object = {.class = &std_io_class, .references = 1};
