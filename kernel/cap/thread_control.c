/* ThreadControl: what a thread may do to itself, and the interrupts that it may send to threads
 * whose handle it holds. One of the four own objects; it acts on whichever thread calls it. */
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/process.h"
#include "kernel/core/upcall.h"
#include "kernel/gen/dispatch.h"

#define PANIC_TEXT_MAX 480 /* a line of the log */
#define NO_ADDRESS "no address of user memory"

static status_t set_base(const struct invocation *in, uint64_t address, bool gs)
{
    if (address >= USER_END) {
        return call_bad_argument(in->call, "address", NO_ADDRESS);
    }
    struct user_registers r;
    arch_thread_registers(in->call->caller, &r);
    arch_thread_set_bases(in->call->caller, gs ? r.fs_base : address, gs ? address : r.gs_base);
    return STATUS_OK;
}

status_t thread_control_set_fs_base(const struct invocation *in, uint64_t address)
{
    return set_base(in, address, false);
}

status_t thread_control_set_gs_base(const struct invocation *in, uint64_t address)
{
    return set_base(in, address, true);
}

/* The status is for ring_drain(), which sees that the thread is dead and posts nothing. */
status_t thread_control_exit(const struct invocation *in, uint64_t code)
{
    thread_exit(in->call->caller, code);
    return STATUS_ABORTED;
}

status_t thread_control_interrupt(const struct invocation *in, struct object *thread)
{
    struct thread *t = CONTAINER_OF(thread, struct thread, object);
    KASSERT(in->self->class == &process_own_classes[OWN_CONTROL]);
    if (t->state == THREAD_DEAD || t->state == THREAD_NEW) {
        return STATUS_BAD_STATE;
    }
    upcall_interrupt(t);
    return STATUS_OK;
}

status_t thread_control_set_upcall(const struct invocation *in, uint64_t entry, uint64_t base,
                                   uint64_t size)
{
    if (entry >= USER_END) {
        return call_bad_argument(in->call, "entry", NO_ADDRESS);
    }
    if (base > USER_END || size > USER_END - base) {
        return call_bad_argument(in->call, "stackSize", NO_ADDRESS);
    }
    struct thread *t = in->call->caller;
    t->upcall_entry = entry;
    t->upcall_stack = base;
    t->upcall_stack_size = size;
    return STATUS_OK;
}

/* Text of the user, made fit for a record: cut and terminated. */
static void copy_text(char *out, size_t room, struct wire_span text)
{
    const char *from = text.data;
    size_t i = 0;
    for (; i < text.size && i < room - 1; i++) {
        out[i] = from[i] >= ' ' && from[i] != 0x7f ? from[i] : '?';
    }
    out[i] = '\0';
}

status_t thread_control_report_denial(const struct invocation *in, uint64_t interface_id,
                                      uint16_t method, struct wire_span name,
                                      enum denial_reason reason, struct wire_span grant)
{
    char name_text[HOST_LINK_NAME_SIZE], grant_text[HOST_LINK_NAME_SIZE];
    copy_text(name_text, sizeof name_text, name);
    copy_text(grant_text, sizeof grant_text, grant);
    denial_record(in->call->process, interface_id, method, reason, name_text, grant_text);
    return STATUS_OK;
}

status_t thread_control_panic_message(const struct invocation *in, struct wire_span text)
{
    char line[PANIC_TEXT_MAX];
    copy_text(line, sizeof line, text);
    log_line("%s: %s", in->call->process->name, line);
    return STATUS_OK;
}
