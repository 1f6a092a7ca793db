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

status_t spawn_process(const struct invocation *in, struct wire_span name, struct object *image,
                       struct wire_span start, struct wire_list grants, struct wire_reader limits,
                       void (*set_handle)(struct wire_builder, uint32_t))
{
    struct call *call = in->call;
    if (grants.count > RING_TRANSFERS_MAX) {
        return call_bad_argument(call, "grants", "more grants than can be sent");
    }
    struct object *granted[RING_TRANSFERS_MAX];
    status_t status = collect_grants(call, grants, granted);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t most[LEDGER_KINDS] = {
        [LEDGER_FRAMES] = limits_frames(limits),
        [LEDGER_SLOTS] = limits_slots(limits),
        [LEDGER_THREADS] = limits_threads(limits),
        [LEDGER_CALLS] = limits_calls(limits),
        [LEDGER_KERNEL_BYTES] = limits_kernel_bytes(limits),
    };
    if (in->params.message->error != WIRE_OK) { /* a bad pointer in one of the grants */
        return STATUS_BAD_MESSAGE;
    }
    const char *reason = NULL;
    struct process *child;
    status = process_create(call_account(call), name.data, name.size, image, start.data,
                            start.size, granted, grants.count, most, &child, &reason);
    if (status == STATUS_BAD_MESSAGE && reason != NULL) {
        return call_bad_argument(call, "image", reason);
    }
    if (status != STATUS_OK) {
        return status;
    }
    set_handle(in->results, call_give(call, &child->object));
    /* The first process that init makes is the machine's program: the host hears of its end. */
    if (call->process == process_init && process_program == NULL) {
        process_program = child;
        object_get(&child->object);
        host_link_started(child->image_base);
    }
    process_start(child);
    return STATUS_OK;
}
