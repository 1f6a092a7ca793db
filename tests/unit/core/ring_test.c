/* The ring: acceptance, completions, statuses of entries that are wrong, and what a hostile
 * thread can do with its own. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/console.h"
#include "lib/wire/gen/entropy_source.h"
#include "lib/wire/gen/pipe_reader.h"
#include "tests/lib/ipc.h"

static struct user *u;
static struct user_message message;

static void boot(void)
{
    static struct object *grants[] = {&console_object, &entropy_source_object};
    sim_boot(NULL);
    u = user_of(sim_process(grants, 2));
}

#define CONSOLE CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define ENTROPY CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1)

static int run(struct ring_entry e)
{
    return user_run(u, e).status;
}

static void set_word(uint64_t offset, uint32_t value)
{
    CHECK(user_write(u->process, u->ring + offset, &value, sizeof(value)));
}

#define SET(field, value) set_word(offsetof(struct ring_header, field), value)

static struct ring_entry nop(uint64_t user_data)
{
    return (struct ring_entry){.opcode = RING_OP_NOP, .user_data = user_data};
}

/* --- acceptance --- */

TEST(nop_completes_with_its_user_data)
{
    boot();
    struct ring_completion c = user_run(u, nop(7));
    CHECK_OK(c.status);
    CHECK_EQ(c.result_size | c.transfer_count | c.flags | c.aux | c.method, 0);
}

TEST(a_full_queue_of_entries_in_one_enter)
{
    boot();
    for (int round = 0; round < 20; round++) {
        for (uint64_t i = 0; i < RING_SQ_ENTRIES_DEFAULT; i++) {
            struct ring_entry e = nop(i);
            user_submit(u, &e);
        }
        CHECK_EQ(user_enter(u, RING_SQ_ENTRIES_DEFAULT, CAP_ENTER_FOREVER), USER_RETURNED);
        CHECK_EQ(user_result(u), RING_SQ_ENTRIES_DEFAULT);
        for (uint64_t i = 0; i < RING_SQ_ENTRIES_DEFAULT; i++) {
            CHECK_OK(ipc_take(u, i).status);
        }
    }
}

TEST(what_has_no_room_for_its_completion_is_not_accepted)
{
    boot();
    uint64_t next = 0;
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < RING_SQ_ENTRIES_DEFAULT; k++) {
            struct ring_entry e = nop(next++);
            user_submit(u, &e);
        }
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    }
    CHECK_EQ(user_result(u), RING_CQ_ENTRIES_DEFAULT);
    CHECK_EQ(user_ring(u).sq_tail - user_ring(u).sq_head, RING_SQ_ENTRIES_DEFAULT);
    for (uint64_t i = 0; i < 3 * RING_SQ_ENTRIES_DEFAULT; i++) {
        CHECK_OK(ipc_take(u, i).status);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    }
    ipc_take_none(u);
}

TEST(entries_in_flight_take_room_too)
{
    boot();
    cap_id_t endpoint = ipc_endpoint(u->process);
    struct ring_entry receive = ipc_receive(u, 0, endpoint);
    for (uint64_t i = 0; i < RING_CQ_ENTRIES_DEFAULT; i++) {
        receive.user_data = i;
        ipc_start(u, receive);
    }
    CHECK_EQ(u->thread->ring.in_flight, RING_CQ_ENTRIES_DEFAULT);
    struct ring_entry e = ipc_cancel(1000, 5);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    CHECK_EQ(user_ring(u).sq_tail - user_ring(u).sq_head, 1); /* not even CANCEL has a place */
    ipc_take_none(u);
}

/* --- larger rings --- */

static void check_ring_of(uint32_t entries)
{
    struct thread *t;
    CHECK_OK(thread_create(u->process, u->process->space, entries, &t));
    thread_start(t);
    struct user *big = user_of_thread(t);
    struct ring_header h = user_ring(big);
    CHECK_EQ(h.sq_entries, entries);
    CHECK_EQ(h.cq_entries, 2 * entries);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < entries; i++) {
            struct ring_entry e = nop(i);
            user_submit(big, &e);
        }
        CHECK_EQ(user_enter(big, entries, CAP_ENTER_FOREVER), USER_RETURNED);
        for (uint64_t i = 0; i < entries; i++) {
            CHECK_OK(ipc_take(big, i).status);
        }
    }
}

TEST(rings_of_every_size)
{
    boot();
    for (uint32_t entries = 1; entries <= RING_ENTRIES_MAX; entries *= 2) {
        check_ring_of(entries);
    }
    struct thread *t;
    struct process *p = u->process;
    CHECK_STATUS(thread_create(p, p->space, 3, &t), STATUS_BAD_ENTRY);
    CHECK_STATUS(thread_create(p, p->space, 2 * RING_ENTRIES_MAX, &t), STATUS_BAD_ENTRY);
}

TEST(thousands_in_flight_are_found_and_end_with_their_thread)
{
    boot();
    struct thread *t;
    CHECK_OK(thread_create(u->process, u->process->space, RING_ENTRIES_MAX, &t));
    thread_start(t);
    struct user *big = user_of_thread(t);
    cap_id_t endpoint = ipc_endpoint(u->process);
    struct ring_entry receive = ipc_receive(big, 0, endpoint);
    for (uint64_t i = 0; i < RING_ENTRIES_MAX; i++) {
        receive.user_data = i * 64;
        user_submit(big, &receive);
    }
    CHECK_EQ(user_enter(big, 0, 0), USER_RETURNED);
    CHECK_EQ(t->ring.in_flight, RING_ENTRIES_MAX);
    for (uint64_t i = 0; i < RING_ENTRIES_MAX; i += 3) {
        struct ring_entry e = ipc_cancel(1, i * 64);
        user_submit(big, &e);
        CHECK_EQ(user_enter(big, 0, 0), USER_RETURNED);
        CHECK_STATUS(ipc_take(big, i * 64).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(big, 1).status);
    }
}

/* --- entries that are wrong --- */

TEST(each_wrong_entry_has_its_status)
{
    boot();
    struct ring_entry e = nop(1);
    for (unsigned opcode = RING_OP_COUNT; opcode < 256; opcode++) {
        e.opcode = (uint8_t)opcode;
        CHECK_STATUS(run(e), -STATUS_BAD_OPCODE);
    }
    for (uint8_t opcode = 0; opcode < RING_OP_COUNT; opcode++) {
        e = nop(1);
        e.opcode = opcode;
        e.reserved = 1;
        CHECK_STATUS(run(e), -STATUS_BAD_ENTRY);
        e.reserved = 0;
        e.flags = opcode == RING_OP_RETURN ? 0xfe : 1;
        CHECK_STATUS(run(e), -STATUS_BAD_ENTRY);
    }
}

TEST(each_bad_capability_id_has_its_status)
{
    boot();
    cap_id_t stale = ipc_token(u->process);
    CHECK_OK(run((struct ring_entry){.opcode = RING_OP_RELEASE, .cap = stale}));
    static const uint8_t opcodes[] = {RING_OP_CALL, RING_OP_RETURN, RING_OP_RELEASE, RING_OP_PARK,
                                      RING_OP_UNPARK};
    for (unsigned i = 0; i < sizeof(opcodes); i++) {
        struct ring_entry e = {.opcode = opcodes[i], .cap = CAP_ID_NONE};
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
        e.cap = stale;
        CHECK_STATUS(run(e), -STATUS_STALE_CAPABILITY);
        e.cap = stale + (1u << CAP_SLOT_BITS); /* not given out yet */
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
        e.cap = CAP_ID(CAP_SLOT_MASK, 1);
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
        e.cap = CAP_ID(CAP_SLOT_MEMORY, 0);
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
        e.cap = UINT32_MAX;
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
        e.cap = CAP_ID(0, 1);
        CHECK_STATUS(run(e), -STATUS_BAD_CAPABILITY);
    }
}

TEST(wrong_interface_and_unknown_method)
{
    boot();
    CHECK_STATUS(user_call(u, CONSOLE, ENTROPY_SOURCE_INTERFACE_ID, 0, NULL, NULL, 0, NULL),
                 STATUS_WRONG_INTERFACE);
    CHECK_STATUS(user_call(u, CONSOLE, 0, 0, NULL, NULL, 0, NULL), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(
        user_call(u, CONSOLE, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_COUNT, NULL, NULL, 0, NULL),
        STATUS_UNKNOWN_METHOD);
    CHECK_STATUS(user_call(u, CONSOLE, CONSOLE_INTERFACE_ID, 0xffff, NULL, NULL, 0, NULL),
                 STATUS_UNKNOWN_METHOD);
    CHECK_STATUS(run((struct ring_entry){.opcode = RING_OP_PARK, .cap = CONSOLE}),
                 -STATUS_WRONG_INTERFACE);
    CHECK_STATUS(run((struct ring_entry){.opcode = RING_OP_UNPARK, .cap = CONSOLE}),
                 -STATUS_WRONG_INTERFACE);
}

/* --- messages and buffers --- */

TEST(bad_messages_to_a_kernel_object)
{
    boot();
    struct wire_builder b = user_message(&message, 0, 1);
    console_write_line_params_set_text(b, (struct wire_span){"line", 4});
    struct ring_entry good = user_call_entry(u, CONSOLE, CONSOLE_INTERFACE_ID,
                                             CONSOLE_METHOD_WRITE_LINE, &message, NULL, 0);
    CHECK_OK(run(good));
    CHECK(strstr(sim_machine.log, "line\n") != NULL);
    struct ring_entry e = good;
    e.message_size = MESSAGE_MAX + 1;
    CHECK_STATUS(run(e), -STATUS_MESSAGE_TOO_LARGE);
    static const uint64_t addresses[] = {0,        0x1000,     USER_END - 8,
                                         USER_END, 1ull << 63, UINT64_MAX - 7};
    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++) {
        e = good;
        e.message = addresses[i];
        CHECK_STATUS(run(e), -STATUS_BAD_ADDRESS);
        e = good;
        e.result = addresses[i];
        CHECK_STATUS(run(e), -STATUS_BAD_ADDRESS);
    }
    for (uint32_t size = 1; size < 16; size++) { /* no room for frame and root */
        e = good;
        e.message_size = size;
        CHECK_STATUS(run(e), -STATUS_BAD_MESSAGE);
    }
    uint64_t wild[3] = {2ull << 32, 0x7fffffff00000000ull, 0};
    e.message = user_place(u, wild, sizeof(wild));
    e.message_size = sizeof(wild);
    CHECK_STATUS(run(e), -STATUS_BAD_MESSAGE);
    e.message_size = 0; /* all defaults: an empty line */
    CHECK_OK(run(e));
}

TEST(an_answer_without_room)
{
    boot();
    struct wire_builder b = user_message(&message, 1, 0);
    entropy_source_fill_params_set_count(b, 64);
    struct ring_entry e = user_call_entry(u, ENTROPY, ENTROPY_SOURCE_INTERFACE_ID, 0, &message,
                                          NULL, 0);
    e.result_size = 80;
    struct ring_completion c = user_run(u, e);
    CHECK_STATUS(c.status, -STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(c.result_size, 0);
    CHECK_EQ(c.aux, 88);
    e.result_size = c.aux;
    CHECK_OK(run(e));
    b = user_message(&message, 1, 0);
    entropy_source_fill_params_set_count(b, 65);
    e = user_call_entry(u, ENTROPY, ENTROPY_SOURCE_INTERFACE_ID, 0, &message, NULL, 0);
    e.result_size = 8;
    c = user_run(u, e); /* the caller still learns that it was an exception */
    CHECK_STATUS(c.status, -STATUS_EXCEPTION);
    CHECK_EQ(c.result_size, 0);
    e = user_call_entry(u, CONSOLE, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, NULL, NULL, 0);
    e.result_size = 0; /* a method without results needs none */
    CHECK_OK(run(e));
}

TEST(transfer_counts_are_bounded)
{
    boot();
    struct ring_entry e = user_call_entry(u, CONSOLE, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE,
                                          NULL, NULL, 0);
    e.transfer_count = RING_TRANSFERS_MAX + 1;
    CHECK_STATUS(run(e), -STATUS_BAD_ENTRY);
    e.transfer_count = 0;
    e.transfer_max = RING_TRANSFERS_MAX + 1;
    CHECK_STATUS(run(e), -STATUS_BAD_ENTRY);
    e.transfer_max = 0;
    e.transfer_count = RING_TRANSFERS_MAX;
    struct cap_transfer sent[RING_TRANSFERS_MAX];
    for (int i = 0; i < RING_TRANSFERS_MAX; i++) {
        sent[i] = (struct cap_transfer){.cap = CONSOLE};
    }
    e.transfers = user_place(u, sent, sizeof(sent));
    CHECK_OK(run(e));
    sent[63].mode = 2;
    e.transfers = user_place(u, sent, sizeof(sent));
    CHECK_STATUS(run(e), -STATUS_BAD_ENTRY);
    sent[63].mode = CAP_TRANSFER_MOVE;
    sent[62].mode = CAP_TRANSFER_MOVE; /* twice the same */
    e.transfers = user_place(u, sent, sizeof(sent));
    CHECK_STATUS(run(e), -STATUS_IN_TRANSIT);
    CHECK_OK(ipc_look_up(u->process, CONSOLE));
    sent[62].mode = CAP_TRANSFER_COPY;
    e.transfers = user_place(u, sent, sizeof(sent));
    CHECK_OK(run(e));
    /* it was accepted with success: gone */
    CHECK_STATUS(ipc_look_up(u->process, CONSOLE), STATUS_STALE_CAPABILITY);
}

/* --- the thread against its own ring --- */

TEST(indices_out_of_bounds)
{
    boot();
    static const uint32_t jumps[] = {RING_SQ_ENTRIES_DEFAULT + 1, 1u << 31, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_SIZE(jumps); i++) {
        struct ring_header h = user_ring(u);
        SET(sq_tail, h.sq_head + jumps[i]);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        CHECK_EQ(user_result(u), -(int)STATUS_BAD_RING);
        SET(sq_tail, h.sq_head);
        SET(cq_head, h.cq_tail - RING_CQ_ENTRIES_DEFAULT - 1 - i * 1000);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        CHECK_EQ(user_result(u), -(int)STATUS_BAD_RING);
        SET(cq_head, h.cq_tail + 1);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        CHECK_EQ(user_result(u), -(int)STATUS_BAD_RING);
        SET(cq_head, h.cq_tail);
        CHECK_OK(run(nop(i)));
    }
}

TEST(the_kernel_does_not_read_back_what_it_wrote)
{
    boot();
    CHECK_OK(run(nop(1)));
    SET(sq_head, 0x1234);
    SET(cq_tail, 0x5678);
    SET(sq_entries, 1u << 30);
    SET(cq_entries, 1u << 30);
    SET(sq_offset, 0xfffff000u);
    SET(cq_offset, 0xfffff000u);
    struct ring_entry e = nop(2);
    uint64_t at = u->ring + RING_DEFAULT_SQ_OFFSET + 1 * sizeof(e);
    CHECK(user_write(u->process, at, &e, sizeof(e)));
    SET(sq_tail, 2);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_result(u), 1);
    struct ring_completion c;
    CHECK(user_read(u->process, u->ring + RING_DEFAULT_CQ_OFFSET + sizeof(c), &c, sizeof(c)));
    CHECK_EQ(c.user_data, 2);
    CHECK_EQ(user_ring(u).sq_head, 2);
    CHECK_EQ(user_ring(u).cq_tail, 2);
    SET(sq_entries, RING_SQ_ENTRIES_DEFAULT);
    SET(cq_entries, RING_CQ_ENTRIES_DEFAULT);
    SET(sq_offset, RING_DEFAULT_SQ_OFFSET);
    SET(cq_offset, RING_DEFAULT_CQ_OFFSET);
}

TEST(moving_cq_head_back_hurts_nobody_but_the_thread)
{
    boot();
    cap_id_t endpoint = ipc_endpoint(u->process);
    struct user *other = user_thread(u->process);
    struct ring_entry receive = ipc_receive(u, 0, endpoint);
    for (uint64_t i = 0; i < 8; i++) {
        receive.user_data = i;
        ipc_start(u, receive);
    }
    for (int i = 0; i < 24; i++) {
        CHECK_OK(run(nop(99)));
    }
    struct ring_header h = user_ring(u);
    SET(cq_head, h.cq_tail - RING_CQ_ENTRIES_DEFAULT); /* as if nothing had been taken */
    cap_id_t facet = ipc_facet(u->process, endpoint, u->process, 1);
    for (uint64_t i = 0; i < 8; i++) {
        /* completes the RECVs, over what was there */
        ipc_start(other, ipc_call(other, i, facet, "x"));
    }
    CHECK_EQ(u->thread->ring.in_flight, 0);
    CHECK_EQ(user_ring(u).cq_tail, h.cq_tail + 8);
    SET(cq_head, h.cq_tail + 8);
    CHECK_OK(run(nop(1)));
}

/* --- CANCEL --- */

TEST(cancel_finds_the_one_accepted_first)
{
    boot();
    cap_id_t endpoint = ipc_endpoint(u->process);
    struct ring_entry a = ipc_receive(u, 4, endpoint), b = ipc_receive(u, 4, endpoint);
    CHECK_STATUS(run(ipc_cancel(1, 4)), -STATUS_NOT_FOUND);
    ipc_start(u, a);
    ipc_start(u, b);
    ipc_start(u, ipc_cancel(1, 4));
    CHECK_STATUS(ipc_take(u, 4).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(u, 1).status);
    cap_id_t facet = ipc_facet(u->process, endpoint, u->process, 1);
    ipc_start(u, ipc_call(u, 5, facet, "for b"));
    CHECK_OK(ipc_take(u, 4).status);
    CHECK(ipc_result_is(u, &b, sizeof(struct ring_request), "for b"));
}

TEST(threads_cancel_only_their_own)
{
    boot();
    struct user *other = user_thread(u->process);
    ipc_start(u, ipc_receive(u, 4, ipc_endpoint(u->process)));
    CHECK_STATUS(user_run(other, ipc_cancel(1, 4)).status, -STATUS_NOT_FOUND);
}

/* --- denial records --- */

TEST(refusals_leave_records)
{
    boot();
    struct process *p = u->process;
    CHECK_STATUS(user_call(u, CAP_ID_NONE, TIMER_INTERFACE_ID, 0, NULL, NULL, 0, NULL),
                 STATUS_BAD_CAPABILITY);
    CHECK_EQ(p->denial_count, 1);
    CHECK_EQ(p->denials[0].reason, DENIAL_REASON_NOT_GRANTED);
    CHECK_EQ(p->denials[0].interface_id, TIMER_INTERFACE_ID);
    CHECK(strcmp(p->denials[0].grant, "timer") == 0);
    CHECK_STATUS(user_call(u, CONSOLE, STD_IO_INTERFACE_ID, 2, NULL, NULL, 0, NULL),
                 STATUS_WRONG_INTERFACE);
    CHECK_EQ(p->denials[1].reason, DENIAL_REASON_WRONG_TYPE);
    CHECK_EQ(p->denials[1].method, 2);
    CHECK(strcmp(p->denials[1].grant, "stdio") == 0);
    CHECK_STATUS(user_call(u, CONSOLE, CONSOLE_INTERFACE_ID, 9, NULL, NULL, 0, NULL),
                 STATUS_UNKNOWN_METHOD);
    CHECK_EQ(p->denials[2].reason, DENIAL_REASON_UNSUPPORTED);
    CHECK_EQ(p->denials[2].grant[0], '\0');
    CHECK_STATUS(user_call(u, CAP_ID(900, 1), TIMER_INTERFACE_ID, 0, NULL, NULL, 0, NULL),
                 STATUS_BAD_CAPABILITY);
    CHECK_EQ(p->denial_count, 3); /* a forged id is a mistake, not a refusal */
    for (int i = 0; i < 20; i++) {
        CHECK_STATUS(user_call(u, CAP_ID_NONE, TIMER_INTERFACE_ID, 0, NULL, NULL, 0, NULL),
                     STATUS_BAD_CAPABILITY);
    }
    CHECK_EQ(p->denial_count, 23);
}

TEST(exhaustion_is_explained)
{
    struct process *p;
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_CALLS] = 3};
    sim_boot(NULL);
    CHECK_OK(sim_process_try(&ledger_root, NULL, 0, limits, &p));
    u = user_of(p);
    cap_id_t endpoint = ipc_endpoint(p);
    for (uint64_t i = 0; i < 3; i++) {
        ipc_start(u, ipc_receive(u, i, endpoint));
    }
    cap_id_t facet = ipc_facet(p, ipc_endpoint(p), p, 1);
    CHECK_STATUS(run(ipc_call(u, 4, facet, "x")), -STATUS_CALLS_EXHAUSTED);
    CHECK_EQ(p->denials[0].reason, DENIAL_REASON_EXHAUSTED);
    CHECK_EQ(p->denials[0].interface_id, IPC_INTERFACE);
    struct ring_entry receive = ipc_receive(u, 5, endpoint);
    receive.interface_id = 0x1234; /* which RECV does not use: it names no interface */
    CHECK_STATUS(run(receive), -STATUS_CALLS_EXHAUSTED);
    CHECK_EQ(p->denial_count, 2);
    CHECK_EQ(p->denials[1].interface_id, 0);
    CHECK_EQ(p->denials[1].method, DENIAL_NO_METHOD);
}
