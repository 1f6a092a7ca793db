/* Capabilities that ride on CALL and RETURN: copied and moved, in transit, and back when the
 * call ends before. */
#include "kernel/cap/root_objects.h"
#include "tests/lib/ipc.h"

static struct ipc w;

static status_t at_client(cap_id_t id)
{
    return ipc_look_up(w.client_process, id);
}

static status_t at_server(cap_id_t id)
{
    return ipc_look_up(w.server_process, id);
}

static struct object *object_of(struct process *p, cap_id_t id)
{
    struct object *o;
    CHECK_OK(cap_table_look_up(&p->table, id, &o));
    return o;
}

/* A CALL by the client that sends one capability. */
static struct ring_entry sending(uint64_t user_data, cap_id_t cap, enum cap_transfer_mode mode)
{
    struct ring_entry call = ipc_call(w.client, user_data, w.facet, "x");
    ipc_send(w.client, &call, cap, mode);
    return call;
}

TEST(a_copy_is_another_name_for_the_same_object)
{
    ipc_boot(&w);
    cap_id_t token = ipc_token(w.client_process);
    ipc_start(w.client, sending(1, token, CAP_TRANSFER_COPY));
    CHECK_OK(at_client(token));
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    struct ring_completion c = user_run(w.server, receive);
    CHECK_EQ(c.transfer_count, 1);
    cap_id_t got = ipc_got(w.server, &receive, 0);
    CHECK(object_of(w.server_process, got) == object_of(w.client_process, token));
}

TEST(a_move_is_in_transit_until_it_is_delivered)
{
    ipc_boot(&w);
    cap_id_t token = ipc_token(w.client_process);
    struct object *o = object_of(w.client_process, token);
    uint64_t slots = w.client_process->account->used[LEDGER_SLOTS];
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = token, .user_data = 9};
    ipc_start(w.client, sending(1, token, CAP_TRANSFER_MOVE));
    CHECK_STATUS(at_client(token), STATUS_IN_TRANSIT);
    CHECK_EQ(w.client_process->account->used[LEDGER_SLOTS], slots); /* still the sender's */
    CHECK_STATUS(user_run(w.client, release).status, -STATUS_IN_TRANSIT);
    CHECK_STATUS(user_run(w.client, sending(2, token, CAP_TRANSFER_COPY)).status,
                 -STATUS_IN_TRANSIT);
    CHECK_STATUS(user_run(w.client, ipc_call(w.client, 3, token, "x")).status, -STATUS_IN_TRANSIT);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    CHECK_OK(user_run(w.server, receive).status);
    CHECK_STATUS(at_client(token), STATUS_STALE_CAPABILITY);
    CHECK_EQ(w.client_process->account->used[LEDGER_SLOTS], slots - 1);
    CHECK(object_of(w.server_process, ipc_got(w.server, &receive, 0)) == o);
}

TEST(a_cancelled_call_brings_its_moves_back)
{
    ipc_boot(&w);
    cap_id_t token = ipc_token(w.client_process);
    ipc_start(w.client, sending(1, token, CAP_TRANSFER_MOVE));
    ipc_start(w.client, ipc_cancel(2, 1));
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(w.client, 2).status);
    CHECK_OK(at_client(token));
    ipc_start(w.client, sending(1, token, CAP_TRANSFER_MOVE)); /* the same id can be sent again */
    (void)ipc_receive_now(&w);
    ipc_start(w.client, ipc_cancel(2, 1)); /* too late for the capability, not for the answer */
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
    CHECK_STATUS(at_client(token), STATUS_STALE_CAPABILITY);
}

TEST(a_thread_that_ends_leaves_its_moves_to_the_process)
{
    ipc_boot(&w);
    struct user *other = user_thread(w.client_process);
    cap_id_t token = ipc_token(w.client_process);
    struct ring_entry call = ipc_call(other, 1, w.facet, "x");
    ipc_send(other, &call, token, CAP_TRANSFER_MOVE);
    ipc_start(other, call);
    CHECK_STATUS(at_client(token), STATUS_IN_TRANSIT);
    thread_exit(other->thread, 0);
    sim_settle();
    CHECK_OK(at_client(token));
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    ipc_start(w.server, receive);
    ipc_take_none(w.server);
}

TEST(if_one_is_wrong_none_is_sent)
{
    ipc_boot(&w);
    cap_id_t a = ipc_token(w.client_process), b = ipc_token(w.client_process);
    struct ring_entry call = sending(1, a, CAP_TRANSFER_MOVE);
    ipc_send(w.client, &call, b, CAP_TRANSFER_COPY);
    ipc_send(w.client, &call, CAP_ID(99, 1), CAP_TRANSFER_COPY);
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_BAD_CAPABILITY);
    CHECK_OK(at_client(a));
    CHECK_OK(at_client(b));
    call = sending(1, a, CAP_TRANSFER_MOVE);
    ipc_send(w.client, &call, a, CAP_TRANSFER_MOVE);
    CHECK_STATUS(user_run(w.client, call).status, -STATUS_IN_TRANSIT);
    CHECK_OK(at_client(a));
    call = sending(1, a, CAP_TRANSFER_COPY); /* a copy and then the thing itself: both arrive */
    ipc_send(w.client, &call, a, CAP_TRANSFER_MOVE);
    ipc_start(w.client, call);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    CHECK_EQ(user_run(w.server, receive).transfer_count, 2);
    CHECK(object_of(w.server_process, ipc_got(w.server, &receive, 0))
          == object_of(w.server_process, ipc_got(w.server, &receive, 1)));
    CHECK_STATUS(at_client(a), STATUS_STALE_CAPABILITY);
}

TEST(sixty_four_in_one_message)
{
    ipc_boot(&w);
    struct cap_transfer sent[RING_TRANSFERS_MAX], got[RING_TRANSFERS_MAX];
    for (int i = 0; i < RING_TRANSFERS_MAX; i++) {
        sent[i] = (struct cap_transfer){.cap = ipc_token(w.client_process),
                                        .mode = i % 2 == 1 ? CAP_TRANSFER_MOVE : CAP_TRANSFER_COPY};
    }
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    call.transfers = user_place(w.client, sent, sizeof(sent));
    call.transfer_count = RING_TRANSFERS_MAX;
    ipc_start(w.client, call);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    receive.transfers = user_place(w.server, NULL, sizeof(got));
    receive.transfer_max = RING_TRANSFERS_MAX;
    struct ring_completion c = user_run(w.server, receive);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, RING_TRANSFERS_MAX);
    CHECK(user_read(w.server_process, receive.transfers, got, sizeof(got)));
    for (int i = 0; i < RING_TRANSFERS_MAX; i++) {
        CHECK_OK(at_server(got[i].cap));
        CHECK_STATUS(at_client(sent[i].cap), i % 2 == 1 ? STATUS_STALE_CAPABILITY : STATUS_OK);
    }
}

/* --- on the way back --- */

static struct ring_entry answer(cap_id_t reply, cap_id_t copied, cap_id_t moved)
{
    struct ring_entry back = ipc_return(w.server, 3, reply, "answer");
    ipc_send(w.server, &back, copied, CAP_TRANSFER_COPY);
    ipc_send(w.server, &back, moved, CAP_TRANSFER_MOVE);
    return back;
}

TEST(an_answer_brings_capabilities)
{
    ipc_boot(&w);
    cap_id_t copied = ipc_token(w.server_process), moved = ipc_token(w.server_process);
    struct object *a = object_of(w.server_process, copied), *b = object_of(w.server_process, moved);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    ipc_start(w.client, call);
    CHECK_OK(user_run(w.server, answer(ipc_receive_now(&w), copied, moved)).status);
    struct ring_completion c = ipc_take(w.client, 1);
    CHECK_OK(c.status);
    CHECK_EQ(c.transfer_count, 2);
    CHECK(object_of(w.client_process, ipc_got(w.client, &call, 0)) == a);
    CHECK(object_of(w.client_process, ipc_got(w.client, &call, 1)) == b);
    CHECK_OK(at_server(copied));
    CHECK_STATUS(at_server(moved), STATUS_STALE_CAPABILITY);
}

/* The caller cannot take the answer: RETURN has succeeded, and what it moved is gone. */
static void check_not_taken(struct ring_entry call, status_t expected)
{
    cap_id_t copied = ipc_token(w.server_process), moved = ipc_token(w.server_process);
    uint32_t live = w.client_process->table.live;
    ipc_start(w.client, call);
    struct ring_completion back = user_run(w.server, answer(ipc_receive_now(&w), copied, moved));
    CHECK_OK(back.status);
    struct ring_completion c = ipc_take(w.client, call.user_data);
    CHECK_STATUS(c.status, -(int)expected);
    CHECK_EQ(c.transfer_count, 0);
    CHECK_EQ(c.result_size, 0);
    CHECK_EQ(w.client_process->table.live, live); /* not even half of it was inserted */
    CHECK_OK(at_server(copied));
    CHECK_STATUS(at_server(moved), STATUS_STALE_CAPABILITY);
}

TEST(an_answer_that_the_caller_cannot_take)
{
    sim_boot(NULL);
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_SLOTS] = 6};
    w.server_process = sim_process(NULL, 0);
    CHECK_OK(sim_process_try(&ledger_root, NULL, 0, limits, &w.client_process));
    w.server = user_of(w.server_process);
    w.client = user_of(w.client_process);
    w.endpoint = ipc_endpoint(w.server_process);
    w.facet = ipc_facet(w.server_process, w.endpoint, w.client_process, IPC_TAG);
    check_not_taken(ipc_call(w.client, 1, w.facet, "x"), STATUS_SLOTS_EXHAUSTED); /* room for one */
    struct ring_entry call = ipc_call(w.client, 2, w.facet, "x");
    call.transfer_max = 1;
    check_not_taken(call, STATUS_RESULT_TOO_SMALL);
    call = ipc_call(w.client, 3, w.facet, "x");
    call.result_size = 3;
    check_not_taken(call, STATUS_RESULT_TOO_SMALL);
}

TEST(bad_buffers_of_the_caller_lose_it_the_answer)
{
    ipc_boot(&w);
    struct ring_entry call = ipc_call(w.client, 1, w.facet, "x");
    call.transfers = 0x1000;
    check_not_taken(call, STATUS_BAD_ADDRESS);
    call = ipc_call(w.client, 2, w.facet, "x");
    call.result = 0x1000;
    check_not_taken(call, STATUS_BAD_ADDRESS);
}

TEST(an_answer_to_nobody_takes_what_it_moves)
{
    ipc_boot(&w);
    cap_id_t copied = ipc_token(w.server_process), moved = ipc_token(w.server_process);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "x"));
    cap_id_t reply = ipc_receive_now(&w);
    ipc_start(w.client, ipc_cancel(2, 1));
    struct ring_completion back = user_run(w.server, answer(reply, copied, moved));
    CHECK_OK(back.status);
    CHECK_EQ(back.flags, RING_FLAG_CALLER_GONE);
    CHECK_STATUS(at_server(moved), STATUS_STALE_CAPABILITY);
    CHECK_OK(at_server(copied));
}

/* --- to kernel objects --- */

TEST(a_move_to_a_kernel_object_is_gone_with_success_and_back_without)
{
    ipc_boot(&w);
    cap_id_t console = sim_grant(w.client_process, &console_object);
    cap_id_t token = ipc_token(w.client_process);
    struct cap_transfer sent = {.cap = token, .mode = CAP_TRANSFER_MOVE};
    static struct user_message m;
    struct wire_builder b = user_message(&m, 0, 1);
    static const char text[CONSOLE_WRITE_MAX + 1];
    wire_set_data(b, 0, (struct wire_span){text, sizeof(text)});
    CHECK_STATUS(user_call(w.client, console, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, &m, &sent,
                           1, NULL),
                 STATUS_EXCEPTION); /* too long */
    CHECK_OK(at_client(token));
    CHECK_OK(user_call(w.client, console, CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE, NULL, &sent,
                       1, NULL));
    CHECK_STATUS(at_client(token), STATUS_STALE_CAPABILITY);
}

TEST(a_capability_may_be_sent_to_oneself)
{
    ipc_boot(&w);
    cap_id_t facet = ipc_facet(w.server_process, w.endpoint, w.server_process, 5);
    struct user *other = user_thread(w.server_process);
    cap_id_t token = ipc_token(w.server_process);
    struct object *o = object_of(w.server_process, token);
    struct ring_entry call = ipc_call(other, 1, facet, "x");
    ipc_send(other, &call, token, CAP_TRANSFER_MOVE);
    ipc_start(other, call);
    struct ring_entry receive = ipc_receive(w.server, 2, w.endpoint);
    struct ring_completion c = user_run(w.server, receive);
    cap_id_t got = ipc_got(w.server, &receive, 0);
    CHECK_NE(got, token);
    CHECK_STATUS(at_server(token), STATUS_STALE_CAPABILITY);
    CHECK(object_of(w.server_process, got) == o);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, "")).status);
    CHECK_OK(ipc_take(other, 1).status);
}

TEST(an_endpoint_moves_with_its_calls)
{
    ipc_boot(&w);
    struct process *third = sim_process(NULL, 0);
    struct user *heir = user_of(third);
    cap_id_t door = ipc_endpoint(third), way = ipc_facet(third, door, w.server_process, 1);
    ipc_start(w.client, ipc_call(w.client, 1, w.facet, "waits"));
    struct ring_entry pass = ipc_call(w.server, 5, way, "yours now");
    ipc_send(w.server, &pass, w.endpoint, CAP_TRANSFER_MOVE);
    ipc_start(w.server, pass);
    struct ring_entry receive = ipc_receive(heir, 2, door);
    CHECK_OK(user_run(heir, receive).status);
    cap_id_t endpoint = ipc_got(heir, &receive, 0);
    struct ring_entry next = ipc_receive(heir, 3, endpoint);
    struct ring_completion c = user_run(heir, next);
    CHECK(ipc_result_is(heir, &next, sizeof(struct ring_request), "waits"));
    CHECK_OK(user_run(heir, ipc_return(heir, 4, c.aux, "done")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
}
