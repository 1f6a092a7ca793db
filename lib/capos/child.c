/*
 * child.c: starting, copying and replacing processes. A start block is built where it is sent from:
 * inside the message.
 */
#include "abi/limits.h"
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"
#include <string.h>

#define OWN_COUNT 4
#define SEED_BYTES 16

static const struct {
    const char *name;
    uint64_t interface_id;
    cap_t cap;
} own[OWN_COUNT] = {
    {CAP_NAME_MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, CAPOS_MEMORY},
    {CAP_NAME_THREADS, THREAD_SPAWNER_INTERFACE_ID, CAPOS_THREADS},
    {CAP_NAME_THREAD, THREAD_CONTROL_INTERFACE_ID, CAPOS_THREAD},
    {CAP_NAME_PARK, PARK_SPACE_INTERFACE_ID, CAPOS_PARK},
};

static struct wire_span span(const char *text)
{
    return (struct wire_span){text, strlen(text)};
}

static uint32_t count_texts(const char *const *texts)
{
    uint32_t count = 0;
    while (texts != NULL && texts[count] != NULL) {
        count++;
    }
    return count;
}

static void set_texts(struct wire_list_builder list, const char *const *texts)
{
    for (uint32_t i = 0; texts != NULL && texts[i] != NULL; i++) {
        wire_list_set_text(list, i, span(texts[i]));
    }
}

static void set_entry(struct wire_builder entry, const char *name, cap_t cap, uint64_t interface_id)
{
    cap_set_entry_set_name(entry, span(name));
    cap_set_entry_set_id(entry, cap);
    cap_set_entry_set_interface_id(entry, interface_id);
}

/* Other numbers for each child, made of our own seed, a count and the address of the stack. */
static void make_seed(uint8_t *seed)
{
    static uint64_t count;
    uint64_t words[2];
    memcpy(words, capos_random_seed(), sizeof words);
    words[0] ^= __atomic_add_fetch(&count, 1, __ATOMIC_RELAXED) * UINT64_C(0x9e3779b97f4a7c15);
    for (unsigned round = 0; round < 4; round++) {
        words[1] = (words[1] ^ words[0]) * UINT64_C(0xd6e8feb86659fd93);
        words[0] = (words[0] ^ words[1] >> 32) * UINT64_C(0xbf58476d1ce4e5b9);
    }
    memcpy(seed, words, sizeof words);
}

/* keep_ids: the capabilities keep the ids they have here, as exec does; else they are those of a
 * new process. */
static size_t build_start_block(const struct capos_child *child, bool keep_ids, void *buffer,
                                size_t size_bytes)
{
    struct wire_message_builder message;
    wire_message_begin(&message, buffer, size_bytes);
    struct wire_builder block = start_block_init(&message);
    const char *directory = child->directory != NULL ? child->directory : capos_current_directory();
    start_block_set_current_directory(block, span(directory));
    start_block_set_entry_gate(block, capos_gate);
    set_texts(start_block_init_arguments(block, count_texts(child->arguments)), child->arguments);
    set_texts(start_block_init_environment(block, count_texts(child->environment)),
              child->environment);
    struct wire_list_builder set =
        start_block_init_cap_set(block, (uint32_t)(OWN_COUNT + child->grant_count));
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        set_entry(wire_list_at(set, i), own[i].name, own[i].cap, own[i].interface_id);
    }
    for (uint32_t i = 0; i < child->grant_count; i++) {
        const struct capos_child_grant *grant = &child->grants[i];
        cap_t id = keep_ids ? grant->cap : CAP_ID(CAP_SLOT_FIRST_GRANT + i, 1);
        set_entry(wire_list_at(set, OWN_COUNT + i), grant->name, id, grant->interface_id);
    }
    uint8_t seed[SEED_BYTES];
    make_seed(seed);
    start_block_set_random_seed(block, (struct wire_span){seed, sizeof seed});
    return wire_message_finish(&message);
}

size_t capos_start_block(const struct capos_child *child, void *buffer, size_t size_bytes)
{
    return build_start_block(child, false, buffer, size_bytes);
}

/* What is left of a message for a start block's bytes, its own pointer excluded. */
static size_t room_left(const struct wire_message_builder *message)
{
    size_t words = message->capacity - message->used;
    return message->error == WIRE_OK ? words * WIRE_WORD_BYTES : 0;
}

static void set_limits(struct wire_builder limits, const struct capos_child_limits *l)
{
    limits_set_frames(limits, l->frames);
    limits_set_slots(limits, l->slots);
    limits_set_threads(limits, l->threads);
    limits_set_calls(limits, l->calls);
    limits_set_kernel_bytes(limits, l->kernel_bytes);
}

static const char *name_of(const struct capos_child *child)
{
    if (child->name != NULL) {
        return child->name;
    }
    return child->arguments != NULL && child->arguments[0] != NULL ? child->arguments[0] : "";
}

status_t capos_spawn(cap_t spawner, const struct capos_child *child, cap_t *handle)
{
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = process_spawner_spawn_params_init(&call->message);
    process_spawner_spawn_params_set_name(params, span(name_of(child)));
    process_spawner_spawn_params_set_image(params,
                                           capos_send(call, child->image, CAP_TRANSFER_COPY));
    set_limits(process_spawner_spawn_params_init_limits(params), &child->limits);
    struct wire_list_builder grants =
        process_spawner_spawn_params_init_grants(params, (uint32_t)child->grant_count);
    for (uint32_t i = 0; i < child->grant_count; i++) {
        const struct capos_child_grant *grant = &child->grants[i];
        struct wire_builder place = wire_list_at(grants, i);
        granted_cap_set_name(place, span(grant->name));
        granted_cap_set_cap(place, capos_send(call, grant->cap, grant->mode));
    }
    size_t room = room_left(&call->message);
    void *start = process_spawner_spawn_params_init_start(params, room);
    size_t size = start != NULL ? build_start_block(child, false, start, room) : 0;
    if (size == 0) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    process_spawner_spawn_params_truncate_start(params, size);
    status_t status =
        capos_invoke(call, spawner, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_SPAWN);
    if (status == STATUS_OK) {
        *handle = capos_received(call, process_spawner_spawn_results_handle(call->results));
    }
    return status;
}

static void flush_streams(void)
{
    if (platform_flush_at_exit != NULL) {
        platform_flush_at_exit();
    }
}

status_t capos_fork(cap_t spawner, bool *is_child, cap_t *handle)
{
    struct capos_process_spawner_fork_results results;
    flush_streams();
    capos_flush(); /* what is queued is done once, by the parent */
    status_t status = capos_process_spawner_fork(spawner, &results);
    if (status == STATUS_OK) {
        *is_child = results.is_child;
        *handle = results.is_child ? CAP_ID_NONE : results.handle;
    }
    return status;
}

status_t capos_exec(cap_t spawner, const struct capos_child *child)
{
    flush_streams();
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = process_spawner_exec_params_init(&call->message);
    process_spawner_exec_params_set_image(params,
                                          capos_send(call, child->image, CAP_TRANSFER_COPY));
    struct wire_list_builder keep =
        process_spawner_exec_params_init_keep(params, (uint32_t)child->grant_count);
    for (uint32_t i = 0; i < child->grant_count; i++) {
        wire_list_set_u32(keep, i, child->grants[i].cap);
    }
    size_t room = room_left(&call->message);
    void *start = process_spawner_exec_params_init_start(params, room);
    size_t size = start != NULL ? build_start_block(child, true, start, room) : 0;
    if (size == 0) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    process_spawner_exec_params_truncate_start(params, size);
    return capos_invoke(call, spawner, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_EXEC);
}
