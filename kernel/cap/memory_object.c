/* MemoryObject: the writable face of kernel/core/memory_object.h, as a capability. It maps into the
 * address space of whoever calls, at his expense. The other faces: read_only_memory.c, image.c. */
#include "kernel/core/memory_object.h"

#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/memory_object.h"

status_t memory_object_info(const struct invocation *in)
{
    const struct memory_object *m = memory_answer_of(in->self);
    memory_object_info_results_set_size(in->results, memory_object_size(m));
    memory_object_info_results_set_sealed(in->results, memory_object_sealed(m));
    return STATUS_OK;
}

status_t memory_object_map(const struct invocation *in)
{
    return memory_answer_map_object(in, memory_object_map_params_hint(in->params),
                                    memory_object_map_params_offset(in->params),
                                    memory_object_map_params_size(in->params),
                                    memory_object_map_params_protection(in->params),
                                    memory_object_map_params_sharing(in->params),
                                    memory_object_map_results_set_address);
}

status_t memory_object_unmap(const struct invocation *in)
{
    return memory_answer_unmap_object(in, memory_object_unmap_params_address(in->params),
                                      memory_object_unmap_params_size(in->params));
}

status_t memory_object_protect(const struct invocation *in)
{
    uint64_t address = memory_object_protect_params_address(in->params);
    uint64_t size = memory_object_protect_params_size(in->params);
    enum protection p = memory_object_protect_params_protection(in->params);
    status_t status = memory_answer_check_protection(in->call, p);
    if (status == STATUS_OK) {
        status = memory_answer_check_mapped(in, address, size);
    }
    if (status == STATUS_OK) {
        status = address_space_protect(memory_answer_space(in->call), address, size, p);
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
