/* VirtualMemory: a process's own address space. It reaches nothing outside of it, within its
 * account.
 *
 * The object is one of the four that a process always has (kernel/core/process.h). All that it does
 * is in kernel/core/address_space.h; here arguments are taken apart and answers are made. */
#include "kernel/cap/memory_answer.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/virtual_memory.h"

const struct object_class virtual_memory_class = {
    .interface = &virtual_memory_interface,
    .destroy = process_own_destroy,
    .rebind = process_own_rebind,
};

static status_t no_such_protection(struct call *call)
{
    return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "there is no such protection",
                          "protection");
}

/* Of the process that the object belongs to: who hands its own VirtualMemory on lets another act on
 * its memory. NULL: the process has ended. */
static struct address_space *space_of(struct object *self)
{
    KASSERT(self->class == &virtual_memory_class);
    return process_of_own(self)->space;
}

status_t virtual_memory_map(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    enum protection p = virtual_memory_map_params_protection(params);
    if (!memory_answer_protection_known(p)) {
        return no_such_protection(call);
    }
    uint64_t address;
    status_t status = address_space_map(as, virtual_memory_map_params_hint(params),
                                        virtual_memory_map_params_size(params), p, &address);
    if (status == STATUS_OK) {
        virtual_memory_map_results_set_address(results, address);
    }
    return memory_answer(call, status);
}

status_t virtual_memory_unmap(struct object *self, struct call *call, struct wire_reader params,
                              struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    (void)results;
    status_t status = address_space_unmap(as, virtual_memory_unmap_params_address(params),
                                          virtual_memory_unmap_params_size(params));
    return memory_answer(call, status);
}

status_t virtual_memory_protect(struct object *self, struct call *call, struct wire_reader params,
                                struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    (void)results;
    enum protection p = virtual_memory_protect_params_protection(params);
    if (!memory_answer_protection_known(p)) {
        return no_such_protection(call);
    }
    status_t status = address_space_protect(as, virtual_memory_protect_params_address(params),
                                            virtual_memory_protect_params_size(params), p);
    return memory_answer(call, status);
}

status_t virtual_memory_reserve(struct object *self, struct call *call, struct wire_reader params,
                                struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    uint64_t address;
    status_t status = address_space_reserve(as, virtual_memory_reserve_params_hint(params),
                                            virtual_memory_reserve_params_size(params), &address);
    if (status == STATUS_OK) {
        virtual_memory_reserve_results_set_address(results, address);
    }
    return memory_answer(call, status);
}

status_t virtual_memory_commit(struct object *self, struct call *call, struct wire_reader params,
                               struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    (void)results;
    enum protection p = virtual_memory_commit_params_protection(params);
    if (!memory_answer_protection_known(p)) {
        return no_such_protection(call);
    }
    status_t status = address_space_commit(as, virtual_memory_commit_params_address(params),
                                           virtual_memory_commit_params_size(params), p);
    return memory_answer(call, status);
}

status_t virtual_memory_decommit(struct object *self, struct call *call, struct wire_reader params,
                                 struct wire_builder results)
{
    struct address_space *as = space_of(self);
    if (as == NULL) {
        return STATUS_DISCONNECTED;
    }
    (void)results;
    status_t status = address_space_decommit(as, virtual_memory_decommit_params_address(params),
                                             virtual_memory_decommit_params_size(params));
    return memory_answer(call, status);
}

status_t virtual_memory_create_object(struct object *self, struct call *call,
                                      struct wire_reader params, struct wire_builder results)
{
    (void)self;
    uint64_t size = virtual_memory_create_object_params_size(params);
    if (!page_aligned(size)) {
        return memory_answer(call, STATUS_BAD_STATE);
    }
    struct object *o;
    status_t status = memory_object_create(call_account(call), size, &o);
    if (status == STATUS_OK) {
        virtual_memory_create_object_results_set_object(results, call_give(call, o));
    }
    return memory_answer(call, status);
}
