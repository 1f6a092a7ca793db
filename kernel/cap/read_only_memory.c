/* ReadOnlyMemory: the read-only face of kernel/core/memory_object.h, as a capability. It maps into
 * the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/read_only_memory.h"

status_t read_only_memory_info(const struct invocation *in)
{
    const struct memory_object *m = memory_answer_of(in->self);
    read_only_memory_info_results_set_size(in->results, memory_object_size(m));
    read_only_memory_info_results_set_sealed(in->results, memory_object_sealed(m));
    return STATUS_OK;
}

status_t read_only_memory_map(const struct invocation *in)
{
    return memory_answer_map_object(in, read_only_memory_map_params_hint(in->params),
                                    read_only_memory_map_params_offset(in->params),
                                    read_only_memory_map_params_size(in->params),
                                    read_only_memory_map_params_protection(in->params),
                                    read_only_memory_map_params_sharing(in->params),
                                    read_only_memory_map_results_set_address);
}

status_t read_only_memory_unmap(const struct invocation *in)
{
    return memory_answer_unmap_object(in, read_only_memory_unmap_params_address(in->params),
                                      read_only_memory_unmap_params_size(in->params));
}
