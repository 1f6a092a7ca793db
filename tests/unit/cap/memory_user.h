/* A process of the simulated machine that calls its memory capabilities through its ring. */
#pragma once

#include "kernel/cap/root_objects.h"
#include "kernel/core/memory_object.h"
#include "lib/wire/gen/code_memory.h"
#include "lib/wire/gen/image.h"
#include "lib/wire/gen/memory_object.h"
#include "lib/wire/gen/read_only_memory.h"
#include "lib/wire/gen/types.h"
#include "lib/wire/gen/virtual_memory.h"
#include "tests/lib/sim.h"

#define MEMORY CAP_ID(CAP_SLOT_MEMORY, 1)

static struct process *process;
static struct user *user;
static struct user_message message;
static struct user_reply reply;

static inline void memory_begin(void)
{
    sim_boot(NULL);
    process = sim_process(NULL, 0);
    user = user_of(process);
}

/* The Exception in the reply has this type and a sentence with this word. */
static inline void memory_check_exception(enum exception_type type, const char *word)
{
    char reason[200] = "";
    struct wire_span text = exception_reason(reply.root);
    CHECK_EQ(exception_type(reply.root), type);
    CHECK(text.size < sizeof(reason));
    memcpy(reason, text.data, text.size);
    if (strstr(reason, word) == NULL) {
        FAIL("\"%s\" does not say \"%s\"", reason, word);
    }
}

#define CHECK_INVALID(call_, word_)                                     \
    do {                                                                \
        CHECK_STATUS(call_, STATUS_EXCEPTION);                          \
        memory_check_exception(EXCEPTION_TYPE_INVALID_ARGUMENT, word_); \
    } while (0)

static inline status_t vm_map(uint64_t hint, uint64_t size, enum protection p, uint64_t *address)
{
    struct wire_builder b = user_message(&message, VIRTUAL_MEMORY_MAP_PARAMS_DATA_WORDS, 0);
    virtual_memory_map_params_set_hint(b, hint);
    virtual_memory_map_params_set_size(b, size);
    virtual_memory_map_params_set_protection(b, p);
    status_t status = user_call(user, MEMORY, VIRTUAL_MEMORY_INTERFACE_ID,
                                VIRTUAL_MEMORY_METHOD_MAP, &message, NULL, 0, &reply);
    *address = status == STATUS_OK ? virtual_memory_map_results_address(reply.root) : 0;
    return status;
}

/* unmap, protect, commit, decommit have the same shape of parameters, the last word for some only.
 */
static inline status_t vm_range(uint16_t method, uint64_t address, uint64_t size, enum protection p)
{
    struct wire_builder b = user_message(&message, VIRTUAL_MEMORY_PROTECT_PARAMS_DATA_WORDS, 0);
    virtual_memory_protect_params_set_address(b, address);
    virtual_memory_protect_params_set_size(b, size);
    virtual_memory_protect_params_set_protection(b, p);
    return user_call(user, MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, method, &message, NULL, 0, &reply);
}

static inline status_t vm_reserve(uint64_t hint, uint64_t size, uint64_t *address)
{
    struct wire_builder b = user_message(&message, VIRTUAL_MEMORY_RESERVE_PARAMS_DATA_WORDS, 0);
    virtual_memory_reserve_params_set_hint(b, hint);
    virtual_memory_reserve_params_set_size(b, size);
    status_t status = user_call(user, MEMORY, VIRTUAL_MEMORY_INTERFACE_ID,
                                VIRTUAL_MEMORY_METHOD_RESERVE, &message, NULL, 0, &reply);
    *address = status == STATUS_OK ? virtual_memory_reserve_results_address(reply.root) : 0;
    return status;
}

static inline status_t vm_create_object(uint64_t size, cap_id_t *object)
{
    struct wire_builder b =
        user_message(&message, VIRTUAL_MEMORY_CREATE_OBJECT_PARAMS_DATA_WORDS, 0);
    virtual_memory_create_object_params_set_size(b, size);
    status_t status = user_call(user, MEMORY, VIRTUAL_MEMORY_INTERFACE_ID,
                                VIRTUAL_MEMORY_METHOD_CREATE_OBJECT, &message, NULL, 0, &reply);
    *object = status == STATUS_OK
                  ? reply.transfers[virtual_memory_create_object_results_object(reply.root)].cap
                  : 0;
    return status;
}

/* map of any face: their parameters have one layout. */
static inline status_t face_map(cap_id_t face, uint64_t interface_id, uint64_t offset,
                                uint64_t size, enum protection p, enum sharing sharing,
                                uint64_t *address)
{
    struct wire_builder b = user_message(&message, MEMORY_OBJECT_MAP_PARAMS_DATA_WORDS, 0);
    memory_object_map_params_set_offset(b, offset);
    memory_object_map_params_set_size(b, size);
    memory_object_map_params_set_protection(b, p);
    memory_object_map_params_set_sharing(b, sharing);
    _Static_assert(MEMORY_OBJECT_METHOD_MAP == 1 && READ_ONLY_MEMORY_METHOD_MAP == 1
                       && IMAGE_METHOD_MAP == 1,
                   "");
    status_t status =
        user_call(user, face, interface_id, MEMORY_OBJECT_METHOD_MAP, &message, NULL, 0, &reply);
    *address = status == STATUS_OK ? memory_object_map_results_address(reply.root) : 0;
    return status;
}

static inline status_t face_range(cap_id_t face, uint64_t interface_id, uint16_t method,
                                  uint64_t address, uint64_t size, enum protection p)
{
    struct wire_builder b = user_message(&message, MEMORY_OBJECT_PROTECT_PARAMS_DATA_WORDS, 0);
    memory_object_protect_params_set_address(b, address);
    memory_object_protect_params_set_size(b, size);
    memory_object_protect_params_set_protection(b, p);
    return user_call(user, face, interface_id, method, &message, NULL, 0, &reply);
}

static inline status_t face_info(cap_id_t face, uint64_t interface_id, uint64_t *size, bool *sealed)
{
    status_t status =
        user_call(user, face, interface_id, MEMORY_OBJECT_METHOD_INFO, NULL, NULL, 0, &reply);
    *size = memory_object_info_results_size(reply.root);
    *sealed = memory_object_info_results_sealed(reply.root);
    return status;
}

/* seal and readOnly: no parameters, one capability. */
static inline status_t face_make(cap_id_t face, uint16_t method, cap_id_t *out)
{
    status_t status =
        user_call(user, face, MEMORY_OBJECT_INTERFACE_ID, method, NULL, NULL, 0, &reply);
    *out =
        status == STATUS_OK ? reply.transfers[memory_object_seal_results_image(reply.root)].cap : 0;
    return status;
}

static inline void memory_release(cap_id_t id)
{
    struct ring_completion c =
        user_run(user, (struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id, .user_data = 1});
    CHECK_EQ(c.status, 0);
}

static inline void memory_put(uint64_t address, uint8_t value)
{
    CHECK(user_write(process, address, &value, 1));
}

static inline uint8_t memory_get(uint64_t address)
{
    uint8_t value = 0;
    CHECK(user_read(process, address, &value, 1));
    return value;
}
