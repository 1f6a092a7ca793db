/* Timer: each method's contract, waits that are cancelled or abandoned, and that all is given back.
 */
#include "kernel/cap/root_objects.h"
#include "kernel/core/timer_queue.h"
#include "lib/wire/gen/timer.h"
#include "tests/lib/sim.h"

#define TIMER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)

static struct process *holder(void)
{
    struct object *grants[] = {&timer_object};
    return sim_process(grants, 1);
}

static struct ring_entry wait_entry(struct user *u, uint16_t method, uint64_t ns)
{
    struct user_message m;
    struct wire_builder params = user_message(&m, 1, 0);
    wire_set_u64(params, 0, ns); /* sleep and ready have one number each */
    return user_call_entry(u, TIMER, TIMER_INTERFACE_ID, method, &m, NULL, 0);
}

TEST(now_is_the_machine_s_time)
{
    sim_boot(NULL);
    struct user *u = user_of(holder());
    struct user_reply reply;
    sim_advance(12345);
    CHECK_OK(user_call(u, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, NULL, NULL, 0, &reply));
    CHECK_EQ(timer_now_results_monotonic_ns(reply.root), arch_now_ns());
    CHECK_EQ(timer_now_results_tick(reply.root), arch_tick());
}

TEST(sleep_ends_in_time_and_not_before)
{
    sim_boot(NULL);
    struct user *u = user_of(holder());
    struct ring_entry e = wait_entry(u, TIMER_METHOD_SLEEP, 5000);
    struct ring_completion c;
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_EQ(tally.timers, 1);
    sim_advance(4999);
    CHECK_EQ(user_state(u), USER_BLOCKED);
    sim_advance(1);
    CHECK(user_reap(u, &c));
    CHECK_OK(c.status);
    CHECK_EQ(tally.timers, 0);
    e = wait_entry(u, TIMER_METHOD_SLEEP, 0);
    CHECK_OK(user_run(u, e).status);
    e = wait_entry(u, TIMER_METHOD_SLEEP, UINT64_MAX); /* wraps: for ever */
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, 1000000), USER_BLOCKED);
    sim_advance(1000000);
    CHECK_EQ(user_result(u), -STATUS_TIMED_OUT);
}

TEST(ready_says_when_it_was)
{
    sim_boot(NULL);
    struct user *u = user_of(holder());
    struct user_reply reply;
    struct ring_entry e = wait_entry(u, TIMER_METHOD_READY, arch_now_ns() + 700);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    sim_advance(1000);
    CHECK(user_reap(u, &reply.completion));
    user_take_reply(u, &e, &reply.completion, &reply);
    CHECK_EQ(timer_ready_results_monotonic_ns(reply.root), 700);
    e = wait_entry(u, TIMER_METHOD_READY, 700); /* it has passed */
    reply.completion = user_run(u, e);
    CHECK_OK(reply.completion.status);
    user_take_reply(u, &e, &reply.completion, &reply);
    CHECK_EQ(timer_ready_results_monotonic_ns(reply.root), 1000);
}

TEST(many_sleepers_wake_in_order)
{
    sim_boot(NULL);
    struct user *u = user_of(holder());
    const uint64_t ns[] = {300, 100, 400, 200};
    struct ring_completion c;
    for (uint64_t i = 0; i < ARRAY_SIZE(ns); i++) {
        struct ring_entry e = wait_entry(u, TIMER_METHOD_SLEEP, ns[i]);
        e.user_data = ns[i];
        user_submit(u, &e);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        user_scratch_reset(u); /* its message has been read */
    }
    sim_advance(1000);
    for (uint64_t i = 1; i <= ARRAY_SIZE(ns); i++) {
        CHECK(user_reap(u, &c));
        CHECK_EQ(c.user_data, i * 100);
    }
}

TEST(a_sleep_is_cancelled_or_dies_with_its_thread)
{
    sim_boot(NULL);
    struct process *p = holder();
    struct user *u = user_of(p);
    struct ring_entry e = wait_entry(u, TIMER_METHOD_SLEEP, 1000);
    e.user_data = 50;
    struct ring_completion c;
    user_submit(u, &e);
    user_submit(
        u, &(struct ring_entry){.opcode = RING_OP_CANCEL, .user_data = 51, .interface_id = 50});
    CHECK_EQ(user_enter(u, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK(user_reap(u, &c));
    CHECK_STATUS(c.status, -STATUS_CANCELLED);
    CHECK(user_reap(u, &c));
    CHECK_OK(c.status);
    CHECK_EQ(tally.timers, 0);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    CHECK_EQ(tally.timers, 1);
    process_end(p, &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    CHECK_EQ(tally.timers, 0);
}

TEST(the_page_is_mapped_once_and_read_only)
{
    sim_boot(NULL);
    struct process *p = holder();
    struct user *u = user_of(p);
    struct user_reply reply;
    struct time_page page, expected;
    CHECK(!p->arch.time_open);
    CHECK_OK(user_call(u, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply));
    uint64_t address = timer_page_results_address(reply.root);
    CHECK(p->arch.time_open);
    CHECK(user_read(p, address, &page, sizeof page));
    arch_time_page(&expected);
    CHECK_EQ(page.scale, expected.scale);
    CHECK(!user_write(p, address, &page, sizeof page));
    CHECK_OK(user_call(u, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply));
    CHECK_EQ(timer_page_results_address(reply.root), address);
    CHECK(address_space_unmap(p->space, address, PAGE_SIZE) != STATUS_OK); /* the kernel's */
    sim_drop_time_page();
}

static struct user *failing;

static void make_failing(void)
{
    static uint8_t zeroes[USER_SCRATCH_SIZE];
    failing = user_of(holder());
    CHECK(user_write(failing->process, failing->scratch, zeroes, sizeof zeroes));
}

static void use_once(void)
{
    struct user_reply reply;
    struct ring_entry e = wait_entry(failing, TIMER_METHOD_SLEEP, 1000);
    user_submit(failing, &e);
    CHECK_EQ(user_enter(failing, 0, 0), USER_RETURNED);
    (void)user_reap(failing, &reply.completion);
    sim_advance(1000);
    (void)user_reap(failing, &reply.completion);
    (void)user_call(failing, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply);
    sim_drop_time_page();
}

TEST(timer_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, use_once);
}
