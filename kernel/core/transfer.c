/* Transfers: looking up, reserving, delivering, giving back. See transfer.h. */
#include "kernel/core/transfer.h"

#include "kernel/core/address_space.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"

/* Whoever owns an endpoint or a Reply is one process. */
static bool moves_only(const struct object *o)
{
    return o->class == &endpoint_class || o->class == &reply_class;
}

static status_t resolve_one(struct cap_table *table, const struct cap_transfer *wanted,
                            struct sent_capability *out)
{
    struct object *o = NULL;
    if (wanted->mode != CAP_TRANSFER_COPY && wanted->mode != CAP_TRANSFER_MOVE) {
        return STATUS_BAD_ENTRY;
    }
    bool moving = wanted->mode == CAP_TRANSFER_MOVE;
    status_t s = moving ? cap_table_move_begin(table, wanted->cap, &o)
                        : cap_table_look_up(table, wanted->cap, &o);
    if (s != STATUS_OK) {
        return s;
    }
    if (!moving && moves_only(o)) {
        return STATUS_NOT_SUPPORTED;
    }
    *out = (struct sent_capability){.object = object_get(o), .id = wanted->cap, .moving = moving};
    return STATUS_OK;
}

status_t transfer_resolve(struct call *call, uint64_t address, uint32_t count)
{
    struct cap_transfer wanted[RING_TRANSFERS_MAX];
    KASSERT(count <= RING_TRANSFERS_MAX && call->transfers.sent_count == 0);
    status_t s = user_copy_in(call->process->space, wanted, address, count * sizeof(wanted[0]));
    if (s != STATUS_OK) {
        return s;
    }
    struct sent_capability *room = arch_cpu()->sent;
    call->transfers.sent = room;
    for (uint32_t i = 0; i < count; i++) {
        s = resolve_one(&call->process->table, &wanted[i], &room[i]);
        if (s != STATUS_OK) {
            transfer_end(call, false);
            return s;
        }
        call->transfers.sent_count++;
    }
    return STATUS_OK;
}

status_t transfer_reserve(struct cap_table *table, uint32_t count, struct cap_transfer *ids)
{
    KASSERT(count <= RING_TRANSFERS_MAX + 1);
    for (uint32_t i = 0; i < count; i++) {
        status_t s = cap_table_reserve(table, &ids[i].cap);
        if (s != STATUS_OK) {
            transfer_unreserve(table, i, ids);
            return s;
        }
        ids[i].mode = CAP_TRANSFER_COPY;
    }
    return STATUS_OK;
}

void transfer_unreserve(struct cap_table *table, uint32_t count, const struct cap_transfer *ids)
{
    for (uint32_t i = count; i > 0; i--) {
        cap_table_cancel(table, ids[i - 1].cap);
    }
}

status_t transfer_write(struct address_space *as, uint64_t address, uint32_t count,
                        const struct cap_transfer *ids)
{
    KASSERT(count <= RING_TRANSFERS_MAX);
    return count == 0 ? STATUS_OK : user_copy_out(as, address, ids, count * sizeof(ids[0]));
}

void transfer_deliver(struct call *call, struct cap_table *to, const struct cap_transfer *ids)
{
    for (uint32_t i = 0; i < call->transfers.sent_count; i++) {
        struct sent_capability *sent = &call->transfers.sent[i];
        if (sent->moving) {
            object_put(cap_table_move_commit(&call->process->table, sent->id));
        }
        cap_table_commit(to, ids[i].cap, sent->object); /* takes over our reference */
    }
    call->transfers.sent_count = 0;
}

void transfer_end(struct call *call, bool moved)
{
    /* the call itself has ended its process */
    bool table_gone = call->process->table.account == NULL;
    for (uint32_t i = 0; i < call->transfers.sent_count; i++) {
        struct sent_capability *sent = &call->transfers.sent[i];
        if (sent->moving && !table_gone) {
            if (moved) {
                object_put(cap_table_move_commit(&call->process->table, sent->id));
            } else {
                cap_table_move_cancel(&call->process->table, sent->id);
            }
        }
        object_put(sent->object);
    }
    call->transfers.sent_count = 0;
}
