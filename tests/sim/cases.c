/* A call for each method of each kernel interface. See scene.h. */
#include "tests/sim/scene.h"

static const char text[] = "one line";
static const uint64_t start_block[2] = {1ull << 32, 0}; /* a message whose root is null */

#define SPAN(object) ((struct wire_span){(object), sizeof(object)})
#define TEXT(object) ((struct wire_span){(object), sizeof(object) - 1})

#define BUILD(name)                                                                                \
    static void fill_##name(struct scene *s, struct wire_builder b);                               \
    static void build_##name(struct scene *s)                                                      \
    {                                                                                              \
        wire_message_begin(&s->message.builder, s->message.bytes, sizeof(s->message.bytes));       \
        s->sent_count = 0;                                                                         \
        fill_##name(s, name##_params_init(&s->message.builder));                                   \
    }                                                                                              \
    static void fill_##name(struct scene *s, struct wire_builder b)

#define BUILD_EMPTY(name, whom)                                                                    \
    BUILD(name)                                                                                    \
    {                                                                                              \
        (void)b;                                                                                   \
        s->target = (whom);                                                                        \
    }

static uint32_t send(struct scene *s, cap_id_t id, enum cap_transfer_mode mode)
{
    s->sent[s->sent_count] = (struct cap_transfer){id, mode};
    return s->sent_count++;
}

/* --- streams, time, entropy --- */

BUILD(console_write)
{
    console_write_params_set_data(b, TEXT(text));
    s->target = SCENE_CAP(SCENE_CONSOLE);
}

BUILD(console_write_line)
{
    console_write_line_params_set_text(b, TEXT(text));
    s->target = SCENE_CAP(SCENE_CONSOLE);
}

BUILD(std_io_read)
{
    std_io_read_params_set_max_bytes(b, 100);
    s->target = SCENE_CAP(SCENE_STD_IO);
}

BUILD(std_io_write)
{
    std_io_write_params_set_data(b, TEXT(text));
    s->target = SCENE_CAP(SCENE_STD_IO);
}

BUILD(std_io_write_error)
{
    std_io_write_error_params_set_data(b, TEXT(text));
    s->target = SCENE_CAP(SCENE_STD_IO);
}

BUILD(std_io_ready)
{
    std_io_ready_params_set_mask(b, 1);
    s->target = SCENE_CAP(SCENE_STD_IO);
}

BUILD(std_io_is_terminal)
{
    std_io_is_terminal_params_set_stream(b, 1);
    s->target = SCENE_CAP(SCENE_STD_IO);
}

BUILD_EMPTY(std_io_window_size, SCENE_CAP(SCENE_STD_IO))
BUILD_EMPTY(timer_now, SCENE_CAP(SCENE_TIMER))
BUILD_EMPTY(timer_page, SCENE_CAP(SCENE_TIMER))

BUILD(timer_sleep)
{
    timer_sleep_params_set_ns(b, 1000000000);
    s->target = SCENE_CAP(SCENE_TIMER);
}

BUILD(timer_ready)
{
    timer_ready_params_set_deadline_ns(b, 1ull << 60);
    s->target = SCENE_CAP(SCENE_TIMER);
}

BUILD(entropy_source_fill)
{
    entropy_source_fill_params_set_count(b, 32);
    s->target = SCENE_CAP(SCENE_ENTROPY);
}

/* --- memory --- */

BUILD(virtual_memory_map)
{
    virtual_memory_map_params_set_size(b, SCENE_PAGES * PAGE_SIZE);
    virtual_memory_map_params_set_protection(b, PROTECTION_READ_WRITE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_unmap) /* a hole in the middle splits the region */
{
    virtual_memory_unmap_params_set_address(b, s->memory + PAGE_SIZE);
    virtual_memory_unmap_params_set_size(b, PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_protect)
{
    virtual_memory_protect_params_set_address(b, s->memory + PAGE_SIZE);
    virtual_memory_protect_params_set_size(b, PAGE_SIZE);
    virtual_memory_protect_params_set_protection(b, PROTECTION_READ);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_reserve)
{
    virtual_memory_reserve_params_set_size(b, SCENE_PAGES * PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_commit)
{
    virtual_memory_commit_params_set_address(b, s->reserved + PAGE_SIZE);
    virtual_memory_commit_params_set_size(b, PAGE_SIZE);
    virtual_memory_commit_params_set_protection(b, PROTECTION_READ_WRITE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_decommit)
{
    virtual_memory_decommit_params_set_address(b, s->memory + PAGE_SIZE);
    virtual_memory_decommit_params_set_size(b, PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD(virtual_memory_create_object)
{
    virtual_memory_create_object_params_set_size(b, 3 * PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_MEMORY);
}

BUILD_EMPTY(memory_object_info, s->memory_object)
BUILD_EMPTY(memory_object_seal, s->unmapped_object)
BUILD_EMPTY(memory_object_read_only, s->memory_object)

BUILD(memory_object_map)
{
    memory_object_map_params_set_size(b, PAGE_SIZE);
    memory_object_map_params_set_protection(b, PROTECTION_READ_WRITE);
    memory_object_map_params_set_sharing(b, SHARING_SHARED);
    s->target = s->memory_object;
}

BUILD(memory_object_unmap)
{
    memory_object_unmap_params_set_address(b, s->object_at);
    memory_object_unmap_params_set_size(b, PAGE_SIZE);
    s->target = s->memory_object;
}

BUILD(memory_object_protect)
{
    memory_object_protect_params_set_address(b, s->object_at);
    memory_object_protect_params_set_size(b, PAGE_SIZE);
    memory_object_protect_params_set_protection(b, PROTECTION_READ);
    s->target = s->memory_object;
}

BUILD_EMPTY(read_only_memory_info, s->read_only)

BUILD(read_only_memory_map)
{
    read_only_memory_map_params_set_size(b, PAGE_SIZE);
    read_only_memory_map_params_set_protection(b, PROTECTION_READ);
    read_only_memory_map_params_set_sharing(b, SHARING_SHARED);
    s->target = s->read_only;
}

BUILD(read_only_memory_unmap)
{
    read_only_memory_unmap_params_set_address(b, s->read_only_at);
    read_only_memory_unmap_params_set_size(b, PAGE_SIZE);
    s->target = s->read_only;
}

BUILD_EMPTY(image_info, SCENE_CAP(SCENE_IMAGE))

BUILD(image_map)
{
    image_map_params_set_size(b, PAGE_SIZE);
    image_map_params_set_protection(b, PROTECTION_READ_EXECUTE);
    image_map_params_set_sharing(b, SHARING_SHARED);
    s->target = SCENE_CAP(SCENE_IMAGE);
}

BUILD(image_unmap)
{
    image_unmap_params_set_address(b, s->image_at);
    image_unmap_params_set_size(b, PAGE_SIZE);
    s->target = SCENE_CAP(SCENE_IMAGE);
}

BUILD(code_memory_reserve)
{
    code_memory_reserve_params_set_size(b, PAGE_SIZE);
    s->target = SCENE_CAP(SCENE_CODE);
}

BUILD(code_memory_write)
{
    code_memory_write_params_set_address(b, s->code + 5);
    code_memory_write_params_set_bytes(b, SPAN(text));
    s->target = SCENE_CAP(SCENE_CODE);
}

BUILD(code_memory_free)
{
    code_memory_free_params_set_address(b, s->code);
    code_memory_free_params_set_size(b, PAGE_SIZE);
    s->target = SCENE_CAP(SCENE_CODE);
}

BUILD_EMPTY(boot_package_manifest_size, SCENE_CAP(SCENE_BOOT))

BUILD(boot_package_read_manifest)
{
    boot_package_read_manifest_params_set_max_bytes(b, 16);
    s->target = SCENE_CAP(SCENE_BOOT);
}

BUILD(boot_package_binary)
{
    boot_package_binary_params_set_name(b, (struct wire_span){"prog", 4});
    s->target = SCENE_CAP(SCENE_BOOT);
}

/* --- processes --- */

BUILD(process_spawner_spawn)
{
    process_spawner_spawn_params_set_name(b, TEXT(text));
    process_spawner_spawn_params_set_image(b, send(s, SCENE_CAP(SCENE_IMAGE), CAP_TRANSFER_COPY));
    process_spawner_spawn_params_set_start(b, SPAN(start_block));
    struct wire_list_builder grants = process_spawner_spawn_params_init_grants(b, 2);
    granted_cap_set_name(wire_list_at(grants, 0), TEXT(text));
    granted_cap_set_cap(wire_list_at(grants, 0),
                        send(s, SCENE_CAP(SCENE_TIMER), CAP_TRANSFER_COPY));
    granted_cap_set_name(wire_list_at(grants, 1), TEXT(text));
    granted_cap_set_cap(wire_list_at(grants, 1), send(s, s->writer, CAP_TRANSFER_MOVE));
    struct wire_builder limits = process_spawner_spawn_params_init_limits(b);
    limits_set_slots(limits, 100);
    s->target = SCENE_CAP(SCENE_SPAWNER);
}

BUILD_EMPTY(process_spawner_create_pipe, SCENE_CAP(SCENE_SPAWNER))
BUILD_EMPTY(process_spawner_fork, SCENE_CAP(SCENE_SPAWNER))
BUILD_EMPTY(process_spawner_create_endpoint, SCENE_CAP(SCENE_SPAWNER))

BUILD(process_spawner_exec)
{
    process_spawner_exec_params_set_image(b, send(s, SCENE_CAP(SCENE_IMAGE), CAP_TRANSFER_COPY));
    process_spawner_exec_params_set_start(b, SPAN(start_block));
    struct wire_list_builder keep = process_spawner_exec_params_init_keep(b, 2);
    wire_list_set_u32(keep, 0, SCENE_CAP(SCENE_TIMER));
    wire_list_set_u32(keep, 1, s->reader);
    s->target = SCENE_CAP(SCENE_SPAWNER);
}

BUILD(restricted_launcher_launch)
{
    restricted_launcher_launch_params_set_name(b, (struct wire_span){"prog", 4});
    restricted_launcher_launch_params_set_start(b, SPAN(start_block));
    struct wire_list_builder grants = restricted_launcher_launch_params_init_grants(b, 1);
    granted_cap_set_name(wire_list_at(grants, 0), TEXT(text));
    granted_cap_set_cap(wire_list_at(grants, 0),
                        send(s, SCENE_CAP(SCENE_TIMER), CAP_TRANSFER_COPY));
    s->target = SCENE_CAP(SCENE_LAUNCHER);
}

BUILD_EMPTY(restricted_launcher_list, SCENE_CAP(SCENE_LAUNCHER))
BUILD_EMPTY(process_handle_wait, s->process)
BUILD_EMPTY(process_handle_terminate, s->process)
BUILD_EMPTY(process_handle_stats, s->process)

BUILD(process_handle_ready)
{
    process_handle_ready_params_set_mask(b, 1);
    s->target = s->process;
}

BUILD(pipe_reader_read)
{
    pipe_reader_read_params_set_max_bytes(b, 100);
    s->target = s->reader;
}

BUILD(pipe_reader_ready)
{
    pipe_reader_ready_params_set_mask(b, 1);
    s->target = s->reader;
}

BUILD(pipe_writer_write)
{
    pipe_writer_write_params_set_data(b, TEXT(text));
    s->target = s->writer;
}

BUILD(pipe_writer_ready)
{
    pipe_writer_ready_params_set_mask(b, 2);
    s->target = s->writer;
}

BUILD(endpoint_mint)
{
    endpoint_mint_params_set_interface_id(b, 0x1234567890abcdef);
    endpoint_mint_params_set_tag(b, 77);
    s->target = s->endpoint;
}

BUILD(endpoint_revocable)
{
    endpoint_revocable_params_set_cap(b, send(s, SCENE_CAP(SCENE_CONSOLE), CAP_TRANSFER_COPY));
    s->target = s->endpoint;
}

BUILD_EMPTY(cutter_cut, s->cutter)

/* --- threads --- */

BUILD(thread_spawner_spawn)
{
    thread_spawner_spawn_params_set_entry(b, 0x400800);
    thread_spawner_spawn_params_set_stack(b, s->memory + PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_THREADS);
}

BUILD_EMPTY(thread_handle_join, s->thread)
BUILD_EMPTY(thread_handle_detach, s->thread)

BUILD(thread_control_set_fs_base)
{
    thread_control_set_fs_base_params_set_address(b, s->memory);
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_set_gs_base)
{
    thread_control_set_gs_base_params_set_address(b, s->memory);
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_exit)
{
    thread_control_exit_params_set_code(b, 3);
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_interrupt) /* it has no handler: the process ends */
{
    thread_control_interrupt_params_set_thread(b, send(s, s->thread, CAP_TRANSFER_COPY));
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_set_upcall)
{
    thread_control_set_upcall_params_set_entry(b, 0x400900);
    thread_control_set_upcall_params_set_stack_base(b, s->memory);
    thread_control_set_upcall_params_set_stack_size(b, SCENE_PAGES * PAGE_SIZE);
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_report_denial)
{
    thread_control_report_denial_params_set_interface_id(b, TIMER_INTERFACE_ID);
    thread_control_report_denial_params_set_name(b, (struct wire_span){"timer", 5});
    thread_control_report_denial_params_set_grant(b, (struct wire_span){"timer", 5});
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

BUILD(thread_control_panic_message)
{
    thread_control_panic_message_params_set_text(b, TEXT(text));
    s->target = SCENE_CAP(CAP_SLOT_THREAD);
}

#define CASE(interface_, METHOD_, name, answer_)                                                   \
    {                                                                                              \
        &interface_##_interface, METHOD_, SCENE_##answer_, build_##interface_##_##name             \
    }

const struct scene_case scene_cases[] = {
    CASE(console, CONSOLE_METHOD_WRITE, write, ANSWERS),
    CASE(console, CONSOLE_METHOD_WRITE_LINE, write_line, ANSWERS),
    CASE(std_io, STD_IO_METHOD_READ, read, WAITS),
    CASE(std_io, STD_IO_METHOD_WRITE, write, ANSWERS),
    CASE(std_io, STD_IO_METHOD_WRITE_ERROR, write_error, ANSWERS),
    CASE(std_io, STD_IO_METHOD_READY, ready, WAITS),
    CASE(std_io, STD_IO_METHOD_IS_TERMINAL, is_terminal, ANSWERS),
    CASE(std_io, STD_IO_METHOD_WINDOW_SIZE, window_size, ANSWERS),
    CASE(timer, TIMER_METHOD_NOW, now, ANSWERS),
    CASE(timer, TIMER_METHOD_SLEEP, sleep, WAITS),
    CASE(timer, TIMER_METHOD_PAGE, page, ANSWERS),
    CASE(timer, TIMER_METHOD_READY, ready, WAITS),
    CASE(entropy_source, ENTROPY_SOURCE_METHOD_FILL, fill, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_MAP, map, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_UNMAP, unmap, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_PROTECT, protect, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_RESERVE, reserve, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_COMMIT, commit, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_DECOMMIT, decommit, ANSWERS),
    CASE(virtual_memory, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT, create_object, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_INFO, info, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_MAP, map, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_UNMAP, unmap, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_PROTECT, protect, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_SEAL, seal, ANSWERS),
    CASE(memory_object, MEMORY_OBJECT_METHOD_READ_ONLY, read_only, ANSWERS),
    CASE(read_only_memory, READ_ONLY_MEMORY_METHOD_INFO, info, ANSWERS),
    CASE(read_only_memory, READ_ONLY_MEMORY_METHOD_MAP, map, ANSWERS),
    CASE(read_only_memory, READ_ONLY_MEMORY_METHOD_UNMAP, unmap, ANSWERS),
    CASE(image, IMAGE_METHOD_INFO, info, ANSWERS),
    CASE(image, IMAGE_METHOD_MAP, map, ANSWERS),
    CASE(image, IMAGE_METHOD_UNMAP, unmap, ANSWERS),
    CASE(code_memory, CODE_MEMORY_METHOD_RESERVE, reserve, ANSWERS),
    CASE(code_memory, CODE_MEMORY_METHOD_WRITE, write, ANSWERS),
    CASE(code_memory, CODE_MEMORY_METHOD_FREE, free, ANSWERS),
    CASE(boot_package, BOOT_PACKAGE_METHOD_MANIFEST_SIZE, manifest_size, ANSWERS),
    CASE(boot_package, BOOT_PACKAGE_METHOD_READ_MANIFEST, read_manifest, ANSWERS),
    CASE(boot_package, BOOT_PACKAGE_METHOD_BINARY, binary, ANSWERS),
    CASE(process_spawner, PROCESS_SPAWNER_METHOD_SPAWN, spawn, ANSWERS),
    CASE(process_spawner, PROCESS_SPAWNER_METHOD_CREATE_PIPE, create_pipe, ANSWERS),
    CASE(process_spawner, PROCESS_SPAWNER_METHOD_FORK, fork, ANSWERS),
    CASE(process_spawner, PROCESS_SPAWNER_METHOD_EXEC, exec, ENDS),
    CASE(process_spawner, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT, create_endpoint, ANSWERS),
    CASE(restricted_launcher, RESTRICTED_LAUNCHER_METHOD_LAUNCH, launch, ANSWERS),
    CASE(restricted_launcher, RESTRICTED_LAUNCHER_METHOD_LIST, list, ANSWERS),
    CASE(process_handle, PROCESS_HANDLE_METHOD_WAIT, wait, WAITS),
    CASE(process_handle, PROCESS_HANDLE_METHOD_TERMINATE, terminate, ANSWERS),
    CASE(process_handle, PROCESS_HANDLE_METHOD_READY, ready, WAITS),
    CASE(process_handle, PROCESS_HANDLE_METHOD_STATS, stats, ANSWERS),
    CASE(pipe_reader, PIPE_READER_METHOD_READ, read, WAITS),
    CASE(pipe_reader, PIPE_READER_METHOD_READY, ready, WAITS),
    CASE(pipe_writer, PIPE_WRITER_METHOD_WRITE, write, ANSWERS),
    CASE(pipe_writer, PIPE_WRITER_METHOD_READY, ready, ANSWERS),
    CASE(endpoint, ENDPOINT_METHOD_MINT, mint, ANSWERS),
    CASE(endpoint, ENDPOINT_METHOD_REVOCABLE, revocable, ANSWERS),
    CASE(cutter, CUTTER_METHOD_CUT, cut, ANSWERS),
    CASE(thread_spawner, THREAD_SPAWNER_METHOD_SPAWN, spawn, ANSWERS),
    CASE(thread_handle, THREAD_HANDLE_METHOD_JOIN, join, WAITS),
    CASE(thread_handle, THREAD_HANDLE_METHOD_DETACH, detach, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_SET_FS_BASE, set_fs_base, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_EXIT, exit, ENDS),
    CASE(thread_control, THREAD_CONTROL_METHOD_INTERRUPT, interrupt, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_SET_UPCALL, set_upcall, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_REPORT_DENIAL, report_denial, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_PANIC_MESSAGE, panic_message, ANSWERS),
    CASE(thread_control, THREAD_CONTROL_METHOD_SET_GS_BASE, set_gs_base, ANSWERS),
};

const uint32_t scene_case_count = sizeof(scene_cases) / sizeof(scene_cases[0]);
