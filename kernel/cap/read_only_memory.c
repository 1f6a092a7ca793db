/* ReadOnlyMemory: the read-only face of kernel/core/memory_object.h, as a
 * capability. It maps into the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/read_only_memory.h"

status_t read_only_memory_info(struct object *self, struct call *call, struct wire_reader params,
                               struct wire_builder results)
{
    (void)call;
    (void)params;
    read_only_memory_info_results_set_size(results, memory_object_size(memory_answer_of(self)));
    read_only_memory_info_results_set_sealed(results, memory_object_sealed(memory_answer_of(self)));
    return STATUS_OK;
}

status_t read_only_memory_map(struct object *self, struct call *call, struct wire_reader params,
                              struct wire_builder results)
{
    struct memory_answer_map map = {
        read_only_memory_map_params_hint(params), read_only_memory_map_params_offset(params),
        read_only_memory_map_params_size(params), read_only_memory_map_params_protection(params),
        read_only_memory_map_params_sharing(params)};
    uint64_t address;
    status_t status = memory_answer_map_object(self, call, &map, &address);
    if (status == STATUS_OK) {
        read_only_memory_map_results_set_address(results, address);
    }
    return status;
}

status_t read_only_memory_unmap(struct object *self, struct call *call, struct wire_reader params,
                                struct wire_builder results)
{
    (void)results;
    return memory_answer_unmap_object(self, call, read_only_memory_unmap_params_address(params),
                                      read_only_memory_unmap_params_size(params));
}
