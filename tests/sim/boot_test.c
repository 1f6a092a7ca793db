/* The start of the machine and its end: what init finds, what the host hears, and packages with
 * which nothing can start. */
#include "abi/boot_package.h"
#include "abi/host_link.h"
#include "kernel/core/host_link.h"
#include "lib/wire/gen/messages.h"
#include "tests/lib/invariants.h"
#include "tests/lib/sim.h"

#define CONTENT_PAGES 2

struct package {
    _Alignas(BOOT_PACKAGE_ALIGN) uint8_t head[BOOT_PACKAGE_ALIGN];
    uint8_t manifest[BOOT_PACKAGE_ALIGN];
    uint8_t init[CONTENT_PAGES * BOOT_PACKAGE_ALIGN];
};

static struct package package;

static struct boot_package_header *make_package(void)
{
    struct boot_package_header *h = (struct boot_package_header *)(void *)package.head;
    memset(&package, 0, sizeof(package));
    *h = (struct boot_package_header){.magic = BOOT_PACKAGE_MAGIC,
                                      .version = BOOT_PACKAGE_VERSION,
                                      .count = 2,
                                      .size = sizeof(package)};
    h->entries[0] =
        (struct boot_package_entry){BOOT_PACKAGE_MANIFEST, offsetof(struct package, manifest), 16};
    h->entries[1] = (struct boot_package_entry){BOOT_PACKAGE_INIT, offsetof(struct package, init),
                                                sim_program(package.init, sizeof(package.init))};
    package.manifest[4] = 1; /* one segment of one word: an empty manifest */
    return h;
}

static void boot(void)
{
    sim_boot_package(&(struct sim_options){.seed = 1}, &package, sizeof(package));
    sim_host_greets();
}

/* Takes all that the machine has said; the last EXIT record of it. */
static bool host_hears_exit(struct host_link_exit *out)
{
    static uint8_t bytes[1 << 20];
    size_t size = 0;
    size_t got;
    bool heard = false;
    while ((got = sim_host_takes(bytes + size, sizeof(bytes) - size)) > 0) {
        size += got;
    }
    for (size_t at = 0; at < size;) {
        struct host_link_header h;
        CHECK_LE(at + sizeof(h), size);
        memcpy(&h, bytes + at, sizeof(h));
        CHECK_LE(at + sizeof(h) + h.length, size);
        if (h.type == HOST_LINK_EXIT) {
            CHECK_EQ(h.length, sizeof(*out));
            memcpy(out, bytes + at + sizeof(h), sizeof(*out));
            heard = true;
        }
        at += sizeof(h) + h.length;
    }
    return heard;
}

static void host_acknowledges(void)
{
    struct host_link_header ack = {.type = HOST_LINK_EXIT_ACK};
    sim_host_sends(&ack, sizeof(ack));
}

static void expect_boot_failure(void)
{
    struct host_link_exit record;
    CHECK(process_init == NULL);
    CHECK(host_hears_exit(&record));
    CHECK_EQ(record.kind, HOST_LINK_BOOT_FAILED);
    CHECK(strstr(sim_machine.log, "boot: ") != NULL || sim_machine.to_host.count == 0);
    host_acknowledges();
    CHECK(sim_ended(NULL));
}

static bool span_is(struct wire_span s, const char *text)
{
    return s.size == strlen(text) && memcmp(s.data, text, s.size) == 0;
}

TEST(init_finds_its_capabilities)
{
    static const char *const names[] = {"console", "stdio", "timer", "random",
                                        "code",    "boot",  "spawn", "launch"};
    static _Alignas(8) uint8_t bytes[MESSAGE_MAX];
    make_package();
    boot();
    CHECK(process_init != NULL);
    struct user *init = user_of(process_init);
    const struct user_registers *r = &init->thread->arch.registers;
    CHECK_EQ(r->rsi, init->ring);
    CHECK_EQ(r->rsp % 16, 0);
    CHECK_LE(r->rdx, sizeof(bytes));
    CHECK(user_read(process_init, r->rdi, bytes, r->rdx));
    struct wire_message m;
    CHECK_EQ(wire_message_open(&m, bytes, r->rdx), WIRE_OK);
    struct wire_reader start = wire_message_root(&m);
    CHECK_EQ(start_block_entry_gate(start), arch_gate_address());
    CHECK_EQ(start_block_random_seed(start).size, 16);
    struct wire_list set = start_block_cap_set(start);
    CHECK_EQ(set.count, 4 + 8);
    for (uint32_t i = 0; i < set.count; i++) {
        struct wire_reader e = wire_list_get_struct(set, i);
        struct object *o;
        CHECK_EQ(cap_set_entry_id(e), CAP_ID(i + 1, 1));
        CHECK_OK(cap_table_look_up(&process_init->table, cap_set_entry_id(e), &o));
        CHECK_EQ(object_interface_id(o), cap_set_entry_interface_id(e));
        CHECK(i < 4 || span_is(cap_set_entry_name(e), names[i - 4]));
    }
    CHECK_EQ(m.error, WIRE_OK);
    invariants_check();
}

TEST(the_machine_ends_when_the_host_has_acknowledged)
{
    struct host_link_exit record;
    int code;
    make_package();
    boot();
    CHECK_EQ(user_syscall(user_of(process_init), SYSCALL_EXIT, 7, 0, 0), USER_DIED);
    CHECK(!sim_ended(NULL));
    CHECK(host_hears_exit(&record));
    CHECK_EQ(record.kind, HOST_LINK_BOOT_FAILED); /* it started no program */
    host_acknowledges();
    CHECK(sim_ended(&code));
}

TEST(the_machine_does_not_wait_for_ever)
{
    make_package();
    boot();
    user_syscall(user_of(process_init), SYSCALL_EXIT, 7, 0, 0);
    sim_advance(999999999);
    CHECK(!sim_ended(NULL));
    sim_advance(1);
    CHECK(sim_ended(NULL));
}

/* --- a program --- */

static struct user *start_program(void)
{
    static struct user_message m;
    static struct user_reply reply;
    static const uint64_t start[2] = {1ull << 32, 0};
    struct user *init = user_of(process_init);
    wire_message_begin(&m.builder, m.bytes, sizeof(m.bytes));
    struct wire_builder b = boot_package_binary_params_init(&m.builder);
    boot_package_binary_params_set_name(b, (struct wire_span){BOOT_PACKAGE_INIT, 4});
    CHECK_OK(user_call(init, CAP_ID(CAP_SLOT_FIRST_GRANT + 5, 1), BOOT_PACKAGE_INTERFACE_ID,
                       BOOT_PACKAGE_METHOD_BINARY, &m, NULL, 0, &reply));
    struct cap_transfer image = {reply.transfers[0].cap, CAP_TRANSFER_COPY};
    wire_message_begin(&m.builder, m.bytes, sizeof(m.bytes));
    b = process_spawner_spawn_params_init(&m.builder);
    process_spawner_spawn_params_set_name(b, (struct wire_span){"program", 7});
    process_spawner_spawn_params_set_image(b, 0);
    process_spawner_spawn_params_set_start(b, (struct wire_span){start, sizeof(start)});
    CHECK_OK(user_call(init, CAP_ID(CAP_SLOT_FIRST_GRANT + 6, 1), PROCESS_SPAWNER_INTERFACE_ID,
                       PROCESS_SPAWNER_METHOD_SPAWN, &m, &image, 1, &reply));
    CHECK(process_program != NULL);
    return user_of(process_program);
}

static void expect_program_end(uint32_t kind, uint32_t code)
{
    struct host_link_exit record;
    CHECK(!sim_ended(NULL));
    user_syscall(user_of(process_init), SYSCALL_EXIT, 0, 0, 0);
    CHECK(host_hears_exit(&record));
    CHECK_EQ(record.kind, kind);
    CHECK_EQ(record.code, code);
    host_acknowledges();
    CHECK(sim_ended(NULL));
}

TEST(the_programs_status_is_the_machines)
{
    make_package();
    boot();
    user_syscall(start_program(), SYSCALL_EXIT, 42, 0, 0);
    expect_program_end(HOST_LINK_EXITED, 42);
}

TEST(a_program_that_was_denied_says_so)
{
    make_package();
    boot();
    user_syscall(start_program(), SYSCALL_EXIT, EXIT_BECAUSE_DENIED | 3, 0, 0);
    expect_program_end(HOST_LINK_DENIED, 3);
}

TEST(a_programs_fault_is_reported)
{
    make_package();
    boot();
    struct user *program = start_program();
    CHECK(!user_touch(program, 0x123450, UPCALL_ACCESS_WRITE));
    expect_program_end(HOST_LINK_FAULTED, 0);
}

/* --- packages with which nothing can start --- */

TEST(no_package)
{
    memset(&package, 0, sizeof(package));
    boot();
    expect_boot_failure();
}

TEST(no_init)
{
    make_package()->entries[1].name[0] = 'x';
    boot();
    expect_boot_failure();
}

TEST(init_is_no_program)
{
    make_package();
    package.init[1] = 'X';
    boot();
    expect_boot_failure();
}

TEST(init_outside_of_the_package)
{
    make_package()->entries[1].offset = 1ull << 40;
    boot();
    expect_boot_failure();
}

/* From too little for anything to enough: init starts, or the host hears that it did not. */

static uint64_t pages;

static void boot_with_little(void)
{
    struct host_link_exit record;
    sim_boot_package(&(struct sim_options){.pages = pages}, &package, sizeof(package));
    CHECK(process_init != NULL || host_hears_exit(&record));
}

static void boot_to_init(void)
{
    boot_with_little();
    CHECK(process_init != NULL);
}

TEST(little_memory)
{
    make_package();
    for (pages = 40; pages < 140; pages++) {
        test_context("%llu pages", (unsigned long long)pages);
        CHECK(!test_fails(boot_with_little));
    }
    pages = 40;
    CHECK(test_fails(boot_to_init));
    pages = 400;
    CHECK(!test_fails(boot_to_init));
}
