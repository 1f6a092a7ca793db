/* Endpoints: a call's way to the server and back, what can go wrong on it and whose error that
 * is, notices, and the death of either side in each state. */
#include "kernel/core/kmem.h"
#include "tests/lib/ipc.h"

static struct ipc w;

/* --- the way there and back --- */

static void check_request(const struct ring_entry *receive, const struct ring_completion *c,
                          const char *text)
{
    struct ring_request request = ipc_request(w.server, receive);
    CHECK_OK(c->status);
    CHECK_EQ(request.tag, IPC_TAG);
    CHECK_EQ(request.interface_id, IPC_INTERFACE);
    CHECK_EQ(c->method, 5);
    CHECK_EQ(c->flags, 0);
    CHECK_EQ(c->result_size, sizeof(request) + strlen(text));
    CHECK(ipc_result_is(w.server, receive, sizeof(request), text));
    CHECK_OK(ipc_look_up(w.server_process, c->aux));
}

TEST(call_waits_for_a_receiver)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "question");
    ipc_start(w.client, call);
    ipc_take_none(w.client);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    struct ring_completion c = user_run(w.server, receive);
    check_request(&receive, &c, "question");
    struct ring_completion back = user_run(w.server, ipc_return(w.server, 3, c.aux, "the answer"));
    CHECK_OK(back.status);
    CHECK_EQ(back.flags, 0);
    c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.result_size, 10);
    CHECK_EQ(c.aux, 0);
    CHECK(ipc_result_is(w.client, &call, 0, "the answer"));
}

TEST(receiver_waits_for_a_call)
{
    ipc_boot(&w);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    ipc_start(w.server, receive);
    ipc_take_none(w.server);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "question"));
    struct ring_completion c = ipc_take(w.server, 2);
    check_request(&receive, &c, "question");
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
    c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.result_size, 0);
}

TEST(a_blocked_server_runs_when_its_client_blocks)
{
    ipc_boot(&w);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    user_submit(w.server, &receive);
    CHECK_EQ(user_enter(w.server, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    user_submit(w.client, &call);
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_EQ(user_state(w.server), USER_RETURNED);
    CHECK_EQ(user_result(w.server), 1);
    CHECK(arch_cpu()->current == w.server->thread);
    struct ring_completion c = ipc_take(w.server, 2);
    struct ring_entry back = ipc_return(w.server, 3, c.aux, "y"),
                      again = ipc_receive(w.server, 4, w.endpoint);
    user_submit(w.server, &back);
    user_submit(w.server, &again);
    CHECK_EQ(user_enter(w.server, 2, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK(arch_cpu()->current == w.client->thread);
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(calls_are_received_in_their_order)
{
    ipc_boot(&w);
    char text[2] = "a";
    for (uint64_t i = 0; i < 5; i++, text[0]++) {
        ipc_start(w.client, ipc_call(w.client, i, w.facet, text));
    }
    text[0] = 'a';
    for (uint64_t i = 0; i < 5; i++, text[0]++) {
        struct ring_entry receive = ipc_receive(w.server, 9, w.endpoint);
        struct ring_completion c = user_run(w.server, receive);
        CHECK(ipc_result_is(w.server, &receive, sizeof(struct ring_request), text));
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, text)).status);
        CHECK_OK(ipc_take(w.client, i).status);
    }
}

TEST(an_exception_comes_as_one)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    ipc_start(w.client, call);
    struct ring_entry back = ipc_return(w.server, 3, ipc_receive_now(&w), "exception");
    back.flags = RING_FLAG_EXCEPTION;
    CHECK_OK(user_run(w.server, back).status);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_STATUS(c.status, -STATUS_EXCEPTION);
    CHECK_EQ(c.flags, RING_FLAG_EXCEPTION);
    CHECK_EQ(c.result_size, 9);
    CHECK(ipc_result_is(w.client, &call, 0, "exception"));
}

TEST(the_interface_id_is_checked)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    call.interface_id++;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_WRONG_INTERFACE);
    CHECK_EQ(w.client_process->denial_count, 1);
    CHECK_EQ(w.client_process->denials[0].reason, DENIAL_REASON_WRONG_TYPE);
    CHECK_STATUS(user_run(w.client, ipc_receive(w.client, 1, w.facet)).status,
                 -STATUS_WRONG_INTERFACE);
    CHECK_STATUS(user_run(w.client, ipc_return(w.client, 1, w.facet, "")).status,
                 -STATUS_WRONG_INTERFACE);
    CHECK_STATUS(user_run(w.server, ipc_return(w.server, 1, w.endpoint, "")).status,
                 -STATUS_WRONG_INTERFACE);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    CHECK_STATUS(user_run(w.server, ipc_receive(w.server, 1, reply)).status,
                 -STATUS_WRONG_INTERFACE);
    CHECK_STATUS(user_run(w.server, ipc_call(w.server, 1, reply, "")).status,
                 -STATUS_WRONG_INTERFACE);
}

/* --- whose error --- */

TEST(a_call_too_large_for_its_receiver_is_the_callers_error)
{
    ipc_boot(&w);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    receive.result_size = sizeof(struct ring_request) + 4;
    receive.transfer_max = 1;
    ipc_start(w.server, receive);
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 1, w.facet, "12345")).status,
                 -STATUS_MESSAGE_TOO_LARGE);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "1234");
    cap_id_t token = ipc_token(w.client_process);
    ipc_send(w.client, &call, token, CAP_TRANSFER_COPY);
    ipc_send(w.client, &call, token, CAP_TRANSFER_MOVE);
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_MESSAGE_TOO_LARGE);
    CHECK_OK(ipc_look_up(w.client_process, token));
    ipc_take_none(w.server);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "1234"));
    CHECK_OK(ipc_take(w.server, 2).status);
}

TEST(an_unreadable_call_is_the_callers_error)
{
    ipc_boot(&w);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    ipc_start(w.server, receive);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "1234");
    call.message = 0x1000;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_BAD_ADDRESS);
    call.message = USER_END - 2;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_BAD_ADDRESS);
    call.message = UINT64_MAX - 1;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_BAD_ADDRESS);
    call = ipc_call(w.client, 1, w.facet, "1234");
    call.transfer_count = 1;
    call.transfers = 0x1000;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_BAD_ADDRESS);
    call = ipc_call(w.client, 1, w.facet, "1234");
    call.message_size = MESSAGE_MAX + 1;
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_MESSAGE_TOO_LARGE);
    ipc_take_none(w.server);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "1234"));
    CHECK_OK(ipc_take(w.server, 2).status);
}

static void check_bad_receiver(struct ring_entry receive, bool call_first)
{
    if (!call_first) {
        ipc_start(w.server, receive);
    }
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "1234");
    ipc_send(w.client, &call, ipc_token(w.client_process), CAP_TRANSFER_COPY);
    ipc_start(w.client, call);
    if (call_first) {
        ipc_start(w.server, receive);
    }
    struct ring_completion c = ipc_take(w.server, 2);
    CHECK_STATUS(c.status, -STATUS_BAD_ADDRESS);
    CHECK_EQ(c.aux, 0);
    CHECK_EQ(c.transfer_count, 0);
    ipc_take_none(w.client);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, ipc_receive_now(&w), "")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(a_bad_buffer_of_the_receiver_is_its_own_error)
{
    ipc_boot(&w);
    for (int call_first = 0; call_first < 2; call_first++) {
        struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
        receive.result = 0x1000;
        check_bad_receiver(receive, call_first);
        receive.result = UINT64_MAX - 7;
        check_bad_receiver(receive, call_first);
        receive.result = w.server->scratch + USER_SCRATCH_SIZE - sizeof(struct ring_request);
        check_bad_receiver(receive, call_first); /* the head fits, the message does not */
        receive = ipc_receive(w.server, 2, w.endpoint);
        receive.transfers = 0x1000;
        check_bad_receiver(receive, call_first);
    }
}

TEST(a_receiver_without_slots_is_overloaded)
{
    sim_boot(NULL);
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_SLOTS] = 6};
    CHECK_OK(sim_process_try(&ledger_root, NULL, 0, limits, &w.server_process));
    w.client_process = sim_process(NULL, 0);
    w.server = user_of(w.server_process);
    w.client = user_of(w.client_process);
    w.endpoint = ipc_endpoint(w.server_process); /* its fifth slot */
    w.facet = ipc_facet(w.server_process, w.endpoint, w.client_process, IPC_TAG);
    cap_id_t token = ipc_token(w.client_process);
    ipc_start(w.server, ipc_receive(w.server, 2, w.endpoint));
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    ipc_send(w.client, &call, token, CAP_TRANSFER_MOVE);
    struct ring_completion c = user_run(w.client, call);
    CHECK_EQ(ipc_exception(w.client, &call, &c), EXCEPTION_TYPE_OVERLOADED);
    CHECK_OK(ipc_look_up(w.client_process, token));
    ipc_take_none(w.server);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x")); /* the Reply alone has room */
    CHECK_OK(ipc_take(w.server, 2).status);
}

TEST(an_answer_that_does_not_fit_is_the_callers_error)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    call.result_size = 4;
    ipc_start(w.client, call);
    struct ring_completion back = user_run(w.server,
                                           ipc_return(w.server, 3, ipc_receive_now(&w), "12345"));
    CHECK_OK(back.status);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_STATUS(c.status, -STATUS_RESULT_TOO_SMALL);
    CHECK_EQ(c.aux, 5);
    CHECK_EQ(c.result_size, 0);
    call.result_size = IPC_ROOM;
    call.result = 0x1000;
    ipc_start(w.client, call);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, ipc_receive_now(&w), "12345")).status);
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_BAD_ADDRESS);
}

TEST(an_unreadable_answer_is_the_servers_error_and_has_no_effect)
{
    ipc_boot(&w);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    struct ring_entry back = ipc_return(w.server, 3, reply, "12345");
    back.message = 0x1000;
    CHECK_STATUS(user_run(w.server, back).status, -STATUS_BAD_ADDRESS);
    back = ipc_return(w.server, 3, reply, "12345");
    cap_id_t token = ipc_token(w.server_process);
    ipc_send(w.server, &back, token, CAP_TRANSFER_MOVE);
    ipc_send(w.server, &back, 0, CAP_TRANSFER_MOVE);
    CHECK_STATUS(user_run(w.server, back).status, -STATUS_BAD_CAPABILITY);
    CHECK_OK(ipc_look_up(w.server_process, token));
    ipc_take_none(w.client);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, reply, "12345")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(sizes_of_receive_are_checked)
{
    ipc_boot(&w);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    receive.result_size = sizeof(struct ring_request) - 1;
    CHECK_STATUS(user_run(w.server, receive).status, -STATUS_BAD_ENTRY);
    receive = ipc_receive(w.server, 2, w.endpoint);
    receive.transfer_max = RING_TRANSFERS_MAX + 1;
    CHECK_STATUS(user_run(w.server, receive).status, -STATUS_BAD_ENTRY);
    receive = ipc_receive(w.server, 2, w.endpoint);
    receive.transfer_count = 1;
    CHECK_STATUS(user_run(w.server, receive).status, -STATUS_BAD_ENTRY);
}

/* --- the Reply --- */

TEST(a_reply_is_used_once)
{
    ipc_boot(&w);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, reply, "")).status);
    CHECK_STATUS(user_run(w.server, ipc_return(w.server, 3, reply, "")).status,
                 -STATUS_STALE_CAPABILITY);
    CHECK_OK(ipc_take(w.client, 1).status);
    ipc_take_none(w.client);
}

TEST(any_thread_of_the_process_may_return)
{
    ipc_boot(&w);
    struct user *other = user_thread(w.server_process);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    CHECK_OK(user_run(other, ipc_return(other, 3, reply, "")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(a_dropped_reply_fails_the_call)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    ipc_start(w.client, call);
    cap_id_t reply = ipc_receive_now(&w);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = reply, .user_data = 4};
    CHECK_OK(user_run(w.server, release).status);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_EQ(ipc_exception(w.client, &call, &c), EXCEPTION_TYPE_FAILED);
}

TEST(a_reply_moves_and_is_never_copied)
{
    ipc_boot(&w);
    struct process *third = sim_process(NULL, 0);
    struct user *helper = user_of(third);
    cap_id_t endpoint = ipc_endpoint(third);
    cap_id_t facet = ipc_facet(third, endpoint, w.server_process, 1);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    struct ring_entry pass = ipc_call(w.server, 5, facet, "answer this");
    ipc_send(w.server, &pass, reply, CAP_TRANSFER_COPY);
    CHECK_STATUS(user_run(w.server, pass).status, -STATUS_NOT_SUPPORTED);
    pass = ipc_call(w.server, 5, facet, "answer this");
    ipc_send(w.server, &pass, reply, CAP_TRANSFER_MOVE);
    ipc_start(w.server, pass);
    CHECK_STATUS(user_run(w.server, ipc_return(w.server, 3, reply, "")).status, -STATUS_IN_TRANSIT);
    struct ring_entry receive = ipc_receive(helper, 2, endpoint);
    struct ring_completion c = user_run(helper, receive);
    CHECK_EQ(c.transfer_count, 1);
    CHECK_STATUS(user_run(w.server, ipc_return(w.server, 3, reply, "")).status,
                 -STATUS_STALE_CAPABILITY);
    CHECK_OK(user_run(helper, ipc_return(helper, 3, ipc_got(helper, &receive, 0), "done")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
    CHECK_OK(user_run(helper, ipc_return(helper, 3, c.aux, "passed")).status);
    CHECK_OK(ipc_take(w.server, 5).status);
}

TEST(a_reply_returned_with_itself_among_the_capabilities)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    ipc_start(w.client, call);
    cap_id_t reply = ipc_receive_now(&w);
    struct ring_entry back = ipc_return(w.server, 3, reply, "");
    ipc_send(w.server, &back, reply, CAP_TRANSFER_MOVE);
    CHECK_OK(user_run(w.server, back).status);
    CHECK_STATUS(ipc_look_up(w.server_process, reply), STATUS_STALE_CAPABILITY);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 1);
    struct ring_completion used = user_run(
        w.client, ipc_return(w.client, 2, ipc_got(w.client, &call, 0), ""));
    CHECK_OK(used.status);
    CHECK_EQ(used.flags, RING_FLAG_CALLER_GONE);
}

/* --- cancelling and dying --- */

TEST(cancel_before_and_after_the_call_is_received)
{
    ipc_boot(&w);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    ipc_start(w.client, ipc_cancel(2, 1));
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(w.client, 2).status);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    ipc_start(w.server, receive);
    ipc_take_none(w.server); /* nothing came of it */
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_take(w.server, 2).aux;
    ipc_start(w.client, ipc_cancel(2, 1));
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(w.client, 2).status);
    CHECK_STATUS(user_run(w.client, ipc_cancel(2, 1)).status, -STATUS_NOT_FOUND);
    struct ring_completion c = user_run(w.server, ipc_return(w.server, 3, reply, "too late"));
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_CALLER_GONE);
    ipc_take_none(w.client);
}

TEST(cancel_of_a_receive)
{
    ipc_boot(&w);
    ipc_start(w.server, ipc_receive(w.server, 2, w.endpoint));
    ipc_start(w.server, ipc_cancel(3, 2));
    CHECK_STATUS(ipc_take(w.server, 2).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(w.server, 3).status);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    ipc_take_none(w.server);
    ipc_take_none(w.client);
}

TEST(a_client_that_dies_leaves_a_reply_without_caller)
{
    ipc_boot(&w);
    cap_id_t token = ipc_token(w.client_process);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "received");
    ipc_start(w.client, call);
    cap_id_t reply = ipc_receive_now(&w);
    call = ipc_call(w.client, 2, w.facet, "queued");
    ipc_send(w.client, &call, token, CAP_TRANSFER_MOVE);
    ipc_start(w.client, call);
    CHECK_EQ(user_syscall(w.client, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    /* its facet went with it; the queued call is gone */
    struct ring_completion c = user_run(w.server, receive);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_NOTICE);
    c = user_run(w.server, ipc_return(w.server, 3, reply, "late"));
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_CALLER_GONE);
}

TEST(an_owner_that_dies_disconnects_every_call)
{
    ipc_boot(&w);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "received"));
    (void)ipc_receive_now(&w);
    cap_id_t token = ipc_token(w.client_process);
    struct ring_entry call = ipc_call(w.client, 2, w.facet, "queued");
    ipc_send(w.client, &call, token, CAP_TRANSFER_MOVE);
    ipc_start(w.client, call);
    CHECK_STATUS(ipc_look_up(w.client_process, token), STATUS_IN_TRANSIT);
    CHECK_EQ(user_syscall(w.server, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    struct ring_completion a, b;
    CHECK(user_reap(w.client, &a) && user_reap(w.client, &b));
    CHECK_EQ(a.user_data + b.user_data, 3);
    CHECK_STATUS(a.status, -STATUS_DISCONNECTED);
    CHECK_STATUS(b.status, -STATUS_DISCONNECTED);
    CHECK_OK(ipc_look_up(w.client_process, token));
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 3, w.facet, "x")).status,
                 -STATUS_DISCONNECTED);
}

TEST(an_owner_that_lets_go_of_its_endpoint_disconnects_every_call)
{
    ipc_boot(&w);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "received"));
    cap_id_t reply = ipc_receive_now(&w);
    ipc_start(w.client, ipc_call(w.client, 2, w.facet, "queued"));
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.endpoint, .user_data = 4};
    CHECK_OK(user_run(w.server, release).status);
    CHECK_STATUS(ipc_take(w.client, 2).status, -STATUS_DISCONNECTED);
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
    CHECK_EQ(user_run(w.server, ipc_return(w.server, 3, reply, "late")).flags,
             RING_FLAG_CALLER_GONE);
}

TEST(a_receive_in_flight_keeps_its_endpoint)
{
    ipc_boot(&w);
    ipc_start(w.server, ipc_receive(w.server, 2, w.endpoint));
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.endpoint, .user_data = 4};
    CHECK_OK(user_run(w.server, release).status);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    CHECK_OK(ipc_take(w.server, 2).status);
    /* with the RECV the last reference went */
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
}

/* --- notices --- */

TEST(the_last_reference_to_a_facet_brings_one_notice)
{
    ipc_boot(&w);
    cap_id_t second = ipc_facet(w.server_process, w.endpoint, w.client_process, 88);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.facet, .user_data = 4};
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "last"));
    CHECK_OK(user_run(w.client, release).status);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    struct ring_completion c = user_run(w.server, receive);
    CHECK_EQ(c.flags, 0); /* its last call first */
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
    c = user_run(w.server, receive);
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, RING_FLAG_NOTICE);
    CHECK_EQ(c.aux, 0);
    CHECK_EQ(c.result_size, sizeof(struct ring_request));
    CHECK_EQ(ipc_request(w.server, &receive).tag, IPC_TAG);
    ipc_start(w.server, receive);
    ipc_take_none(w.server);
    release.cap = second;
    CHECK_OK(user_run(w.client, release).status);
    c = ipc_take(w.server, 2);
    CHECK_EQ(c.flags, RING_FLAG_NOTICE);
    CHECK_EQ(ipc_request(w.server, &receive).tag, 88);
}

TEST(a_notice_needs_no_memory_and_survives_a_bad_receiver)
{
    ipc_boot(&w);
    struct ring_entry bad = ipc_receive(w.server, 2, w.endpoint),
                      good = ipc_receive(w.server, 3, w.endpoint);
    ipc_touch(w.server);
    bad.result = 0x1000;
    ipc_start(w.server, bad);
    ipc_start(w.server, good);
    kmem_fail_after = 0;
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.facet, .user_data = 4};
    CHECK_OK(user_run(w.client, release).status);
    CHECK_EQ(kmem_fail_after, 0);
    kmem_fail_after = -1;
    CHECK_STATUS(ipc_take(w.server, 2).status, -STATUS_BAD_ADDRESS);
    CHECK_EQ(ipc_take(w.server, 3).flags, RING_FLAG_NOTICE);
    CHECK_EQ(ipc_request(w.server, &good).tag, IPC_TAG);
}

TEST(notices_nobody_received_go_with_the_endpoint)
{
    ipc_boot(&w);
    for (int i = 0; i < 10; i++) {
        struct ring_entry release = {.opcode = RING_OP_RELEASE, .user_data = 4};
        release.cap = ipc_facet(w.server_process, w.endpoint, w.client_process, 1);
        CHECK_OK(user_run(w.client, release).status);
    }
}

/* --- everything at once, with each allocation failing --- */

static void setup(void)
{
    ipc_make(&w);
    ipc_touch(w.server);
    ipc_touch(w.client);
}

static void round_trip(void)
{
    struct ring_completion c;
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "question");
    ipc_send(w.client, &call, w.facet, CAP_TRANSFER_COPY);
    ipc_start(w.client, call);
    ipc_start(w.server, ipc_receive(w.server, 2, w.endpoint));
    if (user_reap(w.server, &c) && c.status == 0) {
        CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "answer")).status);
    }
    if (user_reap(w.client, &c)) {
        CHECK(c.status == 0 || c.status == -(int)STATUS_BYTES_EXHAUSTED
              || c.status == -(int)STATUS_EXCEPTION || c.status == -(int)STATUS_FRAMES_EXHAUSTED);
    }
}

TEST(each_allocation_of_a_round_trip_may_fail)
{
    sim_boot(NULL);
    for_each_allocation_failure(setup, round_trip);
}
