/* The test's hands on a ring: entries, completions, calls with messages. See sim.h. */
#include "tests/lib/sim.h"

#define CALL_TRANSFERS 8

struct ring_header user_ring(const struct user *u)
{
    struct ring_header h;
    CHECK(user_read(u->process, u->ring, &h, sizeof(h)));
    return h;
}

void user_submit(struct user *u, const struct ring_entry *e)
{
    struct ring_header h = user_ring(u);
    CHECK_LT(h.sq_tail - h.sq_head, h.sq_entries);
    uint64_t at = u->ring + h.sq_offset + (h.sq_tail & (h.sq_entries - 1)) * sizeof(*e);
    uint32_t tail = h.sq_tail + 1;
    CHECK(user_write(u->process, at, e, sizeof(*e)));
    CHECK(user_write(u->process, u->ring + offsetof(struct ring_header, sq_tail), &tail,
                     sizeof(tail)));
}

bool user_reap(struct user *u, struct ring_completion *out)
{
    struct ring_header h = user_ring(u);
    if (h.cq_head == h.cq_tail) {
        return false;
    }
    uint64_t at = u->ring + h.cq_offset + (h.cq_head & (h.cq_entries - 1)) * sizeof(*out);
    uint32_t head = h.cq_head + 1;
    CHECK(user_read(u->process, at, out, sizeof(*out)));
    CHECK(user_write(u->process, u->ring + offsetof(struct ring_header, cq_head), &head,
                     sizeof(head)));
    return true;
}

struct ring_completion user_run(struct user *u, struct ring_entry e)
{
    struct ring_completion c;
    CHECK(!user_reap(u, &c));
    user_submit(u, &e);
    if (user_enter(u, 1, CAP_ENTER_FOREVER) == USER_BLOCKED) {
        FAIL("the entry with opcode %u waits", e.opcode);
    }
    if (user_state(u) == USER_DIED) {
        FAIL("the thread died of the entry with opcode %u", e.opcode);
    }
    if (!user_reap(u, &c)) {
        FAIL("cap_enter returned %lld (%s) without a completion", (long long)user_result(u),
             test_status_name((int)user_result(u)));
    }
    CHECK_EQ(c.user_data, e.user_data);
    return c;
}

struct wire_builder user_message(struct user_message *m, uint32_t data_words, uint32_t pointers)
{
    wire_message_begin(&m->builder, m->bytes, sizeof(m->bytes));
    return wire_message_init_root(&m->builder, data_words, pointers);
}

struct ring_entry user_call_entry(struct user *u, cap_id_t cap, uint64_t interface_id,
                                  uint16_t method, struct user_message *m,
                                  const struct cap_transfer *sent, uint16_t count)
{
    struct ring_entry e = {
        .opcode = RING_OP_CALL,
        .cap = cap,
        .interface_id = interface_id,
        .method = method,
        .user_data = 0xca110000 + u->next_user_data++,
        .transfer_count = count,
        .transfer_max = CALL_TRANSFERS,
    };
    CHECK_LE(count, RING_TRANSFERS_MAX);
    static const uint64_t empty[2] = {1ull << 32, 0};
    e.message_size = sizeof(empty);
    if (m != NULL) {
        e.message_size = (uint32_t)wire_message_finish(&m->builder);
        CHECK(e.message_size > 0);
    }
    e.message = user_place(u, m != NULL ? (const void *)m->bytes : empty, e.message_size);
    uint16_t room = count > CALL_TRANSFERS ? count : CALL_TRANSFERS;
    e.transfers = user_place(u, NULL, room * sizeof(struct cap_transfer));
    CHECK(user_write(u->process, e.transfers, sent, count * sizeof(*sent)));
    e.result_size = MESSAGE_MAX;
    e.result = user_place(u, NULL, e.result_size);
    return e;
}

void user_take_reply(struct user *u, const struct ring_entry *e, const struct ring_completion *c,
                     struct user_reply *reply)
{
    reply->completion = *c;
    CHECK_LE(c->result_size, e->result_size);
    CHECK_LE(c->transfer_count, RING_TRANSFERS_MAX);
    CHECK(user_read(u->process, e->result, reply->bytes, c->result_size));
    CHECK(user_read(u->process, e->transfers, reply->transfers,
                    c->transfer_count * sizeof(reply->transfers[0])));
    wire_message_open(&reply->message, reply->bytes, c->result_size);
    reply->root = wire_message_root(&reply->message);
}

status_t user_call(struct user *u, cap_id_t cap, uint64_t interface_id, uint16_t method,
                   struct user_message *m, const struct cap_transfer *sent, uint16_t count,
                   struct user_reply *reply)
{
    uint64_t scratch = u->scratch_used;
    struct ring_entry e = user_call_entry(u, cap, interface_id, method, m, sent, count);
    struct ring_completion c = user_run(u, e);
    if (reply != NULL) {
        user_take_reply(u, &e, &c, reply);
    }
    u->scratch_used = scratch;
    return (status_t)-c.status;
}
