/* Upcalls: what the frame says, where it lies, masks, nesting, and the ends of those who cannot
 * take one. */
#include "kernel/core/upcall.h"

#include "lib/wire/gen/thread_control.h"
#include "tests/lib/sim.h"

#define THREAD_CAP CAP_ID(CAP_SLOT_THREAD, 1)
#define HANDLER 0x400a00ull
#define STACK_SIZE (32 * 1024ull)

static struct user_registers *registers(struct user *u)
{
    return &u->thread->arch.registers;
}

static uint64_t set_upcall(struct user *u, uint64_t size)
{
    uint64_t base;
    CHECK_OK(address_space_map(u->process->space, 0, false, STACK_SIZE, PROTECTION_READ_WRITE,
                               &base));
    struct user_message m;
    struct user_reply reply;
    struct wire_builder params = user_message(&m, THREAD_CONTROL_SET_UPCALL_PARAMS_DATA_WORDS, 0);
    thread_control_set_upcall_params_set_entry(params, HANDLER);
    thread_control_set_upcall_params_set_stack_base(params, size == 0 ? 0 : base);
    thread_control_set_upcall_params_set_stack_size(params, size);
    CHECK_OK(user_call(u, THREAD_CAP, THREAD_CONTROL_INTERFACE_ID, THREAD_CONTROL_METHOD_SET_UPCALL,
                       &m, NULL, 0, &reply));
    return base;
}

static struct upcall_frame frame_of(struct user *u)
{
    struct upcall_frame frame;
    CHECK_EQ(registers(u)->rip, HANDLER);
    CHECK_EQ(registers(u)->rsp % 16, 8); /* as after a call */
    CHECK_EQ(registers(u)->rdi % 16, 0);
    CHECK_EQ(registers(u)->rdi, registers(u)->rsp + 8);
    CHECK(user_read(u->process, registers(u)->rdi, &frame, sizeof frame));
    CHECK_EQ(frame.extended % 64, 0);
    CHECK_GE(frame.extended, registers(u)->rdi + sizeof frame);
    CHECK_EQ(frame.extended_size, arch_extended_size());
    return frame;
}

/* What user code does at the end of its handler. */
static void return_from(struct user *u, const struct upcall_frame *frame)
{
    *registers(u) = frame->registers;
}

TEST(a_fault_reaches_its_handler_with_all_registers)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    uint64_t base = set_upcall(u, STACK_SIZE);
    struct user_registers before = *registers(u);
    before.rax = 1, before.rbx = 2, before.r15 = 3, before.rsp = u->scratch + 4096,
    before.rip = 0x400950;
    before.rbp = 77;
    *registers(u) = before;
    CHECK(!user_touch(u, 0x123456, UPCALL_ACCESS_WRITE));
    struct upcall_frame frame = frame_of(u);
    CHECK_EQ(frame.cause, UPCALL_PAGE_FAULT);
    CHECK_EQ(frame.access, UPCALL_ACCESS_WRITE);
    CHECK_EQ(frame.address, 0x123456);
    CHECK_EQ(frame.result, 0);
    CHECK_BYTES(&frame.registers, &before, sizeof before);
    CHECK(frame.extended + frame.extended_size <= base + STACK_SIZE);
    CHECK_GT(registers(u)->rsp, base);
    CHECK_EQ(registers(u)->rbp, 0);
    CHECK_EQ(user_ring(u).upcalls, 1);
    return_from(u, &frame);
    CHECK_EQ(user_state(u), USER_RETURNED);
}

TEST(every_cause_is_handed_over)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    (void)set_upcall(u, STACK_SIZE);
    struct user_registers before = *registers(u);
    const enum upcall_cause causes[] = {UPCALL_DIVIDE, UPCALL_ILLEGAL_INSTRUCTION,
                                        UPCALL_BREAKPOINT, UPCALL_PROTECTION,
                                        UPCALL_FLOATING_POINT};
    for (size_t i = 0; i < ARRAY_SIZE(causes); i++) {
        user_switch_to(u);
        kernel_fault(causes[i], UPCALL_ACCESS_READ, 0);
        struct upcall_frame frame = frame_of(u);
        CHECK_EQ(frame.cause, causes[i]);
        return_from(u, &frame);
    }
    CHECK_BYTES(registers(u), &before, sizeof before);
    CHECK_EQ(user_syscall(u, 231, 1, 2, 3), USER_RETURNED); /* somebody else's system call */
    struct upcall_frame frame = frame_of(u);
    CHECK_EQ(frame.cause, UPCALL_FOREIGN_SYSCALL);
    CHECK_EQ(frame.registers.rax, 231);
    CHECK_EQ(frame.registers.rdi, 1);
    CHECK_EQ(user_ring(u).upcalls, 6);
}

TEST(a_nested_upcall_lies_below_the_red_zone_of_the_first)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    uint64_t base = set_upcall(u, STACK_SIZE);
    CHECK(!user_touch(u, 0x18, UPCALL_ACCESS_READ));
    struct upcall_frame first = frame_of(u);
    uint64_t sp = registers(u)->rsp;
    registers(u)->rip = HANDLER + 8; /* somewhere in the handler */
    CHECK(!user_touch(u, 0x20, UPCALL_ACCESS_READ));
    struct upcall_frame second = frame_of(u);
    CHECK_EQ(second.address, 0x20);
    CHECK_EQ(second.registers.rsp, sp);
    CHECK(second.extended + second.extended_size <= sp - UPCALL_RED_ZONE);
    CHECK_GT(registers(u)->rsp, base);
    return_from(u, &second);
    return_from(u, &first);
}

TEST(without_a_stack_of_its_own_an_upcall_uses_the_current_one)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    (void)set_upcall(u, 0);
    registers(u)->rsp = u->scratch + 65536;
    registers(u)->rip = 0x400950;
    CHECK(!user_touch(u, 0x18, UPCALL_ACCESS_READ));
    struct upcall_frame frame = frame_of(u);
    CHECK(frame.extended + frame.extended_size <= u->scratch + 65536 - UPCALL_RED_ZONE);
}

TEST(a_stack_that_is_used_up_ends_the_process)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    (void)set_upcall(u, STACK_SIZE);
    int upcalls = 0;
    while (user_state(u) != USER_DIED) {
        registers(u)->rip = 0x400950;
        (void)user_touch(u, 0x18, UPCALL_ACCESS_READ);
        upcalls++;
        CHECK_LT(upcalls, 100);
    }
    CHECK_GT(upcalls, 10);
    CHECK_EQ(p->exit.kind, EXIT_KIND_FAULTED);
    CHECK_EQ(p->exit.address, 0x18);
}

TEST(a_frame_that_cannot_be_written_ends_the_process)
{
    sim_boot(NULL);
    for (int i = 0; i < 4; i++) {
        struct process *p = sim_process(NULL, 0);
        struct user *u = user_of(p);
        uint64_t base = set_upcall(u, STACK_SIZE);
        switch (i) {
        case 0:
            CHECK_OK(address_space_unmap(p->space, base, STACK_SIZE));
            break;
        case 1:
            CHECK_OK(address_space_change(p->space, CHANGE_PROTECT, base, STACK_SIZE,
                                          PROTECTION_READ));
            break;
        case 2: /* smaller than a frame */
            u->thread->upcall_stack_size = 64;
            break;
        default: /* nowhere */
            u->thread->upcall_stack_size = 0;
            registers(u)->rsp = 100;
            break;
        }
        registers(u)->rip = 0x400950;
        CHECK(!user_touch(u, 0x18, UPCALL_ACCESS_READ));
        CHECK_EQ(user_state(u), USER_DIED);
        CHECK_EQ(p->exit.kind, EXIT_KIND_FAULTED);
        CHECK_EQ(p->exit.cause, UPCALL_PAGE_FAULT);
    }
}

TEST(a_foreign_system_call_without_a_handler_ends_the_process)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    CHECK_EQ(user_syscall(user_of(p), 60, 0, 0, 0), USER_DIED);
    CHECK_EQ(p->exit.kind, EXIT_KIND_FAULTED);
    CHECK_EQ(p->exit.cause, UPCALL_FOREIGN_SYSCALL);
    CHECK_EQ(p->exit.address, 60);
    const uint64_t numbers[] = {0,
                                1,
                                SYSCALL_CAP_ENTER + 2,
                                SYSCALL_CAP_ENTER - 1,
                                UINT64_MAX,
                                SYSCALL_CAP_ENTER | 1ull << 32};
    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        p = sim_process(NULL, 0);
        CHECK_EQ(user_syscall(user_of(p), numbers[i], 0, 0, 0), USER_DIED);
        CHECK_EQ(p->exit.cause, UPCALL_FOREIGN_SYSCALL);
    }
}

/* --- interrupts --- */

static void mask(struct user *u, uint32_t bits)
{
    uint64_t at = u->ring + offsetof(struct ring_header, upcall_mask);
    CHECK(user_write(u->process, at, &bits, sizeof bits));
}

static void nothing(void *context)
{
    (void)context;
}

static void comes_to_run(struct user *u)
{
    user_switch_to(u);
    sim_enter_kernel(u->thread->cpu, nothing, NULL);
}

static cap_id_t handle_of(struct user *u)
{
    return sim_grant(u->process, &u->thread->object);
}

static void interrupt(struct user *u, cap_id_t handle, status_t expected)
{
    struct user_message m;
    struct user_reply reply;
    struct cap_transfer sent = {handle, CAP_TRANSFER_COPY};
    struct wire_builder params = user_message(&m, 0, THREAD_CONTROL_INTERRUPT_PARAMS_POINTER_WORDS);
    thread_control_interrupt_params_set_thread(params, 0);
    CHECK_STATUS(user_call(u, THREAD_CAP, THREAD_CONTROL_INTERFACE_ID,
                           THREAD_CONTROL_METHOD_INTERRUPT, &m, &sent, 1, &reply),
                 expected);
}

TEST(an_interrupt_ends_a_blocked_wait_after_the_handler)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(p);
    (void)set_upcall(v, STACK_SIZE);
    struct ring_entry park = {.opcode = RING_OP_PARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .user_data = 4,
                              .message = v->scratch,
                              .interface_id = CAP_ENTER_FOREVER};
    uint32_t zero = 0;
    CHECK(user_write(p, v->scratch, &zero, sizeof zero));
    user_submit(v, &park);
    CHECK_EQ(user_enter(v, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    interrupt(u, handle_of(v), STATUS_OK);
    CHECK_EQ(user_state(v), USER_RETURNED);
    comes_to_run(v);
    struct upcall_frame frame = frame_of(v);
    CHECK_EQ(frame.cause, UPCALL_INTERRUPT);
    CHECK_EQ((int64_t)frame.registers.rax, -STATUS_INTERRUPTED);
    CHECK_EQ((int64_t)frame.result, -STATUS_INTERRUPTED);
    return_from(v, &frame);
    /* the entry is still in flight; a wait with the old count does not begin */
    CHECK_EQ(user_syscall(v, SYSCALL_CAP_ENTER, 1, CAP_ENTER_FOREVER, 0), USER_RETURNED);
    CHECK_EQ(user_result(v), -STATUS_INTERRUPTED);
    CHECK_EQ(user_enter(v, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
}

TEST(a_masked_interrupt_stays_pending)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(p);
    (void)set_upcall(v, STACK_SIZE);
    cap_id_t handle = handle_of(v);
    mask(v, RING_UPCALL_INTERRUPT);
    CHECK_EQ(user_enter(v, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    interrupt(u, handle, STATUS_OK);
    interrupt(u, handle, STATUS_OK);
    CHECK_EQ(user_state(v), USER_BLOCKED);
    CHECK_EQ(user_ring(v).upcall_pending, RING_UPCALL_INTERRUPT);
    CHECK_EQ(user_ring(v).upcalls, 0);
    mask(v, 0);
    interrupt(u, handle, STATUS_OK); /* the next one comes through, for all of them */
    CHECK_EQ(user_ring(v).upcall_pending, 0);
    comes_to_run(v);
    CHECK_EQ(frame_of(v).cause, UPCALL_INTERRUPT);
    CHECK_EQ(user_ring(v).upcalls, 1);
}

TEST(a_thread_may_interrupt_itself)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    (void)set_upcall(u, STACK_SIZE);
    interrupt(u, handle_of(u), STATUS_OK); /* the call completes, then the upcall comes */
    struct upcall_frame frame = frame_of(u);
    CHECK_EQ(frame.cause, UPCALL_INTERRUPT);
    CHECK_EQ(frame.registers.rax, 1); /* one completion */
    CHECK_EQ(frame.result, 0);
}

TEST(an_interrupt_without_a_handler_ends_the_process)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0), *q = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_of(q);
    cap_id_t handle = sim_grant(p, &v->thread->object);
    interrupt(u, handle, STATUS_OK);
    comes_to_run(v);
    CHECK_EQ(user_state(v), USER_DIED);
    CHECK_EQ(q->exit.kind, EXIT_KIND_FAULTED);
    CHECK_EQ(q->exit.cause, UPCALL_INTERRUPT);
    interrupt(u, handle, STATUS_BAD_STATE);
    interrupt(u, CAP_ID(CAP_SLOT_MEMORY, 1), STATUS_EXCEPTION);
}

TEST(hostile_upcall_addresses_are_refused)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    static const uint64_t bad[][3] = {{USER_END, 0, 0},
                                      {UINT64_MAX, 0, 0},
                                      {HANDLER, USER_END + 1, 0},
                                      {HANDLER, 0x10000, USER_END},
                                      {HANDLER, UINT64_MAX, 2}};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct user_message m;
        struct user_reply reply;
        struct wire_builder params =
            user_message(&m, THREAD_CONTROL_SET_UPCALL_PARAMS_DATA_WORDS, 0);
        thread_control_set_upcall_params_set_entry(params, bad[i][0]);
        thread_control_set_upcall_params_set_stack_base(params, bad[i][1]);
        thread_control_set_upcall_params_set_stack_size(params, bad[i][2]);
        CHECK_STATUS(user_call(u, THREAD_CAP, THREAD_CONTROL_INTERFACE_ID,
                               THREAD_CONTROL_METHOD_SET_UPCALL, &m, NULL, 0, &reply),
                     STATUS_EXCEPTION);
        user_scratch_reset(u);
    }
    CHECK_EQ(u->thread->upcall_entry, 0);
}
