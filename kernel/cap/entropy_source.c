/* EntropySource: random bytes for programs, at most ENTROPY_FILL_MAX a call, from the kernel's
 * generator. */
#include "kernel/core/random.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/entropy_source.h"

status_t entropy_source_fill(const struct invocation *in, uint32_t count)
{
    KASSERT(in->self == &entropy_source_object && count <= ENTROPY_FILL_MAX);
    void *bytes = entropy_source_fill_results_init_data(in->results, count);
    KASSERT(bytes != NULL);
    random_fill(bytes, count);
    return STATUS_OK;
}
