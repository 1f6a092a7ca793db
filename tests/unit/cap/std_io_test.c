/* StdIO over the host link: reading, writing, waiting, closing, ready, the terminal. The test is
 * the host. */
#include "abi/host_link.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/host_link.h"
#include "lib/wire/gen/std_io.h"
#include "tests/lib/ipc.h"

static struct user *u;
static struct user_message message;
static struct user_reply reply;
static cap_id_t io;
static uint8_t pattern[STREAM_CHUNK_MAX + 1];

/* --- the host --- */

static uint8_t out[2 * 65536 + 4096]; /* what came on standard output, and error */
static size_t out_size;
static uint32_t refused, credits;

static void host_frame(uint8_t type, const void *payload, uint32_t size)
{
    struct host_link_header h = {.type = type, .length = size};
    sim_host_sends(&h, sizeof(h));
    sim_host_sends(payload, size);
}

static void take_exactly(void *to, size_t size)
{
    size_t got = sim_host_takes(to, size);
    CHECK_EQ(got, size);
}

/* Reads all frames; gives the credit for data back if `credit`. */
static void host_reads(bool credit)
{
    struct host_link_header h;
    uint32_t data = 0;
    while (sim_host_takes(&h, sizeof(h)) != 0) {
        uint8_t payload[HOST_LINK_MAX_PAYLOAD];
        take_exactly(payload, h.length);
        if (h.type == HOST_LINK_STDOUT || h.type == HOST_LINK_STDERR) {
            CHECK_LE(out_size + h.length, sizeof(out));
            memcpy(out + out_size, payload, h.length);
            out_size += h.length;
            data += h.length;
        }
        refused += h.type == HOST_LINK_REFUSED;
        credits += h.type == HOST_LINK_CREDIT;
    }
    if (credit && data != 0) {
        host_frame(HOST_LINK_CREDIT, &data, sizeof(data));
    }
}

static void boot_without_greeting(void)
{
    static struct object *grants[] = {&std_io_object};
    sim_boot(NULL);
    io = CAP_ID(CAP_SLOT_FIRST_GRANT, 1);
    u = user_of(sim_process(grants, 1));
    out_size = 0;
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 13 + i / 256);
    }
}

static void boot(void)
{
    boot_without_greeting();
    sim_host_connect();
    host_reads(false);
}

/* --- the program --- */

static struct ring_entry entry(uint16_t method)
{
    return user_call_entry(u, io, STD_IO_INTERFACE_ID, method, &message, NULL, 0);
}

static struct ring_entry write_entry(uint16_t method, const void *bytes, size_t size)
{
    struct wire_builder b = user_message(&message, STD_IO_WRITE_PARAMS_DATA_WORDS,
                                         STD_IO_WRITE_PARAMS_POINTER_WORDS);
    std_io_write_params_set_data(b, (struct wire_span){bytes, size});
    struct ring_entry e = entry(method);
    e.result_size = 128;
    u->scratch_used = e.result - u->scratch + e.result_size;
    return e;
}

static struct ring_entry number_entry(uint16_t method, uint32_t value)
{
    struct wire_builder b = user_message(&message, 1, 0);
    wire_set_u32(b, 0, value); /* read, ready and isTerminal have one number */
    return entry(method);
}

static struct wire_reader take(const struct ring_entry *e)
{
    struct ring_completion c = ipc_take(u, e->user_data);
    CHECK_OK(c.status);
    user_take_reply(u, e, &c, &reply);
    return reply.root;
}

static struct wire_reader run(struct ring_entry e)
{
    struct ring_completion c = user_run(u, e);
    CHECK_OK(c.status);
    user_take_reply(u, &e, &c, &reply);
    return reply.root;
}

TEST(output_reaches_the_host_in_order)
{
    boot();
    CHECK_EQ(std_io_write_results_written(run(write_entry(STD_IO_METHOD_WRITE, "one ", 4))), 4);
    CHECK_EQ(
        std_io_write_error_results_written(run(write_entry(STD_IO_METHOD_WRITE_ERROR, "two ", 4))),
        4);
    CHECK_EQ(std_io_write_results_written(run(write_entry(STD_IO_METHOD_WRITE, "three", 5))), 5);
    CHECK_EQ(std_io_write_results_written(run(write_entry(STD_IO_METHOD_WRITE, "", 0))), 0);
    host_reads(false);
    CHECK_EQ(out_size, 13);
    CHECK_BYTES(out, "one two three", 13);
}

TEST(input_is_read_as_it_comes)
{
    boot();
    struct ring_entry e = number_entry(STD_IO_METHOD_READ, 100);
    ipc_start(u, e);
    ipc_take_none(u);
    host_frame(HOST_LINK_STDIN, "hello", 5);
    struct wire_span got = std_io_read_results_data(take(&e));
    CHECK_EQ(got.size, 5);
    CHECK_BYTES(got.data, "hello", 5);
    CHECK(!std_io_read_results_end_of_input(reply.root));
    host_frame(HOST_LINK_STDIN, "world", 5);
    u->scratch_used = 0;
    CHECK_EQ(std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 2))).size, 2);
    host_frame(HOST_LINK_STDIN_END, NULL, 0);
    u->scratch_used = 0;
    got = std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 100)));
    CHECK_EQ(got.size, 3);
    CHECK_BYTES(got.data, "rld", 3);
    CHECK(!std_io_read_results_end_of_input(reply.root));
    for (int i = 0; i < 3; i++) {
        u->scratch_used = 0;
        CHECK_EQ(std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 100))).size, 0);
        CHECK(std_io_read_results_end_of_input(reply.root));
    }
}

/* What is refused has asked the host for nothing. */
TEST(input_is_asked_for_by_who_can_take_it)
{
    boot();
    credits = 0;
    struct ring_entry e = number_entry(STD_IO_METHOD_READ, 100);
    e.result_size = 32;
    CHECK_STATUS(user_run(u, e).status, -STATUS_EXCEPTION);
    u->scratch_used = 0;
    CHECK_EQ(std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 0))).size, 0);
    host_reads(false);
    CHECK_EQ(credits, 0);
    u->scratch_used = 0;
    ipc_start(u, number_entry(STD_IO_METHOD_READ, 100));
    host_reads(false);
    CHECK_EQ(credits, 1);
}

TEST(the_end_wakes_every_reader)
{
    boot();
    struct ring_entry a = number_entry(STD_IO_METHOD_READ, 100);
    u->scratch_used = a.result - u->scratch + 1024;
    struct ring_entry b = number_entry(STD_IO_METHOD_READ, 100);
    ipc_start(u, a);
    ipc_start(u, b);
    host_frame(HOST_LINK_STDIN_END, NULL, 0);
    CHECK(std_io_read_results_end_of_input(take(&a)));
    CHECK(std_io_read_results_end_of_input(take(&b)));
}

TEST(a_write_waits_for_the_hosts_credit)
{
    boot();
    struct ring_entry a = write_entry(STD_IO_METHOD_WRITE, pattern, STREAM_CHUNK_MAX);
    CHECK_EQ(std_io_write_results_written(run(a)), STREAM_CHUNK_MAX);
    u->scratch_used = 0;
    struct ring_entry b = write_entry(STD_IO_METHOD_WRITE, pattern, STREAM_CHUNK_MAX);
    ipc_start(u, b);
    struct ring_entry c = write_entry(STD_IO_METHOD_WRITE_ERROR, pattern, STREAM_CHUNK_MAX);
    ipc_start(u, c);
    while (out_size < 3 * STREAM_CHUNK_MAX) {
        size_t before = out_size;
        host_reads(true);
        CHECK_GT(out_size, before);
    }
    CHECK_EQ(std_io_write_results_written(take(&b)), STREAM_CHUNK_MAX);
    CHECK_EQ(std_io_write_error_results_written(take(&c)), STREAM_CHUNK_MAX);
    for (int i = 0; i < 3; i++) {
        CHECK_BYTES(out + i * STREAM_CHUNK_MAX, pattern, STREAM_CHUNK_MAX);
    }
}

TEST(a_closed_output_is_disconnected)
{
    boot();
    uint8_t stream = HOST_LINK_STREAM_OUT;
    uint32_t more = 10;
    for (int i = 0; i < 3; i++) { /* the third waits */
        u->scratch_used = 0;
        ipc_start(u, write_entry(STD_IO_METHOD_WRITE, pattern, STREAM_CHUNK_MAX));
    }
    struct ring_completion c;
    int done = 0;
    while (user_reap(u, &c)) {
        CHECK_OK(c.status);
        done++;
    }
    CHECK_EQ(done, 2);
    host_reads(false);
    host_frame(HOST_LINK_CREDIT, &more, sizeof(more));
    host_frame(HOST_LINK_CLOSED, &stream, 1);
    while (user_reap(u, &c)) {
        CHECK_STATUS(c.status, -STATUS_DISCONNECTED);
        CHECK_EQ(c.aux, more); /* what was taken before */
        done++;
    }
    CHECK_EQ(done, 3);
    u->scratch_used = 0;
    CHECK_STATUS(user_run(u, write_entry(STD_IO_METHOD_WRITE, "x", 1)).status,
                 -STATUS_DISCONNECTED);
    host_reads(true);
    CHECK_EQ(refused, 1); /* the host was told once */
    /* the other is open */
    CHECK_OK(user_run(u, write_entry(STD_IO_METHOD_WRITE_ERROR, "x", 1)).status);
}

TEST(ready_tells_what_would_not_wait)
{
    boot();
    struct ring_entry r = number_entry(STD_IO_METHOD_READY, READINESS_READABLE);
    r.result_size = 64;
    u->scratch_used = r.result - u->scratch + 64;
    ipc_start(u, r);
    ipc_take_none(u);
    struct ring_entry w = number_entry(STD_IO_METHOD_READY,
                                       READINESS_READABLE | READINESS_WRITABLE);
    CHECK_EQ(std_io_ready_results_mask(run(w)), READINESS_WRITABLE);
    host_frame(HOST_LINK_STDIN, "x", 1);
    CHECK_EQ(std_io_ready_results_mask(take(&r)), READINESS_READABLE);
    u->scratch_used = 0;
    struct ring_entry closed = number_entry(STD_IO_METHOD_READY, READINESS_CLOSED);
    ipc_start(u, closed);
    host_frame(HOST_LINK_STDIN_END, NULL, 0);
    ipc_take_none(u); /* a byte is left */
    u->scratch_used = closed.result - u->scratch + 64;
    (void)run(number_entry(STD_IO_METHOD_READ, 1));
    host_frame(HOST_LINK_WINDOW, &(struct host_link_window){0}, sizeof(struct host_link_window));
    CHECK_EQ(std_io_ready_results_mask(take(&closed)), READINESS_CLOSED);
}

TEST(questions_about_the_terminal_wait_for_the_greeting)
{
    boot_without_greeting();
    struct ring_entry t = number_entry(STD_IO_METHOD_IS_TERMINAL, 1);
    u->scratch_used = t.result - u->scratch + 64;
    struct ring_entry w = user_call_entry(u, io, STD_IO_INTERFACE_ID, STD_IO_METHOD_WINDOW_SIZE,
                                          NULL, NULL, 0);
    ipc_start(u, t);
    ipc_start(u, w);
    ipc_take_none(u);
    sim_host_connect();
    CHECK(!std_io_is_terminal_results_is_terminal(take(&t)));
    CHECK_EQ(std_io_window_size_results_columns(take(&w)), 0);
    struct host_link_window window = {.columns = 80, .rows = 25};
    host_frame(HOST_LINK_WINDOW, &window, sizeof(window));
    u->scratch_used = 0;
    w = user_call_entry(u, io, STD_IO_INTERFACE_ID, STD_IO_METHOD_WINDOW_SIZE, NULL, NULL, 0);
    CHECK_EQ(std_io_window_size_results_columns(run(w)), 80);
    CHECK_EQ(std_io_window_size_results_rows(reply.root), 25);
    u->scratch_used = 0;
    CHECK_STATUS(user_run(u, number_entry(STD_IO_METHOD_IS_TERMINAL, 3)).status, -STATUS_EXCEPTION);
}

TEST(sizes_are_bounded)
{
    boot();
    CHECK_STATUS(
        user_run(u, write_entry(STD_IO_METHOD_WRITE, pattern, STREAM_CHUNK_MAX + 1)).status,
        -STATUS_EXCEPTION);
    CHECK_STATUS(user_run(u, number_entry(STD_IO_METHOD_READ, STREAM_CHUNK_MAX + 1)).status,
                 -STATUS_EXCEPTION);
    u->scratch_used = 0;
    CHECK_EQ(std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 0))).size, 0);
    CHECK(!std_io_read_results_end_of_input(reply.root));
    u->scratch_used = 0;
    run(number_entry(STD_IO_METHOD_READY, READINESS_WRITABLE)); /* asks for input */
    u->scratch_used = 0;
    host_frame(HOST_LINK_STDIN, pattern, 1000);
    struct ring_entry e = number_entry(STD_IO_METHOD_READ, 1000);
    e.result_size = 100;
    CHECK_EQ(std_io_read_results_data(run(e)).size, 64); /* no byte is lost for want of room */
    u->scratch_used = 0;
    struct wire_span got = std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 1000)));
    CHECK_EQ(got.size, 936);
    CHECK_BYTES(got.data, pattern + 64, 936);
}

TEST(waiting_calls_are_cancelled_without_effect)
{
    boot();
    struct ring_entry e = number_entry(STD_IO_METHOD_READ, 10);
    ipc_start(u, e);
    ipc_start(u, ipc_cancel(7, e.user_data));
    CHECK_STATUS(ipc_take(u, e.user_data).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(u, 7).status);
    host_frame(HOST_LINK_STDIN, "kept", 4);
    ipc_take_none(u);
    u->scratch_used = 0;
    CHECK_EQ(std_io_read_results_data(run(number_entry(STD_IO_METHOD_READ, 10))).size, 4);
}

TEST(a_program_that_dies_leaves_nothing_waiting)
{
    boot();
    ipc_start(u, number_entry(STD_IO_METHOD_READ, 10));
    CHECK_EQ(user_syscall(u, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    host_frame(HOST_LINK_STDIN, "nobody", 6);
}
