/* Making translations invalid, here and on other CPUs.
 *
 *   sender (lock held)                          each CPU that has the address space loaded
 *     waiting = mask of those CPUs; IPI -->       serve: reload CR3, take its bit out of waiting
 *     spins until waiting is 0
 *
 * One request at a time, since the sender holds the kernel lock. A CPU serves it in its
 * interrupt, or, while it spins for the lock, by polling; so the sender never waits for one that
 * waits for it. A CPU that loads or drops the address space at the same time does so under the
 * lock, so not during a request. */
#include "kernel/arch/x86_64/tables.h"
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/sched.h"

static uint64_t waiting; /* bit n: CPU n has yet to serve. Atomic */

static uint64_t own_bit(void)
{
    return 1ull << arch_cpu()->number;
}

/* Any context; no lock. */
void x86_shootdown_serve(void)
{
    if (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) & own_bit()) {
        write_cr3(read_cr3());
        /* release: pairs with the sender's acquire */
        __atomic_and_fetch(&waiting, ~own_bit(), __ATOMIC_RELEASE);
    }
}

static void ask_others(uint64_t others)
{
    __atomic_store_n(&waiting, others, __ATOMIC_RELEASE);
    for (uint32_t n = 0; n < arch_cpu_count(); n++) {
        if (others >> n & 1) {
            x86_apic_send(arch_cpu_by_number(n)->arch.apic_id, VECTOR_SHOOTDOWN);
        }
    }
    while (__atomic_load_n(&waiting, __ATOMIC_ACQUIRE) != 0) {
        __asm__ volatile("pause");
    }
}

void x86_invalidate(struct arch_address_space *as, const uint64_t *addresses, uint32_t count)
{
    uint64_t active = __atomic_load_n(&as->active, __ATOMIC_SEQ_CST);
    if (active & own_bit()) {
        if (count <= INVALIDATE_MAX) {
            for (uint32_t i = 0; i < count; i++) {
                invalidate_page(addresses[i]);
            }
        } else {
            write_cr3(read_cr3());
        }
    }
    if (active & ~own_bit()) {
        ask_others(active & ~own_bit());
    }
}
