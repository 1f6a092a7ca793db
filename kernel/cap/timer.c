/* Timer: monotonic time, sleeping, and the page from which time is read without entering the
 * kernel.
 *
 * Time is an authority: whoever calls one of these holds it, so the process may use time-outs from
 * then on, and the first call of page() opens the time-stamp counter for it. Calls that wait are
 * parked: kernel/core/park.h. */
#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/frame.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/timer.h"

frame_t timer_page_frame;

static void fired(struct timer *timer)
{
    struct call *call = park_end(timer);
    struct wire_builder results = call_reply(call);
    if (call->method_number == TIMER_METHOD_READY) {
        timer_ready_results_set_monotonic_ns(results, arch_now_ns());
    }
    call_finish(call, STATUS_OK);
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
    uint64_t now_ns = arch_now_ns(), deadline_ns = MIN(ns, UINT64_MAX - now_ns) + now_ns;
    note_granted(in->call);
    return ns == 0 ? STATUS_OK : park_until(in->call, deadline_ns, fired);
}

status_t timer_ready(const struct invocation *in, uint64_t deadline_ns)
{
    uint64_t now_ns = arch_now_ns();
    note_granted(in->call);
    if (deadline_ns <= now_ns) {
        timer_ready_results_set_monotonic_ns(in->results, now_ns);
        return STATUS_OK;
    }
    return park_until(in->call, deadline_ns, fired);
}

status_t timer_map_page(struct process *p, uint64_t hint)
{
    if (timer_page_frame == FRAME_NONE) {
        frame_t made;
        status_t status = frame_alloc_zeroed(&made);
        if (status != STATUS_OK) {
            return status;
        }
        arch_time_page(arch_frame_address(made));
        timer_page_frame = made;
    }
    return address_space_map_kernel_pages(p->space, hint, &timer_page_frame, 1, PROTECTION_READ,
                                          &p->time_page);
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
        status_t status = timer_map_page(p, 0);
        if (status != STATUS_OK) {
            return status;
        }
        arch_time_open(p);
    }
    timer_page_results_set_address(in->results, p->time_page);
    return STATUS_OK;
}
