/* Checks and answers that the memory capabilities share. See memory_answer.h. */
#include "kernel/cap/memory_answer.h"

#include "kernel/core/denial.h"
#include "kernel/core/process.h"

struct address_space *memory_answer_space(const struct call *call)
{
    KASSERT(call->process != NULL && call->process->space != NULL);
    return call->process->space;
}

struct memory_object *memory_answer_of(struct object *face)
{
    struct memory_object *m = memory_object_of(face);
    KASSERT(m != NULL);
    return m;
}

bool memory_answer_protection_known(enum protection p)
{
    return (uint32_t)p < PROTECTION_COUNT;
}

/* Only CodeMemory makes memory that runs out of memory that was written; the other faces are
 * narrower by design. */
static void record_denial(struct call *call)
{
    uint64_t interface_id = object_interface_id(call->target);
    if (interface_id == VIRTUAL_MEMORY_INTERFACE_ID) {
        denial_record(call->process, interface_id, call->method_number, DENIAL_REASON_NOT_GRANTED,
                      "code", "code");
    } else {
        denial_record(call->process, interface_id, call->method_number, DENIAL_REASON_ATTENUATED,
                      NULL, NULL);
    }
}

status_t memory_answer(struct call *call, status_t status)
{
    switch (status) {
    case STATUS_BAD_STATE:
        return call_exception(
            call, EXCEPTION_TYPE_INVALID_ARGUMENT,
            "the range is empty, not made of whole pages, or not mapped in a way that allows this",
            NULL);
    case STATUS_OVERFLOW:
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the range wraps, or lies outside of the object or of user space",
                              NULL);
    case STATUS_WRONG_INTERFACE:
        record_denial(call);
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the capability does not allow this protection", "protection");
    default:
        return status;
    }
}

status_t memory_answer_map_object(struct object *face, struct call *call,
                                  const struct memory_answer_map *map, uint64_t *address)
{
    if (!memory_answer_protection_known(map->protection)) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "there is no such protection",
                              "protection");
    }
    if ((uint32_t)map->sharing >= SHARING_COUNT) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "there is no such sharing",
                              "sharing");
    }
    status_t status = address_space_map_through(memory_answer_space(call), face, call->forwarder,
                                                map->hint, false, map->offset, map->size,
                                                map->protection, map->sharing, address);
    return memory_answer(call, status);
}

status_t memory_answer_unmap_object(struct object *face, struct call *call, uint64_t address,
                                    uint64_t size)
{
    struct address_space *as = memory_answer_space(call);
    if (!address_space_maps_object(as, memory_answer_of(face), address, size)) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the range is not mapped from this object", "address");
    }
    return memory_answer(call, address_space_unmap(as, address, size));
}
