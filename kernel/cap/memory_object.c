/* MemoryObject: the writable face of kernel/core/memory_object.h, as a capability. It maps into the
 * address space of whoever calls, at his expense. The other faces: read_only_memory.c, image.c. */
#include "kernel/core/memory_object.h"

#include "kernel/cap/memory_answer.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/memory_object.h"

MEMORY_ANSWER_FACE(memory_object)

status_t memory_object_protect(const struct invocation *in, uint64_t address, uint64_t size,
                               enum protection p)
{
    status_t status = memory_answer_check_mapped(in, address, size);
    if (status == STATUS_OK) {
        status = address_space_change(in->call->process->space, CHANGE_PROTECT, address, size,
                                      p);
    }
    return memory_answer(in->call, status);
}

status_t memory_object_seal(const struct invocation *in)
{
    struct object *image;
    status_t status = memory_object_make_image(in->self, call_account(in->call), &image);
    if (status == STATUS_BAD_STATE) {
        return call_exception(in->call, EXCEPTION_TYPE_FAILED,
                              "a writable mapping or another writable capability exists", NULL);
    }
    if (status == STATUS_OK) {
        memory_object_seal_results_set_image(in->results, call_give(in->call, image));
    }
    return status;
}

status_t memory_object_read_only(const struct invocation *in)
{
    struct object *o;
    status_t status =
        memory_object_make_read_only(memory_answer_of(in->self), call_account(in->call), &o);
    if (status == STATUS_OK) {
        memory_object_read_only_results_set_object(in->results, call_give(in->call, o));
    }
    return status;
}
