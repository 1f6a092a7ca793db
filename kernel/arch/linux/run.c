/* The virtual CPU's loop: core says who runs, the thread comes back, core hears why. */
#include "kernel/arch/linux/linux.h"

#include "kernel/core/entry.h"
#include "kernel/core/process.h"

#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/audit.h>

#define ERROR_WRITE 2u
#define ERROR_FETCH 16u
#define FLAG_TF 0x100ull
#define INT_SIZE 2

enum trap { /* the processor's numbers, as Linux passes them on */
    TRAP_DIVIDE = 0,
    TRAP_DEBUG = 1,
};

struct fault {
    uint64_t error, trap, address;
    uint32_t code, system_call_arch;
};

/* Its claim: each word read once. */
static struct fault read_fault(const struct thread *t)
{
    const struct linux_slot *s = t->arch.slot;
    struct linux_signal_frame f;
    memcpy(&f, linux_slot_memory(s) + (t->arch.frame - linux_slot_area(s)), sizeof(f));
    struct fault out = {.error = f.error, .trap = f.trap, .address = f.cr2};
    memcpy(&out.code, f.siginfo + 8, sizeof(out.code));
    memcpy(&out.system_call_arch, f.siginfo + 28, sizeof(out.system_call_arch));
    return out;
}

static enum upcall_access access_of(uint64_t error)
{
    return error & ERROR_FETCH   ? UPCALL_ACCESS_EXECUTE
           : error & ERROR_WRITE ? UPCALL_ACCESS_WRITE
                                 : UPCALL_ACCESS_READ;
}

static void system_call(struct thread *t)
{
    const struct user_registers *r = &t->arch.registers;
    kernel_syscall(r->rax, r->rdi, r->rsi, r->rdx);
}

static void serve_signal(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    struct fault f = read_fault(t);
    switch (a->cause) {
    case SIGSYS:
        if (f.system_call_arch == AUDIT_ARCH_X86_64) {
            system_call(t);
            return;
        }
        a->registers.rip -= INT_SIZE; /* int 0x80, which is none of ours */
        a->dirty = true;
        kernel_fault(UPCALL_PROTECTION, UPCALL_ACCESS_READ, 0);
        return;
    case SIGSEGV:
        if (f.code == SEGV_MAPERR || f.code == SEGV_ACCERR) {
            kernel_fault(UPCALL_PAGE_FAULT, access_of(f.error), f.address);
        } else { /* the processor's, or of an rt_sigreturn that Linux did not like */
            kernel_fault(UPCALL_PROTECTION, UPCALL_ACCESS_READ, 0);
        }
        return;
    case SIGBUS:
        if (f.code == BUS_ADRERR) { /* the host has no memory for one of our pages */
            kernel_lost(t, STATUS_FRAMES_EXHAUSTED);
        } else {
            kernel_fault(UPCALL_PROTECTION, UPCALL_ACCESS_READ, 0);
        }
        return;
    case SIGILL:
        kernel_fault(UPCALL_ILLEGAL_INSTRUCTION, UPCALL_ACCESS_READ, 0);
        return;
    case SIGTRAP:
        if (f.trap == TRAP_DEBUG) {
            a->registers.rflags &= ~FLAG_TF; /* one step for each time that it is asked for */
            a->dirty = true;
        }
        kernel_fault(UPCALL_BREAKPOINT, UPCALL_ACCESS_READ, 0);
        return;
    case SIGFPE:
        kernel_fault(f.trap == TRAP_DIVIDE ? UPCALL_DIVIDE : UPCALL_FLOATING_POINT,
                     UPCALL_ACCESS_READ, 0);
        return;
    default: /* it was interrupted, nobody remembers why */
        return;
    }
}

static void serve(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    a->pending = false;
    if (a->slot->process->dead) {
        return; /* the next attempt to run it tells */
    }
    if (a->mode == LINUX_GATE) {
        system_call(t);
    } else if (a->mode == LINUX_FRAME) {
        serve_signal(t);
    }
}

static void serve_host(void)
{
    uint32_t signals = linux_take_signals();
    if ((signals & LINUX_SIGNAL_CHILD) != 0) {
        linux_process_reap();
        linux_folders_look();
    }
    if ((signals & LINUX_SIGNAL_LINK) != 0) {
        kernel_link_input();
    }
    if (linux_folders_answered()) {
        linux_folders_serve();
    }
}

_Noreturn void linux_run(void)
{
    for (;;) {
        struct thread *t = kernel_leave();
        status_t status = t != NULL ? linux_resume(t) : STATUS_OK;
        if (status != STATUS_OK) {
            kernel_lost(t, status);
            continue;
        }
        switch (t != NULL ? linux_wait(t) : linux_idle()) {
        case LINUX_EVENT_POSTED:
            serve(t);
            break;
        case LINUX_EVENT_TIMER:
            linux_cpu()->deadline_ns = UINT64_MAX;
            kernel_tick();
            break;
        case LINUX_EVENT_SIGNAL:
            serve_host();
            break;
        }
    }
}
