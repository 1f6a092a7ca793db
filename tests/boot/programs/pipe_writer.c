/* PipeWriter: a write waits until all is taken, a full pipe is not writable, and one that nobody
 * reads is disconnected. */
#include "check.h"

static cap_t spawner;
static struct capos_process_spawner_create_pipe_results pipe;
static uint8_t chunk[STREAM_CHUNK_MAX + 1];

static void fill(void)
{
    static struct capos_call write, ready;
    static _Alignas(8) uint8_t request[sizeof chunk + 64], small[3][256];
    struct capos_pipe_writer_write_results written;
    struct capos_pipe_writer_ready_results is;
    struct capos_pipe_reader_read_results got;
    CHECK_OK(capos_pipe_writer_ready(pipe.writer, READINESS_WRITABLE, &is));
    CHECK(is.mask == READINESS_WRITABLE);
    for (int i = 0; i < 2; i++) {
        CHECK_OK(capos_pipe_writer_write(pipe.writer, chunk, STREAM_CHUNK_MAX, &written));
        CHECK(written.written == STREAM_CHUNK_MAX);
    }
    ok("write");
    capos_call_init(&write, request, sizeof request, small[0], 256);
    capos_call_init(&ready, small[1], 256, small[2], 256);
    CHECK_OK(capos_pipe_writer_write_submit(&write, pipe.writer, chunk, 5000));
    CHECK_OK(capos_pipe_writer_ready_submit(&ready, pipe.writer, READINESS_WRITABLE));
    capos_flush();
    CHECK(!capos_is_complete(&write) && !capos_is_complete(&ready)); /* it is full */
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 4999, &got));
    capos_flush();
    CHECK(got.data.size == 4999 && !capos_is_complete(&write)); /* a byte has no room yet */
    CHECK_OK(capos_pipe_reader_read(pipe.reader, STREAM_CHUNK_MAX, &got));
    CHECK_OK(capos_pipe_writer_write_await(&write, &written));
    CHECK(written.written == 5000);
    CHECK_OK(capos_pipe_writer_ready_await(&ready, &is));
    ok("a full one waits");
}

static cap_t reader;

/* The only reader, in another process: gone with it. */
static void reads_a_little(void)
{
    struct capos_pipe_reader_read_results got;
    capos_release(pipe.writer);
    CHECK_OK(capos_pipe_reader_read(reader, 3, &got));
    CHECK(check_same(got.data, "abc"));
}

static void nobody_reads(void)
{
    struct capos_pipe_writer_write_results written;
    struct capos_pipe_writer_ready_results is;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    reader = pipe.reader;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        reads_a_little();
        exit(0);
    }
    capos_release(pipe.reader);
    CHECK_OK(capos_pipe_writer_write(pipe.writer, "abcdef", 6, &written));
    check_exited(handle, 0);
    CHECK_STATUS(capos_pipe_writer_write(pipe.writer, "x", 1, &written), STATUS_DISCONNECTED);
    CHECK_OK(capos_pipe_writer_ready(pipe.writer, READINESS_WRITABLE | READINESS_CLOSED, &is));
    CHECK(is.mask == (READINESS_WRITABLE | READINESS_CLOSED));
    ok("nobody reads");
}

int main(void)
{
    struct capos_pipe_writer_write_results written;
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    fill();
    CHECK_INVALID(capos_pipe_writer_write(pipe.writer, chunk, sizeof chunk, &written));
    ok("32 KiB and no more");
    nobody_reads();
    check_object(pipe.writer, PIPE_WRITER_INTERFACE_ID, PIPE_READER_INTERFACE_ID);
    return 0;
}
