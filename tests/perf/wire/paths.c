/* See paths.h. */
#include "tests/perf/wire/paths.h"

#include "lib/wire/gen/messages.h"

uint64_t path_decode(const void *message, size_t size)
{
    struct wire_message m;
    if (wire_message_open(&m, message, size) != WIRE_OK) {
        return 0;
    }
    return timer_sleep_params_ns(wire_message_root(&m));
}

size_t path_encode(void *buffer, size_t size, uint64_t value)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, size);
    struct wire_builder results = timer_now_results_init(&m);
    timer_now_results_set_monotonic_ns(results, value);
    timer_now_results_set_tick(results, value + 1);
    return wire_message_finish(&m);
}

size_t path_build_request(void *buffer, size_t size, uint64_t ns)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, size);
    timer_sleep_params_set_ns(timer_sleep_params_init(&m), ns);
    return wire_message_finish(&m);
}

uint64_t path_read_answer(const void *message, size_t size)
{
    struct wire_message m;
    if (wire_message_open(&m, message, size) != WIRE_OK) {
        return 0;
    }
    struct wire_reader r = wire_message_root(&m);
    return timer_now_results_monotonic_ns(r) ^ timer_now_results_tick(r);
}

size_t path_put_data(void *buffer, size_t size, const void *data)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, size);
    pipe_writer_write_params_set_data(pipe_writer_write_params_init(&m),
                                      (struct wire_span){data, 64});
    return wire_message_finish(&m);
}

const void *path_get_data(const void *message, size_t size)
{
    struct wire_message m;
    if (wire_message_open(&m, message, size) != WIRE_OK) {
        return NULL;
    }
    struct wire_span data = pipe_writer_write_params_data(wire_message_root(&m));
    return data.size == 64 ? data.data : NULL;
}

uint64_t path_nothing(const void *message, size_t size)
{
    (void)message;
    return size;
}
