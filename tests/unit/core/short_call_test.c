/* Calls whose parameters lie in the entry (RING_FLAG_SHORT): what a kernel object answers, what a
 * server gets to see, and entries that are wrong. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/console.h"
#include "lib/wire/gen/entropy_source.h"
#include "lib/wire/gen/process_handle.h"
#include "lib/wire/gen/thread_control.h"
#include "lib/wire/gen/timer.h"
#include "lib/wire/gen/types.h"
#include "lib/wire/gen/virtual_memory.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

#define TIMER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define CONSOLE CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1)
#define ENTROPY CAP_ID(CAP_SLOT_FIRST_GRANT + 2, 1)
#define MEMORY CAP_ID(CAP_SLOT_MEMORY, 1)
#define THREAD_CONTROL CAP_ID(CAP_SLOT_THREAD, 1)
#define FILLED 0xa5 /* each byte where results would go */
#define FRAME_AND_ROOT 16u

static struct ipc w;
static struct user *u;
static uint64_t result_at;

static struct user *holder(void)
{
    struct object *grants[] = {&timer_object, &console_object, &entropy_source_object};
    return user_of(sim_process(grants, 3));
}

static void fill(struct user *of, uint64_t at)
{
    uint8_t bytes[IPC_ROOM];
    memset(bytes, FILLED, sizeof(bytes));
    CHECK(user_write(of->process, at, bytes, sizeof(bytes)));
}

static void boot(void)
{
    sim_boot(NULL);
    u = holder();
    result_at = user_place(u, NULL, IPC_ROOM);
    fill(u, result_at);
}

static struct ring_entry short_entry(cap_id_t cap, uint64_t interface_id, uint16_t method,
                                     uint32_t words, uint64_t first, uint64_t second)
{
    return (struct ring_entry){
        .opcode = RING_OP_CALL,
        .flags = RING_FLAG_SHORT,
        .cap = cap,
        .interface_id = interface_id,
        .method = method,
        .user_data = 1,
        .message = first,
        .transfers = second,
        .message_size = words * 8,
        .result = result_at,
        .result_size = IPC_ROOM,
    };
}

static void check_untouched(struct user *of, uint64_t at)
{
    uint8_t bytes[IPC_ROOM];
    CHECK(user_read(of->process, at, bytes, sizeof(bytes)));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        CHECK_EQ(bytes[i], FILLED);
    }
}

/* The answer is in the completion and nowhere else. */
static uint64_t check_short(struct ring_completion c, uint32_t size)
{
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_SHORT);
    CHECK_EQ(c.result_size, size);
    CHECK_EQ(c.transfer_count | c.reserved | c.aux, 0);
    check_untouched(u, result_at);
    return c.value;
}

/* --- kernel objects --- */

TEST(a_word_is_answered_in_the_completion)
{
    boot();
    sim_advance(12345);
    struct ring_entry e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 1, 0, 0);
    CHECK_EQ(check_short(user_run(u, e), 8), arch_now_ns());
    e.result = 0; /* there need be no room at all */
    e.result_size = 0;
    CHECK_EQ(check_short(user_run(u, e), 8), arch_now_ns());
    uint64_t reserved = u->process->space->reserved_pages;
    e = short_entry(MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_METHOD_RESERVE, 2, 0,
                    2 * PAGE_SIZE);
    uint64_t address = check_short(user_run(u, e), 8);
    CHECK(address >= USER_BASE && address % PAGE_SIZE == 0);
    CHECK_EQ(u->process->space->reserved_pages, reserved + 2);
    e = short_entry(MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_METHOD_UNMAP, 2, address,
                    2 * PAGE_SIZE);
    CHECK_EQ(check_short(user_run(u, e), 0), 0);
    CHECK_EQ(u->process->space->reserved_pages, reserved);
}

TEST(words_that_are_not_there_are_defaults_and_more_are_ignored)
{
    boot();
    struct ring_entry e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, 0, 999, 999);
    CHECK_EQ(check_short(user_run(u, e), 0), 0); /* 0 ns: it does not wait */
    e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 2, 0, UINT64_MAX);
    CHECK_EQ(check_short(user_run(u, e), 8), arch_now_ns());
    /* a third word, the protection: its default is none */
    e = short_entry(MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_METHOD_MAP, 2, 0,
                    PAGE_SIZE);
    uint64_t address = check_short(user_run(u, e), 8);
    uint8_t byte;
    CHECK(!user_read(u->process, address, &byte, 1));
}

/* The same words as a message. */
static struct ring_completion run_as_message(struct ring_entry e)
{
    uint64_t count = e.message_size / 8;
    uint64_t words[4] = {(count + 1) << 32, count << 32, e.message, e.transfers};
    e.flags = 0;
    e.message = user_place(u, words, FRAME_AND_ROOT + e.message_size);
    e.message_size += FRAME_AND_ROOT;
    e.transfers = 0;
    return user_run(u, e);
}

TEST(methods_with_pointers_find_them_null)
{
    boot();
    static const uint16_t methods[] = {CONSOLE_METHOD_WRITE, CONSOLE_METHOD_WRITE_LINE};
    for (int i = 0; i < 200; i++) {
        struct ring_entry e = short_entry(CONSOLE, CONSOLE_INTERFACE_ID, methods[i % 2],
                                          (uint32_t)i % 3, UINT64_MAX - (uint64_t)i, UINT64_MAX);
        CHECK_EQ(check_short(user_run(u, e), 0), 0);
        e = short_entry(THREAD_CONTROL, THREAD_CONTROL_INTERFACE_ID,
                        THREAD_CONTROL_METHOD_REPORT_DENIAL, 2, 0x1234, 0);
        CHECK_EQ(check_short(user_run(u, e), 0), 0);
        e.flags = 0; /* a message that cannot be read, in between */
        e.message = result_at;
        e.transfers = 0;
        CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_MESSAGE);
    }
    CHECK_EQ(u->process->denials[0].interface_id, 0x1234);
}

TEST(a_larger_answer_comes_as_a_message)
{
    boot();
    struct user_reply reply;
    struct ring_entry e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, 0, 0, 0);
    sim_advance(777);
    struct ring_completion c = user_run(u, e);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, 0);
    CHECK_EQ(c.value, 0);
    CHECK_EQ(c.result_size, FRAME_AND_ROOT + 16);
    user_take_reply(u, &e, &c, &reply);
    CHECK_EQ(timer_now_results_monotonic_ns(reply.root), arch_now_ns());
    e.result_size = FRAME_AND_ROOT + 15;
    c = user_run(u, e);
    CHECK_STATUS(c.status, -STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(c.aux, FRAME_AND_ROOT + 16);
    e.result_size = IPC_ROOM;
    e.result = 0x1000;
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ADDRESS);
    e = short_entry(ENTROPY, ENTROPY_SOURCE_INTERFACE_ID, ENTROPY_SOURCE_METHOD_FILL, 1, 24, 0);
    c = user_run(u, e);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, 0);
    user_take_reply(u, &e, &c, &reply);
    CHECK_EQ(entropy_source_fill_results_data(reply.root).size, 24);
    /* capabilities in the answer have no room in the entry */
    e = short_entry(MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT, 1,
                    PAGE_SIZE, 0);
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
}

TEST(an_exception_comes_as_a_message)
{
    boot();
    struct ring_entry e = short_entry(MEMORY, VIRTUAL_MEMORY_INTERFACE_ID,
                                      VIRTUAL_MEMORY_METHOD_UNMAP, 2, 1, 1);
    struct ring_completion c = user_run(u, e);
    CHECK_EQ(ipc_exception(u, &e, &c), EXCEPTION_TYPE_INVALID_ARGUMENT);
    CHECK_EQ(c.flags, RING_FLAG_EXCEPTION);
    CHECK_EQ(c.value, 0);
    uint32_t size = c.result_size;
    uint8_t bytes[2][IPC_ROOM];
    CHECK(user_read(u->process, result_at, bytes[0], size));
    c = run_as_message(e);
    CHECK_EQ(ipc_exception(u, &e, &c), EXCEPTION_TYPE_INVALID_ARGUMENT);
    CHECK_EQ(c.result_size, size);
    CHECK(user_read(u->process, result_at, bytes[1], size));
    CHECK_BYTES(bytes[0], bytes[1], size);
    e.result_size = size - 1;
    c = user_run(u, e);
    CHECK_STATUS(c.status, -STATUS_EXCEPTION);
    CHECK_EQ(c.flags, RING_FLAG_EXCEPTION);
    CHECK_EQ(c.result_size, 0);
}

TEST(a_call_that_waits_is_answered_with_a_message)
{
    boot();
    struct user_reply reply;
    for (int i = 0; i < 3; i++) { /* the CPU's record, then the ring's */
        uint64_t deadline = arch_now_ns() + 700;
        struct ring_entry e =
            short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 1, deadline, 0);
        fill(u, result_at);
        user_submit(u, &e);
        CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
        check_untouched(u, result_at);
        sim_advance(1000);
        struct ring_completion c = ipc_take(u, 1);
        CHECK_OK(c.status);
        CHECK_EQ(c.flags, 0);
        CHECK_EQ(c.value, 0);
        CHECK_EQ(c.result_size, FRAME_AND_ROOT + 8);
        user_take_reply(u, &e, &c, &reply);
        CHECK_EQ(timer_ready_results_monotonic_ns(reply.root), deadline);
        e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_SLEEP, 1, 700, 0);
        e.result_size = 0;
        ipc_start(u, e);
        ipc_take_none(u);
        sim_advance(1000);
        c = ipc_take(u, 1);
        CHECK_OK(c.status);
        CHECK_EQ(c.flags | c.result_size, 0);
        e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 1, UINT64_MAX, 0);
        ipc_start(u, e);
        ipc_start(u, ipc_cancel(2, 1));
        CHECK_STATUS(ipc_take(u, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(u, 2).status);
        invariants_check();
    }
}

TEST(ids_interfaces_and_methods_are_checked_as_ever)
{
    boot();
    struct ring_entry e = short_entry(TIMER, TIMER_INTERFACE_ID + 1, TIMER_METHOD_NOW, 0, 0, 0);
    CHECK_STATUS(user_run(u, e).status, -STATUS_WRONG_INTERFACE);
    e = short_entry(TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_COUNT, 0, 0, 0);
    CHECK_STATUS(user_run(u, e).status, -STATUS_UNKNOWN_METHOD);
    e = short_entry(0, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 1, 0, 0);
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_CAPABILITY);
    CHECK_EQ(u->process->denials[u->process->denial_count - 1].reason, DENIAL_REASON_NOT_GRANTED);
    e.cap = TIMER + (1u << CAP_SLOT_BITS);
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_CAPABILITY);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = TIMER};
    CHECK_OK(user_run(u, release).status);
    e.cap = TIMER;
    CHECK_STATUS(user_run(u, e).status, -STATUS_STALE_CAPABILITY);
    check_untouched(u, result_at);
}

TEST(the_thread_and_its_process_end_in_a_short_call)
{
    for (int others = 0; others < 2; others++) {
        if (others == 0) {
            boot();
        }
        struct user *end = others == 0 ? u : holder();
        if (others != 0) {
            (void)user_thread(end->process);
        }
        cap_id_t endpoint = ipc_endpoint(end->process);
        ipc_start(end, ipc_receive(end, 2, endpoint)); /* so that there is a record ready */
        ipc_start(end, ipc_cancel(3, 2));
        struct ring_entry e =
            short_entry(THREAD_CONTROL, THREAD_CONTROL_INTERFACE_ID, THREAD_CONTROL_METHOD_EXIT,
                        1, 5, 0);
        user_submit(end, &e);
        CHECK_EQ(user_enter(end, 1, CAP_ENTER_FOREVER), USER_DIED);
        CHECK_EQ(end->thread->exit_code, 5);
        CHECK_EQ(end->process->ended, others == 0);
        sim_settle();
        invariants_check();
    }
}

TEST(others_are_answered_while_a_short_call_runs)
{
    boot();
    struct user_reply reply;
    for (int i = 0; i < 20; i++) {
        struct process *p = sim_process(NULL, 0);
        cap_id_t handle = sim_grant(u->process, &p->object);
        struct ring_entry wait = user_call_entry(u, handle, PROCESS_HANDLE_INTERFACE_ID,
                                                 PROCESS_HANDLE_METHOD_WAIT, NULL, NULL, 0);
        wait.result_size = IPC_ROOM;
        ipc_start(u, wait);
        struct ring_entry e = short_entry(handle, PROCESS_HANDLE_INTERFACE_ID,
                                          PROCESS_HANDLE_METHOD_TERMINATE, 0, 0, 0);
        e.user_data = 2;
        ipc_start(u, e);
        struct ring_completion c = ipc_take(u, wait.user_data);
        CHECK_OK(c.status);
        CHECK_EQ(c.flags, 0);
        CHECK_GT(c.result_size, FRAME_AND_ROOT);
        user_take_reply(u, &wait, &c, &reply);
        CHECK_EQ(reply.message.error, WIRE_OK);
        c = ipc_take(u, 2);
        CHECK_OK(c.status);
        CHECK_EQ(c.flags, RING_FLAG_SHORT);
        u->scratch_used = wait.message - u->scratch;
    }
}

/* --- entries that are wrong --- */

static void check_malformed(cap_id_t cap, uint64_t interface_id)
{
    const struct ring_entry good = short_entry(cap, interface_id, 0, 0, 0, 0);
    static const uint32_t sizes[] = {1, 4, 7, 9, 12, 15, 17, 24, 32, 1u << 31, UINT32_MAX - 7};
    for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
        struct ring_entry e = good;
        e.message_size = sizes[i];
        CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
    }
    struct ring_entry e = good;
    e.transfer_count = 1;
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
    e = good;
    e.transfer_max = 1;
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
    e = good;
    e.reserved = 1;
    CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
    for (unsigned flags = 1; flags < 256; flags++) {
        e = good;
        e.flags = (uint8_t)flags;
        if (flags != RING_FLAG_SHORT) {
            CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
        }
    }
    check_untouched(u, result_at);
}

TEST(a_malformed_short_call_is_a_bad_entry)
{
    boot();
    check_malformed(TIMER, TIMER_INTERFACE_ID);
    cap_id_t endpoint = ipc_endpoint(u->process);
    check_malformed(ipc_facet(u->process, endpoint, u->process, 1), IPC_INTERFACE);
    check_malformed(0, IPC_INTERFACE);
}

TEST(the_flag_is_for_calls_alone)
{
    boot();
    cap_id_t endpoint = ipc_endpoint(u->process);
    for (unsigned opcode = 0; opcode < RING_OP_COUNT; opcode++) {
        struct ring_entry e = {.opcode = (uint8_t)opcode, .flags = RING_FLAG_SHORT, .cap = endpoint,
                               .result = result_at, .result_size = IPC_ROOM};
        if (opcode != RING_OP_CALL) {
            CHECK_STATUS(user_run(u, e).status, -STATUS_BAD_ENTRY);
        }
    }
    CHECK_OK(ipc_look_up(u->process, endpoint));
}

/* --- facets --- */

static struct ring_entry facet_entry(uint32_t words)
{
    struct ring_entry e = short_entry(w.facet, IPC_INTERFACE, 5, words, 0x1122334455667788,
                                      0x99aabbccddeeff00);
    e.result = user_place(w.client, NULL, IPC_ROOM);
    return e;
}

/* What the server finds is what it would find if the client had sent the message. */
static void check_request(const struct ring_entry *receive, const struct ring_completion *c,
                          uint32_t words)
{
    uint64_t got[6], message[4] = {(words + 1ull) << 32, (uint64_t)words << 32, 0x1122334455667788,
                                   0x99aabbccddeeff00};
    uint32_t size = FRAME_AND_ROOT + 8 * words;
    CHECK_OK(c->status);
    CHECK_EQ(c->flags | c->transfer_count, 0);
    CHECK_EQ(c->method, 5);
    CHECK_EQ(c->result_size, sizeof(struct ring_request) + size);
    CHECK(user_read(w.server_process, receive->result, got, sizeof(struct ring_request) + size));
    CHECK_EQ(got[0], IPC_TAG);
    CHECK_EQ(got[1], IPC_INTERFACE);
    CHECK_BYTES(got + 2, message, size);
    struct wire_message opened;
    CHECK_EQ(wire_message_open(&opened, got + 2, size), WIRE_OK);
}

static void check_round(uint32_t words, bool server_waits)
{
    struct ring_entry call = facet_entry(words);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    if (server_waits) {
        user_submit(w.server, &receive);
        CHECK_EQ(user_enter(w.server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    }
    user_submit(w.client, &call);
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    struct ring_completion c = server_waits ? ipc_take(w.server, 2) : user_run(w.server, receive);
    check_request(&receive, &c, words);
    struct ring_entry back = ipc_return(w.server, 3, c.aux, "the answer");
    CHECK_OK(user_run(w.server, back).status);
    c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, 0);
    CHECK_EQ(c.value, 0);
    CHECK_EQ(c.result_size, 10);
    CHECK(ipc_result_is(w.client, &call, 0, "the answer"));
    user_scratch_reset(w.client);
    user_scratch_reset(w.server);
    invariants_check();
}

TEST(a_server_receives_the_message_that_it_stands_for)
{
    ipc_boot(&w);
    for (uint32_t i = 0; i < 24; i++) { /* from the third on the records lie ready */
        check_round(i % 3, i / 3 % 2 != 0);
    }
}

TEST(a_request_in_two_pages)
{
    ipc_boot(&w);
    uint64_t page = user_place(w.server, NULL, 3 * PAGE_SIZE);
    page = ALIGN_UP(page, PAGE_SIZE) + PAGE_SIZE;
    for (uint64_t before = 0; before <= 48; before++) {
        struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
        receive.result = page - before;
        receive.result_size = 48;
        struct ring_entry call = facet_entry(2);
        if (before % 2 == 0) {
            user_submit(w.server, &receive);
            CHECK_EQ(user_enter(w.server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
        }
        user_submit(w.client, &call);
        CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
        struct ring_completion c =
            before % 2 == 0 ? ipc_take(w.server, 2) : user_run(w.server, receive);
        check_request(&receive, &c, 2);
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
        CHECK_OK(ipc_take(w.client, 1).status);
    }
}

TEST(a_short_call_too_large_for_its_receiver_is_the_callers_error)
{
    ipc_boot(&w);
    for (uint32_t i = 0; i < 9; i++) {
        uint32_t words = i % 3, fits = 32 + 8 * words;
        struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
        receive.result_size = fits - 1;
        user_submit(w.server, &receive);
        CHECK_EQ(user_enter(w.server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
        CHECK_STATUS(user_run(w.client, facet_entry(words)).status, -STATUS_MESSAGE_TOO_LARGE);
        CHECK_EQ(user_state(w.server), USER_BLOCKED);
        struct ring_entry call = words == 0 ? ipc_call(w.client, 1, w.facet, "fits")
                                            : facet_entry(words - 1);
        user_submit(w.client, &call);
        CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
        struct ring_completion c = ipc_take(w.server, 2);
        CHECK_OK(c.status);
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
        CHECK_OK(ipc_take(w.client, 1).status);
        receive.result_size = fits;
        ipc_start(w.client, facet_entry(words));
        c = user_run(w.server, receive);
        check_request(&receive, &c, words);
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
        CHECK_OK(ipc_take(w.client, 1).status);
    }
}

TEST(a_bad_buffer_of_the_receiver_is_its_own_error)
{
    ipc_boot(&w);
    for (int call_first = 0; call_first < 2; call_first++) {
        struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
        receive.result = call_first ? 0x1000 : w.server->scratch + USER_SCRATCH_SIZE - 32;
        if (call_first) {
            ipc_start(w.client, facet_entry(2));
            ipc_start(w.server, receive);
        } else {
            ipc_start(w.server, receive);
            ipc_start(w.client, facet_entry(2));
        }
        CHECK_STATUS(ipc_take(w.server, 2).status, -STATUS_BAD_ADDRESS);
        ipc_take_none(w.client);
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, ipc_receive_now(&w), "")).status);
        CHECK_OK(ipc_take(w.client, 1).status);
    }
}

TEST(an_answer_with_capabilities_has_no_room)
{
    ipc_boot(&w);
    ipc_start(w.client, facet_entry(2));
    struct ring_entry back = ipc_return(w.server, 3, ipc_receive_now(&w), "x");
    ipc_send(w.server, &back, ipc_token(w.server_process), CAP_TRANSFER_COPY);
    CHECK_OK(user_run(w.server, back).status);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_STATUS(c.status, -STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(c.aux, 1);
}

TEST(cancel_and_death_of_a_short_caller)
{
    ipc_boot(&w);
    for (uint32_t i = 0; i < 3; i++) { /* queued, then received */
        ipc_start(w.client, facet_entry(i));
        ipc_start(w.client, ipc_cancel(2, 1));
        CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.client, 2).status);
        ipc_start(w.client, facet_entry(i));
        cap_id_t reply = ipc_receive_now(&w);
        ipc_start(w.client, ipc_cancel(2, 1));
        CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.client, 2).status);
        CHECK_EQ(user_run(w.server, ipc_return(w.server, 3, reply, "late")).flags,
                 RING_FLAG_CALLER_GONE);
    }
    ipc_start(w.client, facet_entry(1));
    cap_id_t reply = ipc_receive_now(&w);
    ipc_start(w.client, facet_entry(2));
    CHECK_EQ(user_syscall(w.client, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    CHECK_EQ(user_run(w.server, ipc_return(w.server, 3, reply, "late")).flags,
             RING_FLAG_CALLER_GONE);
    CHECK_EQ(user_run(w.server, ipc_receive(w.server, 2, w.endpoint)).flags, RING_FLAG_NOTICE);
}

TEST(a_dead_server_disconnects_short_calls)
{
    ipc_boot(&w);
    ipc_start(w.client, facet_entry(1));
    (void)ipc_receive_now(&w);
    struct ring_entry second = facet_entry(2);
    ipc_start(w.client, second);
    CHECK_EQ(user_syscall(w.server, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
    CHECK_STATUS(user_run(w.client, facet_entry(0)).status, -STATUS_DISCONNECTED);
    second.interface_id++;
    CHECK_STATUS(user_run(w.client, second).status, -STATUS_WRONG_INTERFACE);
}

/* --- forwarders --- */

TEST(through_a_forwarder_until_it_is_cut)
{
    ipc_boot(&w);
    struct object *forwarder, *cutter, *facet;
    CHECK_OK(cap_table_look_up(&w.client_process->table, w.facet, &facet));
    CHECK_OK(forwarder_create(w.server_process->account, facet, &forwarder, &cutter));
    w.facet = sim_grant(w.client_process, forwarder);
    struct object *of_timer, *timer_cutter;
    CHECK_OK(forwarder_create(w.server_process->account, &timer_object, &of_timer, &timer_cutter));
    cap_id_t timer = sim_grant(w.client_process, of_timer);
    object_put(forwarder);
    object_put(of_timer);
    for (uint32_t i = 0; i < 6; i++) {
        check_round(i % 3, i / 3 != 0);
    }
    u = w.client;
    result_at = user_place(w.client, NULL, IPC_ROOM);
    fill(u, result_at);
    struct ring_entry e = short_entry(timer, TIMER_INTERFACE_ID, TIMER_METHOD_READY, 1, 0, 0);
    CHECK_EQ(check_short(user_run(u, e), 8), arch_now_ns());
    e.message = UINT64_MAX;
    ipc_start(u, e);
    forwarder_cut(timer_cutter);
    CHECK_STATUS(ipc_take(u, 1).status, -STATUS_REVOKED);
    CHECK_STATUS(user_run(u, e).status, -STATUS_REVOKED);
    ipc_start(u, facet_entry(1));
    cap_id_t reply = ipc_receive_now(&w);
    struct ring_entry undelivered = facet_entry(2);
    undelivered.user_data = 9;
    ipc_start(u, undelivered);
    forwarder_cut(cutter);
    CHECK_STATUS(ipc_take(u, 9).status, -STATUS_REVOKED);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, reply, "")).status);
    CHECK_OK(ipc_take(u, 1).status);
    CHECK_STATUS(user_run(u, facet_entry(0)).status, -STATUS_REVOKED);
    check_untouched(u, result_at);
    object_put(cutter);
    object_put(timer_cutter);
}
