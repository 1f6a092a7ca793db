/* Interrupt controllers: the local APIC of each CPU (x2APIC where there is one) and the I/O
 * APIC. The old PIC is silenced.
 *
 * The LAPIC timer is set here and calibrated in clock.c. */
#include "kernel/arch/x86_64/x86.h"

#define LAPIC_PHYSICAL 0xfee00000u
#define IOAPIC_PHYSICAL 0xfec00000u

enum lapic_register {
    LAPIC_TASK_PRIORITY = 0x80, LAPIC_END = 0xb0, LAPIC_SPURIOUS = 0xf0,
    LAPIC_COMMAND = 0x300, LAPIC_COMMAND_HIGH = 0x310, LAPIC_TIMER = 0x320, LAPIC_LINT0 = 0x350,
    LAPIC_INITIAL_COUNT = 0x380, LAPIC_CURRENT_COUNT = 0x390, LAPIC_DIVIDE = 0x3e0,
};

#define LAPIC_ENABLE 0x100u
#define LAPIC_MASKED 0x10000u
#define LAPIC_TIMER_TSC_DEADLINE 0x40000u
#define LAPIC_DIVIDE_BY_ONE 0xbu
#define APIC_BASE_ENABLE 0x800u
#define APIC_BASE_X2APIC 0x400u

#define IOAPIC_VERSION 1u
#define IOAPIC_REDIRECTION 0x10u
#define IOAPIC_LEVEL 0x8000u

static volatile uint32_t *lapic; /* NULL: x2APIC */
static volatile uint32_t *ioapic;

static void lapic_write(enum lapic_register r, uint32_t value)
{
    if (lapic == NULL) {
        write_msr(MSR_X2APIC + ((uint32_t)r >> 4), value);
    } else {
        lapic[(uint32_t)r / 4] = value;
    }
}

static void ioapic_write(uint32_t index, uint32_t value)
{
    ioapic[0] = index;
    ioapic[4] = value;
}

void x86_apic_start(void)
{
    out8(0x21, 0xff); /* the PIC, where there is one */
    out8(0xa1, 0xff);
    uint64_t base = read_msr(MSR_APIC_BASE) | APIC_BASE_ENABLE;
    write_msr(MSR_APIC_BASE, base | (x86_features.x2apic ? APIC_BASE_X2APIC : 0));
    if (!x86_features.x2apic) {
        lapic = x86_map_device(LAPIC_PHYSICAL, PAGE_SIZE);
    }
    ioapic = x86_map_device(IOAPIC_PHYSICAL, PAGE_SIZE);
    lapic_write(LAPIC_SPURIOUS, LAPIC_ENABLE | VECTOR_SPURIOUS);
    lapic_write(LAPIC_TASK_PRIORITY, 0);
    lapic_write(LAPIC_LINT0, LAPIC_MASKED);
    lapic_write(LAPIC_DIVIDE, LAPIC_DIVIDE_BY_ONE);
    lapic_write(LAPIC_TIMER, LAPIC_MASKED | VECTOR_TIMER); /* counts, but says nothing yet */
    lapic_write(LAPIC_INITIAL_COUNT, UINT32_MAX);
}

void x86_apic_route(uint32_t input, enum vector vector)
{
    ioapic[0] = IOAPIC_VERSION;
    uint32_t inputs = (ioapic[4] >> 16 & 0xff) + 1;
    if (input >= inputs) {
        panic("interrupt input %u: the I/O APIC has %u", input, inputs);
    }
    ioapic_write(IOAPIC_REDIRECTION + 2 * input + 1, x86_cpu()->apic_id << 24);
    ioapic_write(IOAPIC_REDIRECTION + 2 * input, IOAPIC_LEVEL | (uint32_t)vector);
}

void x86_apic_end(void)
{
    lapic_write(LAPIC_END, 0);
}

/* Where a device writes an interrupt message for this CPU: Intel SDM, "Message Signalled
 * Interrupts". */
uint64_t x86_apic_message_address(void)
{
    return LAPIC_PHYSICAL | (uint64_t)x86_cpu()->apic_id << 12;
}

void x86_apic_timer_set(uint32_t count)
{
    lapic_write(LAPIC_INITIAL_COUNT, count);
}

uint32_t x86_apic_timer_count(void)
{
    return lapic != NULL ? lapic[LAPIC_CURRENT_COUNT / 4]
                         : (uint32_t)read_msr(MSR_X2APIC + (LAPIC_CURRENT_COUNT >> 4));
}

/* The calibration is over: from now on the timer interrupts. */
void x86_apic_timer_start(bool tsc_deadline)
{
    lapic_write(LAPIC_INITIAL_COUNT, 0);
    lapic_write(LAPIC_TIMER, VECTOR_TIMER | (tsc_deadline ? LAPIC_TIMER_TSC_DEADLINE : 0));
    __asm__ volatile("mfence" ::: "memory"); /* before the first write to the deadline's register */
}

void x86_apic_send(uint32_t apic_id, enum vector vector)
{
    if (lapic == NULL) {
        write_msr(MSR_X2APIC + (LAPIC_COMMAND >> 4), (uint64_t)apic_id << 32 | (uint32_t)vector);
    } else {
        lapic_write(LAPIC_COMMAND_HIGH, apic_id << 24);
        lapic_write(LAPIC_COMMAND, (uint32_t)vector);
    }
}
