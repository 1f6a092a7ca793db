/* Denial records: kept with the process, and shown to the host. See denial.h.
 *
 * A record says what the process itself asked for; nothing in it comes from another process. */
#include "kernel/core/denial.h"

#include "kernel/core/host_link.h"
#include "kernel/core/log.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"

void denial_record(struct process *p, uint64_t interface_id, uint16_t method,
                   enum denial_reason reason, const char *name, const char *grant)
{
    struct denial *d = &p->denials[p->denial_count++ % DENIALS_KEPT];
    KASSERT(reason < DENIAL_REASON_COUNT);
    *d = (struct denial){.interface_id = interface_id, .method = method, .reason = reason};
    format_text(d->name, sizeof d->name, "%s", name != NULL ? name : "");
    format_text(d->grant, sizeof d->grant, "%s", grant != NULL ? grant : "");
    struct host_link_denial record = {.process = p->id, .interface_id = interface_id,
                                      .method = method, .reason = (uint8_t)reason};
    format_text(record.process_name, sizeof record.process_name, "%s", p->name);
    format_text(record.name, sizeof record.name, "%s", d->name);
    format_text(record.grant, sizeof record.grant, "%s", d->grant);
    host_link_send_denial(&record);
}

void denial_of_status(struct process *p, uint64_t interface_id, uint16_t method, status_t status)
{
    enum denial_reason reason;
    const char *grant = NULL; /* that would have made a difference */
    switch (status) {
    case STATUS_WRONG_INTERFACE:
        reason = DENIAL_REASON_WRONG_TYPE;
        grant = interface_grant(interface_id);
        break;
    case STATUS_REVOKED:
        reason = DENIAL_REASON_REVOKED;
        break;
    case STATUS_UNKNOWN_METHOD:
    case STATUS_NOT_SUPPORTED:
        reason = DENIAL_REASON_UNSUPPORTED;
        break;
    case STATUS_SLOTS_EXHAUSTED ... STATUS_MAPPINGS_EXHAUSTED:
        reason = DENIAL_REASON_EXHAUSTED;
        break;
    case STATUS_TIME_NOT_GRANTED:
        reason = DENIAL_REASON_NOT_GRANTED;
        interface_id = TIMER_INTERFACE_ID;
        grant = interface_grant(interface_id);
        break;
    default:
        return;
    }
    denial_record(p, interface_id, method, reason, NULL, grant);
}

void denial_not_granted(struct process *p, uint64_t interface_id, uint16_t method)
{
    const char *grant = interface_grant(interface_id);
    denial_record(p, interface_id, method, DENIAL_REASON_NOT_GRANTED, grant, grant);
}
