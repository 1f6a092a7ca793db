/* VirtualMemory: a process's own address space. It reaches nothing outside of it, within its
 * account.
 *
 * The object is one of the four that a process always has (kernel/core/process.h). All that it does
 * is in kernel/core/address_space.h; here arguments are taken apart and answers are made. */
#include "kernel/cap/memory_answer.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/virtual_memory.h"

/* The space of the process that the object belongs to: who hands its own VirtualMemory on lets
 * another act on its memory. NULL: the process has ended. */
static struct address_space *space_of(const struct invocation *in)
{
    return process_of_own(in->self)->space;
}

status_t virtual_memory_map(const struct invocation *in, uint64_t hint, uint64_t size,
                            enum protection p)
{
    struct address_space *as = space_of(in);
    uint64_t address;
    status_t status =
        as == NULL ? STATUS_DISCONNECTED : address_space_map(as, hint, false, size, p, &address);
    if (status == STATUS_OK) {
        virtual_memory_map_results_set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_unmap(const struct invocation *in, uint64_t address, uint64_t size)
{
    struct address_space *as = space_of(in);
    return as == NULL ? STATUS_DISCONNECTED
                      : memory_answer(in->call, address_space_unmap(as, address, size));
}

static status_t change(const struct invocation *in, enum address_space_change change,
                       uint64_t address, uint64_t size, enum protection p)
{
    struct address_space *as = space_of(in);
    return as == NULL ? STATUS_DISCONNECTED
                      : memory_answer(in->call, address_space_change(as, change, address, size, p));
}

status_t virtual_memory_protect(const struct invocation *in, uint64_t address, uint64_t size,
                                enum protection p)
{
    return change(in, CHANGE_PROTECT, address, size, p);
}

status_t virtual_memory_reserve(const struct invocation *in, uint64_t hint, uint64_t size)
{
    struct address_space *as = space_of(in);
    uint64_t address;
    status_t status =
        as == NULL ? STATUS_DISCONNECTED : address_space_reserve(as, hint, size, &address);
    if (status == STATUS_OK) {
        virtual_memory_reserve_results_set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_commit(const struct invocation *in, uint64_t address, uint64_t size,
                               enum protection p)
{
    return change(in, CHANGE_COMMIT, address, size, p);
}

status_t virtual_memory_decommit(const struct invocation *in, uint64_t address, uint64_t size)
{
    return change(in, CHANGE_DECOMMIT, address, size, PROTECTION_NONE);
}

status_t virtual_memory_create_object(const struct invocation *in, uint64_t size)
{
    struct object *o;
    status_t status = page_aligned(size) ? memory_object_create(call_account(in->call), size, &o)
                                         : STATUS_BAD_STATE;
    if (status == STATUS_OK) {
        virtual_memory_create_object_results_set_object(in->results, call_give(in->call, o));
    }
    return memory_answer(in->call, status);
}
