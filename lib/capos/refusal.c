/*
 * refusal.c: how a program ends that lacks a grant or cannot go on, and what is said about it.
 */
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"
#include <string.h>

#define DENIED_STATUS 126
#define PANIC_STATUS 1
#define PANIC_TEXT_MAX 400

void capos_report_denial(uint64_t interface_id, uint16_t method, const char *name,
                         enum denial_reason reason, const char *grant)
{
    status_t status = capos_thread_control_report_denial(
        CAPOS_THREAD, interface_id, method, name, strlen(name), reason, grant, strlen(grant));
    (void)status; /* the refusal stands whether or not it could be told */
}

void capos_end_denied(void)
{
    if (platform_flush_at_exit != NULL) {
        platform_flush_at_exit();
    }
    capos_exit_process(EXIT_BECAUSE_DENIED | DENIED_STATUS);
}

void capos_end_exhausted(status_t status)
{
    if (platform_flush_at_exit != NULL) {
        platform_flush_at_exit();
    }
    capos_exit_process(EXIT_BECAUSE_EXHAUSTED | status);
}

cap_t capos_need(const char *name, uint64_t interface_id)
{
    cap_t cap;
    status_t status = capos_find(name, interface_id, &cap);
    if (status != STATUS_OK) {
        enum denial_reason reason =
            status == STATUS_NOT_FOUND ? DENIAL_REASON_NOT_GRANTED : DENIAL_REASON_WRONG_TYPE;
        capos_report_denial(interface_id, 0, name, reason, name);
        capos_end_denied();
    }
    return cap;
}

void platform_exit(int status)
{
    capos_exit_process((uint32_t)status);
}

void platform_panic(const char *text)
{
    capos_panic(text);
}

/*
 * The thread's own record may be in use, and the ring in the middle of an edit: a record of its
 * own, an entry that overwrites whatever was not handed over, and no waiting. A second panic, in
 * another thread or of this code, ends the process without a text.
 */
void capos_panic(const char *text)
{
    static bool panicking;
    static CAPOS_LARGE _Alignas(8) char request[PANIC_TEXT_MAX + 64];
    if (!__atomic_exchange_n(&panicking, true, __ATOMIC_RELAXED)) {
        struct capos_thread_self *self = capos_self();
        struct wire_message_builder message;
        size_t length = strlen(text);
        wire_message_begin(&message, request, sizeof request);
        thread_control_panic_message_params_set_text(
            thread_control_panic_message_params_init(&message),
            (struct wire_span){text, length < PANIC_TEXT_MAX ? length : PANIC_TEXT_MAX});
        uint32_t tail = __atomic_load_n(&self->ring->sq_head, __ATOMIC_ACQUIRE);
        self->entries[tail & self->entry_mask] = (struct ring_entry){
            .opcode = RING_OP_CALL,
            .method = THREAD_CONTROL_METHOD_PANIC_MESSAGE,
            .cap = CAPOS_THREAD,
            .interface_id = THREAD_CONTROL_INTERFACE_ID,
            .message = (uintptr_t)request,
            .message_size = (uint32_t)wire_message_finish(&message),
        };
        __atomic_store_n(&self->ring->sq_tail, tail + 1, __ATOMIC_RELEASE);
        (void)capos_cap_enter(0, 0, self->ring->upcalls);
    }
    capos_exit_process(EXIT_BECAUSE_PANIC | PANIC_STATUS);
}
