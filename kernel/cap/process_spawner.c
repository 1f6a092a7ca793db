/* ProcessSpawner: new processes, and what only two processes need: pipes and endpoints.
 *
 * The object holds nothing: a child draws on the account of whoever calls and is handed what the
 * caller sent. fork and exec act on the caller, so they create no authority. */
#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/cap/spawn.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/process_spawner.h"

#define FORK_ANSWER_SIZE 64 /* a framed message of one data word and one pointer takes 40 */

status_t process_spawner_spawn(const struct invocation *in, struct wire_span name,
                               struct object *image, struct wire_span start,
                               struct wire_list grants, struct wire_reader limits)
{
    return spawn_process(in, name, image, start, grants, limits,
                         process_spawner_spawn_results_set_handle);
}

status_t process_spawner_create_pipe(const struct invocation *in)
{
    struct object *reader, *writer;
    status_t status = pipe_create(call_account(in->call), &reader, &writer);
    if (status == STATUS_OK) {
        process_spawner_create_pipe_results_set_reader(in->results, call_give(in->call, reader));
        process_spawner_create_pipe_results_set_writer(in->results, call_give(in->call, writer));
    }
    return status;
}

status_t process_spawner_create_endpoint(const struct invocation *in)
{
    struct object *o;
    status_t status = endpoint_create(call_account(in->call), &o);
    if (status == STATUS_OK) {
        process_spawner_create_endpoint_results_set_endpoint(in->results, call_give(in->call, o));
    }
    return status;
}

/* The child's completion of the call that made it. It has no other entry in flight, so there is
 * room for it. */
static void answer_child(struct process *child, const struct call *call)
{
    _Alignas(8) uint8_t buffer[FORK_ANSWER_SIZE];
    struct wire_message_builder message;
    wire_message_begin(&message, buffer, sizeof buffer);
    struct wire_builder results = process_spawner_fork_results_init(&message);
    process_spawner_fork_results_set_is_child(results, true);
    size_t size = wire_message_finish(&message);
    KASSERT(size != 0);
    struct ring_completion completion = {.user_data = call->user_data,
                                         .result_size = (uint32_t)size};
    status_t status = size > call->result_size
                          ? STATUS_RESULT_TOO_SMALL
                          : user_copy_out(child->space, call->result, buffer, size);
    if (status != STATUS_OK) {
        completion.status = -(int32_t)status;
        completion.result_size = 0;
    }
    struct thread *t = LIST_FIRST(&child->threads, struct thread, of_process);
    ring_post(t, &completion);
    arch_thread_set_result(t, ring_completions(&t->ring));
}

status_t process_spawner_fork(const struct invocation *in)
{
    struct process *child;
    status_t status = process_fork(in->call->caller, &child);
    if (status != STATUS_OK) {
        return status;
    }
    answer_child(child, in->call);
    process_spawner_fork_results_set_handle(in->results, call_give(in->call, &child->object));
    process_start(child);
    return STATUS_OK;
}

status_t process_spawner_exec(const struct invocation *in, struct object *image,
                              struct wire_span start, struct wire_list keep)
{
    if (keep.count != 0 && (keep.step_bits != 32 || keep.element != WIRE_FOUR_BYTES)) {
        return call_bad_argument(in->call, "keep", "no list of capability ids");
    }
    const char *reason = NULL;
    /* Elements of 32 bits, one after the other, in the kernel's own copy of the message. */
    status_t status = process_exec(in->call->caller, image, start.data, start.size,
                                   (const cap_id_t *)(const void *)keep.data, keep.count, &reason);
    if (status == STATUS_BAD_MESSAGE && reason != NULL) {
        return call_bad_argument(in->call, "image", reason);
    }
    return status;
}
