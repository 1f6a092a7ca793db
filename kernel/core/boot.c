/* The start of the machine: brings up core, then makes init from the boot package and hands it
 * every kernel object.
 *
 * What init is handed, and under which names, is the table below, and behind it what the machine
 * adds; the names of the table are those of the schema's $grant. Init is the only process that the
 * kernel makes by itself; all others get what their parents hand on. */
#include "abi/boot_package.h"
#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/boot_package.h"
#include "kernel/core/entry.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/frame.h"
#include "kernel/core/host_link.h"
#include "kernel/core/log.h"
#include "kernel/core/park.h"
#include "kernel/core/process.h"
#include "kernel/core/tally.h"
#include "lib/wire/gen/types.h"

#define RANDOM_SEED_SIZE 16

/* In the order of their slots, from CAP_SLOT_MEMORY on. */
static const struct {
    const char *name;
    uint64_t interface_id;
    struct object *object; /* NULL: init's own, made with it */
} handed[] = {
    {CAP_NAME_MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, NULL},
    {CAP_NAME_THREADS, THREAD_SPAWNER_INTERFACE_ID, NULL},
    {CAP_NAME_THREAD, THREAD_CONTROL_INTERFACE_ID, NULL},
    {CAP_NAME_PARK, PARK_SPACE_INTERFACE_ID, NULL},
    {"console", CONSOLE_INTERFACE_ID, &console_object},
    {"stdio", STD_IO_INTERFACE_ID, &std_io_object},
    {"timer", TIMER_INTERFACE_ID, &timer_object},
    {"random", ENTROPY_SOURCE_INTERFACE_ID, &entropy_source_object},
    {"code", CODE_MEMORY_INTERFACE_ID, &code_memory_object},
    {"boot", BOOT_PACKAGE_INTERFACE_ID, &boot_package_object},
    {"spawn", PROCESS_SPAWNER_INTERFACE_ID, &process_spawner_object},
    {"launch", RESTRICTED_LAUNCHER_INTERFACE_ID, &restricted_launcher_object},
};
#define GRANTS (ARRAY_SIZE(handed) - OWN_COUNT)
_Static_assert(CAP_SLOT_FIRST_GRANT == CAP_SLOT_MEMORY + OWN_COUNT, "the grants follow the own");

void kernel_bring_up(const struct boot_info *info)
{
    KASSERT(info->cpu_count >= 1 && info->cpu_count <= CPUS_MAX);
    KASSERT(info->memory_count >= 1 && info->memory_count <= ARRAY_SIZE(info->memory));
    KASSERT(info->object_count <= ARRAY_SIZE(info->objects));
    frame_reset();
    for (uint32_t i = 0; i < info->memory_count; i++) {
        KASSERT(info->memory[i].first < info->memory[i].end);
        frame_init(info->memory[i].first, info->memory[i].end);
    }
    ledger_init(tally.frames);
    for (uint32_t i = 0; i < info->cpu_count; i++) {
        sched_init(arch_cpu_by_number(i), i);
    }
    process_bring_up();
    park_bring_up();
    timer_page_frame = FRAME_NONE;
    host_link_init();
}

static void write_entry(struct wire_list_builder set, uint32_t index, const char *name,
                        uint64_t interface_id)
{
    struct wire_builder entry = wire_list_at(set, index);
    cap_set_entry_set_name(entry, wire_span_of(name));
    cap_set_entry_set_id(entry, CAP_ID(CAP_SLOT_MEMORY + index, 1));
    cap_set_entry_set_interface_id(entry, interface_id);
}

/* Returns its size. */
static size_t write_start_block(void *buffer, size_t room, const struct boot_info *info)
{
    struct wire_message_builder message;
    uint32_t known = ARRAY_SIZE(handed);
    wire_message_begin(&message, buffer, room);
    struct wire_builder start = start_block_init(&message);
    struct wire_list_builder arguments = start_block_init_arguments(start, 1);
    wire_list_set_text(arguments, 0, wire_span_of(BOOT_PACKAGE_INIT));
    start_block_init_environment(start, 0);
    start_block_set_current_directory(start, wire_span_of("/"));
    start_block_set_entry_gate(start, arch_gate_address());
    struct wire_list_builder set = start_block_init_cap_set(start, known + info->object_count);
    for (uint32_t i = 0; i < known; i++) {
        write_entry(set, i, handed[i].name, handed[i].interface_id);
    }
    for (uint32_t i = 0; i < info->object_count; i++) {
        write_entry(set, known + i, info->objects[i].name,
                    object_interface_id(info->objects[i].object));
    }
    arch_entropy(start_block_init_random_seed(start, RANDOM_SEED_SIZE), RANDOM_SEED_SIZE);
    size_t size = wire_message_finish(&message);
    KASSERT(size != 0);
    return size;
}

static status_t make_init(const struct boot_info *info, const char **reason)
{
    struct object *image;
    status_t status = boot_package_image(BOOT_PACKAGE_INIT, sizeof BOOT_PACKAGE_INIT - 1, &image);
    if (status != STATUS_OK) {
        *reason = "the boot package has no init";
        return status;
    }
    struct object *grants[GRANTS + HOST_FOLDERS_MAX];
    uint32_t count = 0;
    for (; count < GRANTS; count++) {
        grants[count] = handed[OWN_COUNT + count].object;
    }
    for (uint32_t i = 0; i < info->object_count; i++) {
        grants[count++] = info->objects[i].object;
    }
    void *start = arch_cpu()->request;
    size_t start_size = write_start_block(start, sizeof arch_cpu()->request, info);
    struct process *init;
    status = process_create(&ledger_root, BOOT_PACKAGE_INIT, sizeof BOOT_PACKAGE_INIT - 1, image,
                            start, start_size, grants, count, NULL, &init, reason);
    object_put(image);
    if (status == STATUS_OK) {
        process_init = init;
        process_start(init);
        object_put(&init->object);
    }
    return status;
}

void kernel_start(const struct boot_info *info)
{
    kernel_bring_up(info);
    host_link_start(info->cpu_count, tally.frames * PAGE_SIZE);
    const char *reason;
    status_t status = boot_package_open(info->package_first, info->package_size, &reason);
    if (status == STATUS_OK) {
        status = make_init(info, &reason);
    }
    if (status != STATUS_OK) {
        log_line("boot: %s (status %d)",
                 reason != NULL ? reason : "there is too little memory for init", (int)status);
        exit_record_boot_failed();
    }
}
