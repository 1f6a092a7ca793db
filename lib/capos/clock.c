/*
 * clock.c: monotonic time from the Timer's page (abi/time_page.h).
 */
#include "abi/time_page.h"
#include "lib/capos/include/capos.h"

static const struct time_page *page;
static bool has_no_page;

static uint64_t time_stamp_counter(void)
{
    uint32_t low;
    uint32_t high;
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static uint64_t read_page(const struct time_page *p)
{
    uint32_t sequence;
    uint64_t now_ns;
    do {
        sequence = __atomic_load_n(&p->sequence, __ATOMIC_ACQUIRE); /* pairs with the kernel */
        uint64_t ticks = time_stamp_counter() - p->base_tsc;
        now_ns = p->base_ns + (uint64_t)((unsigned __int128)ticks * p->scale >> p->shift);
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((sequence & 1) != 0 || __atomic_load_n(&p->sequence, __ATOMIC_RELAXED) != sequence);
    return now_ns;
}

/* Asks once; a kernel that records gives no page. */
static const struct time_page *find_page(cap_t timer)
{
    struct capos_timer_page_results results;
    if (!__atomic_load_n(&has_no_page, __ATOMIC_RELAXED)) {
        if (capos_timer_page(timer, &results) == STATUS_OK) {
            const struct time_page *found = (const struct time_page *)results.address;
            __atomic_store_n(&page, found, __ATOMIC_RELAXED);
            return found;
        }
        __atomic_store_n(&has_no_page, true, __ATOMIC_RELAXED);
    }
    return NULL;
}

status_t capos_clock(cap_t timer, uint64_t *now_ns)
{
    const struct time_page *p = __atomic_load_n(&page, __ATOMIC_RELAXED);
    if (p == NULL) {
        p = find_page(timer);
    }
    if (p != NULL) {
        *now_ns = read_page(p);
        return STATUS_OK;
    }
    struct capos_timer_now_results results;
    status_t status = capos_timer_now(timer, &results);
    *now_ns = status == STATUS_OK ? results.monotonic_ns : 0;
    return status;
}
