/* MemoryObject: the writable face of kernel/core/memory_object.h, as a capability. It maps into the
 * address space of whoever calls, at his expense. The other faces: read_only_memory.c, image.c. */
#include "kernel/core/memory_object.h"

#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/memory_object.h"

status_t memory_object_info(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    (void)call;
    (void)params;
    memory_object_info_results_set_size(results, memory_object_size(memory_answer_of(self)));
    memory_object_info_results_set_sealed(results, memory_object_sealed(memory_answer_of(self)));
    return STATUS_OK;
}

status_t memory_object_map(struct object *self, struct call *call, struct wire_reader params,
                           struct wire_builder results)
{
    struct memory_answer_map map = {
        memory_object_map_params_hint(params), memory_object_map_params_offset(params),
        memory_object_map_params_size(params), memory_object_map_params_protection(params),
        memory_object_map_params_sharing(params)};
    uint64_t address;
    status_t status = memory_answer_map_object(self, call, &map, &address);
    if (status == STATUS_OK) {
        memory_object_map_results_set_address(results, address);
    }
    return status;
}

status_t memory_object_unmap(struct object *self, struct call *call, struct wire_reader params,
                             struct wire_builder results)
{
    (void)results;
    return memory_answer_unmap_object(self, call, memory_object_unmap_params_address(params),
                                      memory_object_unmap_params_size(params));
}

status_t memory_object_protect(struct object *self, struct call *call, struct wire_reader params,
                               struct wire_builder results)
{
    (void)results;
    struct address_space *as = memory_answer_space(call);
    uint64_t address = memory_object_protect_params_address(params),
             size = memory_object_protect_params_size(params);
    enum protection p = memory_object_protect_params_protection(params);
    if (!memory_answer_protection_known(p)) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "there is no such protection",
                              "protection");
    }
    if (!address_space_maps_object(as, memory_answer_of(self), address, size)) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the range is not mapped from this object", "address");
    }
    return memory_answer(call, address_space_protect(as, address, size, p));
}

status_t memory_object_seal(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    (void)params;
    struct object *image;
    status_t status = memory_object_make_image(self, call_account(call), &image);
    if (status == STATUS_BAD_STATE) {
        return call_exception(call, EXCEPTION_TYPE_FAILED,
                              "a writable mapping or another writable capability exists", NULL);
    }
    if (status == STATUS_OK) {
        memory_object_seal_results_set_image(results, call_give(call, image));
    }
    return status;
}

status_t memory_object_read_only(struct object *self, struct call *call, struct wire_reader params,
                                 struct wire_builder results)
{
    (void)params;
    struct object *o;
    status_t status = memory_object_make_read_only(memory_answer_of(self), call_account(call), &o);
    if (status == STATUS_OK) {
        memory_object_read_only_results_set_object(results, call_give(call, o));
    }
    return status;
}
