/* ThreadControl: what a thread does to itself, and interrupts to those whose handle it holds. */
#include "check.h"

static cap_t spawner;

static _Thread_local int local = 3;

static void bases(void)
{
    static const uint64_t words[2] = {0x1234, 0x5678};
    uint64_t word;
    CHECK_OK(capos_thread_control_set_gs_base(CAPOS_THREAD, (uintptr_t)words));
    __asm__ volatile("movq %%gs:8, %0" : "=r"(word));
    CHECK(word == 0x5678);
    CHECK_OK(capos_thread_control_set_fs_base(CAPOS_THREAD, (uintptr_t)capos_self()));
    CHECK(local == 3); /* reached through it */
    CHECK_INVALID(capos_thread_control_set_fs_base(CAPOS_THREAD, USER_END));
    CHECK_INVALID(capos_thread_control_set_gs_base(CAPOS_THREAD, UINT64_MAX));
    ok("setFsBase and setGsBase");
}

/* --- exit --- */

static uint64_t exits_in_the_middle(void *argument)
{
    (void)argument;
    CHECK_OK(capos_thread_control_exit(CAPOS_THREAD, 77));
    CHECK(!"it does not answer");
    return 0;
}

static void last_thread(void)
{
    struct capos_thread *thread;
    CHECK_OK(capos_thread_spawn(exits_in_the_middle, NULL, NULL, &thread));
    CHECK_OK(capos_thread_control_exit(CAPOS_THREAD, 5));
    CHECK(!"it does not answer");
}

static void exits(void)
{
    struct capos_thread *thread;
    struct capos_thread_handle_join_results joined;
    struct capos_process_handle_wait_results ended;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_thread_spawn(exits_in_the_middle, NULL, NULL, &thread));
    CHECK_OK(capos_thread_handle_join(capos_thread_handle(thread), &joined));
    CHECK(joined.code == 77);
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        last_thread();
    }
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    CHECK(exit_status_kind(ended.status_) == EXIT_KIND_EXITED);
    int32_t code = exit_status_code(ended.status_);
    CHECK(code == 77 || code == 5); /* whichever was the last */
    capos_release(handle);
    ok("exit");
}

/* --- upcalls --- */

static volatile bool waits, came;
static status_t waited;

static void note(void *context, struct upcall_frame *frame)
{
    (void)context;
    came = frame == NULL || frame->cause == UPCALL_INTERRUPT;
}

static uint64_t is_interrupted(void *argument)
{
    static uint8_t stack[32 * 1024];
    (void)argument;
    CHECK_OK(capos_upcall_set(note, NULL, stack, sizeof stack));
    waits = true;
    do {
        waited = capos_wait_any(CAP_ENTER_FOREVER);
    } while (!came);
    return 1;
}

static void interrupts(void)
{
    struct capos_thread *thread;
    cap_t timer = capos_need("timer", TIMER_INTERFACE_ID);
    uint64_t result;
    CHECK_OK(capos_thread_spawn(is_interrupted, NULL, NULL, &thread));
    while (!waits) {
        CHECK_OK(capos_timer_sleep(timer, 100000));
    }
    CHECK_OK(capos_thread_control_interrupt(CAPOS_THREAD, capos_thread_handle(thread)));
    struct capos_thread_handle_join_results joined;
    CHECK_OK(capos_thread_handle_join(capos_thread_handle(thread), &joined));
    CHECK(came && waited == STATUS_INTERRUPTED);
    CHECK_STATUS(capos_thread_control_interrupt(CAPOS_THREAD, capos_thread_handle(thread)),
                 STATUS_BAD_STATE); /* it has ended */
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1);
    CHECK_INVALID(capos_thread_control_interrupt(CAPOS_THREAD, timer)); /* no ThreadHandle */
    CHECK_INVALID(capos_thread_control_interrupt(CAPOS_THREAD, CAP_ID_NONE));
    ok("interrupt");
}

/* Without a handler a fault ends the process, and only it. */
static void faults_without_handler(void)
{
    check_catch_faults();
    CHECK(!can_read(0x1000));
    CHECK_OK(capos_upcall_set(NULL, NULL, NULL, 0));
    (void)can_read(0x1000);
}

static void upcalls(void)
{
    struct capos_process_handle_wait_results ended;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        faults_without_handler();
        exit(0);
    }
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    CHECK(exit_status_kind(ended.status_) == EXIT_KIND_FAULTED);
    capos_release(handle);
    CHECK_INVALID(capos_thread_control_set_upcall(CAPOS_THREAD, USER_END, 0, 0));
    CHECK_INVALID(capos_thread_control_set_upcall(CAPOS_THREAD, 0x20000, USER_END, PAGE));
    CHECK_INVALID(capos_thread_control_set_upcall(CAPOS_THREAD, 0x20000, PAGE, UINT64_MAX));
    ok("setUpcall");
}

/* --- records --- */

static void reports(void)
{
    struct capos_process_handle_wait_results ended;
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        capos_report_denial(CONSOLE_INTERFACE_ID, 1, "a name", DENIAL_REASON_ATTENUATED, "a grant");
        exit(0);
    }
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    struct wire_list denials = exit_status_denials(ended.status_);
    CHECK(denials.count == 1);
    struct wire_reader denial = wire_list_get_struct(denials, 0);
    CHECK(denial_interface_id(denial) == CONSOLE_INTERFACE_ID && denial_method(denial) == 1);
    CHECK(check_same(denial_name(denial), "a name") && check_same(denial_grant(denial), "a grant"));
    CHECK(denial_reason(denial) == DENIAL_REASON_ATTENUATED);
    CHECK_INVALID(capos_thread_control_report_denial(CAPOS_THREAD, 1, 1, "n", 1,
                                                     (enum denial_reason)99, "g", 1));
    ok("reportDenial");
    CHECK_OK(capos_thread_control_panic_message(CAPOS_THREAD, "last words\x1b[2J", 14));
    ok("panicMessage");
}

int main(void)
{
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    bases();
    exits();
    interrupts();
    upcalls();
    reports();
    check_object(CAPOS_THREAD, THREAD_CONTROL_INTERFACE_ID, THREAD_SPAWNER_INTERFACE_ID);
    return 0;
}
