/* Time: Linux's monotonic clock until somebody needs it for more than a stamp, then the time-stamp
 * counter, whose rate is known from two readings of both that lie SETTLE_NS or more apart. So a
 * program with Timer's page and the kernel read the same clock. */
#include "kernel/arch/linux/linux.h"

#include <linux/time.h>

#define CPU_CLOCK_SCHED 2u /* of a pid, as Linux encodes it */
#define SHIFT 32
#define NS_PER_S 1000000000ull
#define SETTLE_NS 2000000ull /* two readings are off by 40 ns each: 0.004 % */
#define SAMPLES 6

struct sample {
    uint64_t tsc, ns;
};

static bool settled;
static struct sample start, base; /* base.ns: of the machine's time */
static uint64_t scale; /* ns per tick, times 2^32 */

static uint64_t read_tsc(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    return (uint64_t)high << 32 | low;
}

static uint64_t read_clock(int32_t clock)
{
    struct {
        int64_t seconds, nanoseconds;
    } t = {0, 0};
    LINUX_CALL(__NR_clock_gettime, clock, &t);
    return (uint64_t)t.seconds * NS_PER_S + (uint64_t)t.nanoseconds;
}

uint64_t linux_monotonic_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t linux_cpu_time_ns(int32_t pid)
{
    return read_clock((int32_t)(~(uint32_t)pid << 3 | CPU_CLOCK_SCHED));
}

/* Both at one moment, as nearly as can be: the tightest of a few tries. */
static struct sample take_sample(void)
{
    struct sample best = {0, 0};
    uint64_t best_width = UINT64_MAX;
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t before = read_tsc(), ns = linux_monotonic_ns(), width = read_tsc() - before;
        if (width < best_width) {
            best_width = width;
            best = (struct sample){before + width / 2, ns};
        }
    }
    return best;
}

void linux_clock_start(void)
{
    start = take_sample();
}

static void settle(void)
{
    struct sample now;
    do {
        now = take_sample();
    } while (now.ns - start.ns < SETTLE_NS);
    scale = (uint64_t)(((unsigned __int128)(now.ns - start.ns) << SHIFT) / (now.tsc - start.tsc));
    base = (struct sample){now.tsc, now.ns - start.ns};
    settled = true;
}

uint64_t arch_now_ns(void)
{
    if (!settled) {
        uint64_t ns = linux_monotonic_ns() - start.ns;
        if (ns > SETTLE_NS) {
            settle();
        }
        return ns;
    }
    uint64_t ticks = read_tsc() - base.tsc;
    return base.ns + (uint64_t)((unsigned __int128)ticks * scale >> SHIFT);
}

uint64_t arch_tick(void)
{
    return read_tsc();
}

void arch_timer_arm(uint64_t deadline_ns)
{
    linux_cpu()->deadline_ns = deadline_ns;
}

void arch_time_page(struct time_page *out)
{
    if (!settled) {
        settle();
    }
    if (linux_test_panic) {
        *(volatile int *)0xdead000 = 0; /* in the middle of a program's call */
    }
    *out = (struct time_page){
        .shift = SHIFT,
        .base_tsc = base.tsc,
        .base_ns = base.ns,
        .scale = scale,
        .tick_hz = (uint64_t)(((unsigned __int128)NS_PER_S << SHIFT) / scale),
    };
}
