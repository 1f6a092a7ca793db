/* Upcalls. See abi/upcall.h for what the thread sees.
 *
 * The frame and the extended state are built in the CPU's message buffer and written to the
 * thread's stack; only if that has worked do the thread's registers change. The kernel remembers
 * nothing of an upcall but the count: a nested one finds the stack pointer inside the upcall stack
 * and goes below it.
 *
 * Interrupts and the mask: the kernel sets the pending bit first and reads the mask after it; the
 * thread clears the mask first and reads the pending bit after that. Whoever of them takes the bit
 * away delivers. Kernel lock held. */
#include "kernel/core/upcall.h"

#include "kernel/arch/arch.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"

#define EXTENDED_ALIGN 64u    /* XSAVE wants it */
#define RFLAGS_AT_ENTRY 0x202 /* interrupts on, all else as after reset */

/* Where the parts lie in the thread's memory. */
struct placement {
    uint64_t extended;
    uint64_t frame;
    uint64_t stack_pointer; /* one word below the frame: the stack is as after a call */
};

/* False: there is no room for it. */
static bool place(const struct thread *t, uint64_t sp, uint32_t extended_size,
                  struct placement *out)
{
    uint64_t base = t->upcall_stack, end = base + t->upcall_stack_size;
    bool inside = sp > base && sp <= end;
    uint64_t lowest = t->upcall_stack_size == 0 ? USER_BASE : base;
    uint64_t top = t->upcall_stack_size != 0 && !inside ? end : sp - UPCALL_RED_ZONE;
    uint64_t most = (uint64_t)extended_size + EXTENDED_ALIGN + sizeof(struct upcall_frame) + 32;
    if (top > USER_END || top < lowest || top - lowest < most) {
        return false;
    }
    out->extended = (top - extended_size) & ~(uint64_t)(EXTENDED_ALIGN - 1);
    out->frame = (out->extended - sizeof(struct upcall_frame)) & ~(uint64_t)15;
    out->stack_pointer = out->frame - 8;
    KASSERT(out->stack_pointer >= lowest && out->extended + extended_size <= top);
    return true;
}

static bool write_frame(struct thread *t, const struct upcall_frame *frame,
                        const struct placement *at)
{
    struct {
        uint64_t return_address; /* zero: a backtrace ends here */
        struct upcall_frame frame;
    } words = {0, *frame};
    _Static_assert(sizeof words == 8 + sizeof(struct upcall_frame), "no padding between the two");
    struct address_space *as = t->process->space;
    uint8_t *extended = arch_cpu()->request;
    extended += -(uintptr_t)extended & (EXTENDED_ALIGN - 1);
    KASSERT(frame->extended_size + EXTENDED_ALIGN <= sizeof arch_cpu()->request);
    arch_thread_extended(t, extended);
    return user_copy_out(as, at->extended, extended, frame->extended_size) == STATUS_OK
           && user_copy_out(as, at->stack_pointer, &words, sizeof words) == STATUS_OK;
}

static void enter(struct thread *t, const struct user_registers *before, const struct placement *at)
{
    struct user_registers r = *before;
    r.rip = t->upcall_entry;
    r.rsp = at->stack_pointer;
    r.rdi = at->frame;
    r.rbp = 0;
    r.rflags = RFLAGS_AT_ENTRY;
    arch_thread_set_registers(t, &r);
    t->wait_interrupted = false;
    t->upcalls++;
    __atomic_store_n(&t->ring.header->upcalls, t->upcalls, __ATOMIC_RELEASE);
}

static void end_with_report(struct thread *t, enum upcall_cause cause, enum upcall_access access,
                            uint64_t address)
{
    struct exit_record record = {
        .kind = EXIT_KIND_FAULTED, .cause = cause, .access = access, .address = address};
    exit_record_trace(t, &record);
    if (cause == UPCALL_FOREIGN_SYSCALL) {
        struct user_registers r;
        arch_thread_registers(t, &r);
        record.address = r.rax; /* the number that nobody answers */
    }
    process_end(t->process, &record);
}

void upcall_deliver(struct thread *t, enum upcall_cause cause, enum upcall_access access,
                    uint64_t address)
{
    KASSERT(t->process != NULL && t->state == THREAD_RUNNING);
    struct user_registers registers;
    struct placement at;
    arch_thread_registers(t, &registers);
    uint32_t extended_size = arch_extended_size();
    if (t->upcall_entry != 0 && place(t, registers.rsp, extended_size, &at)) {
        struct upcall_frame frame = {
            .cause = cause,
            .access = access,
            .address = address,
            .result = t->wait_interrupted ? (uint64_t)-(int64_t)STATUS_INTERRUPTED : 0,
            .extended_size = extended_size,
            .registers = registers,
            .extended = at.extended,
        };
        if (write_frame(t, &frame, &at)) {
            enter(t, &registers, &at);
            return;
        }
    }
    end_with_report(t, cause, access, address);
}

/* Sets the pending bit and takes it back if the thread does not mask interrupts. True: it was taken
 * back. */
static bool claim(struct thread *t)
{
    struct ring_header *h = t->ring.header;
    __atomic_fetch_or(&h->upcall_pending, RING_UPCALL_INTERRUPT, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&h->upcall_mask, __ATOMIC_SEQ_CST) & RING_UPCALL_INTERRUPT) {
        return false;
    }
    uint32_t before =
        __atomic_fetch_and(&h->upcall_pending, ~(uint32_t)RING_UPCALL_INTERRUPT, __ATOMIC_SEQ_CST);
    return (before & RING_UPCALL_INTERRUPT) != 0;
}

void upcall_interrupt(struct thread *t)
{
    KASSERT(t->state != THREAD_DEAD && t->state != THREAD_NEW);
    if (!claim(t)) {
        return;
    }
    t->interrupt_wanted = true;
    if (t->state == THREAD_BLOCKED) {
        t->wait_interrupted = true;
        thread_wake(t, -(int64_t)STATUS_INTERRUPTED);
    } else if (t->state == THREAD_RUNNING && t->cpu != arch_cpu()->number) {
        arch_cpu_poke(t->cpu);
    }
}

void upcall_deliver_wanted(struct thread *t)
{
    KASSERT(t->interrupt_wanted);
    t->interrupt_wanted = false;
    if (claim(t)) {
        upcall_deliver(t, UPCALL_INTERRUPT, UPCALL_ACCESS_READ, 0);
    } else {
        t->wait_interrupted = false;
    }
}
