/* A server and a client in the simulated machine. See ipc.h. */
#include "tests/lib/ipc.h"

#include "lib/wire/gen/types.h"

cap_id_t ipc_endpoint(struct process *p)
{
    struct object *o;
    CHECK_OK(endpoint_create(p->account, &o));
    cap_id_t id = sim_grant(p, o);
    object_put(o);
    return id;
}

cap_id_t ipc_facet(struct process *owner, cap_id_t endpoint, struct process *holder, uint64_t tag)
{
    struct object *o, *facet;
    CHECK_OK(cap_table_look_up(&owner->table, endpoint, &o));
    CHECK_OK(endpoint_mint_facet(o, owner->account, IPC_INTERFACE, tag, &facet));
    cap_id_t id = sim_grant(holder, facet);
    object_put(facet);
    return id;
}

cap_id_t ipc_token(struct process *p)
{
    return ipc_facet(p, ipc_endpoint(p), p, 0);
}

void ipc_touch(struct user *u)
{
    static const char zeroes[4096];
    for (uint64_t at = 0; at < USER_SCRATCH_SIZE; at += sizeof(zeroes)) {
        CHECK(user_write(u->process, u->scratch + at, zeroes, sizeof(zeroes)));
    }
}

void ipc_make(struct ipc *w)
{
    w->server_process = sim_process(NULL, 0);
    w->client_process = sim_process(NULL, 0);
    w->server = user_of(w->server_process);
    w->client = user_of(w->client_process);
    w->endpoint = ipc_endpoint(w->server_process);
    w->facet = ipc_facet(w->server_process, w->endpoint, w->client_process, IPC_TAG);
}

void ipc_boot(struct ipc *w)
{
    sim_boot(NULL);
    ipc_make(w);
}

void ipc_start(struct user *u, struct ring_entry e)
{
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
}

struct ring_completion ipc_take(struct user *u, uint64_t user_data)
{
    struct ring_completion c;
    if (!user_reap(u, &c)) {
        FAIL("no completion, but %llu was expected", (unsigned long long)user_data);
    }
    CHECK_EQ(c.user_data, user_data);
    CHECK_EQ(c.reserved, 0);
    CHECK_EQ(c.reserved2, 0);
    CHECK_EQ(c.reserved3, 0);
    return c;
}

void ipc_take_none(struct user *u)
{
    struct ring_completion c;
    if (user_reap(u, &c)) {
        FAIL("a completion of %llu: %s", (unsigned long long)c.user_data,
             test_status_name(c.status));
    }
}

static struct ring_entry entry(struct user *u, uint8_t opcode, uint64_t user_data, cap_id_t cap,
                               const char *text)
{
    struct ring_entry e = {.opcode = opcode, .user_data = user_data, .cap = cap};
    if (text != NULL) {
        e.message_size = (uint32_t)strlen(text);
        e.message = user_place(u, text, e.message_size);
    }
    e.transfers = user_place(u, NULL, IPC_TRANSFERS * sizeof(struct cap_transfer));
    return e;
}

struct ring_entry ipc_call(struct user *u, uint64_t user_data, cap_id_t facet, const char *text)
{
    struct ring_entry e = entry(u, RING_OP_CALL, user_data, facet, text);
    e.interface_id = IPC_INTERFACE;
    e.method = 5;
    e.result = user_place(u, NULL, IPC_ROOM);
    e.result_size = IPC_ROOM;
    e.transfer_max = IPC_TRANSFERS;
    return e;
}

struct ring_entry ipc_receive(struct user *u, uint64_t user_data, cap_id_t endpoint)
{
    struct ring_entry e = entry(u, RING_OP_RECV, user_data, endpoint, NULL);
    e.result = user_place(u, NULL, IPC_ROOM);
    e.result_size = IPC_ROOM;
    e.transfer_max = IPC_TRANSFERS;
    return e;
}

struct ring_entry ipc_return(struct user *u, uint64_t user_data, cap_id_t reply, const char *text)
{
    return entry(u, RING_OP_RETURN, user_data, reply, text);
}

struct ring_entry ipc_cancel(uint64_t user_data, uint64_t of)
{
    return (struct ring_entry){
        .opcode = RING_OP_CANCEL, .user_data = user_data, .interface_id = of};
}

void ipc_send(struct user *u, struct ring_entry *e, cap_id_t cap, enum cap_transfer_mode mode)
{
    struct cap_transfer x = {.cap = cap, .mode = mode};
    CHECK_LT(e->transfer_count, IPC_TRANSFERS);
    CHECK(user_write(u->process, e->transfers + e->transfer_count++ * sizeof(x), &x, sizeof(x)));
}

cap_id_t ipc_got(struct user *u, const struct ring_entry *e, uint32_t i)
{
    struct cap_transfer x;
    CHECK(user_read(u->process, e->transfers + i * sizeof(x), &x, sizeof(x)));
    CHECK_EQ(x.mode, 0);
    return x.cap;
}

bool ipc_result_is(struct user *u, const struct ring_entry *e, uint64_t offset, const char *text)
{
    char bytes[IPC_ROOM];
    size_t size = strlen(text);
    CHECK(user_read(u->process, e->result + offset, bytes, size));
    return memcmp(bytes, text, size) == 0;
}

struct ring_request ipc_request(struct user *u, const struct ring_entry *e)
{
    struct ring_request r;
    CHECK(user_read(u->process, e->result, &r, sizeof(r)));
    return r;
}

int ipc_exception(struct user *u, const struct ring_entry *e, const struct ring_completion *c)
{
    _Alignas(8) uint8_t bytes[IPC_ROOM];
    struct wire_message message;
    CHECK_STATUS(c->status, -STATUS_EXCEPTION);
    CHECK_EQ(c->flags & RING_FLAG_EXCEPTION, RING_FLAG_EXCEPTION);
    CHECK(user_read(u->process, e->result, bytes, c->result_size));
    CHECK_EQ(wire_message_open(&message, bytes, c->result_size), WIRE_OK);
    struct wire_reader root = wire_message_root(&message);
    CHECK_GT(exception_reason(root).size, 0);
    return (int)exception_type(root);
}

cap_id_t ipc_receive_now(struct ipc *w)
{
    uint64_t scratch = w->server->scratch_used;
    struct ring_completion c = user_run(w->server, ipc_receive(w->server, 999, w->endpoint));
    w->server->scratch_used = scratch;
    CHECK_OK(c.status);
    CHECK_EQ(c.flags, 0);
    return c.aux;
}

status_t ipc_look_up(struct process *p, cap_id_t id)
{
    struct object *o;
    return cap_table_look_up(&p->table, id, &o);
}
