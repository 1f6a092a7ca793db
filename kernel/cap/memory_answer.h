/* What the memory capabilities (VirtualMemory, the three faces of a MemoryObject, CodeMemory) have
 * in common: how arguments are checked and how a refusal is explained. Handlers only; kernel lock
 * held. */
#pragma once

#include "kernel/core/address_space.h"
#include "kernel/core/call.h"

/* What a handler answers for the result of an operation of address_space.h: an exception for
 * arguments that make no sense or that the capability does not allow (which is also a denial), the
 * status itself for what is exhausted. */
status_t memory_answer(struct call *call, status_t status) MUST_CHECK;
/* The memory behind a face. */
struct memory_object *memory_answer_of(struct object *face);
/* map() of any face: its arguments, in the order of the schema. set_address is the generated
 * setter. */
status_t memory_answer_map_object(const struct invocation *in, uint64_t hint, uint64_t offset,
                                  uint64_t size, enum protection p, enum sharing sharing,
                                  void (*set_address)(struct wire_builder, uint64_t)) MUST_CHECK;
/* Answers the exception unless all of the range is mapped from the face's object: unmap() and
 * protect() of any face touch only what is its own. */
status_t memory_answer_check_mapped(const struct invocation *in, uint64_t address,
                                    uint64_t size) MUST_CHECK;
status_t memory_answer_unmap_object(const struct invocation *in, uint64_t address,
                                    uint64_t size) MUST_CHECK;

/* The methods that all three faces have: the generated names differ, what they do does not. */
#define MEMORY_ANSWER_FACE(face)                                                                   \
    status_t face##_info(const struct invocation *in)                                              \
    {                                                                                              \
        const struct memory_object *m = memory_answer_of(in->self);                                \
        face##_info_results_set_size(in->results, memory_object_size(m));                          \
        face##_info_results_set_sealed(in->results, memory_object_sealed(m));                      \
        return STATUS_OK;                                                                          \
    }                                                                                              \
    status_t face##_map(const struct invocation *in, uint64_t hint, uint64_t offset,               \
                        uint64_t size, enum protection p, enum sharing sharing)                    \
    {                                                                                              \
        return memory_answer_map_object(in, hint, offset, size, p, sharing,                        \
                                        face##_map_results_set_address);                           \
    }                                                                                              \
    status_t face##_unmap(const struct invocation *in, uint64_t address, uint64_t size)            \
    {                                                                                              \
        return memory_answer_unmap_object(in, address, size);                                      \
    }
