/*
 * upcall.c: registering a handler for upcalls. The kernel enters capos_upcall_entry (entry.S),
 * which calls capos_upcall_dispatch on the upcall stack and then goes on as the frame says.
 */
#include "lib/capos/thread_self.h"

/* entry.S uses these offsets. */
_Static_assert(offsetof(struct upcall_frame, extended_size) == 24, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.rax) == 32, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.rdi) == 72, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.rsp) == 88, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.r8) == 96, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.r15) == 152, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.rip) == 160, "entry.S");
_Static_assert(offsetof(struct upcall_frame, registers.rflags) == 168, "entry.S");
_Static_assert(offsetof(struct upcall_frame, extended) == 192, "entry.S");

extern const char capos_upcall_entry[] __attribute__((visibility("hidden")));
void capos_upcall_dispatch(struct upcall_frame *frame);

void capos_upcall_dispatch(struct upcall_frame *frame)
{
    struct capos_thread_self *self = capos_self();
    if (self->upcall_handler != NULL) {
        self->upcall_handler(self->upcall_context, frame);
    }
}

status_t capos_upcall_set(capos_upcall_handler *handler, void *context, void *stack,
                          size_t stack_bytes)
{
    struct capos_thread_self *self = capos_self();
    if (handler == NULL) {
        status_t status = capos_thread_control_set_upcall(CAPOS_THREAD, 0, 0, 0);
        self->upcall_handler = NULL;
        return status;
    }
    self->upcall_handler = handler;
    self->upcall_context = context;
    return capos_thread_control_set_upcall(CAPOS_THREAD, (uintptr_t)capos_upcall_entry,
                                           (uintptr_t)stack, stack_bytes);
}
