/* Traps: what the processor says, told to core. Called by entry.S, interrupts off.
 *
 * The kernel lock is taken here and not before, because a shootdown request must be served
 * without it: its sender holds the lock and waits. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/entry.h"

#define ERROR_WRITE 2u
#define ERROR_RESERVED 8u
#define ERROR_FETCH 16u

void x86_lock_wait(void);
bool x86_trap_user(struct arch_frame *f);
void x86_trap_kernel(struct arch_frame *f);
struct arch_frame *x86_trap_from_own_stack(const struct arch_frame *f);
void x86_idle(void);

static const uint8_t cause_of[VECTOR_EXCEPTIONS] = {
    [0] = UPCALL_DIVIDE,
    [VECTOR_DEBUG] = UPCALL_BREAKPOINT,
    [VECTOR_BREAKPOINT] = UPCALL_BREAKPOINT,
    [VECTOR_ILLEGAL] = UPCALL_ILLEGAL_INSTRUCTION,
    [7] = UPCALL_ILLEGAL_INSTRUCTION, /* no FPU: never, CR0.TS and EM are clear */
    [4 ... 5] = UPCALL_PROTECTION,    /* overflow, bound: not in 64-bit mode */
    [11 ... VECTOR_PROTECTION] = UPCALL_PROTECTION,
    [17] = UPCALL_PROTECTION,
    [VECTOR_FLOATING_POINT] = UPCALL_FLOATING_POINT,
    [VECTOR_SIMD] = UPCALL_FLOATING_POINT,
};

/* Takes the lock; of entry.S only the slow path. */
void x86_lock_wait(void)
{
    while (__atomic_exchange_n(&kernel_lock, 1, __ATOMIC_ACQUIRE) != 0) {
        while (__atomic_load_n(&kernel_lock, __ATOMIC_RELAXED) != 0) {
            x86_shootdown_serve();
            __asm__ volatile("pause");
        }
    }
}

static void unlock(void)
{
    __atomic_store_n(&kernel_lock, 0, __ATOMIC_RELEASE);
}

static enum upcall_access access_of(uint64_t error)
{
    return error & ERROR_FETCH   ? UPCALL_ACCESS_EXECUTE
           : error & ERROR_WRITE ? UPCALL_ACCESS_WRITE
                                 : UPCALL_ACCESS_READ;
}

/* Lock held. */
static void interrupt(uint64_t vector)
{
    if (vector == VECTOR_LINK) {
        x86_link_interrupt(); /* before the end: its line is level-triggered */
    }
    if (vector != VECTOR_SPURIOUS) {
        x86_apic_end();
    }
    if (vector == VECTOR_TIMER) {
        x86_cpu()->deadline_ns = UINT64_MAX;
        kernel_tick();
    } else if (vector == VECTOR_LINK) {
        kernel_link_input();
    } else if (vector == VECTOR_POKE) {
        kernel_tick();
    }
}

/* True: the lock is held, core says who goes on. False: the same thread goes on, without the
 * lock. */
bool x86_trap_user(struct arch_frame *f)
{
    if (f->vector == VECTOR_SHOOTDOWN) {
        x86_apic_end();
        x86_shootdown_serve();
        return false;
    }
    uint64_t address = read_cr2();
    x86_lock_wait();
    if (f->vector == VECTOR_PAGE_FAULT) {
        if (f->error & ERROR_RESERVED) {
            x86_trap_panic(f);
        }
        kernel_fault(UPCALL_PAGE_FAULT, access_of(f->error), address);
    } else if (f->vector >= VECTOR_EXCEPTIONS) {
        interrupt(f->vector);
    } else if (cause_of[f->vector] != 0) {
        kernel_fault((enum upcall_cause)cause_of[f->vector], UPCALL_ACCESS_READ, 0);
    } else {
        x86_trap_panic(f);
    }
    return true;
}

/* Either the copy routines met a bad address (lock held), or this CPU idles (lock not held). All
 * else is our mistake. */
void x86_trap_kernel(struct arch_frame *f)
{
    uint64_t address = read_cr2();
    if (f->vector == VECTOR_PAGE_FAULT && f->rip >= (uint64_t)x86_copy_begin &&
        f->rip < (uint64_t)x86_copy_end && address < USER_END && !(f->error & ERROR_RESERVED)) {
        if (!kernel_copy_fault(address, access_of(f->error))) {
            f->rip = (uint64_t)x86_copy_fail;
        }
    } else if (f->vector == VECTOR_SHOOTDOWN) {
        x86_apic_end();
        x86_shootdown_serve();
    } else if (f->vector >= VECTOR_EXCEPTIONS) {
        x86_lock_wait();
        interrupt(f->vector);
        unlock();
    } else {
        x86_trap_panic(f);
    }
}

/* A trap of user code that came on a stack of its own. A debug trap goes on like any other; the
 * rest cannot. */
struct arch_frame *x86_trap_from_own_stack(const struct arch_frame *f)
{
    if (f->vector != VECTOR_DEBUG) {
        x86_trap_panic(f);
    }
    struct arch_frame *own = (struct arch_frame *)(void *)x86_cpu()->running;
    *own = *f;
    own->rflags &= ~FLAG_TF; /* one step for each time that it is asked for */
    return own;
}

/* Nobody is ready. Lock held at entry and exit; interrupts come in between. */
void x86_idle(void)
{
    struct arch_cpu *c = x86_cpu();
    if (c->running != NULL) {
        x86_save_running();
        c->running = NULL;
    }
    unlock();
    __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
    x86_lock_wait();
}
