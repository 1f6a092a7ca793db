/* File: a regular file of the host.
 *
 * A read is tried at once, by preadv2 with RWF_NOWAIT, which brings what the host has in its memory
 * straight into the frames of the caller's result buffer, behind the place of the message's head.
 * What is not there, and all else, is a worker's (folders.h). */
#include "kernel/arch/linux/folders.h"

#include "kernel/core/address_space.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"
#include "kernel/gen/hosted.h"
#include "lib/wire/gen/file.h"

#include <asm/errno.h>
#include <linux/fs.h>
#include <linux/uio.h>

#define PIECES_MAX (FILE_CHUNK_MAX / PAGE_SIZE + 1)

static struct folder_request request(const struct invocation *in, enum folder_operation operation,
                                     folder_error_setter *set_error)
{
    return (struct folder_request){
        .question = {.operation = operation, .file = folder_node(in->self)->file, .into = -1},
        .set_error = set_error,
    };
}

static const struct wire_span no_name = {"", 0};

/* --- read --- */

/* The caller's memory as the kernel sees it: one piece for each run of frames. */
static status_t gather(struct address_space *as, uint64_t address, uint32_t size,
                       struct iovec pieces[PIECES_MAX], uint32_t *count)
{
    *count = 0;
    while (size > 0) {
        uint64_t in_page = address & (PAGE_SIZE - 1);
        uint32_t part = (uint32_t)(PAGE_SIZE - in_page);
        part = part < size ? part : size;
        frame_t f;
        status_t s = address_space_frame(as, address, UPCALL_ACCESS_WRITE, &f);
        if (s != STATUS_OK) {
            return s;
        }
        uint8_t *bytes = (uint8_t *)arch_frame_address(f) + in_page;
        struct iovec *last = *count > 0 ? &pieces[*count - 1] : NULL;
        if (last != NULL && (uint8_t *)last->iov_base + last->iov_len == bytes) {
            last->iov_len += part;
        } else {
            KASSERT(*count < PIECES_MAX);
            pieces[(*count)++] = (struct iovec){bytes, part};
        }
        address += part;
        size -= part;
    }
    return STATUS_OK;
}

/* The message around `size` bytes that lie in the caller's buffer already. */
static status_t finish_in_place(const struct invocation *in, uint32_t head, uint32_t size)
{
    struct wire_message_builder *answer = in->results.message;
    struct address_space *as = in->call->process->space;
    const uint8_t *message = (const uint8_t *)(answer->segment - 1);
    const uint8_t *data = file_read_results_init_data(in->results, size);
    KASSERT(data == message + head);
    size_t whole = wire_message_finish(answer), end = head + size;
    KASSERT(whole >= end && whole <= in->call->result_size);
    status_t s = user_copy_out(as, in->call->result, message, head);
    if (s == STATUS_OK) { /* what fills the last word is zero */
        s = user_copy_out(as, in->call->result + end, message + end, whole - end);
    }
    struct call *kept;
    if (s == STATUS_OK) {
        s = call_keep(in->call, call_leave_queue, &kept);
    }
    if (s == STATUS_OK) {
        kept->completion.result_size = (uint32_t)whole;
        call_complete(kept, STATUS_OK);
        s = STATUS_PENDING;
    }
    return s;
}

static status_t fill_read(struct folder_work *w, struct wire_builder results)
{
    size_t size = (size_t)w->answer.result;
    file_read_results_set_data(results, (struct wire_span){w->data, size});
    return STATUS_OK;
}

static status_t read_later(const struct invocation *in, uint64_t offset, uint32_t size)
{
    struct folder_request r = request(in, FOLDER_READ, file_read_results_set_error);
    r.question.offset = offset;
    r.question.size = size;
    r.fill = fill_read;
    return folder_ask(in, &r);
}

/* What is behind the first `size` bytes. */
static struct iovec *behind(struct iovec *piece, uint32_t *count, size_t size)
{
    for (; *count > 0 && size >= piece->iov_len; piece++, (*count)--) {
        size -= piece->iov_len;
    }
    if (*count > 0) {
        piece->iov_base = (uint8_t *)piece->iov_base + size;
        piece->iov_len -= size;
    }
    return piece;
}

/* All of it, or up to the file's end; an error: not all of that is in the host's memory. */
static int64_t read_cached(int32_t file, struct iovec *piece, uint32_t count, uint64_t offset)
{
    uint32_t done = 0;
    while (count > 0) {
        int64_t got = LINUX_CALL(__NR_preadv2, file, piece, count, offset + done, 0, RWF_NOWAIT);
        if (got <= 0) {
            return got == 0 ? done : got;
        }
        done += (uint32_t)got;
        piece = behind(piece, &count, (size_t)got);
    }
    return done;
}

/* head: of the answer, up to its data. */
static status_t read_now(const struct invocation *in, uint32_t head, uint64_t offset, uint32_t size)
{
    struct iovec pieces[PIECES_MAX];
    uint32_t count;
    status_t s = gather(in->call->process->space, in->call->result + head, size, pieces, &count);
    if (s != STATUS_OK) {
        return s;
    }
    int64_t got = read_cached(folder_node(in->self)->file, pieces, count, offset);
    if (got > 0) {
        KASSERT(got <= size);
        return finish_in_place(in, head, (uint32_t)got);
    }
    if (got == 0) {
        return STATUS_OK;
    }
    return read_later(in, offset, size);
}

status_t file_read(const struct invocation *in, uint64_t offset, uint32_t length)
{
    uint32_t head = (in->results.message->used + 1) * WIRE_WORD_BYTES;
    uint32_t room = in->call->result_size & ~(WIRE_WORD_BYTES - 1);
    room = room > head ? room - head : 0;
    if (length > 0 && room == 0) {
        return call_bad_argument(in->call, NULL, "the result buffer has no room for data");
    }
    uint32_t size = length < room ? length : room;
    if (size == 0 || offset > (uint64_t)INT64_MAX - size) { /* no file is longer */
        return STATUS_OK;
    }
    return read_now(in, head, offset, size);
}

/* --- write --- */

static status_t fill_write(struct folder_work *w, struct wire_builder results)
{
    file_write_results_set_written(results, (uint32_t)w->answer.result);
    return STATUS_OK;
}

status_t file_write(const struct invocation *in, uint64_t offset, struct wire_span data)
{
    if (folder_node(in->self)->read_only) {
        return folder_refuse(in, folder_node(in->self), file_write_results_set_error, no_name);
    }
    if (data.size == 0) {
        return STATUS_OK;
    }
    if (offset > INT64_MAX - data.size) {
        return folder_answer_error(in, file_write_results_set_error, FILE_ERROR_TOO_BIG);
    }
    struct folder_request r = request(in, FOLDER_WRITE, file_write_results_set_error);
    r.question.offset = offset;
    r.question.size = (uint32_t)data.size;
    r.data = data.data;
    r.data_address =
        in->call->message + (uint64_t)((const uint8_t *)data.data - arch_cpu()->request);
    r.fill = fill_write;
    return folder_ask(in, &r);
}

/* --- the rest --- */

static status_t fill_stat(struct folder_work *w, struct wire_builder results)
{
    file_stat_results_set_size(results, w->answer.size);
    file_stat_results_set_modified(results, w->answer.modified);
    return STATUS_OK;
}

status_t file_stat(const struct invocation *in)
{
    struct folder_request r = request(in, FOLDER_FILE_STAT, file_stat_results_set_error);
    r.fill = fill_stat;
    return folder_ask(in, &r);
}

status_t file_truncate(const struct invocation *in, uint64_t size)
{
    if (folder_node(in->self)->read_only) {
        return folder_refuse(in, folder_node(in->self), file_truncate_results_set_error, no_name);
    }
    if (size > INT64_MAX) {
        return folder_answer_error(in, file_truncate_results_set_error, FILE_ERROR_TOO_BIG);
    }
    struct folder_request r = request(in, FOLDER_TRUNCATE, file_truncate_results_set_error);
    r.question.offset = size;
    return folder_ask(in, &r);
}

status_t file_sync(const struct invocation *in)
{
    struct folder_request r = request(in, FOLDER_SYNC, file_sync_results_set_error);
    return folder_ask(in, &r);
}

status_t file_read_only(const struct invocation *in)
{
    struct object *o;
    status_t s = folder_node_read_only(in, &o);
    if (s == STATUS_OK) {
        file_read_only_results_set_file(in->results, call_give(in->call, o));
    }
    return s;
}

const struct object_class file_class = {.interface = &file_interface,
                                        .destroy = folder_node_destroy};
