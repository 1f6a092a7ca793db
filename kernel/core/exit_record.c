/* See exit_record.h. The records' values are the schema's (ExitStatus) and abi/host_link.h's, which
 * agree by number. */
#include "kernel/core/exit_record.h"

#include "kernel/arch/arch.h"
#include "kernel/core/boot_package.h"
#include "kernel/core/host_link.h"
#include "kernel/core/log.h"
#include "kernel/core/sched.h"
#include "lib/wire/gen/process_handle.h"
#include "lib/wire/gen/types.h"

#define ACKNOWLEDGE_NS 1000000000ull /* a host that does not answer in that time is gone */

_Static_assert((int)HOST_LINK_PANICKED == (int)EXIT_KIND_PANICKED
                   && (int)HOST_LINK_EXITED == (int)EXIT_KIND_EXITED
                   && (int)HOST_LINK_OUT_OF_BUDGET == (int)EXIT_KIND_OUT_OF_BUDGET,
               "the host link's kinds are the schema's");
_Static_assert((int)UPCALL_FOREIGN_SYSCALL == (int)FAULT_CAUSE_FOREIGN_SYSCALL
                   && (int)UPCALL_PAGE_FAULT == (int)FAULT_CAUSE_PAGE_FAULT,
               "the schema's causes are those of abi/upcall.h");

static struct timer acknowledge_timer;

void exit_record_trace(struct thread *t, struct exit_record *record)
{
    struct user_registers registers;
    arch_thread_registers(t, &registers);
    record->instruction = registers.rip;
    record->stack_pointer = registers.rsp;
    if (user_copy_in(t->process->space, &record->stack_word, registers.rsp,
                     sizeof record->stack_word) != STATUS_OK) {
        record->stack_word = 0;
    }
    record->thread = t->id;
    record->backtrace_count = 0;
    uint64_t frame = registers.rbp;
    while (record->backtrace_count < BACKTRACE_MAX) {
        uint64_t words[2]; /* the caller's frame pointer, the return address */
        if (frame % 8 != 0
            || user_copy_in(t->process->space, words, frame, sizeof words) != STATUS_OK
            || words[1] == 0) {
            break;
        }
        record->backtrace[record->backtrace_count++] = words[1];
        if (words[0] <= frame) { /* stacks grow down: anything else is not a chain */
            break;
        }
        frame = words[0];
    }
}

static void fill_denial(const struct process *p, const struct denial *d, struct wire_builder b)
{
    denial_set_process(b, wire_span_of(p->name));
    denial_set_interface_id(b, d->interface_id);
    denial_set_method(b, d->method);
    denial_set_name(b, wire_span_of(d->name));
    denial_set_reason(b, d->reason);
    denial_set_grant(b, wire_span_of(d->grant));
}

static void fill_status(const struct process *p, struct wire_builder status)
{
    const struct exit_record *e = &p->exit;
    KASSERT(e->backtrace_count <= BACKTRACE_MAX);
    exit_status_set_kind(status, e->kind);
    exit_status_set_code(status, e->code);
    exit_status_set_cause(status, (enum fault_cause)e->cause);
    exit_status_set_access(status, (enum fault_access)e->access);
    exit_status_set_address(status, e->address);
    exit_status_set_instruction(status, e->instruction);
    exit_status_set_image_base(status, e->image_base);
    exit_status_set_exhausted(status, e->exhausted);
    if (e->backtrace_count > 0) {
        struct wire_list_builder frames = exit_status_init_backtrace(status, e->backtrace_count);
        for (uint32_t i = 0; i < e->backtrace_count; i++) {
            wire_list_set_u64(frames, i, e->backtrace[i]);
        }
    }
    uint32_t kept = p->denial_count < DENIALS_KEPT ? p->denial_count : DENIALS_KEPT;
    if (kept > 0) {
        struct wire_list_builder denials = exit_status_init_denials(status, kept);
        for (uint32_t i = 0; i < kept; i++) {
            const struct denial *d = &p->denials[(p->denial_count - kept + i) % DENIALS_KEPT];
            fill_denial(p, d, wire_list_at(denials, i));
        }
    }
}

static void report_fault(const struct process *p)
{
    static const char *const causes[] = { /* by enum upcall_cause */
        "?",          "page fault",       "divide error",         "illegal instruction",
        "breakpoint", "protection fault", "floating point error", "interrupt",
        "foreign system call",
    };
    const struct exit_record *e = &p->exit;
    const char *cause = causes[(size_t)e->cause < ARRAY_SIZE(causes) ? e->cause : 0];
    log_line("%s: %s at %lx, address %lx", p->name, cause, e->instruction, e->address);
    struct host_link_fault record = {
        .process = p->id, .thread = (uint32_t)e->thread, .image_base = e->image_base,
        .cause = e->cause, .address = e->address, .access = e->access,
        .instruction = e->instruction, .stack_pointer = e->stack_pointer,
        .stack_word = e->stack_word, .frame_count = e->backtrace_count,
    };
    _Static_assert(sizeof record.frames == sizeof e->backtrace, "as many");
    __builtin_memcpy(record.frames, e->backtrace, sizeof record.frames);
    format_text(record.process_name, sizeof record.process_name, "%s", p->name);
    format_text(record.binary, sizeof record.binary, "%s", boot_package_name_of(p->image));
    host_link_send_fault(&record);
}

void exit_record_report(const struct process *p)
{
    if (p->exit.kind == EXIT_KIND_FAULTED) {
        report_fault(p);
    } else if (p->exit.kind == EXIT_KIND_OUT_OF_BUDGET) {
        log_line("%s: out of budget, status %d", p->name, (int)p->exit.exhausted);
    }
}

void exit_record_answer(const struct process *p, struct call *call, struct wire_builder results)
{
    if (call->value[0] == 0) {
        fill_status(p, process_handle_wait_results_init_status(results));
    } else {
        process_handle_ready_results_set_mask(results, READINESS_READABLE);
    }
}

void exit_record_answer_waiters(struct process *p)
{
    KASSERT(p->ended);
    while (!list_empty(&p->waiters)) {
        struct call *call = LIST_FIRST(&p->waiters, struct call, queue);
        list_remove(&call->queue);
        exit_record_answer(p, call, call_reply(call));
        call_finish(call, STATUS_OK);
    }
}

static void not_acknowledged(struct timer *t)
{
    (void)t;
    arch_machine_exit(0);
}

static void end_machine(const struct host_link_exit *record)
{
    sched_end();
    timer_start(&acknowledge_timer, arch_now_ns() + ACKNOWLEDGE_NS, not_acknowledged);
    host_link_end(record);
}

void exit_record_boot_failed(void)
{
    end_machine(&(struct host_link_exit){.kind = HOST_LINK_BOOT_FAILED});
}

void exit_record_end_machine(const struct process *init)
{
    const struct process *p = process_program;
    if (p == NULL || !p->ended || init->exit.kind != EXIT_KIND_EXITED) {
        p = init;
    }
    const struct exit_record *e = &p->exit;
    bool boot_failed = p == init && e->kind == EXIT_KIND_EXITED;
    end_machine(&(struct host_link_exit){
        .kind = boot_failed ? (uint32_t)HOST_LINK_BOOT_FAILED : (uint32_t)e->kind,
        .process = p->id,
        .code = e->kind == EXIT_KIND_OUT_OF_BUDGET ? (uint32_t)e->exhausted : (uint32_t)e->code,
    });
}
