/* Whoever of two dies, in whichever state their call is: the other gets the documented answer and
 * goes on. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/endpoint.h"
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

#define INTERFACE 0x0123456789abcdefull
#define TAG 99

struct side {
    struct user *u;
    cap_id_t cap;       /* the endpoint, or a facet */
    uint64_t buffer;    /* a page */
    uint64_t transfers; /* room for RING_TRANSFERS_MAX */
};

static struct side server, client, bystander;

static struct side make_side(void)
{
    struct object *grants[] = {&timer_object, &console_object};
    struct side s = {.u = user_of(sim_process(grants, 2))};
    s.buffer = user_place(s.u, NULL, PAGE_SIZE);
    s.transfers = user_place(s.u, NULL, RING_TRANSFERS_MAX * sizeof(struct cap_transfer));
    return s;
}

static void begin(void)
{
    struct object *endpoint;
    struct object *facet;
    sim_boot(NULL);
    server = make_side();
    client = make_side();
    bystander = make_side();
    CHECK_OK(endpoint_create(server.u->process->account, &endpoint));
    CHECK_OK(endpoint_mint_facet(endpoint, server.u->process->account, INTERFACE, TAG, &facet));
    server.cap = sim_grant(server.u->process, endpoint);
    client.cap = sim_grant(client.u->process, facet);
    bystander.cap = sim_grant(bystander.u->process, facet);
    object_put(endpoint);
    object_put(facet);
}

static struct ring_entry call_entry(struct side *s)
{
    return (struct ring_entry){
        .opcode = RING_OP_CALL,
        .cap = s->cap,
        .interface_id = INTERFACE,
        .method = 3,
        .user_data = 0xca11,
        .message = s->buffer,
        .message_size = 64,
        .result = s->buffer + 1024,
        .result_size = 1024,
        .transfers = s->transfers,
        .transfer_max = 4,
    };
}

static struct ring_entry receive_entry(struct side *s)
{
    return (struct ring_entry){
        .opcode = RING_OP_RECV,
        .cap = s->cap,
        .user_data = 0x4ecf,
        .result = s->buffer + 2048,
        .result_size = 1024,
        .transfers = s->transfers,
        .transfer_max = RING_TRANSFERS_MAX,
    };
}

/* Submits without waiting. */
static void put(struct side *s, struct ring_entry e)
{
    user_submit(s->u, &e);
    CHECK_EQ(user_enter(s->u, 0, 0), USER_RETURNED);
    invariants_check();
}

static struct ring_completion take(struct side *s)
{
    struct ring_completion c;
    if (!user_reap(s->u, &c)) {
        FAIL("no completion");
    }
    return c;
}

static void nothing_yet(struct side *s)
{
    struct ring_completion c;
    CHECK(!user_reap(s->u, &c));
}

static void end_now(void *context)
{
    const struct exit_record record = {.kind = EXIT_KIND_TERMINATED};
    process_end(context, &record);
}

static void kill(struct side *s)
{
    sim_enter_kernel(0, end_now, s->u->process);
    CHECK_EQ(user_state(s->u), USER_DIED);
    invariants_check();
}

static void release(struct side *s, cap_id_t id)
{
    CHECK_OK(
        user_run(s->u, (struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id, .user_data = 1})
            .status);
    invariants_check();
}

/* One call in each state: delivered to nobody, delivered and unanswered. Answers the Reply's id. */
static cap_id_t queue_and_deliver(void)
{
    put(&bystander, call_entry(&bystander));
    put(&server, receive_entry(&server));
    struct ring_completion c = take(&server);
    CHECK_OK(c.status);
    put(&client, call_entry(&client));
    nothing_yet(&client);
    nothing_yet(&bystander);
    return c.aux;
}

TEST(a_dead_owners_callers_are_disconnected)
{
    begin();
    queue_and_deliver();
    kill(&server);
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
    CHECK_STATUS(-take(&bystander).status, STATUS_DISCONNECTED);
    put(&client, call_entry(&client)); /* and so is who calls later */
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
    CHECK_OK(user_run(client.u, (struct ring_entry){.opcode = RING_OP_NOP}).status);
}

TEST(an_endpoint_let_go_disconnects_all_its_calls)
{
    begin();
    cap_id_t reply = queue_and_deliver();
    release(&server, server.cap);
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
    CHECK_STATUS(-take(&bystander).status, STATUS_DISCONNECTED);
    struct ring_completion c = user_run(
        server.u, (struct ring_entry){.opcode = RING_OP_RETURN, .cap = reply, .user_data = 2});
    CHECK_OK(c.status); /* RETURN succeeds even when the caller is gone */
    CHECK(c.flags & RING_FLAG_CALLER_GONE);
}

TEST(a_reply_let_go_fails_its_call_only)
{
    begin();
    cap_id_t reply = queue_and_deliver();
    release(&server, reply);
    struct ring_completion c = take(&bystander);
    CHECK_STATUS(-c.status, STATUS_EXCEPTION);
    CHECK(c.flags & RING_FLAG_EXCEPTION);
    nothing_yet(&client);
    put(&server, receive_entry(&server));
    c = take(&server);
    CHECK_OK(c.status);
    CHECK_EQ(c.method, 3);
    CHECK_OK(user_run(server.u,
                      (struct ring_entry){.opcode = RING_OP_RETURN, .cap = c.aux, .user_data = 2})
                 .status);
    CHECK_OK(take(&client).status);
}

TEST(a_caller_that_dies_undelivered_leaves_no_trace)
{
    begin();
    put(&client, call_entry(&client));
    put(&bystander, call_entry(&bystander));
    kill(&client);
    put(&server, receive_entry(&server)); /* the next in the queue is the bystander's */
    struct ring_completion c = take(&server);
    CHECK_OK(c.status);
    CHECK_OK(user_run(server.u,
                      (struct ring_entry){.opcode = RING_OP_RETURN, .cap = c.aux, .user_data = 2})
                 .status);
    CHECK_OK(take(&bystander).status);
}

TEST(the_server_learns_when_a_delivered_calls_caller_died)
{
    begin();
    cap_id_t reply = queue_and_deliver();
    kill(&bystander);
    struct ring_completion c = user_run(
        server.u, (struct ring_entry){.opcode = RING_OP_RETURN, .cap = reply, .user_data = 2});
    CHECK_OK(c.status);
    CHECK(c.flags & RING_FLAG_CALLER_GONE);
    kill(&client); /* its call is still queued; then the last facet is gone */
    put(&server, receive_entry(&server));
    c = take(&server);
    CHECK_OK(c.status);
    CHECK(c.flags & RING_FLAG_NOTICE);
    struct ring_request request;
    CHECK(user_read(server.u->process, server.buffer + 2048, &request, sizeof(request)));
    CHECK_EQ(request.tag, TAG);
    CHECK_EQ(request.interface_id, INTERFACE);
}

TEST(a_receiver_that_waits_gets_the_notice)
{
    begin();
    put(&server, receive_entry(&server));
    release(&client, client.cap);
    nothing_yet(&server);
    release(&bystander, bystander.cap);
    struct ring_completion c = take(&server);
    CHECK_OK(c.status);
    CHECK(c.flags & RING_FLAG_NOTICE);
}

static void end_thread(void *context)
{
    thread_exit(context, 0);
}

TEST(a_receiver_that_dies_leaves_the_calls_to_others)
{
    begin();
    struct user *second = user_thread(server.u->process);
    struct ring_entry receive = receive_entry(&server);
    user_submit(second, &receive);
    CHECK_EQ(user_enter(second, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    sim_enter_kernel(0, end_thread, second->thread);
    put(&client, call_entry(&client));
    nothing_yet(&client);
    put(&server, receive_entry(&server));
    CHECK_OK(take(&server).status);
}

/* --- cancellation --- */

static struct ring_entry cancel_entry(uint64_t user_data)
{
    return (struct ring_entry){
        .opcode = RING_OP_CANCEL, .interface_id = user_data, .user_data = 0xcace1};
}

/* Both completions of a CANCEL that came in time. */
static void cancel_in_time(struct side *s, uint64_t user_data)
{
    put(s, cancel_entry(user_data));
    for (int i = 0; i < 2; i++) {
        struct ring_completion c = take(s);
        CHECK_STATUS(-c.status, c.user_data == user_data ? STATUS_CANCELLED : STATUS_OK);
    }
}

TEST(calls_are_cancelled_in_every_state)
{
    begin();
    cap_id_t reply = queue_and_deliver();
    cancel_in_time(&client, 0xca11);    /* not yet received: without effect */
    cancel_in_time(&bystander, 0xca11); /* received: the server learns of it */
    struct ring_completion c = user_run(
        server.u, (struct ring_entry){.opcode = RING_OP_RETURN, .cap = reply, .user_data = 2});
    CHECK_OK(c.status);
    CHECK(c.flags & RING_FLAG_CALLER_GONE);
    put(&client, cancel_entry(0xca11)); /* too late */
    CHECK_STATUS(-take(&client).status, STATUS_NOT_FOUND);
    put(&server, receive_entry(&server));
    nothing_yet(&server);
    cancel_in_time(&server, 0x4ecf);
}

/* --- what is sent --- */

static void sending(struct side *s, struct ring_entry *e, cap_id_t id, enum cap_transfer_mode mode)
{
    struct cap_transfer t = {id, mode};
    CHECK(user_write(s->u->process, e->transfers, &t, sizeof(t)));
    e->transfer_count = 1;
}

TEST(a_moved_capability_comes_back_when_the_call_ends_undelivered)
{
    begin();
    cap_id_t id = sim_grant(client.u->process, &console_object);
    struct ring_entry e = call_entry(&client);
    sending(&client, &e, id, CAP_TRANSFER_MOVE);
    put(&client, e);
    struct ring_entry use = {.opcode = RING_OP_RELEASE, .cap = id, .user_data = 7};
    CHECK_STATUS(-user_run(client.u, use).status, STATUS_IN_TRANSIT);
    cancel_in_time(&client, e.user_data);
    struct object *o;
    CHECK_OK(cap_table_look_up(&client.u->process->table, id, &o));
    put(&client, e);
    kill(&server);
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
    CHECK_OK(cap_table_look_up(&client.u->process->table, id, &o));
    CHECK(o == &console_object);
}

TEST(a_delivered_capability_is_the_receivers)
{
    begin();
    cap_id_t id = sim_grant(client.u->process, &console_object);
    struct ring_entry e = call_entry(&client);
    sending(&client, &e, id, CAP_TRANSFER_MOVE);
    put(&client, e);
    put(&server, receive_entry(&server));
    struct ring_completion c = take(&server);
    CHECK_EQ(c.transfer_count, 1);
    struct cap_transfer got;
    struct object *o;
    CHECK(user_read(server.u->process, server.transfers, &got, sizeof(got)));
    CHECK_OK(cap_table_look_up(&server.u->process->table, got.cap, &o));
    CHECK(o == &console_object);
    CHECK_STATUS(cap_table_look_up(&client.u->process->table, id, &o), STATUS_STALE_CAPABILITY);
    kill(&server);
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
    CHECK_STATUS(cap_table_look_up(&client.u->process->table, id, &o), STATUS_STALE_CAPABILITY);
}

/* The endpoint itself, sent through its own facet: only its process's end can free the two. */
TEST(an_endpoint_in_its_own_queue_goes_with_its_process)
{
    begin();
    struct object *o;
    CHECK_OK(cap_table_look_up(&client.u->process->table, client.cap, &o));
    cap_id_t facet = sim_grant(server.u->process, o);
    struct ring_entry e = call_entry(&server);
    e.cap = facet;
    sending(&server, &e, server.cap, CAP_TRANSFER_MOVE);
    put(&server, e);
    put(&client, call_entry(&client));
    nothing_yet(&server);
    kill(&server);
    CHECK_STATUS(-take(&client).status, STATUS_DISCONNECTED);
}

/* A Reply is moved to another process, which answers, or ends. */
TEST(whoever_holds_the_reply_answers)
{
    for (int dies = 0; dies < 2; dies++) {
        if (dies == 0) {
            begin();
        }
        put(&client, call_entry(&client));
        put(&server, receive_entry(&server));
        struct ring_completion c = take(&server);
        CHECK_OK(c.status);
        struct object *reply;
        CHECK_OK(cap_table_move_begin(&server.u->process->table, c.aux, &reply));
        reply = cap_table_move_commit(&server.u->process->table, c.aux);
        cap_id_t id;
        CHECK_OK(cap_table_insert(&bystander.u->process->table, reply, &id));
        if (dies == 1) {
            kill(&bystander);
            CHECK_STATUS(-take(&client).status, STATUS_EXCEPTION);
        } else {
            struct ring_entry e = {.opcode = RING_OP_RETURN, .cap = id, .user_data = 2};
            CHECK_OK(user_run(bystander.u, e).status);
            CHECK_OK(take(&client).status);
        }
    }
}
