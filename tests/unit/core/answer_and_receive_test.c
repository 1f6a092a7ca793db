/* RETURN with RING_FLAG_RECEIVE: an answer and the wait for the next request in one entry. What
 * completes it, what is left undone when half of it is refused, and how its wait ends. */
#include "kernel/core/kmem.h"
#include "lib/wire/gen/types.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

static struct ipc w;

/* A RETURN that then receives at w.endpoint. */
static struct ring_entry answer(uint64_t user_data, cap_id_t reply, const char *text)
{
    struct ring_entry e = ipc_return(w.server, user_data, reply, text);
    e.flags = RING_FLAG_RECEIVE;
    e.interface_id = w.endpoint;
    e.result = user_place(w.server, NULL, IPC_ROOM);
    e.result_size = IPC_ROOM;
    e.transfer_max = IPC_TRANSFERS;
    return e;
}

/* The client's next call, which waits for nothing else. */
static struct ring_entry client_waits(const char *text)
{
    struct ring_entry call = ipc_call(w.client, 1, w.facet, text);
    user_submit(w.client, &call);
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    return call;
}

static void server_waits(struct ring_entry e)
{
    user_submit(w.server, &e);
    CHECK_EQ(user_enter(w.server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
}

static void check_answer(const struct ring_entry *call, const char *text)
{
    struct ring_completion c = ipc_take(w.client, call->user_data);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags | c.aux | c.value, 0);
    CHECK_EQ(c.result_size, strlen(text));
    CHECK(ipc_result_is(w.client, call, 0, text));
}

/* The request that the entry brought; the Reply's id. */
static cap_id_t check_request(const struct ring_entry *e, const char *text)
{
    struct ring_completion c = ipc_take(w.server, e->user_data);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, 0);
    CHECK_EQ(c.method, 5);
    CHECK_EQ(c.result_size, sizeof(struct ring_request) + strlen(text));
    CHECK_EQ(ipc_request(w.server, e).tag, IPC_TAG);
    CHECK(ipc_result_is(w.server, e, sizeof(struct ring_request), text));
    return c.aux;
}

static cap_id_t first_request(struct ring_entry *call)
{
    *call = client_waits("first");
    return ipc_receive_now(&w);
}

/* Nothing was taken: the Reply is good, the client waits, no RECV is in flight. */
static void check_no_effect(cap_id_t reply)
{
    CHECK_OK(ipc_look_up(w.server_process, reply));
    CHECK_EQ(user_state(w.client), USER_BLOCKED);
    ipc_take_none(w.client);
    ipc_take_none(w.server);
    CHECK_EQ(w.server->thread->ring.in_flight, 0);
    invariants_check();
}

static void check_refused(cap_id_t reply, struct ring_entry e, enum status status)
{
    struct ring_completion c = user_run(w.server, e);
    CHECK_STATUS(c.status, -(int)status);
    CHECK_EQ(c.flags | c.aux | c.result_size | c.transfer_count | c.value, 0);
    check_no_effect(reply);
}

/* --- both halves good --- */

TEST(a_server_answers_and_waits_in_one)
{
    ipc_boot(&w);
    char text[2] = "a";
    server_waits(ipc_receive(w.server, 2, w.endpoint));
    struct ring_entry call = client_waits("0");
    cap_id_t reply = ipc_take(w.server, 2).aux;
    for (int i = 0; i < 40; i++, text[0] = (char)('a' + i % 26)) {
        user_scratch_reset(w.server);
        struct ring_entry e = answer(3, reply, text);
        server_waits(e);
        CHECK(arch_cpu()->current == w.client->thread);
        CHECK_EQ(user_result(w.client), 1);
        check_answer(&call, text);
        CHECK_STATUS(ipc_look_up(w.server_process, reply), STATUS_STALE_CAPABILITY);
        user_scratch_reset(w.client);
        call = client_waits(text);
        CHECK(arch_cpu()->current == w.server->thread);
        CHECK_EQ(user_result(w.server), 1);
        reply = check_request(&e, text);
        invariants_check();
    }
}

TEST(without_waiting_itself)
{
    ipc_boot(&w);
    for (int i = 0; i < 5; i++) {
        struct ring_entry call;
        cap_id_t reply = first_request(&call);
        struct ring_entry e = answer(3, reply, "one");
        ipc_start(w.server, e);
        ipc_take_none(w.server);
        check_answer(&call, "one");
        CHECK_EQ(w.server->thread->ring.in_flight, 1);
        call = client_waits("two");
        reply = check_request(&e, "two");
        CHECK_OK(user_run(w.server, ipc_return(w.server, 4, reply, "three")).status);
        check_answer(&call, "three");
    }
}

TEST(with_an_exception)
{
    ipc_boot(&w);
    for (int i = 0; i < 3; i++) {
        struct ring_entry call;
        cap_id_t reply = first_request(&call);
        struct ring_entry e = answer(3, reply, "exception");
        e.flags |= RING_FLAG_EXCEPTION;
        ipc_start(w.server, e);
        struct ring_completion c = ipc_take(w.client, 1);
        CHECK_STATUS(c.status, -STATUS_EXCEPTION);
        CHECK_EQ(c.flags, RING_FLAG_EXCEPTION);
        CHECK_EQ(c.result_size, 9);
        CHECK(ipc_result_is(w.client, &call, 0, "exception"));
        call = client_waits("next");
        reply = check_request(&e, "next");
        CHECK_OK(user_run(w.server, ipc_return(w.server, 4, reply, "")).status);
        check_answer(&call, "");
    }
}

TEST(capabilities_go_both_ways_through_one_array)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    cap_id_t moved = ipc_token(w.server_process), copied = ipc_token(w.server_process);
    struct ring_entry e = answer(3, reply, "x");
    ipc_send(w.server, &e, moved, CAP_TRANSFER_MOVE);
    ipc_send(w.server, &e, copied, CAP_TRANSFER_COPY);
    struct ring_entry next = ipc_call(w.client, 5, w.facet, "with one");
    ipc_send(w.client, &next, ipc_token(w.client_process), CAP_TRANSFER_COPY);
    ipc_start(w.server, e);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 2);
    CHECK_OK(ipc_look_up(w.client_process, ipc_got(w.client, &call, 0)));
    CHECK_STATUS(ipc_look_up(w.server_process, moved), STATUS_STALE_CAPABILITY);
    CHECK_OK(ipc_look_up(w.server_process, copied));
    ipc_start(w.client, next);
    c = ipc_take(w.server, 3);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 1);
    CHECK_OK(ipc_look_up(w.server_process, ipc_got(w.server, &e, 0)));
}

TEST(calls_that_wait_already_are_received_in_their_order)
{
    ipc_boot(&w);
    char text[2] = "a";
    for (uint64_t i = 0; i < 6; i++, text[0]++) {
        ipc_start(w.client, ipc_call(w.client, i, w.facet, text));
    }
    struct ring_entry e = ipc_receive(w.server, 9, w.endpoint);
    struct ring_completion c = user_run(w.server, e);
    text[0] = 'b';
    for (uint64_t i = 0; i < 5; i++, text[0]++) {
        e = answer(9, c.aux, text);
        c = user_run(w.server, e);
        CHECK_OK(c.status);
        CHECK(ipc_result_is(w.server, &e, sizeof(struct ring_request), text));
        CHECK_OK(ipc_take(w.client, i).status);
    }
    server_waits(answer(9, c.aux, ""));
    CHECK_OK(ipc_take(w.client, 5).status);
}

TEST(a_process_that_calls_itself)
{
    ipc_boot(&w);
    cap_id_t own = ipc_facet(w.server_process, w.endpoint, w.server_process, IPC_TAG);
    for (uint64_t i = 0; i < 4; i++) {
        ipc_start(w.server, ipc_call(w.server, 10, own, "own"));
        struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
        ipc_start(w.server, receive);
        cap_id_t reply = check_request(&receive, "own");
        ipc_start(w.server, answer(3, reply, "answer"));
        CHECK_OK(ipc_take(w.server, 10).status);
        ipc_take_none(w.server);
        CHECK_EQ(w.server->thread->ring.in_flight, 1);
        CHECK_LE(w.server_process->account->used[LEDGER_CALLS], 2);
        ipc_start(w.server, ipc_cancel(4, 3));
        CHECK_STATUS(ipc_take(w.server, 3).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.server, 4).status);
        CHECK_LE(w.server_process->account->used[LEDGER_CALLS], 1);
        user_scratch_reset(w.server);
        invariants_check();
    }
}

/* --- a refused answer --- */

TEST(a_refused_answer_leaves_the_reply_good_and_receives_nothing)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "12345");
    e.message = 0x1000;
    check_refused(reply, e, STATUS_BAD_ADDRESS);
    e = answer(3, reply, "12345");
    e.message = USER_END - 2;
    check_refused(reply, e, STATUS_BAD_ADDRESS);
    e.message_size = MESSAGE_MAX + 1;
    check_refused(reply, e, STATUS_MESSAGE_TOO_LARGE);
    e = answer(3, reply, "12345");
    e.transfer_count = RING_TRANSFERS_MAX + 1;
    check_refused(reply, e, STATUS_BAD_ENTRY);
    e.transfer_count = 1;
    e.transfers = 0x1000;
    check_refused(reply, e, STATUS_BAD_ADDRESS);
    cap_id_t token = ipc_token(w.server_process);
    e = answer(3, reply, "12345");
    ipc_send(w.server, &e, token, CAP_TRANSFER_MOVE);
    ipc_send(w.server, &e, 0, CAP_TRANSFER_MOVE);
    check_refused(reply, e, STATUS_BAD_CAPABILITY);
    CHECK_OK(ipc_look_up(w.server_process, token));
    e = answer(3, reply, "12345");
    ipc_send(w.server, &e, w.endpoint, CAP_TRANSFER_COPY);
    check_refused(reply, e, STATUS_NOT_SUPPORTED);
    e = answer(3, reply, "12345");
    ipc_send(w.server, &e, token, 7);
    check_refused(reply, e, STATUS_BAD_ENTRY);
    server_waits(answer(3, reply, "12345"));
    check_answer(&call, "12345");
}

TEST(a_refused_answer_does_not_take_the_call_that_waits)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct user *other = user_thread(w.client_process);
    ipc_start(other, ipc_call(other, 7, w.facet, "second"));
    struct ring_entry e = answer(3, reply, "12345");
    e.message = 0x1000;
    check_refused(reply, e, STATUS_BAD_ADDRESS);
    e = answer(3, reply, "12345");
    ipc_start(w.server, e);
    (void)check_request(&e, "second");
    check_answer(&call, "12345");
}

TEST(a_bad_reply_receives_nothing)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    check_refused(reply, answer(3, 0, ""), STATUS_BAD_CAPABILITY);
    check_refused(reply, answer(3, w.endpoint, ""), STATUS_WRONG_INTERFACE);
    check_refused(reply, answer(3, CAP_ID(CAP_SLOT_MEMORY, 1), ""), STATUS_WRONG_INTERFACE);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 4, reply, "")).status);
    check_answer(&call, "");
    CHECK_STATUS(user_run(w.server, answer(3, reply, "")).status, -STATUS_STALE_CAPABILITY);
    CHECK_EQ(w.server->thread->ring.in_flight, 0);
}

/* --- a RECV that cannot be --- */

TEST(the_receiving_half_is_checked_before_the_answer_has_an_effect)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "x");
    e.interface_id = 0;
    check_refused(reply, e, STATUS_BAD_CAPABILITY);
    e.interface_id = w.endpoint + (1u << CAP_SLOT_BITS);
    check_refused(reply, e, STATUS_BAD_CAPABILITY);
    e.interface_id = w.endpoint | 1ull << 32;
    check_refused(reply, e, STATUS_BAD_CAPABILITY);
    e.interface_id = CAP_ID(CAP_SLOT_MEMORY, 1);
    check_refused(reply, e, STATUS_WRONG_INTERFACE);
    e.interface_id = reply;
    check_refused(reply, e, STATUS_WRONG_INTERFACE);
    e.interface_id = ipc_token(w.server_process); /* a facet */
    check_refused(reply, e, STATUS_WRONG_INTERFACE);
    cap_id_t gone = ipc_endpoint(w.server_process);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = gone};
    CHECK_OK(user_run(w.server, release).status);
    e.interface_id = gone;
    check_refused(reply, e, STATUS_STALE_CAPABILITY);
    e = answer(3, reply, "x");
    e.result_size = sizeof(struct ring_request) - 1;
    check_refused(reply, e, STATUS_BAD_ENTRY);
    e = answer(3, reply, "x");
    e.transfer_max = RING_TRANSFERS_MAX + 1;
    check_refused(reply, e, STATUS_BAD_ENTRY);
    /* neither counts without the flag */
    e.flags = 0;
    e.interface_id = gone;
    e.transfer_max = 0;
    e.result_size = 0;
    CHECK_OK(user_run(w.server, e).status);
    check_answer(&call, "x");
}

TEST(an_endpoint_in_transit_cannot_receive)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct process *third = sim_process(NULL, 0);
    cap_id_t facet = ipc_facet(third, ipc_endpoint(third), w.server_process, 1);
    cap_id_t second = ipc_endpoint(w.server_process);
    struct ring_entry pass = ipc_call(w.server, 5, facet, "take it");
    ipc_send(w.server, &pass, second, CAP_TRANSFER_MOVE);
    ipc_start(w.server, pass);
    struct ring_entry e = answer(3, reply, "x");
    e.interface_id = second;
    CHECK_STATUS(user_run(w.server, e).status, -STATUS_IN_TRANSIT);
    CHECK_OK(ipc_look_up(w.server_process, reply));
}

TEST(the_answer_moves_its_own_endpoint_away)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "yours now");
    ipc_send(w.server, &e, w.endpoint, CAP_TRANSFER_MOVE);
    struct ring_completion c = user_run(w.server, e);
    CHECK_STATUS(c.status, -STATUS_STALE_CAPABILITY);
    CHECK_EQ(c.flags | c.aux | c.result_size, 0);
    CHECK_STATUS(ipc_look_up(w.server_process, reply), STATUS_STALE_CAPABILITY);
    c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 1);
    cap_id_t endpoint = ipc_got(w.client, &call, 0);
    ipc_start(w.client, ipc_receive(w.client, 6, endpoint));
    CHECK_EQ(w.client->thread->ring.in_flight, 1);
}

TEST(the_answer_moves_its_own_reply_away)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "");
    ipc_send(w.server, &e, reply, CAP_TRANSFER_MOVE);
    server_waits(e);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 1);
    struct ring_entry back = ipc_return(w.client, 2, ipc_got(w.client, &call, 0), "");
    CHECK_EQ(user_run(w.client, back).flags, RING_FLAG_CALLER_GONE);
}

/* --- the other side is gone, or is no call --- */

TEST(an_answer_that_nobody_waits_for_is_not_told)
{
    ipc_boot(&w);
    for (int i = 0; i < 3; i++) {
        ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
        cap_id_t reply = ipc_receive_now(&w);
        ipc_start(w.client, ipc_cancel(2, 1));
        CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.client, 2).status);
        cap_id_t token = ipc_token(w.server_process);
        struct ring_entry e = answer(3, reply, "late");
        ipc_send(w.server, &e, token, CAP_TRANSFER_MOVE);
        ipc_start(w.server, e);
        ipc_take_none(w.server);
        CHECK_STATUS(ipc_look_up(w.server_process, token), STATUS_STALE_CAPABILITY);
        struct ring_entry call = client_waits("next");
        reply = check_request(&e, "next");
        CHECK_OK(user_run(w.server, ipc_return(w.server, 4, reply, "")).status);
        check_answer(&call, "");
    }
}

TEST(an_answer_that_the_caller_cannot_take_is_taken)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    call.result_size = 4;
    ipc_start(w.client, call);
    cap_id_t reply = ipc_receive_now(&w);
    server_waits(answer(3, reply, "12345"));
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_STATUS(c.status, -STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(c.aux, 5);
    call.result = 0x1000;
    call.result_size = IPC_ROOM;
    user_submit(w.client, &call);
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    reply = ipc_take(w.server, 3).aux;
    server_waits(answer(3, reply, "12345"));
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_BAD_ADDRESS);
}

TEST(a_notice_instead_of_a_request)
{
    ipc_boot(&w);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .user_data = 4};
    for (int waits = 0; waits < 2; waits++) {
        struct ring_entry call;
        cap_id_t reply = first_request(&call);
        release.cap = ipc_facet(w.server_process, w.endpoint, w.server_process, 88);
        if (waits == 0) {
            CHECK_OK(user_run(w.server, release).status);
        }
        struct ring_entry e = answer(3, reply, "x");
        ipc_start(w.server, e);
        check_answer(&call, "x");
        if (waits != 0) {
            ipc_take_none(w.server);
            ipc_start(w.server, release);
        }
        struct ring_completion c, other;
        CHECK(user_reap(w.server, &c));
        if (waits != 0) {
            CHECK(user_reap(w.server, &other));
            c = c.user_data == 3 ? c : other;
        }
        CHECK_EQ(c.user_data, 3);
        CHECK_OK(c.status);
        CHECK_EQ(c.flags, RING_FLAG_NOTICE);
        CHECK_EQ(c.aux, 0);
        CHECK_EQ(c.result_size, sizeof(struct ring_request));
        CHECK_EQ(ipc_request(w.server, &e).tag, 88);
    }
}

TEST(a_bad_buffer_is_heard_of_when_the_answer_was_taken)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct user *other = user_thread(w.client_process);
    ipc_start(other, ipc_call(other, 7, w.facet, "second"));
    struct ring_entry e = answer(3, reply, "x");
    e.result = 0x1000;
    CHECK_STATUS(user_run(w.server, e).status, -STATUS_BAD_ADDRESS);
    check_answer(&call, "x");
    ipc_take_none(other);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 4, ipc_receive_now(&w), "")).status);
    CHECK_OK(ipc_take(other, 7).status);
}

/* --- the end of the wait --- */

/* Answered, and then it waits. */
static struct ring_entry wait_for_next(void)
{
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "x");
    server_waits(e);
    check_answer(&call, "x");
    return e;
}

TEST(cancelled_while_it_waits)
{
    ipc_boot(&w);
    for (int i = 0; i < 3; i++) {
        struct ring_entry call;
        cap_id_t reply = first_request(&call);
        ipc_start(w.server, answer(3, reply, "x"));
        check_answer(&call, "x");
        ipc_start(w.server, ipc_cancel(4, 3));
        CHECK_STATUS(ipc_take(w.server, 3).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.server, 4).status);
        invariants_check();
    }
    CHECK_STATUS(user_run(w.server, ipc_cancel(4, 3)).status, -STATUS_NOT_FOUND);
}

TEST(cancelled_in_the_same_queue)
{
    ipc_boot(&w);
    struct ring_entry call;
    cap_id_t reply = first_request(&call);
    struct ring_entry e = answer(3, reply, "x"), cancel = ipc_cancel(4, 3);
    user_submit(w.server, &e);
    user_submit(w.server, &cancel);
    CHECK_EQ(user_enter(w.server, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_STATUS(ipc_take(w.server, 3).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(w.server, 4).status);
    check_answer(&call, "x");
}

TEST(its_thread_ends_while_it_waits)
{
    ipc_boot(&w);
    (void)wait_for_next();
    struct user *other = user_thread(w.server_process);
    CHECK_EQ(user_syscall(other, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    CHECK_EQ(user_state(w.server), USER_DIED);
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 1, w.facet, "x")).status,
                 -STATUS_DISCONNECTED);
}

static void end_thread(void *context)
{
    thread_exit(context, 0);
}

TEST(one_of_two_threads_ends_while_it_waits)
{
    ipc_boot(&w);
    struct user *other = user_thread(w.server_process);
    (void)wait_for_next();
    sim_enter_kernel(0, end_thread, w.server->thread);
    CHECK_EQ(user_state(w.server), USER_DIED);
    struct ring_entry call = client_waits("for the other");
    struct ring_entry receive = ipc_receive(other, 2, w.endpoint);
    struct ring_completion c = user_run(other, receive);
    CHECK_OK(c.status);
    CHECK_OK(user_run(other, ipc_return(other, 3, c.aux, "x")).status);
    check_answer(&call, "x");
}

TEST(it_keeps_its_endpoint_and_ends_with_it)
{
    ipc_boot(&w);
    (void)wait_for_next();
    struct user *other = user_thread(w.server_process);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.endpoint};
    CHECK_OK(user_run(other, release).status);
    CHECK_EQ(user_state(w.server), USER_BLOCKED);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "last");
    ipc_start(w.client, call);
    CHECK_OK(ipc_take(w.server, 3).status); /* with it the last reference went */
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
}

TEST(the_client_ends_while_it_waits)
{
    ipc_boot(&w);
    struct ring_entry e = wait_for_next();
    CHECK_EQ(user_syscall(w.client, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    struct ring_completion c = ipc_take(w.server, 3);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_NOTICE);
    CHECK_EQ(ipc_request(w.server, &e).tag, IPC_TAG);
}

/* --- with each allocation failing --- */

static void setup(void)
{
    ipc_make(&w);
    ipc_touch(w.server);
    ipc_touch(w.client);
}

static void rounds(void)
{
    struct ring_completion c;
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "question"));
    ipc_start(w.server, ipc_receive(w.server, 2, w.endpoint));
    for (int i = 0; i < 4 && user_reap(w.server, &c) && c.status == 0; i++) {
        ipc_start(w.server, answer(3, c.aux, "x"));
        if (!user_reap(w.client, &c)) {
            break;
        }
        ipc_start(w.client, ipc_call(w.client, 1, w.facet, "again"));
    }
    invariants_check();
}

TEST(each_allocation_may_fail)
{
    sim_boot(NULL);
    for_each_allocation_failure(setup, rounds);
}
