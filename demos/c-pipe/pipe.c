/*
 * pipe.c: makes a pipe, writes a marker into it, reads it back, closes the writer and sees the end.
 * Run it with `--grant spawn`: whoever may start processes may also make what connects them.
 */
#include <capos.h>
#include <stdio.h>
#include <string.h>

static const char marker[] = "marker through a pipe";

static int fail(const char *what, status_t status)
{
    fprintf(stderr, "pipe: %s: %s\n", what, capos_status_name(status));
    return 1;
}

int main(void)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    struct capos_process_spawner_create_pipe_results ends;
    status_t status = capos_process_spawner_create_pipe(spawner, &ends);
    if (status != STATUS_OK) {
        return fail("createPipe", status);
    }
    struct capos_pipe_writer_write_results written;
    status = capos_pipe_writer_write(ends.writer, marker, sizeof marker, &written);
    if (status != STATUS_OK || written.written != sizeof marker) {
        return fail("write", status);
    }
    struct capos_pipe_reader_read_results got;
    status = capos_pipe_reader_read(ends.reader, 100, &got);
    if (status != STATUS_OK || got.data.size != sizeof marker
        || memcmp(got.data.data, marker, sizeof marker) != 0) {
        return fail("read", status);
    }
    printf("read: %s\n", (const char *)got.data.data);
    capos_release(ends.writer);
    status = capos_pipe_reader_read(ends.reader, 100, &got);
    if (status != STATUS_OK || got.data.size != 0 || !got.end_of_file) {
        return fail("read after the writer was closed", status);
    }
    printf("end of file\n");
    return 0;
}
