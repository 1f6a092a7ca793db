/* ThreadControl: bases, denials, messages of those who give up. (exit: thread_test.c; upcalls and
 * interrupts: upcall_test.c.) */
#include "lib/wire/gen/thread_control.h"
#include "tests/lib/sim.h"

#define THREAD_CAP CAP_ID(CAP_SLOT_THREAD, 1)

static status_t call(struct user *u, uint16_t method, struct user_message *m)
{
    struct user_reply reply;
    status_t status =
        user_call(u, THREAD_CAP, THREAD_CONTROL_INTERFACE_ID, method, m, NULL, 0, &reply);
    user_scratch_reset(u);
    return status;
}

static status_t set_base(struct user *u, uint16_t method, uint64_t address)
{
    struct user_message m;
    struct wire_builder params = user_message(&m, 1, 0);
    wire_set_u64(params, 0, address); /* both methods have that one number */
    return call(u, method, &m);
}

TEST(bases_are_the_caller_s_and_in_user_memory)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(p);
    CHECK_OK(set_base(u, THREAD_CONTROL_METHOD_SET_FS_BASE, 0x12345000));
    CHECK_OK(set_base(v, THREAD_CONTROL_METHOD_SET_GS_BASE, USER_END - 1));
    CHECK_EQ(u->thread->arch.registers.fs_base, 0x12345000);
    CHECK_EQ(v->thread->arch.registers.fs_base, 0);
    CHECK_EQ(v->thread->arch.registers.gs_base, USER_END - 1);
    const uint64_t bad[] = {USER_END, 1ull << 47, 0xffff800000000000, UINT64_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        CHECK_STATUS(set_base(u, THREAD_CONTROL_METHOD_SET_FS_BASE, bad[i]), STATUS_EXCEPTION);
        CHECK_STATUS(set_base(u, THREAD_CONTROL_METHOD_SET_GS_BASE, bad[i]), STATUS_EXCEPTION);
    }
    CHECK_EQ(u->thread->arch.registers.fs_base, 0x12345000);
}

static status_t report(struct user *u, const char *name, size_t name_size, uint16_t reason)
{
    struct user_message m;
    struct wire_builder params = user_message(&m, THREAD_CONTROL_REPORT_DENIAL_PARAMS_DATA_WORDS,
                                              THREAD_CONTROL_REPORT_DENIAL_PARAMS_POINTER_WORDS);
    thread_control_report_denial_params_set_interface_id(params, 77);
    thread_control_report_denial_params_set_method(params, 3);
    thread_control_report_denial_params_set_name(params, (struct wire_span){name, name_size});
    thread_control_report_denial_params_set_reason(params, (enum denial_reason)reason);
    thread_control_report_denial_params_set_grant(params, (struct wire_span){"a=b", 3});
    return call(u, THREAD_CONTROL_METHOD_REPORT_DENIAL, &m);
}

TEST(denials_are_kept_cut_and_made_harmless)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    char longer[200];
    memset(longer, 'n', sizeof longer);
    CHECK_OK(report(u, "time\x1b[2Jr", 9, DENIAL_REASON_ATTENUATED));
    CHECK_OK(report(u, longer, sizeof longer, DENIAL_REASON_NOT_GRANTED));
    CHECK_EQ(p->denial_count, 2);
    const struct denial *d = &p->denials[0];
    CHECK_EQ(d->interface_id, 77);
    CHECK_EQ(d->method, 3);
    CHECK_EQ(d->reason, DENIAL_REASON_ATTENUATED);
    CHECK(strcmp(d->name, "time?[2Jr") == 0);
    CHECK(strcmp(d->grant, "a=b") == 0);
    CHECK_EQ(strlen(p->denials[1].name), sizeof d->name - 1);
    CHECK_STATUS(report(u, "x", 1, DENIAL_REASON_COUNT), STATUS_EXCEPTION);
    CHECK_EQ(p->denial_count, 2);
    for (int i = 0; i < 20; i++) {
        CHECK_OK(report(u, "again", 5, DENIAL_REASON_REVOKED));
    }
    CHECK_EQ(p->denial_count, 22); /* ever; the last DENIALS_KEPT are there */
}

TEST(a_message_of_one_who_gives_up_is_one_line_of_the_log)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    struct user_message m;
    const char text[] = "lost\nall %s hope";
    struct wire_builder params = user_message(&m, 0, 1);
    thread_control_panic_message_params_set_text(params, (struct wire_span){text, sizeof text - 1});
    CHECK_OK(call(u, THREAD_CONTROL_METHOD_PANIC_MESSAGE, &m));
    CHECK(strstr(sim_machine.log, "sim: lost?all %s hope\n") != NULL);
}
