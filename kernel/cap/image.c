/* Image: the executable face of kernel/core/memory_object.h, sealed, as a
 * capability. It maps into the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/image.h"

status_t image_info(const struct invocation *in)
{
    const struct memory_object *m = memory_answer_of(in->self);
    image_info_results_set_size(in->results, memory_object_size(m));
    image_info_results_set_sealed(in->results, memory_object_sealed(m));
    return STATUS_OK;
}

status_t image_map(const struct invocation *in)
{
    return memory_answer_map_object(in, image_map_params_hint(in->params),
                                    image_map_params_offset(in->params),
                                    image_map_params_size(in->params),
                                    image_map_params_protection(in->params),
                                    image_map_params_sharing(in->params),
                                    image_map_results_set_address);
}

status_t image_unmap(const struct invocation *in)
{
    return memory_answer_unmap_object(in, image_unmap_params_address(in->params),
                                      image_unmap_params_size(in->params));
}
