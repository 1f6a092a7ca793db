/* From power-on to the machine's end: what init finds, whose exit record the host gets, and what
 * happens when there is no init, no program, or no answer of the host. The test is the host and
 * init's user code. */
#include <elf.h>

#include "abi/boot_package.h"
#include "abi/host_link.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/boot_package.h"
#include "lib/wire/gen/process_spawner.h"
#include "lib/wire/gen/restricted_launcher.h"
#include "lib/wire/gen/types.h"
#include "tests/lib/sim.h"

#define PACKAGE_PAGES 5
#define SPAWNER_SLOT (CAP_SLOT_FIRST_GRANT + 6)
#define LAUNCHER_SLOT (CAP_SLOT_FIRST_GRANT + 7)

static _Alignas(8) uint8_t package[PACKAGE_PAGES * PAGE_SIZE];

/* One page of nothing that the ELF check accepts. */
static void write_program(uint8_t *bytes)
{
    *(Elf64_Ehdr *)(void *)bytes = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = 0x400800,
        .e_phoff = sizeof(Elf64_Ehdr),
        .e_ehsize = sizeof(Elf64_Ehdr),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = 1,
    };
    *(Elf64_Phdr *)(void *)(bytes + sizeof(Elf64_Ehdr)) = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_vaddr = 0x400000,
        .p_filesz = PAGE_SIZE,
        .p_memsz = PAGE_SIZE,
        .p_align = PAGE_SIZE,
    };
}

static void add(const char *name, uint64_t page, uint64_t size)
{
    struct boot_package_header *h = (void *)package;
    struct boot_package_entry *e = &h->entries[h->count++];
    strcpy(e->name, name);
    e->offset = page * PAGE_SIZE;
    e->size = size;
}

/* manifest, init, program; `skip` is left out. */
static void make_package(const char *skip)
{
    static const char *const names[] = {"manifest", "init", "program"};
    struct boot_package_header *h = (void *)package;
    memset(package, 0, sizeof package);
    *h = (struct boot_package_header){
        .magic = BOOT_PACKAGE_MAGIC, .version = BOOT_PACKAGE_VERSION, .size = sizeof package};
    for (uint64_t i = 0; i < ARRAY_SIZE(names); i++) {
        if (skip == NULL || strcmp(skip, names[i]) != 0) {
            add(names[i], i + 1, i == 0 ? 256 : PAGE_SIZE);
        }
    }
    struct wire_message_builder message;
    wire_message_begin(&message, package + PAGE_SIZE, 256);
    struct wire_builder manifest = manifest_init(&message);
    struct wire_list_builder launchable = manifest_init_launchable(manifest, 1);
    wire_list_set_text(launchable, 0, (struct wire_span){"program", 7});
    CHECK(wire_message_finish(&message) != 0);
    write_program(package + 2 * PAGE_SIZE);
    write_program(package + 3 * PAGE_SIZE);
}

static void boot(const char *skip)
{
    make_package(skip);
    sim_boot_package(NULL, package, sizeof package);
}

static void greet(void)
{
    struct {
        struct host_link_header header;
        struct host_link_host_hello hello;
    } frame = {.header = {.type = HOST_LINK_HELLO, .length = sizeof frame.hello},
               .hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION}};
    sim_host_sends(&frame, sizeof frame);
}

/* The frames that have come, up to and with the record of the end. */
static struct host_link_exit exit_frame(bool *started, struct host_link_fault *fault)
{
    struct host_link_exit record = {.kind = UINT32_MAX};
    struct host_link_header h;
    static uint8_t payload[HOST_LINK_MAX_PAYLOAD];
    *started = false;
    while (sim_host_takes(&h, sizeof h) == sizeof h) {
        CHECK_LE(h.length, sizeof payload);
        CHECK_EQ(sim_host_takes(payload, h.length), h.length);
        *started = *started || h.type == HOST_LINK_STARTED;
        if (h.type == HOST_LINK_FAULT && fault != NULL) {
            memcpy(fault, payload, sizeof *fault);
        }
        if (h.type == HOST_LINK_EXIT) {
            memcpy(&record, payload, sizeof record);
        }
    }
    return record;
}

static void acknowledge(void)
{
    const struct host_link_header ack = {.type = HOST_LINK_EXIT_ACK};
    sim_host_sends(&ack, sizeof ack);
}

static struct process *spawn_program(struct user *init, uint32_t slot)
{
    struct user_message m;
    struct user_reply reply;
    cap_id_t image;
    struct object *program;
    uint64_t start[2] = {1ull << 32, 0};
    struct wire_span bytes = {start, sizeof start};
    if (slot == LAUNCHER_SLOT) {
        struct wire_builder params =
            user_message(&m, 0, RESTRICTED_LAUNCHER_LAUNCH_PARAMS_POINTER_WORDS);
        restricted_launcher_launch_params_set_name(params, (struct wire_span){"program", 7});
        restricted_launcher_launch_params_set_start(params, bytes);
        CHECK_OK(user_call(init, CAP_ID(slot, 1), RESTRICTED_LAUNCHER_INTERFACE_ID,
                           RESTRICTED_LAUNCHER_METHOD_LAUNCH, &m, NULL, 0, &reply));
    } else {
        CHECK_OK(boot_package_image("program", 7, &program));
        image = sim_grant(init->process, program);
        object_put(program);
        struct cap_transfer sent = {image, CAP_TRANSFER_COPY};
        struct wire_builder params =
            user_message(&m, 0, PROCESS_SPAWNER_SPAWN_PARAMS_POINTER_WORDS);
        process_spawner_spawn_params_set_name(params, (struct wire_span){"program", 7});
        process_spawner_spawn_params_set_image(params, 0);
        process_spawner_spawn_params_set_start(params, bytes);
        CHECK_OK(user_call(init, CAP_ID(slot, 1), PROCESS_SPAWNER_INTERFACE_ID,
                           PROCESS_SPAWNER_METHOD_SPAWN, &m, &sent, 1, &reply));
    }
    return CONTAINER_OF(process_all.previous, struct process, all);
}

TEST(init_finds_every_kernel_object)
{
    boot(NULL);
    CHECK(process_init != NULL);
    struct user *init = user_of(process_init);
    static const char *const names[] = {"memory", "threads", "thread", "park", "console", "stdio",
                                        "timer",  "random",  "code",   "boot", "spawn",   "launch"};
    static _Alignas(8) uint8_t start[4096];
    const struct user_registers *r = &init->thread->arch.registers;
    CHECK_LE(r->rdx, sizeof start);
    CHECK(user_read(process_init, r->rdi, start, r->rdx));
    struct wire_message message;
    CHECK_EQ(wire_message_open(&message, start, r->rdx), WIRE_OK);
    struct wire_reader block = wire_message_root(&message);
    CHECK_EQ(start_block_entry_gate(block), arch_gate_address());
    CHECK_EQ(start_block_random_seed(block).size, 16);
    struct wire_list set = start_block_cap_set(block);
    CHECK_EQ(set.count, ARRAY_SIZE(names));
    for (uint32_t i = 0; i < set.count; i++) {
        struct wire_reader entry = wire_list_get_struct(set, i);
        struct object *o;
        CHECK(strcmp(cap_set_entry_name(entry).data, names[i]) == 0);
        CHECK_EQ(cap_set_entry_id(entry), CAP_ID(i + 1, 1));
        CHECK_OK(cap_table_look_up(&process_init->table, cap_set_entry_id(entry), &o));
        CHECK(object_interface_id(o) == cap_set_entry_interface_id(entry));
    }
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(what_the_machine_adds_comes_behind_the_kernels_own)
{
    static _Alignas(8) uint8_t start[4096];
    struct wire_message message;
    struct sim_options options = {.extra = &console_object, .extra_name = "/data"};
    make_package(NULL);
    sim_boot_package(&options, package, sizeof package);
    const struct user_registers *r = &user_of(process_init)->thread->arch.registers;
    CHECK_LE(r->rdx, sizeof start);
    CHECK(user_read(process_init, r->rdi, start, r->rdx));
    CHECK_EQ(wire_message_open(&message, start, r->rdx), WIRE_OK);
    struct wire_list set = start_block_cap_set(wire_message_root(&message));
    CHECK_EQ(set.count, (LAUNCHER_SLOT - CAP_SLOT_MEMORY + 1) + 1);
    struct wire_reader last = wire_list_get_struct(set, set.count - 1);
    struct wire_span name = cap_set_entry_name(last);
    CHECK(name.size == 5 && memcmp(name.data, "/data", 5) == 0);
    CHECK_EQ(cap_set_entry_id(last), CAP_ID(LAUNCHER_SLOT + 1, 1));
    CHECK_EQ(cap_set_entry_interface_id(last), CONSOLE_INTERFACE_ID);
    struct object *o;
    CHECK_OK(cap_table_look_up(&process_init->table, CAP_ID(LAUNCHER_SLOT + 1, 1), &o));
    CHECK(o == &console_object);
}

static void program_ends_with(uint32_t slot, uint64_t code, enum host_link_exit_kind kind)
{
    bool started;
    boot(NULL);
    greet();
    struct user *init = user_of(process_init);
    struct process *program = spawn_program(init, slot);
    CHECK(process_program == program);
    uint64_t id = program->id;
    CHECK_EQ(user_syscall(user_of(program), SYSCALL_EXIT, code, 0, 0), USER_DIED);
    CHECK(!sim_ended(NULL));
    CHECK_EQ(user_syscall(init, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    struct host_link_exit record = exit_frame(&started, NULL);
    CHECK(started);
    CHECK_EQ(record.kind, kind);
    CHECK_EQ(record.code, (uint32_t)code);
    CHECK_EQ(record.process, id);
    CHECK(!sim_ended(NULL)); /* not before the host has it all */
    acknowledge();
    CHECK(sim_ended(NULL));
}

TEST(the_host_gets_the_program_s_record)
{
    program_ends_with(SPAWNER_SLOT, 42, HOST_LINK_EXITED);
}

TEST(a_launched_program_is_the_program_as_well)
{
    program_ends_with(LAUNCHER_SLOT, 7 | EXIT_BECAUSE_DENIED, HOST_LINK_DENIED);
}

TEST(a_program_that_faults_has_its_fault_before_its_end)
{
    bool started;
    struct host_link_fault fault = {0};
    boot(NULL);
    greet();
    struct user *init = user_of(process_init);
    struct process *program = spawn_program(init, SPAWNER_SLOT);
    struct user *u = user_of(program);
    uint64_t id = program->id;
    u->thread->arch.registers.rip = 0x400900;
    CHECK(!user_touch(u, 0x20, UPCALL_ACCESS_WRITE));
    CHECK_EQ(user_syscall(init, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    struct host_link_exit record = exit_frame(&started, &fault);
    CHECK_EQ(record.kind, HOST_LINK_FAULTED);
    CHECK_EQ(record.process, id);
    CHECK_EQ(fault.process, id);
    CHECK_EQ(fault.cause, UPCALL_PAGE_FAULT);
    CHECK_EQ(fault.address, 0x20);
    CHECK_EQ(fault.instruction, 0x400900);
    CHECK(strcmp(fault.process_name, "program") == 0);
    CHECK(strcmp(fault.binary, "program") == 0);
    acknowledge();
    CHECK(sim_ended(NULL));
}

TEST(an_init_that_starts_nothing_is_a_failed_boot)
{
    bool started;
    boot(NULL);
    greet();
    CHECK_EQ(user_syscall(user_of(process_init), SYSCALL_EXIT, 1, 0, 0), USER_DIED);
    CHECK_EQ(exit_frame(&started, NULL).kind, HOST_LINK_BOOT_FAILED);
    CHECK(!started);
    acknowledge();
    CHECK(sim_ended(NULL));
}

TEST(an_init_that_faults_has_its_own_record)
{
    bool started;
    boot(NULL);
    greet();
    uint64_t id = process_init->id;
    (void)spawn_program(user_of(process_init), SPAWNER_SLOT);
    CHECK(!user_touch(user_of(process_init), 0x20, UPCALL_ACCESS_WRITE));
    struct host_link_exit record = exit_frame(&started, NULL);
    CHECK_EQ(record.kind, HOST_LINK_FAULTED);
    CHECK_EQ(record.process, id);
    acknowledge();
    CHECK(sim_ended(NULL));
}

TEST(a_host_that_does_not_answer_is_waited_for_a_second)
{
    boot(NULL);
    greet();
    CHECK_EQ(user_syscall(user_of(process_init), SYSCALL_EXIT, 1, 0, 0), USER_DIED);
    sim_advance(999999999);
    CHECK(!sim_ended(NULL));
    sim_advance(1);
    CHECK(sim_ended(NULL));
}

TEST(without_init_the_boot_has_failed)
{
    bool started;
    boot("init");
    greet();
    CHECK_EQ(exit_frame(&started, NULL).kind, HOST_LINK_BOOT_FAILED);
    CHECK(strstr(sim_machine.log, "no init") != NULL || !sim_ended(NULL));
    acknowledge();
    CHECK(sim_ended(NULL));
}

TEST(nobody_runs_after_the_end)
{
    boot(NULL);
    greet();
    struct user *init = user_of(process_init);
    struct process *program = spawn_program(init, SPAWNER_SLOT);
    CHECK_EQ(user_syscall(init, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    CHECK(!program->ended);
    CHECK(arch_cpu()->current == NULL);
    sim_tick(0);
    CHECK(arch_cpu()->current == NULL);
}

/* --- the launcher's other side --- */

TEST(the_launcher_starts_what_it_lists_and_nothing_else)
{
    boot(NULL);
    struct user *init = user_of(process_init);
    struct user_message m;
    struct user_reply reply;
    CHECK_OK(user_call(init, CAP_ID(LAUNCHER_SLOT, 1), RESTRICTED_LAUNCHER_INTERFACE_ID,
                       RESTRICTED_LAUNCHER_METHOD_LIST, NULL, NULL, 0, &reply));
    struct wire_list names = restricted_launcher_list_results_names(reply.root);
    CHECK_EQ(names.count, 1);
    CHECK(strcmp(wire_list_get_text(names, 0).data, "program") == 0);
    static const char *const others[] = {"init", "manifest", "", "progra", "program2"};
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct wire_builder params =
            user_message(&m, 0, RESTRICTED_LAUNCHER_LAUNCH_PARAMS_POINTER_WORDS);
        restricted_launcher_launch_params_set_name(
            params, (struct wire_span){others[i], strlen(others[i])});
        CHECK_STATUS(user_call(init, CAP_ID(LAUNCHER_SLOT, 1), RESTRICTED_LAUNCHER_INTERFACE_ID,
                               RESTRICTED_LAUNCHER_METHOD_LAUNCH, &m, NULL, 0, &reply),
                     STATUS_EXCEPTION);
        user_scratch_reset(init);
    }
    CHECK_EQ(process_init->denial_count, ARRAY_SIZE(others));
    CHECK_EQ(process_init->denials[0].reason, DENIAL_REASON_ATTENUATED);
    CHECK(strcmp(process_init->denials[0].name, "init") == 0);
    CHECK(process_program == NULL);
}
