/* Timer: monotonic time, sleeping, and the page from which time is read without entering the
 * kernel.
 *
 * Time is an authority: whoever calls one of these holds it, so the process may use time-outs from
 * then on, and the first call of page() opens the time-stamp counter for it. A waiting call holds a
 * record with its timer, charged to the caller. */
#include "kernel/arch/arch.h"
#include "kernel/core/call.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/time_page.h"
#include "kernel/core/timer_queue.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/timer.h"

/* A call that waits for a moment. value[0]: whether it answers with the time. */
struct wait {
    struct timer timer;
    struct call *call;
};

static struct call *detach(struct wait *w)
{
    struct call *call = w->call;
    KASSERT(call->context == w);
    timer_stop(&w->timer);
    kmem_free(call_account(call), w, sizeof *w);
    return call;
}

static void cancelled(struct call *call)
{
    (void)detach(call->context);
}

static void fired(struct timer *timer)
{
    struct call *call = detach(CONTAINER_OF(timer, struct wait, timer));
    struct wire_builder results = call_reply(call);
    if (call->value[0] != 0) {
        timer_ready_results_set_monotonic_ns(results, arch_now_ns());
    }
    call_finish(call, STATUS_OK);
}

static status_t wait_until(struct call *call, uint64_t deadline_ns, bool answers_time)
{
    struct account *payer = call_account(call);
    void *memory;
    status_t status = kmem_alloc(payer, sizeof(struct wait), &memory);
    if (status != STATUS_OK) {
        return status;
    }
    struct wait *w = memory;
    status = call_keep(call, cancelled, &w->call);
    if (status != STATUS_OK) {
        kmem_free(payer, w, sizeof *w);
        return status;
    }
    w->call->context = w;
    w->call->value[0] = answers_time;
    timer_start(&w->timer, deadline_ns, fired);
    return STATUS_PENDING;
}

/* Through a forwarder it is granted only until the cut: process_time_granted() looks each time. */
static void note_granted(const struct call *call)
{
    if (call->forwarder == NULL) {
        call->process->time_granted = true;
    }
}

status_t timer_now(const struct invocation *in)
{
    note_granted(in->call);
    timer_now_results_set_monotonic_ns(in->results, arch_now_ns());
    timer_now_results_set_tick(in->results, arch_tick());
    return STATUS_OK;
}

status_t timer_sleep(const struct invocation *in, uint64_t ns)
{
    note_granted(in->call);
    if (ns == 0) {
        return STATUS_OK;
    }
    uint64_t now_ns = arch_now_ns();
    return wait_until(in->call, ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + ns, false);
}

status_t timer_ready(const struct invocation *in, uint64_t deadline_ns)
{
    uint64_t now_ns = arch_now_ns();
    note_granted(in->call);
    if (deadline_ns <= now_ns) {
        timer_ready_results_set_monotonic_ns(in->results, now_ns);
        return STATUS_OK;
    }
    return wait_until(in->call, deadline_ns, true);
}

status_t timer_page(const struct invocation *in)
{
    struct process *p = in->call->process;
    if (in->call->forwarder != NULL) { /* neither the page nor the counter can be taken back */
        return call_exception(in->call, EXCEPTION_TYPE_UNIMPLEMENTED,
                              "a Timer that can be revoked gives no page", NULL);
    }
    p->time_granted = true;
    if (p->time_page == 0) {
        frame_t frame;
        status_t status = time_page_frame(&frame);
        if (status == STATUS_OK) {
            status = address_space_map_kernel_pages(p->space, 0, &frame, 1, PROTECTION_READ,
                                                    &p->time_page);
        }
        if (status != STATUS_OK) {
            p->time_page = 0;
            return status;
        }
        arch_time_open(p);
    }
    timer_page_results_set_address(in->results, p->time_page);
    return STATUS_OK;
}
