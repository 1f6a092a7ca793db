/* A call hands the CPU to its server and the answer hands it back, also when what comes behind the
 * entry in the queue cancels the call, ends either side, or calls somebody else. */
#include "lib/wire/gen/process_handle.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

static struct ipc w;

static void wait_with(struct user *u, const struct ring_entry *e, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        user_submit(u, &e[i]);
    }
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
}

static void server_waits(void)
{
    struct ring_entry e = ipc_receive(w.server, 2, w.endpoint);
    wait_with(w.server, &e, 1);
}

static struct ring_entry call(uint64_t user_data)
{
    return ipc_call(w.client, user_data, w.facet, "question");
}

/* The client waits, the server has its request; all that is needed lies ready from here on. */
static cap_id_t request(void)
{
    struct ring_entry e = call(1);
    wait_with(w.client, &e, 1);
    CHECK(arch_cpu()->current == w.server->thread);
    return ipc_take(w.server, 2).aux;
}

static void warm_up(void)
{
    ipc_boot(&w);
    for (int i = 0; i < 3; i++) {
        server_waits();
        struct ring_entry back = ipc_return(w.server, 3, request(), "answer");
        ipc_start(w.server, back);
        CHECK_OK(ipc_take(w.server, 3).status);
        CHECK_OK(ipc_take(w.client, 1).status);
        user_scratch_reset(w.server);
        user_scratch_reset(w.client);
    }
    CHECK(w.server_process->table.charge_kept); /* the answer took the short way */
    server_waits();
}

static struct ring_entry end_of(struct user *by, struct process *p)
{
    cap_id_t handle = sim_grant(by->process, &p->object);
    struct ring_entry e = user_call_entry(by, handle, PROCESS_HANDLE_INTERFACE_ID,
                                          PROCESS_HANDLE_METHOD_TERMINATE, NULL, NULL, 0);
    e.user_data = 9;
    return e;
}

static void submit_both(struct user *u, struct ring_entry first, struct ring_entry second)
{
    user_submit(u, &first);
    user_submit(u, &second);
}

/* --- behind a call --- */

TEST(the_server_ends_right_after_it_was_called)
{
    warm_up();
    submit_both(w.client, call(1), end_of(w.client, w.server_process));
    CHECK_EQ(user_enter(w.client, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_state(w.server), USER_DIED);
    struct ring_completion a, b;
    CHECK(user_reap(w.client, &a) && user_reap(w.client, &b));
    CHECK_EQ(a.user_data + b.user_data, 10);
    CHECK_STATUS(a.user_data == 1 ? a.status : b.status, -STATUS_DISCONNECTED);
    CHECK_OK(a.user_data == 9 ? a.status : b.status);
    invariants_check();
}

TEST(the_call_is_cancelled_right_away)
{
    warm_up();
    for (int i = 0; i < 3; i++) {
        submit_both(w.client, call(1), ipc_cancel(4, 1));
        CHECK_EQ(user_enter(w.client, 2, CAP_ENTER_FOREVER), USER_RETURNED);
        CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(w.client, 4).status);
        cap_id_t reply = ipc_take(w.server, 2).aux;
        struct ring_entry back = ipc_return(w.server, 3, reply, "late");
        CHECK_EQ(user_run(w.server, back).flags, RING_FLAG_CALLER_GONE);
        invariants_check();
        server_waits();
    }
}

TEST(the_client_ends_right_after_its_call)
{
    warm_up();
    submit_both(w.client, call(1), end_of(w.client, w.client_process));
    CHECK_EQ(user_enter(w.client, 2, CAP_ENTER_FOREVER), USER_DIED);
    CHECK(arch_cpu()->current == w.server->thread);
    invariants_check();
    cap_id_t reply = ipc_take(w.server, 2).aux;
    CHECK_EQ(user_run(w.server, ipc_return(w.server, 3, reply, "late")).flags,
             RING_FLAG_CALLER_GONE);
    CHECK_EQ(user_run(w.server, ipc_receive(w.server, 2, w.endpoint)).flags, RING_FLAG_NOTICE);
}

TEST(two_servers_in_one_queue)
{
    warm_up();
    struct user *other = user_thread(w.server_process);
    struct ring_entry receive = ipc_receive(other, 2, w.endpoint);
    wait_with(other, &receive, 1);
    struct ring_entry calls[3] = {call(1), call(5), call(6)};
    wait_with(w.client, calls, 3);
    CHECK_EQ(user_state(w.server), USER_RETURNED);
    CHECK_EQ(user_state(other), USER_RETURNED);
    invariants_check();
    CHECK_OK(user_run(other, ipc_return(other, 3, ipc_take(other, 2).aux, "b")).status);
    CHECK_EQ(user_state(w.client), USER_RETURNED);
    CHECK_OK(ipc_take(w.client, 5).status);
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, ipc_take(w.server, 2).aux, "a")).status);
    CHECK_OK(ipc_take(w.client, 1).status);
    ipc_take_none(w.client);
}

TEST(a_client_that_runs_on)
{
    warm_up();
    ipc_start(w.client, call(1));
    CHECK(arch_cpu()->current == w.client->thread);
    CHECK_EQ(w.server->thread->state, THREAD_READY);
    CHECK_EQ(arch_cpu()->ready_count, 1);
    invariants_check();
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK(arch_cpu()->current == w.server->thread);
    ipc_start(w.server, ipc_return(w.server, 3, ipc_take(w.server, 2).aux, "x"));
    CHECK_OK(ipc_take(w.client, 1).status);
}

TEST(a_tick_in_between)
{
    warm_up();
    for (int i = 0; i < 5; i++) {
        sim_machine.now_ns += 5000000; /* each slice is over */
        sim_tick(0);
        cap_id_t reply = request();
        sim_machine.now_ns += 5000000;
        sim_tick(0);
        struct ring_entry e = ipc_return(w.server, 2, reply, "x");
        e.flags = RING_FLAG_RECEIVE;
        e.interface_id = w.endpoint;
        e.result = user_place(w.server, NULL, IPC_ROOM);
        e.result_size = IPC_ROOM;
        wait_with(w.server, &e, 1);
        CHECK_OK(ipc_take(w.client, 1).status);
        invariants_check();
    }
}

/* --- behind an answer --- */

TEST(the_client_ends_right_after_its_answer)
{
    warm_up();
    cap_id_t reply = request();
    submit_both(w.server, ipc_return(w.server, 3, reply, "x"),
                end_of(w.server, w.client_process));
    CHECK_EQ(user_enter(w.server, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_state(w.client), USER_DIED);
    CHECK_OK(ipc_take(w.server, 3).status);
    CHECK_OK(ipc_take(w.server, 9).status);
    CHECK(arch_cpu()->current == w.server->thread);
    invariants_check();
}

TEST(the_server_ends_right_after_its_answer)
{
    warm_up();
    cap_id_t reply = request();
    submit_both(w.server, ipc_return(w.server, 3, reply, "x"),
                end_of(w.server, w.server_process));
    CHECK_EQ(user_enter(w.server, 2, CAP_ENTER_FOREVER), USER_DIED);
    CHECK(arch_cpu()->current == w.client->thread);
    CHECK_OK(ipc_take(w.client, 1).status);
    CHECK_STATUS(user_run(w.client, call(1)).status, -STATUS_DISCONNECTED);
    invariants_check();
}

TEST(an_endpoint_that_goes_with_the_receive_that_was_called)
{
    warm_up();
    struct user *other = user_thread(w.server_process);
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = w.endpoint};
    CHECK_OK(user_run(other, release).status);
    struct ring_entry e = call(1);
    user_submit(w.client, &e);
    CHECK_EQ(user_enter(w.client, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_STATUS(ipc_take(w.client, 1).status, -STATUS_DISCONNECTED);
    struct ring_completion c = ipc_take(w.server, 2);
    CHECK_OK(c.status);
    CHECK_EQ(user_run(w.server, ipc_return(w.server, 3, c.aux, "x")).flags,
             RING_FLAG_CALLER_GONE);
    invariants_check();
}

/* --- a chain --- */

TEST(through_a_process_in_between)
{
    warm_up();
    struct user *back_end = user_of(sim_process(NULL, 0));
    cap_id_t endpoint = ipc_endpoint(back_end->process);
    cap_id_t facet = ipc_facet(back_end->process, endpoint, w.server_process, 1);
    for (int i = 0; i < 6; i++) {
        struct ring_entry receive = ipc_receive(back_end, 2, endpoint);
        wait_with(back_end, &receive, 1);
        cap_id_t reply = request();
        struct ring_entry on = ipc_call(w.server, 7, facet, "further");
        wait_with(w.server, &on, 1);
        CHECK(arch_cpu()->current == back_end->thread);
        cap_id_t inner = ipc_take(back_end, 2).aux;
        ipc_start(back_end, ipc_return(back_end, 3, inner, "y"));
        CHECK_OK(ipc_take(back_end, 3).status);
        CHECK_OK(ipc_take(w.server, 7).status);
        CHECK(ipc_result_is(w.server, &on, 0, "y"));
        ipc_start(w.server, ipc_return(w.server, 3, reply, "x"));
        CHECK_OK(ipc_take(w.server, 3).status);
        CHECK_OK(ipc_take(w.client, 1).status);
        server_waits();
        user_scratch_reset(back_end);
        user_scratch_reset(w.client);
        invariants_check();
    }
}
