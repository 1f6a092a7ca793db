/* Entries that a program should not write: each gets its documented status, has no effect, and the
 * program goes on. */
#include "kernel/cap/root_objects.h"
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

static struct scene scene;
static struct user *u;

static void begin(void)
{
    scene_boot();
    scene_make(&scene);
    u = scene.u;
}

/* Runs the entry, which must complete with that status. */
#define EXPECT(entry_, status_)                                                                    \
    do {                                                                                           \
        struct ring_completion c_ = user_run(u, (entry_));                                         \
        CHECK_STATUS(-c_.status, status_);                                                         \
        invariants_check();                                                                        \
    } while (0)

static struct ring_entry timer_now_entry(void)
{
    user_scratch_reset(u);
    return scene_entry(&scene, scene_find(&timer_interface, TIMER_METHOD_NOW));
}

static void still_works(void)
{
    EXPECT(timer_now_entry(), STATUS_OK);
}

TEST(unknown_opcodes_are_refused)
{
    begin();
    for (int opcode = RING_OP_COUNT; opcode <= UINT8_MAX; opcode++) {
        EXPECT(((struct ring_entry){.opcode = (uint8_t)opcode, .cap = SCENE_CAP(SCENE_TIMER)}),
               STATUS_BAD_OPCODE);
    }
    still_works();
}

TEST(reserved_words_and_flags_are_refused)
{
    begin();
    for (int opcode = 0; opcode < RING_OP_COUNT; opcode++) {
        struct ring_entry e = {
            .opcode = (uint8_t)opcode, .cap = SCENE_CAP(SCENE_TIMER), .reserved = 1};
        EXPECT(e, STATUS_BAD_ENTRY);
        e.reserved = 0x80000000;
        EXPECT(e, STATUS_BAD_ENTRY);
        for (int bit = 0; bit < 8; bit++) {
            uint8_t allowed = opcode == RING_OP_RETURN ? RING_FLAG_EXCEPTION | RING_FLAG_RECEIVE
                              : opcode == RING_OP_CALL ? RING_FLAG_SHORT
                                                       : 0;
            e.reserved = 0;
            e.flags = (uint8_t)(1u << bit);
            if ((e.flags & allowed) == 0) {
                EXPECT(e, STATUS_BAD_ENTRY);
            }
        }
    }
    still_works();
}

static const uint8_t opcodes_with_cap[] = {RING_OP_CALL,    RING_OP_RECV, RING_OP_RETURN,
                                           RING_OP_RELEASE, RING_OP_PARK, RING_OP_UNPARK};
#define OPCODES_WITH_CAP (sizeof(opcodes_with_cap) / sizeof(opcodes_with_cap[0]))

/* Each opcode that names a capability refuses this id. */
static void expect_refused(cap_id_t id, status_t status)
{
    for (size_t i = 0; i < OPCODES_WITH_CAP; i++) {
        struct ring_entry e = timer_now_entry();
        e.opcode = opcodes_with_cap[i];
        e.cap = id;
        EXPECT(e, status);
    }
    struct cap_transfer sent[] = {{SCENE_CAP(SCENE_CONSOLE), CAP_TRANSFER_COPY},
                                  {id, CAP_TRANSFER_COPY}};
    for (uint32_t mode = CAP_TRANSFER_COPY; mode <= CAP_TRANSFER_MOVE; mode++) {
        sent[1].mode = mode;
        user_scratch_reset(u);
        EXPECT(user_call_entry(u, SCENE_CAP(SCENE_TIMER), TIMER_INTERFACE_ID, 0, NULL, sent, 2),
               status);
    }
}

TEST(forged_ids_are_refused)
{
    begin();
    expect_refused(CAP_ID_NONE, STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(0, 1), STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(SCENE_TIMER, 0), STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(SCENE_TIMER, 2), STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(SCENE_TIMER, CAP_GENERATION_MAX), STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(CAP_SLOT_MASK, 1), STATUS_BAD_CAPABILITY);
    expect_refused(CAP_ID(CAP_SLOT_MASK, CAP_GENERATION_MAX), STATUS_BAD_CAPABILITY);
    for (uint32_t slot = 200; slot < 100000; slot = slot * 3 + 1) {
        expect_refused(CAP_ID(slot, 1), STATUS_BAD_CAPABILITY);
    }
    still_works();
}

TEST(released_ids_are_stale)
{
    begin();
    cap_id_t id = sim_grant(u->process, &console_object);
    EXPECT(((struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id}), STATUS_OK);
    expect_refused(id, STATUS_STALE_CAPABILITY);
    cap_id_t again = sim_grant(u->process, &console_object);
    CHECK_NE(id, again); /* the slot may be the same, the generation is not */
    expect_refused(id, STATUS_STALE_CAPABILITY);
    still_works();
}

TEST(wrong_types_are_refused)
{
    begin();
    for (uint32_t i = 0; i < scene_case_count; i++) {
        const struct scene_case *c = &scene_cases[i];
        user_scratch_reset(u);
        struct ring_entry e = scene_entry(&scene, c);
        cap_id_t right = e.cap;
        for (uint32_t slot = 1; slot < SCENE_GRANTS_END; slot++) {
            e.cap = SCENE_CAP(slot);
            struct object *o;
            CHECK_OK(cap_table_look_up(&u->process->table, e.cap, &o));
            if (object_interface_id(o) != e.interface_id) {
                EXPECT(e, STATUS_WRONG_INTERFACE);
            }
        }
        e.cap = right;
        e.interface_id ^= 1;
        EXPECT(e, STATUS_WRONG_INTERFACE);
        e.interface_id ^= 1;
        e.method = (uint16_t)c->interface->method_count;
        EXPECT(e, STATUS_UNKNOWN_METHOD);
        e.method = UINT16_MAX;
        EXPECT(e, STATUS_UNKNOWN_METHOD);
    }
    struct ring_entry e = timer_now_entry();
    for (size_t i = 1; i < OPCODES_WITH_CAP; i++) {
        e.opcode = opcodes_with_cap[i];
        if (e.opcode != RING_OP_RELEASE) {
            EXPECT(e, STATUS_WRONG_INTERFACE);
        }
    }
    still_works();
}

TEST(sizes_out_of_bounds_are_refused)
{
    begin();
    struct ring_entry e = timer_now_entry();
    e.message_size = MESSAGE_MAX + 1;
    EXPECT(e, STATUS_MESSAGE_TOO_LARGE);
    e.message_size = UINT32_MAX;
    EXPECT(e, STATUS_MESSAGE_TOO_LARGE);
    e = timer_now_entry();
    e.transfer_count = RING_TRANSFERS_MAX + 1;
    EXPECT(e, STATUS_BAD_ENTRY);
    e.transfer_count = UINT16_MAX;
    EXPECT(e, STATUS_BAD_ENTRY);
    e = timer_now_entry();
    e.transfer_max = RING_TRANSFERS_MAX + 1;
    EXPECT(e, STATUS_BAD_ENTRY);
    struct cap_transfer sent = {SCENE_CAP(SCENE_CONSOLE), CAP_TRANSFER_MOVE + 1};
    EXPECT(user_call_entry(u, SCENE_CAP(SCENE_TIMER), TIMER_INTERFACE_ID, 0, NULL, &sent, 1),
           STATUS_BAD_ENTRY);
    still_works();
}

TEST(one_capability_cannot_be_moved_twice)
{
    begin();
    cap_id_t id = sim_grant(u->process, &console_object);
    struct cap_transfer sent[] = {{id, CAP_TRANSFER_MOVE}, {id, CAP_TRANSFER_MOVE}};
    EXPECT(user_call_entry(u, SCENE_CAP(SCENE_TIMER), TIMER_INTERFACE_ID, 0, NULL, sent, 2),
           STATUS_IN_TRANSIT);
    sent[1].mode = CAP_TRANSFER_COPY;
    EXPECT(user_call_entry(u, SCENE_CAP(SCENE_TIMER), TIMER_INTERFACE_ID, 0, NULL, sent, 2),
           STATUS_IN_TRANSIT);
    EXPECT(((struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id}),
           STATUS_OK); /* it is back under its id */
    still_works();
}

/* --- addresses --- */

/* Ranges that no buffer may be in; most begin well. */
static uint64_t bad_address(int kind, size_t size)
{
    switch (kind) {
    case 0: return 0;
    case 1: return 8;
    case 2: return USER_BASE - 8;
    case 3: return USER_END - 8; /* the gate's page, then the end */
    case 4: return USER_END;
    case 5: return 0xffff800000000000;
    case 6: return 0xffffffff80000000;
    case 7: return UINT64_MAX - 7; /* wraps */
    case 8: return UINT64_MAX - size + 1;
    case 9: return 0x8000000000000000;
    case 10: return scene.reserved;                             /* nothing committed there */
    case 11: return scene.memory + SCENE_PAGES * PAGE_SIZE - 8; /* runs out of the region */
    default: return 1;
    }
}
#define BAD_ADDRESSES 12

/* Ranges that may be read and not written. */
static uint64_t read_only_address(int kind)
{
    switch (kind) {
    case 0: return scene.read_only_at;
    case 1: return scene.image_at;
    case 2: return scene.code;
    default: return arch_gate_address();
    }
}
#define READ_ONLY_ADDRESSES 4

/* So that kind 11 has nothing mapped behind it. */
static void isolate_memory(void)
{
    uint64_t end = scene.memory + SCENE_PAGES * PAGE_SIZE;
    uint8_t byte;
    if (user_read(u->process, end, &byte, 1)) {
        CHECK_OK(address_space_unmap(u->process->space, end - PAGE_SIZE, PAGE_SIZE));
    }
}

TEST(messages_that_cannot_be_read_are_refused)
{
    begin();
    isolate_memory();
    for (uint32_t i = 0; i < scene_case_count; i++) {
        user_scratch_reset(u);
        struct ring_entry e = scene_entry(&scene, &scene_cases[i]);
        for (int kind = 0; kind < BAD_ADDRESSES; kind++) {
            test_context("%s, method %u, address of kind %d", scene_cases[i].interface->name,
                         scene_cases[i].method, kind);
            e.message = bad_address(kind, e.message_size);
            if (e.message_size > 8) {
                EXPECT(e, STATUS_BAD_ADDRESS);
            }
        }
    }
    still_works();
}

TEST(transfers_that_cannot_be_read_are_refused)
{
    begin();
    isolate_memory();
    struct cap_transfer sent[2] = {{SCENE_CAP(SCENE_CONSOLE), 0}, {SCENE_CAP(SCENE_CONSOLE), 0}};
    user_scratch_reset(u);
    struct ring_entry e =
        user_call_entry(u, SCENE_CAP(SCENE_TIMER), TIMER_INTERFACE_ID, 0, NULL, sent, 2);
    for (int kind = 0; kind < BAD_ADDRESSES; kind++) {
        e.transfers = bad_address(kind, sizeof(sent));
        EXPECT(e, STATUS_BAD_ADDRESS);
    }
    still_works();
}

TEST(answers_that_cannot_be_written_are_lost)
{
    begin();
    isolate_memory();
    struct ring_entry e = timer_now_entry();
    for (int kind = 0; kind < BAD_ADDRESSES; kind++) {
        test_context("address of kind %d", kind);
        e.result = bad_address(kind, e.result_size);
        EXPECT(e, STATUS_BAD_ADDRESS);
    }
    for (int kind = 0; kind < READ_ONLY_ADDRESSES; kind++) {
        test_context("read-only address of kind %d", kind);
        e.result = read_only_address(kind);
        EXPECT(e, STATUS_BAD_ADDRESS);
        e.message = read_only_address(kind); /* read it may be; what is there is another matter */
        struct ring_completion c = user_run(u, e);
        CHECK(c.status != 0);
        e = timer_now_entry();
    }
    /* What the call has done stays done, and what it gave goes back: no slot is lost. */
    const struct scene_case *make =
        scene_find(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE);
    uint32_t live = u->process->table.live;
    user_scratch_reset(u);
    e = scene_entry(&scene, make);
    e.transfers = bad_address(5, 16);
    EXPECT(e, STATUS_BAD_ADDRESS);
    e = scene_entry(&scene, make);
    e.result = scene.read_only_at;
    EXPECT(e, STATUS_BAD_ADDRESS);
    e = scene_entry(&scene, make);
    e.result_size = 8;
    EXPECT(e, STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(u->process->table.live, live);
    still_works();
}

TEST(a_buffer_unmapped_by_an_entry_before_is_missed)
{
    begin();
    uint64_t at;
    CHECK_OK(address_space_map(u->process->space, 0, false, PAGE_SIZE, PROTECTION_READ_WRITE, &at));
    for (int which = 0; which < 2; which++) {
        user_scratch_reset(u);
        struct ring_entry now = timer_now_entry();
        *(which == 0 ? &now.message : &now.result) = at;
        struct wire_builder b =
            user_message(&scene.message, VIRTUAL_MEMORY_UNMAP_PARAMS_DATA_WORDS, 0);
        virtual_memory_unmap_params_set_address(b, at);
        virtual_memory_unmap_params_set_size(b, PAGE_SIZE);
        struct ring_entry unmap =
            user_call_entry(u, SCENE_CAP(CAP_SLOT_MEMORY), VIRTUAL_MEMORY_INTERFACE_ID,
                            VIRTUAL_MEMORY_METHOD_UNMAP, &scene.message, NULL, 0);
        user_submit(u, &unmap);
        user_submit(u, &now);
        CHECK_EQ(user_enter(u, 2, CAP_ENTER_FOREVER), USER_RETURNED);
        struct ring_completion c;
        CHECK(user_reap(u, &c));
        CHECK_OK(c.status);
        CHECK(user_reap(u, &c));
        CHECK_STATUS(-c.status, STATUS_BAD_ADDRESS);
        CHECK_OK(address_space_map(u->process->space, at, false, PAGE_SIZE, PROTECTION_READ_WRITE,
                                   &at));
    }
    still_works();
}

TEST(a_buffer_unmapped_while_a_call_waits_is_missed)
{
    begin();
    uint64_t at;
    struct ring_completion c;
    CHECK_OK(address_space_map(u->process->space, 0, false, PAGE_SIZE, PROTECTION_READ_WRITE, &at));
    user_scratch_reset(u);
    struct ring_entry read =
        scene_entry(&scene, scene_find(&pipe_reader_interface, PIPE_READER_METHOD_READ));
    read.result = at;
    read.result_size = PAGE_SIZE;
    user_submit(u, &read);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    CHECK(!user_reap(u, &c));
    CHECK_OK(address_space_unmap(u->process->space, at, PAGE_SIZE));
    struct ring_entry write =
        scene_entry(&scene, scene_find(&pipe_writer_interface, PIPE_WRITER_METHOD_WRITE));
    user_submit(u, &write);
    CHECK_EQ(user_enter(u, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    for (int i = 0; i < 2; i++) {
        CHECK(user_reap(u, &c));
        CHECK_STATUS(-c.status, c.user_data == read.user_data ? STATUS_BAD_ADDRESS : STATUS_OK);
    }
    still_works();
}
