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
#include "kernel/cap/stream.h"
#include "kernel/core/address_space.h"
#include "kernel/core/host_link.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/std_io.h"

static struct list reads = {&reads, &reads};       /* value[0]: at most how many bytes */
static struct list writes = {&writes, &writes};    /* stream.h */
static struct list readies = {&readies, &readies}; /* stream.h */
/* isTerminal, windowSize; value[0]: the stream */
static struct list questions = {&questions, &questions};

/* --- what waits, and what it waits for --- */

static bool input_there(void)
{
    bool end;
    return host_link_input_size(&end) != 0 || end;
}

static void answer_read(const struct call *call, uint32_t max_bytes, struct wire_builder results)
{
    bool end = false;
    uint32_t size =
        max_bytes > 0 ? stream_fit(call, host_link_input_size(&end), max_bytes) : 0;
    void *to = std_io_read_results_init_data(results, size);
    KASSERT(to != NULL);
    if (max_bytes > 0) { /* else the host is not to hear of it */
        size_t got = host_link_read(to, size, &end);
        KASSERT(got == size);
    }
    std_io_read_results_set_end_of_input(results, end);
}

static void serve_reads(void)
{
    while (!list_empty(&reads) && input_there()) {
        struct call *call = LIST_FIRST(&reads, struct call, queue);
        list_remove(&call->queue);
        answer_read(call, (uint32_t)call->value[0], call_reply(call));
        call_finish(call, STATUS_OK);
    }
}

static enum host_link_stream stream_of(const struct call *call)
{
    return call->method_number == STD_IO_METHOD_WRITE ? HOST_LINK_STREAM_OUT : HOST_LINK_STREAM_ERR;
}

static stream_setter *written_setter(const struct call *call)
{
    return call->method_number == STD_IO_METHOD_WRITE ? std_io_write_results_set_written
                                                      : std_io_write_error_results_set_written;
}

/* As much of a kept write as there is room for. False: it waits on. */
static bool go_on_writing(struct call *call)
{
    /* no handler is at work: the link's news come with an interrupt */
    uint8_t *buffer = arch_cpu()->request;
    KASSERT(arch_cpu()->building == NULL);
    status_t s = host_link_refuses(stream_of(call)) ? STATUS_DISCONNECTED : STATUS_OK;
    while (s == STATUS_OK && call->value[1] > 0) {
        size_t room = host_link_output_room();
        if (room == 0) {
            return false; /* and not before: only now is the link bound to have news again */
        }
        uint32_t size = (uint32_t)(room < call->value[1] ? room : call->value[1]);
        s = user_copy_in(call->process->space, buffer, call->value[0], size);
        if (s == STATUS_OK) {
            stream_took(call, (uint32_t)host_link_write(stream_of(call), buffer, size));
        }
    }
    stream_finish_write(call, s, written_setter(call));
    return true;
}

static void serve_writes(void)
{
    while (!list_empty(&writes) && go_on_writing(LIST_FIRST(&writes, struct call, queue))) {
        /* one after the other, in their order */
    }
}

static uint32_t readiness(void)
{
    bool end;
    size_t input = host_link_input_size(&end);
    bool closed = host_link_closed(HOST_LINK_STREAM_OUT);
    uint32_t state = 0;
    if (input != 0 || end) {
        state |= READINESS_READABLE;
    }
    if (closed || (list_empty(&writes) && host_link_output_room() != 0)) {
        state |= READINESS_WRITABLE;
    }
    if (closed || (input == 0 && end)) {
        state |= READINESS_CLOSED;
    }
    return state;
}

/* Of isTerminal, or else of windowSize. */
static inline void answer_question(bool terminal, uint32_t stream, struct wire_builder results)
{
    if (terminal) {
        bool is_terminal = host_link_terminal((enum host_link_stream)stream);
        std_io_is_terminal_results_set_is_terminal(results, is_terminal);
        return;
    }
    struct host_link_window window = host_link_window();
    std_io_window_size_results_set_columns(results, window.columns);
    std_io_window_size_results_set_rows(results, window.rows);
}

static void serve_questions(void)
{
    while (!list_empty(&questions) && host_link_greeted()) {
        struct call *call = LIST_FIRST(&questions, struct call, queue);
        list_remove(&call->queue);
        answer_question(call->method_number == STD_IO_METHOD_IS_TERMINAL,
                        (uint32_t)call->value[0], call_reply(call));
        call_finish(call, STATUS_OK);
    }
}

/* The host link's listener: a hint to look at everything again. */
static void link_news(void)
{
    serve_questions();
    serve_reads();
    serve_writes();
    stream_wake_ready(&readies, readiness(), std_io_ready_results_set_mask);
}

/* --- the methods --- */

/* Before a call waits: the link may have been made anew since the last time. */
static void listen(const struct invocation *in)
{
    KASSERT(in->self == &std_io_object);
    host_link_listen(link_news);
}

status_t std_io_read(const struct invocation *in, uint32_t max_bytes)
{
    listen(in);
    bool takes = stream_fit(in->call, SIZE_MAX, max_bytes) > 0;
    bool ready = takes && list_empty(&reads) && input_there(); /* which asks the host for input */
    status_t s = stream_begin_read(in->call, max_bytes, ready, &reads);
    if (s == STATUS_OK) {
        answer_read(in->call, max_bytes, in->results);
    }
    return s;
}

static status_t begin_write(const struct invocation *in, struct wire_span data)
{
    uint32_t done = 0;
    listen(in);
    if (host_link_refuses(stream_of(in->call))) {
        return STATUS_DISCONNECTED;
    }
    if (list_empty(&writes)) {
        done = (uint32_t)host_link_write(stream_of(in->call), data.data, data.size);
    }
    return stream_end_write(in, data, done, STATUS_OK, &writes, written_setter(in->call));
}

status_t std_io_write(const struct invocation *in, struct wire_span data)
{
    return begin_write(in, data);
}

status_t std_io_write_error(const struct invocation *in, struct wire_span data)
{
    return begin_write(in, data);
}

status_t std_io_ready(const struct invocation *in, uint32_t mask)
{
    listen(in);
    return stream_ready(in, mask, readiness(), &readies, std_io_ready_results_set_mask);
}

static inline status_t ask(const struct invocation *in, bool terminal, uint32_t stream)
{
    listen(in);
    if (!host_link_greeted()) {
        in->call->value[0] = stream;
        return call_wait(in->call, &questions, call_leave_queue);
    }
    answer_question(terminal, stream, in->results);
    return STATUS_OK;
}

status_t std_io_is_terminal(const struct invocation *in, uint32_t stream)
{
    return stream <= HOST_LINK_STREAM_ERR
               ? ask(in, true, stream)
               : call_bad_argument(in->call, "stream", "streams are 0, 1 and 2");
}

status_t std_io_window_size(const struct invocation *in)
{
    return ask(in, false, HOST_LINK_STREAM_OUT);
}
