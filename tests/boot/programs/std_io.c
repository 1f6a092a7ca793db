/* StdIO: reading to the end of input, both outputs, readiness, and what is no terminal. Its input
 * is twelve bytes. */
#include "check.h"

static void reads(cap_t stdio)
{
    struct capos_std_io_read_results got;
    struct capos_std_io_ready_results ready;
    CHECK_OK(capos_std_io_ready(stdio, READINESS_READABLE, &ready));
    CHECK(ready.mask == READINESS_READABLE);
    CHECK_OK(capos_std_io_read(stdio, 0, &got));
    CHECK(got.data.size == 0 && !got.end_of_input);
    char all[16];
    size_t size = 0;
    do {
        CHECK_OK(capos_std_io_read(stdio, 5, &got));
        CHECK(got.data.size <= 5 && size + got.data.size <= sizeof all);
        CHECK(got.data.size > 0 || got.end_of_input);
        memcpy(all + size, got.data.data, got.data.size);
        size += got.data.size;
    } while (!got.end_of_input);
    CHECK(size == 12 && memcmp(all, "twelve\0bytes", 12) == 0);
    ok("read to the end");
    CHECK_OK(capos_std_io_read(stdio, 5, &got));
    CHECK(got.data.size == 0 && got.end_of_input);
    CHECK_OK(capos_std_io_ready(stdio, READINESS_READABLE | READINESS_CLOSED, &ready));
    CHECK(ready.mask == (READINESS_READABLE | READINESS_CLOSED));
    ok("the end stays");
    CHECK_INVALID(capos_std_io_read(stdio, STREAM_CHUNK_MAX + 1, &got));
}

static void writes(cap_t stdio)
{
    static char big[STREAM_CHUNK_MAX + 1];
    struct capos_std_io_write_results out;
    struct capos_std_io_write_error_results error;
    CHECK_OK(capos_std_io_write(stdio, "to output\n", 10, &out));
    CHECK(out.written == 10);
    CHECK_OK(capos_std_io_write_error(stdio, "to error\n", 9, &error));
    CHECK(error.written == 9);
    CHECK_OK(capos_std_io_write(stdio, NULL, 0, &out));
    CHECK(out.written == 0);
    CHECK_INVALID(capos_std_io_write(stdio, big, sizeof big, &out));
    CHECK_INVALID(capos_std_io_write_error(stdio, big, sizeof big, &error));
    ok("write");
}

static void terminal(cap_t stdio)
{
    struct capos_std_io_is_terminal_results is;
    struct capos_std_io_window_size_results window;
    struct capos_std_io_ready_results ready;
    for (uint32_t stream = 0; stream < 3; stream++) {
        CHECK_OK(capos_std_io_is_terminal(stdio, stream, &is));
        CHECK(!is.is_terminal);
    }
    CHECK_INVALID(capos_std_io_is_terminal(stdio, 3, &is));
    CHECK_OK(capos_std_io_window_size(stdio, &window));
    CHECK(window.columns == 0 && window.rows == 0);
    CHECK_OK(capos_std_io_ready(stdio, READINESS_WRITABLE, &ready));
    CHECK(ready.mask == READINESS_WRITABLE);
    CHECK_INVALID(capos_std_io_ready(stdio, 0, &ready));
    CHECK_INVALID(capos_std_io_ready(stdio, 64, &ready));
    ok("no terminal");
}

int main(void)
{
    cap_t stdio = capos_need("stdio", STD_IO_INTERFACE_ID);
    reads(stdio);
    writes(stdio);
    terminal(stdio);
    check_object(stdio, STD_IO_INTERFACE_ID, CONSOLE_INTERFACE_ID);
    return 0;
}
