/* PipeReader: what another process writes comes out, in order, and its end when all writers are
 * gone. */
#include "check.h"

static cap_t spawner;
static struct capos_process_spawner_create_pipe_results pipe;

static void writes(void)
{
    static uint8_t chunk[10000];
    struct capos_pipe_writer_write_results written;
    capos_release(pipe.reader);
    for (uint32_t i = 0; i < 30; i++) { /* several times what it holds */
        for (uint32_t j = 0; j < sizeof chunk; j++) {
            chunk[j] = (uint8_t)((i * sizeof chunk + j) % 251);
        }
        CHECK_OK(capos_pipe_writer_write(pipe.writer, chunk, sizeof chunk, &written));
        CHECK(written.written == sizeof chunk);
    }
}

static void reads_all(void)
{
    struct capos_pipe_reader_read_results got;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        writes();
        exit(0);
    }
    capos_release(pipe.writer);
    uint64_t total = 0;
    do {
        CHECK_OK(capos_pipe_reader_read(pipe.reader, 7001, &got));
        CHECK(got.data.size <= 7001 && (got.data.size > 0 || got.end_of_file));
        for (size_t i = 0; i < got.data.size; i++) {
            CHECK(((const uint8_t *)got.data.data)[i] == (total + i) % 251);
        }
        total += got.data.size;
    } while (!got.end_of_file);
    CHECK(total == 300000);
    check_exited(handle, 0);
    ok("all that another process writes");
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 10, &got));
    CHECK(got.data.size == 0 && got.end_of_file);
    ok("the end stays");
    capos_release(pipe.reader), capos_release(handle);
}

static void waits(void)
{
    static struct capos_call read, ready;
    static _Alignas(8) uint8_t buffers[4][256];
    struct capos_pipe_reader_read_results got;
    struct capos_pipe_reader_ready_results is;
    struct capos_pipe_writer_write_results written;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    capos_call_init(&read, buffers[0], 256, buffers[1], 256);
    capos_call_init(&ready, buffers[2], 256, buffers[3], 256);
    CHECK_OK(capos_pipe_reader_ready_submit(&ready, pipe.reader, READINESS_READABLE));
    CHECK_OK(capos_pipe_reader_read_submit(&read, pipe.reader, 10));
    capos_flush();
    CHECK(!capos_is_complete(&read) && !capos_is_complete(&ready));
    CHECK_OK(capos_cancel(&read));
    CHECK_STATUS(capos_await(&read), STATUS_CANCELLED);
    CHECK_OK(capos_pipe_writer_write(pipe.writer, "abc", 3, &written));
    CHECK_OK(capos_pipe_reader_ready_await(&ready, &is));
    CHECK(is.mask == READINESS_READABLE);
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 10, &got)); /* the cancelled read took nothing */
    CHECK(check_same(got.data, "abc") && !got.end_of_file);
    ok("waits and cancels");
    capos_release(pipe.writer);
    CHECK_OK(capos_pipe_reader_ready(pipe.reader, READINESS_READABLE | READINESS_CLOSED, &is));
    CHECK(is.mask == (READINESS_READABLE | READINESS_CLOSED));
    CHECK_INVALID(capos_pipe_reader_ready(pipe.reader, 0, &is));
    ok("ready");
}

int main(void)
{
    struct capos_pipe_reader_read_results got;
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    reads_all();
    waits();
    CHECK_INVALID(capos_pipe_reader_read(pipe.reader, STREAM_CHUNK_MAX + 1, &got));
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 0, &got));
    CHECK(got.data.size == 0 && !got.end_of_file);
    ok("32 KiB and no more");
    check_object(pipe.reader, PIPE_READER_INTERFACE_ID, PIPE_WRITER_INTERFACE_ID);
    return 0;
}
