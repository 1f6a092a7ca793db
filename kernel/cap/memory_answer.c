/* Checks and answers that the memory capabilities share. See memory_answer.h. */
#include "kernel/cap/memory_answer.h"

#include "kernel/core/denial.h"
#include "kernel/core/process.h"

struct memory_object *memory_answer_of(struct object *face)
{
    struct memory_object *m = memory_object_of(face);
    KASSERT(m != NULL);
    return m;
}

/* Only CodeMemory makes memory that runs out of memory that was written; the other faces are
 * narrower by design. */
static status_t refuse_protection(struct call *call, bool to_run)
{
    const char *missing = to_run ? "code" : NULL;
    denial_record(call->process, object_interface_id(call->target), call->method_number,
                  to_run ? DENIAL_REASON_NOT_GRANTED : DENIAL_REASON_ATTENUATED, missing, missing);
    return call_bad_argument(call, "protection", "the capability does not allow this protection");
}

status_t memory_answer(struct call *call, status_t status)
{
    switch (status) {
    case STATUS_BAD_STATE:
        return call_bad_argument(
            call, NULL,
            "the range is empty, not made of whole pages, or not mapped in a way that allows this");
    case STATUS_OVERFLOW:
        return call_bad_argument(call, NULL,
                                 "the range wraps, or lies outside of the object or of user space");
    case STATUS_WRONG_INTERFACE:
        return refuse_protection(call, object_interface_id(call->target)
                                           == VIRTUAL_MEMORY_INTERFACE_ID);
    default:
        return status;
    }
}

status_t memory_answer_map_object(const struct invocation *in, uint64_t hint, uint64_t offset,
                                  uint64_t size, enum protection p, enum sharing sharing,
                                  void (*set_address)(struct wire_builder, uint64_t))
{
    uint64_t address;
    bool may_run = memory_object_packaged(memory_answer_of(in->self));
    status_t status = address_space_map_object(in->call->process->space, in->self,
                                               in->call->forwarder, may_run, hint, false, offset,
                                               size, p, sharing, &address);
    if (status == STATUS_WRONG_INTERFACE && p == PROTECTION_READ_EXECUTE) {
        return refuse_protection(in->call, true);
    }
    if (status == STATUS_OK) {
        set_address(in->results, address);
    }
    return memory_answer(in->call, status);
}

status_t memory_answer_check_mapped(const struct invocation *in, uint64_t address, uint64_t size)
{
    const struct address_space *as = in->call->process->space;
    return address_space_maps_object(as, memory_answer_of(in->self), address, size)
               ? STATUS_OK
               : call_bad_argument(in->call, "address", "the range is not mapped from this object");
}

status_t memory_answer_unmap_object(const struct invocation *in, uint64_t address, uint64_t size)
{
    status_t status = memory_answer_check_mapped(in, address, size);
    if (status == STATUS_OK) {
        status = address_space_unmap(in->call->process->space, address, size);
    }
    return memory_answer(in->call, status);
}
