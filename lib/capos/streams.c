/*
 * streams.c: the three standard streams (lib/capos/libc/platform.h) over the grant `stdio`, or over
 * `console` for output alone.
 *
 * A stream's buffer lies in the message it is sent with, at the place where the data belongs, and
 * input is used where the answer put it: the only copies are the program's own and the kernel's.
 * Each stream has a call record of its own, guarded by the stream's lock above; it is used in the
 * ring of whichever thread holds that lock.
 */
#include "abi/limits.h"
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"

/* What a message has around its data: frame, root and list pointers, the params' own words. */
#define MESSAGE_EXTRA 64
/* stderr is written at the end of each function: what it gathers is small. */
#define STDERR_BUFFER 2048

static struct capos_once looked_up;
static cap_t std_io;
static cap_t console;

/* What a stream for output has besides: the message that its bytes are gathered in. */
struct output {
    struct capos_call *call;
    struct wire_builder params;
    size_t capacity;
};

static CAPOS_LARGE struct capos_call calls[3];
static struct output outputs[3];
static _Alignas(8) char input_request[MESSAGE_EXTRA];
static CAPOS_LARGE _Alignas(8) char input_reply[STREAM_CHUNK_MAX + MESSAGE_EXTRA];
static CAPOS_LARGE _Alignas(8) char output_request[STREAM_CHUNK_MAX + MESSAGE_EXTRA];
static CAPOS_LARGE _Alignas(8) char error_request[STDERR_BUFFER + MESSAGE_EXTRA];
static _Alignas(8) char output_reply[MESSAGE_EXTRA];
static _Alignas(8) char error_reply[MESSAGE_EXTRA];

static void look_up(void)
{
    if (capos_find("stdio", STD_IO_INTERFACE_ID, &std_io) == STATUS_OK) {
        capos_call_init(&calls[PLATFORM_STDIN], input_request, sizeof input_request, input_reply,
                        sizeof input_reply);
    } else {
        std_io = CAP_ID_NONE;
        if (capos_find("console", CONSOLE_INTERFACE_ID, &console) != STATUS_OK) {
            console = CAP_ID_NONE;
            capos_report_denial(STD_IO_INTERFACE_ID, STD_IO_METHOD_WRITE, "stdio",
                                DENIAL_REASON_NOT_GRANTED, "stdio");
        }
    }
    capos_call_init(&calls[PLATFORM_STDOUT], output_request, sizeof output_request, output_reply,
                    sizeof output_reply);
    capos_call_init(&calls[PLATFORM_STDERR], error_request, sizeof error_request, error_reply,
                    sizeof error_reply);
}

/* Begin the next message, with as much data as the stream may gather; where they lie is the same
 * each time. All of StdIO.write, StdIO.writeError and Console.write have the same parameters: the
 * data. */
static char *begin_output(struct output *output)
{
    capos_call_reset(output->call);
    output->params = std_io_write_params_init(&output->call->message);
    return std_io_write_params_init_data(output->params, output->capacity);
}

bool platform_output_buffer(enum platform_stream stream, char **buffer, size_t *capacity_bytes)
{
    struct output *output = &outputs[stream];
    capos_once(&looked_up, look_up);
    if (std_io == CAP_ID_NONE && console == CAP_ID_NONE) {
        return false;
    }
    output->call = &calls[stream];
    output->capacity = stream == PLATFORM_STDERR ? STDERR_BUFFER : STREAM_CHUNK_MAX;
    if (std_io == CAP_ID_NONE && output->capacity > CONSOLE_WRITE_MAX) {
        output->capacity = CONSOLE_WRITE_MAX;
    }
    *buffer = begin_output(output);
    *capacity_bytes = output->capacity;
    return true;
}

bool platform_output(enum platform_stream stream, size_t size_bytes)
{
    struct output *output = &outputs[stream];
    struct capos_call *call = output->call;
    bool written;
    std_io_write_params_truncate_data(output->params, size_bytes);
    if (std_io == CAP_ID_NONE) {
        written =
            capos_invoke(call, console, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE) == STATUS_OK;
    } else {
        uint16_t method =
            stream == PLATFORM_STDERR ? STD_IO_METHOD_WRITE_ERROR : STD_IO_METHOD_WRITE;
        written = capos_invoke(call, std_io, STD_IO_INTERFACE_ID, method) == STATUS_OK
                  && std_io_write_results_written(call->results) == size_bytes;
    }
    (void)begin_output(output);
    return written;
}

bool platform_input(const unsigned char **bytes, size_t *size_bytes)
{
    struct capos_call *call = &calls[PLATFORM_STDIN];
    capos_once(&looked_up, look_up);
    *bytes = NULL;
    *size_bytes = 0;
    if (std_io == CAP_ID_NONE) {
        return false;
    }
    capos_call_reset(call);
    struct wire_builder params = std_io_read_params_init(&call->message);
    std_io_read_params_set_max_bytes(params, STREAM_CHUNK_MAX);
    if (capos_invoke(call, std_io, STD_IO_INTERFACE_ID, STD_IO_METHOD_READ) != STATUS_OK) {
        return false;
    }
    struct wire_span data = std_io_read_results_data(call->results);
    *bytes = data.data;
    *size_bytes = data.size;
    return true;
}

bool platform_is_terminal(enum platform_stream stream)
{
    struct capos_std_io_is_terminal_results results;
    capos_once(&looked_up, look_up);
    return std_io != CAP_ID_NONE
           && capos_std_io_is_terminal(std_io, (uint32_t)stream, &results) == STATUS_OK
           && results.is_terminal;
}
