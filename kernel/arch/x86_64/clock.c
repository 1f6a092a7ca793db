/* Monotonic time and the timer.
 *
 * Time is the time-stamp counter, scaled: ns = base_ns + (tsc - base_tsc) * scale / 2^32. Where
 * the counter's rate comes from, the first that holds:
 *
 *   1. KVM's clock: the hypervisor tells scale and shift in a page.
 *   2. CPUID leaf 0x15, where it names the crystal: the rate is exact.
 *   3. Under QEMU (TCG) and KVM the LAPIC timer counts 1 GHz: it is the reference, from the
 *      first moments of boot until time is first needed for more than a stamp
 *      (x86_clock_settle), at least WINDOW_WIDTHS times as long as a reading takes, but not more
 *      than 1 ms. Boot takes longer than that anyway, so it costs nothing; the rate is right to
 *      0.02 % at worst and 0.005 % as a rule, with -icount exactly. Until then the LAPIC's count
 *      is the time.
 *   4. Elsewhere 10 ms of the PIT's channel 2 tell the rates of both the counter and the LAPIC
 *      timer.
 *
 * The timer is the TSC deadline where there is one, else the LAPIC's one-shot count. All CPUs
 * share one rate and one base. */
#include "kernel/arch/x86_64/x86.h"

#define SHIFT 32
#define NS_PER_S 1000000000ull
#define WINDOW_MAX_NS 1000000u /* more is never waited for */
#define WINDOW_WIDTHS 4000u
#define SAMPLES 6
#define MSR_KVM_CLOCK 0x4b564d01u
#define KVM_FEATURE_CLOCK2 (1u << 3)
#define PIT_HZ 1193182u
#define PIT_TICKS (PIT_HZ / 100)

struct sample {
    uint64_t tsc, width; /* width: ticks that the reading took, at most */
    uint32_t elapsed;    /* LAPIC ticks since x86_clock_start */
};

/* KVM's page, as its documentation has it. */
struct kvm_clock {
    uint32_t version, zero;
    uint64_t tsc, ns;
    uint32_t scale;
    int8_t shift;
    uint8_t flags, zero2[2];
};

static bool settled;
static uint64_t base_tsc, base_ns;
static uint64_t scale;         /* ns per tick, times 2^32 */
static uint64_t inverse;       /* ticks per ns, times 2^32 */
static uint64_t lapic_inverse; /* LAPIC ticks per ns, times 2^32 */
static bool deadline_mode;
static struct sample start;
static volatile struct kvm_clock kvm_clock __attribute__((aligned(64)));

static uint64_t multiply(uint64_t a, uint64_t by)
{
    return (uint64_t)((unsigned __int128)a * by >> SHIFT);
}

/* Both counters at one moment, as nearly as can be: the tightest of a few tries. */
static struct sample take_sample(void)
{
    struct sample best = {.width = UINT64_MAX};
    for (int i = 0; i < SAMPLES; i++) {
        uint64_t before = read_tsc();
        uint32_t count = x86_apic_timer_count();
        uint64_t after = read_tsc();
        if (after - before < best.width) {
            best.width = after - before;
            best.tsc = before + best.width / 2;
            best.elapsed = UINT32_MAX - count;
        }
    }
    return best;
}

/* (a << 32) / b, where that fits 64 bits: a needs to be below b << 32. */
static uint64_t divide(uint64_t a, uint64_t b)
{
    uint64_t quotient, remainder;
    KASSERT(a >> SHIFT < b);
    __asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "a"(a << SHIFT), "d"(a >> SHIFT), "r"(b));
    return quotient;
}

static void set_rate(uint64_t ticks, uint64_t ns)
{
    scale = divide(ns, ticks);
    inverse = divide(ticks, ns);
}

static bool rate_from_kvm(uint32_t features)
{
    if (!(features & KVM_FEATURE_CLOCK2)) {
        return false;
    }
    write_msr(MSR_KVM_CLOCK, x86_physical_of_image((const void *)&kvm_clock) | 1);
    uint32_t mul = kvm_clock.scale;
    int shift = kvm_clock.shift;
    write_msr(MSR_KVM_CLOCK, 0);
    if (mul == 0 || shift < -31 || shift > 31) {
        return false;
    }
    /* ns = (ticks << shift) * mul >> 32 */
    scale = shift < 0 ? (uint64_t)mul >> -shift : (uint64_t)mul << shift;
    inverse = divide(1ull << SHIFT, scale);
    return true;
}

static bool rate_from_cpuid(void)
{
    if (cpuid(0, 0).a < 0x15) {
        return false;
    }
    struct cpuid c = cpuid(0x15, 0);
    if (c.a == 0 || c.b == 0 || c.c == 0) {
        return false;
    }
    set_rate((uint64_t)c.c * c.b / c.a, NS_PER_S);
    return true;
}

/* Lets channel 2 count PIT_TICKS down once. Returns false where there is no PIT. */
static bool rate_from_pit(void)
{
    out8(0x61, (uint8_t)((in8(0x61) & ~2u) | 1)); /* gate on, speaker off */
    out8(0x43, 0xb0);                             /* channel 2, both bytes, mode 0 */
    out8(0x42, PIT_TICKS & 0xff);
    out8(0x42, PIT_TICKS >> 8);
    struct sample first = take_sample();
    for (uint32_t i = 0; !(in8(0x61) & 0x20); i++) {
        if (i == 10000000) {
            return false;
        }
    }
    struct sample last = take_sample();
    uint64_t ns = PIT_TICKS * NS_PER_S / PIT_HZ;
    set_rate(last.tsc - first.tsc, ns);
    lapic_inverse = divide(last.elapsed - first.elapsed, ns);
    return true;
}

static bool is_hypervisor(const char signature[12])
{
    struct cpuid c = cpuid(0x40000000, 0);
    uint32_t words[3] = {c.b, c.c, c.d};
    return x86_features.hypervisor && memcmp(words, signature, 12) == 0;
}

static void settle_at(struct sample s, uint64_t ns)
{
    base_tsc = s.tsc;
    base_ns = ns;
    deadline_mode = x86_features.tsc_deadline;
    x86_apic_timer_start(deadline_mode);
    settled = true;
}

void x86_clock_start(void)
{
    start = take_sample();
    lapic_inverse = 1ull << SHIFT;
    bool kvm = is_hypervisor("KVMKVMKVM\0\0\0");
    bool known = kvm && rate_from_kvm(cpuid(0x40000001, 0).a);
    if (!known && (kvm || is_hypervisor("TCGTCGTCGTCG"))) {
        return; /* x86_clock_settle() will know */
    }
    known = known || (rate_from_cpuid() && x86_features.tsc_deadline);
    if (!known && !rate_from_pit()) {
        panic("no clock: neither a known hypervisor, nor a named crystal, nor a PIT");
    }
    settle_at(start, 0);
}

void x86_clock_settle(void)
{
    if (settled) {
        return;
    }
    struct sample now;
    do {
        now = take_sample();
    } while (now.elapsed - start.elapsed < WINDOW_MAX_NS &&
             now.tsc - start.tsc < WINDOW_WIDTHS * (now.width + start.width) / 2);
    uint64_t ns = now.elapsed - start.elapsed;
    set_rate(now.tsc - start.tsc, ns);
    settle_at(now, ns);
}

uint64_t arch_now_ns(void)
{
    if (!settled) {
        return UINT32_MAX - x86_apic_timer_count() - start.elapsed;
    }
    return base_ns + multiply(read_tsc() - base_tsc, scale);
}

uint64_t arch_tick(void)
{
    return read_tsc();
}

void arch_timer_arm(uint64_t deadline_ns)
{
    struct arch_cpu *c = x86_cpu();
    if (c->deadline_ns == deadline_ns) {
        return;
    }
    x86_clock_settle();
    c->deadline_ns = deadline_ns;
    if (deadline_mode) {
        uint64_t tsc = 0; /* off */
        if (deadline_ns != UINT64_MAX) {
            uint64_t ahead = deadline_ns > base_ns ? deadline_ns - base_ns : 0;
            tsc = base_tsc + multiply(ahead, inverse) + 1;
        }
        write_msr(MSR_TSC_DEADLINE, tsc);
        return;
    }
    uint64_t count = 0; /* off */
    if (deadline_ns != UINT64_MAX) {
        uint64_t now = arch_now_ns();
        uint64_t ahead = deadline_ns > now ? deadline_ns - now : 0;
        count = multiply(ahead < NS_PER_S ? ahead : NS_PER_S, lapic_inverse) + 1;
    }
    x86_apic_timer_set((uint32_t)count);
}

void arch_time_page(struct time_page *out)
{
    x86_clock_settle();
    if (x86_test_panic) {
        *(volatile int *)0xdead000 = 0; /* make run-panic: in the middle of a program's call */
    }
    *out = (struct time_page){
        .shift = SHIFT, .base_tsc = base_tsc, .base_ns = base_ns, .scale = scale,
        .tick_hz = multiply(NS_PER_S, inverse),
    };
}
