/* Faults: those that the kernel resolves, and those that it hands to the program. */
#include "bench.h"

/* The first touch of `count` pages; mapping them is not counted, unmapping and mapping would
 * hide the fault. */
bool bench_page_fault(uint32_t count)
{
    static char *pages;
    static uint32_t used, mapped;
    if (used + count > mapped) {
        mapped = count * (BENCH_ROUNDS + 1);
        pages = capos_pages_map((size_t)mapped * PAGE_SIZE);
        used = 0;
        if (pages == NULL) {
            return false;
        }
    }
    bool zero = true;
    for (uint32_t i = 0; i < count; i++) {
        volatile char *page = pages + (size_t)(used + i) * PAGE_SIZE;
        *page = 1;
        zero = zero && page[1] == 0;
    }
    used += count;
    return zero;
}

static uint32_t upcalls;

static void skip(void *context, struct upcall_frame *frame)
{
    (void)context;
    upcalls++;
    frame->registers.rip += 2; /* ud2 */
}

/* The processor's fault to the program's own handler and back. */
bool bench_upcall(uint32_t count)
{
    static _Alignas(16) char stack[16384];
    if (capos_upcall_set(skip, NULL, stack, sizeof stack) != STATUS_OK) {
        return false;
    }
    uint32_t before = upcalls;
    for (uint32_t i = 0; i < count; i++) {
        __asm__ volatile("ud2" ::: "memory");
    }
    return upcalls - before == count;
}
