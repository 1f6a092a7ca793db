/* VirtualMemory: a process's own address space. It reaches nothing outside of it, within its
 * account.
 *
 * The object is one of the four that a process always has (kernel/core/process.h). All that it does
 * is in kernel/core/address_space.h; here arguments are taken apart and answers are made. */
#include "kernel/cap/memory_answer.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/virtual_memory.h"

const struct object_class virtual_memory_class = {.interface = &virtual_memory_interface,
                                                  .destroy = process_own_destroy,
                                                  .rebind = process_own_rebind};

/* The space of the process that the object belongs to: who hands its own VirtualMemory on lets
 * another act on its memory. Errors: the process has ended; no such protection (of a method without
 * one: none). */
static status_t begin(const struct invocation *in, enum protection p, struct address_space **as)
{
    KASSERT(in->self->class == &virtual_memory_class);
    *as = process_of_own(in->self)->space;
    return *as == NULL ? STATUS_DISCONNECTED : memory_answer_check_protection(in->call, p);
}

status_t virtual_memory_map(const struct invocation *in)
{
    struct address_space *as;
    uint64_t address;
    enum protection p = virtual_memory_map_params_protection(in->params);
    status_t status = begin(in, p, &as);
    if (status == STATUS_OK) {
        status = address_space_map(as, virtual_memory_map_params_hint(in->params),
                                   virtual_memory_map_params_size(in->params), p, &address);
    }
    if (status == STATUS_OK) {
        virtual_memory_map_results_set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_unmap(const struct invocation *in)
{
    struct address_space *as;
    status_t status = begin(in, PROTECTION_NONE, &as);
    if (status == STATUS_OK) {
        status = address_space_unmap(as, virtual_memory_unmap_params_address(in->params),
                                     virtual_memory_unmap_params_size(in->params));
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_protect(const struct invocation *in)
{
    struct address_space *as;
    enum protection p = virtual_memory_protect_params_protection(in->params);
    status_t status = begin(in, p, &as);
    if (status == STATUS_OK) {
        status = address_space_protect(as, virtual_memory_protect_params_address(in->params),
                                       virtual_memory_protect_params_size(in->params), p);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_reserve(const struct invocation *in)
{
    struct address_space *as;
    uint64_t address;
    status_t status = begin(in, PROTECTION_NONE, &as);
    if (status == STATUS_OK) {
        status = address_space_reserve(as, virtual_memory_reserve_params_hint(in->params),
                                       virtual_memory_reserve_params_size(in->params), &address);
    }
    if (status == STATUS_OK) {
        virtual_memory_reserve_results_set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_commit(const struct invocation *in)
{
    struct address_space *as;
    enum protection p = virtual_memory_commit_params_protection(in->params);
    status_t status = begin(in, p, &as);
    if (status == STATUS_OK) {
        status = address_space_commit(as, virtual_memory_commit_params_address(in->params),
                                      virtual_memory_commit_params_size(in->params), p);
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_decommit(const struct invocation *in)
{
    struct address_space *as;
    status_t status = begin(in, PROTECTION_NONE, &as);
    if (status == STATUS_OK) {
        status = address_space_decommit(as, virtual_memory_decommit_params_address(in->params),
                                        virtual_memory_decommit_params_size(in->params));
    }
    return memory_answer(in->call, status);
}

status_t virtual_memory_create_object(const struct invocation *in)
{
    uint64_t size = virtual_memory_create_object_params_size(in->params);
    if (!page_aligned(size)) {
        return memory_answer(in->call, STATUS_BAD_STATE);
    }
    struct object *o;
    status_t status = memory_object_create(call_account(in->call), size, &o);
    if (status == STATUS_OK) {
        virtual_memory_create_object_results_set_object(in->results, call_give(in->call, o));
    }
    return memory_answer(in->call, status);
}
