/* CodeMemory: machine code that a program made itself. The process can run these pages and never
 * write them; the kernel writes for it, so there is no flipping of pages and other threads may run
 * beside it.
 *
 * The object holds nothing: it stands for the authority, and acts on the caller. */
#include "kernel/cap/memory_answer.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/code_memory.h"

status_t code_memory_reserve(const struct invocation *in, uint64_t size)
{
    KASSERT(in->self == &code_memory_object);
    uint64_t address;
    status_t status = address_space_map_code(in->call->process->space, in->call->forwarder,
                                             size, &address);
    if (status == STATUS_OK) {
        code_memory_reserve_results_set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t code_memory_write(const struct invocation *in, uint64_t address, struct wire_span bytes)
{
    KASSERT(in->self == &code_memory_object);
    return memory_answer(in->call, address_space_write_code(in->call->process->space, address,
                                                            bytes.data, bytes.size));
}

status_t code_memory_free(const struct invocation *in, uint64_t address, uint64_t size)
{
    KASSERT(in->self == &code_memory_object);
    return memory_answer(in->call,
                         address_space_unmap_code(in->call->process->space, address, size));
}
