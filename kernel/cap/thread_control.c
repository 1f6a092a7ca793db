/* ThreadControl: what a thread may do to itself, and the interrupts that it may send to threads
 * whose handle it holds. One of the four own objects; it acts on whichever thread calls it. */
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/process.h"
#include "kernel/core/upcall.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/thread_control.h"

#define PANIC_TEXT_MAX 480 /* a line of the log */

const struct object_class thread_control_class = {.interface = &thread_control_interface,
                                                  .destroy = process_own_destroy,
                                                  .rebind = process_own_rebind};

static status_t bad_argument(struct call *call, const char *argument)
{
    return call_bad_argument(call, argument, "no address of user memory");
}

status_t thread_control_set_fs_base(const struct invocation *in)
{
    uint64_t address = thread_control_set_fs_base_params_address(in->params);
    if (address >= USER_END) {
        return bad_argument(in->call, "address");
    }
    arch_thread_set_fs_base(in->call->caller, address);
    return STATUS_OK;
}

status_t thread_control_set_gs_base(const struct invocation *in)
{
    uint64_t address = thread_control_set_gs_base_params_address(in->params);
    if (address >= USER_END) {
        return bad_argument(in->call, "address");
    }
    arch_thread_set_gs_base(in->call->caller, address);
    return STATUS_OK;
}

/* The status is for ring_drain(), which sees that the thread is dead and posts nothing. */
status_t thread_control_exit(const struct invocation *in)
{
    thread_exit(in->call->caller, thread_control_exit_params_code(in->params));
    return STATUS_ABORTED;
}

status_t thread_control_interrupt(const struct invocation *in)
{
    uint32_t index = thread_control_interrupt_params_thread(in->params);
    struct object *o = call_sent_as(in->call, index, &thread_handle_class);
    if (o == NULL) {
        return call_bad_argument(in->call, "thread", "a ThreadHandle is needed");
    }
    struct thread *t = CONTAINER_OF(o, struct thread, object);
    if (t->state == THREAD_DEAD || t->state == THREAD_NEW) {
        return STATUS_BAD_STATE;
    }
    upcall_interrupt(t);
    return STATUS_OK;
}

status_t thread_control_set_upcall(const struct invocation *in)
{
    uint64_t entry = thread_control_set_upcall_params_entry(in->params);
    uint64_t base = thread_control_set_upcall_params_stack_base(in->params);
    uint64_t size = thread_control_set_upcall_params_stack_size(in->params);
    if (entry >= USER_END) {
        return bad_argument(in->call, "entry");
    }
    if (base > USER_END || size > USER_END - base) {
        return bad_argument(in->call, "stackSize");
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

status_t thread_control_report_denial(const struct invocation *in)
{
    enum denial_reason reason = thread_control_report_denial_params_reason(in->params);
    if ((uint32_t)reason >= DENIAL_REASON_COUNT) {
        return call_bad_argument(in->call, "reason", "no such reason");
    }
    char name[32], grant[32];
    copy_text(name, sizeof name, thread_control_report_denial_params_name(in->params));
    copy_text(grant, sizeof grant, thread_control_report_denial_params_grant(in->params));
    if (in->params.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    denial_record(in->call->process, thread_control_report_denial_params_interface_id(in->params),
                  thread_control_report_denial_params_method(in->params), reason, name, grant);
    return STATUS_OK;
}

status_t thread_control_panic_message(const struct invocation *in)
{
    char text[PANIC_TEXT_MAX];
    copy_text(text, sizeof text, thread_control_panic_message_params_text(in->params));
    log_line("%s: %s", in->call->process->name, text);
    return STATUS_OK;
}
