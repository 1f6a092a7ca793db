/* EntropySource: random bytes for programs, at most ENTROPY_FILL_MAX a call, from the kernel's
 * generator. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/call.h"
#include "kernel/core/random.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/entropy_source.h"

status_t entropy_source_fill(struct object *self, struct call *call, struct wire_reader params,
                             struct wire_builder results)
{
    uint32_t count = entropy_source_fill_params_count(params);
    KASSERT(self == &entropy_source_object);
    if (count > ENTROPY_FILL_MAX) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "more than 64 bytes in one call", "count");
    }
    void *bytes = entropy_source_fill_results_init_data(results, count);
    KASSERT(bytes != NULL);
    random_fill(bytes, count);
    return STATUS_OK;
}

static void entropy_source_destroy(struct object *o)
{
    /* the machine has one, for ever */
    panic("EntropySource %p released once too often", (void *)o);
}

static const struct object_class entropy_source_class = {.interface = &entropy_source_interface,
                                                         .destroy = entropy_source_destroy};
struct object entropy_source_object = {.class = &entropy_source_class, .references = 1};
