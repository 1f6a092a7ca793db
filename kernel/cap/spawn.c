/* See spawn.h. Everything that can fail comes before the child exists for anybody; then it is given
 * and started. */
#include "kernel/cap/spawn.h"

#include "kernel/core/host_link.h"
#include "kernel/core/ledger.h"
#include "kernel/core/process.h"
#include "lib/wire/gen/types.h"

static status_t collect_grants(struct call *call, struct wire_list list, struct object **grants)
{
    uint64_t moved = 0; /* a bit for each: an Endpoint with two ids could have two owners */
    _Static_assert(RING_TRANSFERS_MAX <= 64, "a bit for each capability that is sent");
    for (uint32_t i = 0; i < list.count; i++) {
        uint32_t index = granted_cap_cap(wire_list_get_struct(list, i));
        grants[i] = call_sent(call, index);
        if (grants[i] == NULL) {
            return call_bad_argument(call, "grants", "a grant names no capability that was sent");
        }
        if (call->transfers.sent[index].moving) {
            if ((moved >> index & 1) != 0) {
                return call_bad_argument(call, "grants", "what is moved is granted once");
            }
            moved |= 1ull << index;
        }
    }
    return STATUS_OK;
}

/* The first process that init makes is the machine's program: its end is what the host hears of. */
static void note_program(const struct process *parent, struct process *child)
{
    if (parent == process_init && process_program == NULL) {
        process_program = child;
        object_get(&child->object);
        host_link_started(child->image_base);
    }
}

status_t spawn_process(const struct invocation *in, const struct spawn_request *request,
                       void (*set_handle)(struct wire_builder, uint32_t))
{
    struct call *call = in->call;
    if (request->grants.count > RING_TRANSFERS_MAX) {
        return call_bad_argument(call, "grants", "more grants than can be sent");
    }
    struct object *grants[RING_TRANSFERS_MAX];
    status_t status = collect_grants(call, request->grants, grants);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t limits[LEDGER_KINDS] = {
        [LEDGER_FRAMES] = limits_frames(request->limits),
        [LEDGER_SLOTS] = limits_slots(request->limits),
        [LEDGER_THREADS] = limits_threads(request->limits),
        [LEDGER_CALLS] = limits_calls(request->limits),
        [LEDGER_KERNEL_BYTES] = limits_kernel_bytes(request->limits),
    };
    if (request->grants.message != NULL && request->grants.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    const char *reason = NULL;
    struct process *child;
    status = process_create(call_account(call), request->name.data, request->name.size,
                            request->image, request->start.data, request->start.size, grants,
                            request->grants.count, limits, &child, &reason);
    if (status == STATUS_BAD_MESSAGE && reason != NULL) {
        return call_bad_argument(call, "image", reason);
    }
    if (status != STATUS_OK) {
        return status;
    }
    set_handle(in->results, call_give(call, &child->object));
    note_program(call->process, child);
    process_start(child);
    return STATUS_OK;
}
