/* Image: the executable face of kernel/core/memory_object.h, sealed, as a
 * capability. It maps into the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/image.h"

status_t image_info(struct object *self, struct call *call, struct wire_reader params,
                    struct wire_builder results)
{
    (void)call;
    (void)params;
    KASSERT(memory_object_sealed(memory_answer_of(self)));
    image_info_results_set_size(results, memory_object_size(memory_answer_of(self)));
    image_info_results_set_sealed(results, true);
    return STATUS_OK;
}

status_t image_map(struct object *self, struct call *call, struct wire_reader params,
                   struct wire_builder results)
{
    struct memory_answer_map map = {image_map_params_hint(params), image_map_params_offset(params),
                                    image_map_params_size(params),
                                    image_map_params_protection(params),
                                    image_map_params_sharing(params)};
    uint64_t address;
    status_t status = memory_answer_map_object(self, call, &map, &address);
    if (status == STATUS_OK) {
        image_map_results_set_address(results, address);
    }
    return status;
}

status_t image_unmap(struct object *self, struct call *call, struct wire_reader params,
                     struct wire_builder results)
{
    (void)results;
    return memory_answer_unmap_object(self, call, image_unmap_params_address(params),
                                      image_unmap_params_size(params));
}
