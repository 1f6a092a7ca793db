/* Timer: time goes on, waits last as long as they should (longer is no error on a busy machine),
 * and the page tells the same time. */
#include "check.h"

#include "abi/time_page.h"

#define MS 1000000ull

static uint64_t now(cap_t timer)
{
    struct capos_timer_now_results results;
    CHECK_OK(capos_timer_now(timer, &results));
    return results.monotonic_ns;
}

static void waits(cap_t timer)
{
    struct capos_timer_ready_results ready;
    uint64_t start_ns = now(timer);
    CHECK_OK(capos_timer_sleep(timer, 20 * MS));
    CHECK(now(timer) >= start_ns + 20 * MS);
    CHECK_OK(capos_timer_sleep(timer, 0));
    ok("sleep");
    uint64_t deadline_ns = now(timer) + 10 * MS;
    CHECK_OK(capos_timer_ready(timer, deadline_ns, &ready));
    CHECK(ready.monotonic_ns >= deadline_ns && now(timer) >= ready.monotonic_ns);
    CHECK_OK(capos_timer_ready(timer, 1, &ready)); /* long past */
    CHECK(ready.monotonic_ns > deadline_ns);
    ok("ready");
    start_ns = now(timer);
    CHECK_STATUS(capos_wait_any(5 * MS), STATUS_TIMED_OUT);
    CHECK(now(timer) >= start_ns + 5 * MS);
    ok("time-outs");
}

static void cancels(cap_t timer)
{
    static struct capos_call call;
    static _Alignas(8) uint8_t request[64], reply[64];
    capos_call_init(&call, request, sizeof request, reply, sizeof reply);
    CHECK_OK(capos_timer_sleep_submit(&call, timer, UINT64_MAX));
    capos_flush();
    CHECK(!capos_is_complete(&call));
    CHECK_OK(capos_cancel(&call));
    CHECK_STATUS(capos_await(&call), STATUS_CANCELLED);
    ok("a wait is cancelled");
}

static void page(cap_t timer)
{
    struct capos_timer_page_results page, again;
    CHECK_OK(capos_timer_page(timer, &page));
    CHECK_OK(capos_timer_page(timer, &again));
    CHECK(page.address == again.address);
    check_catch_faults();
    CHECK(can_read(page.address) && !can_write(page.address) && !can_run(page.address));
    CHECK(((const struct time_page *)page.address)->tick_hz > 0);
    uint64_t before_ns, after_ns;
    CHECK_OK(capos_clock(timer, &before_ns));
    uint64_t kernel_ns = now(timer);
    CHECK_OK(capos_clock(timer, &after_ns));
    CHECK(before_ns <= kernel_ns + MS && kernel_ns <= after_ns + MS);
    ok("page");
}

int main(void)
{
    cap_t timer = capos_need("timer", TIMER_INTERFACE_ID);
    struct capos_timer_now_results first, second;
    CHECK_OK(capos_timer_now(timer, &first));
    CHECK_OK(capos_timer_now(timer, &second));
    CHECK(first.monotonic_ns < second.monotonic_ns && first.tick < second.tick);
    ok("now");
    waits(timer);
    cancels(timer);
    page(timer);
    check_object(timer, TIMER_INTERFACE_ID, CONSOLE_INTERFACE_ID);
    return 0;
}
