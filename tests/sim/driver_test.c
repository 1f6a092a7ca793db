/* The driver itself: user code enters, blocks, faults and dies as on a real machine; and its checks
 * do fail. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "lib/wire/gen/messages.h"
#include "tests/lib/invariants.h"
#include "tests/lib/sim.h"

TEST(nop_completes)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    struct ring_completion c =
        user_run(u, (struct ring_entry){.opcode = RING_OP_NOP, .user_data = 7});
    CHECK_OK(c.status);
    CHECK_EQ(c.user_data, 7);
    invariants_check();
}

TEST(threads_of_one_cpu_take_turns)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *a = user_of(p);
    struct user *b = user_thread(p);
    struct user *c = user_of(sim_process(NULL, 0));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(user_run(a, (struct ring_entry){.opcode = RING_OP_NOP}).status);
        CHECK_OK(user_run(b, (struct ring_entry){.opcode = RING_OP_NOP}).status);
        CHECK_OK(user_run(c, (struct ring_entry){.opcode = RING_OP_NOP}).status);
        invariants_check();
    }
}

TEST(a_thread_blocks_until_its_time_is_up)
{
    sim_boot(NULL);
    struct object *grants[] = {&timer_object};
    struct user *u = user_of(sim_process(grants, 1));
    CHECK_EQ(user_enter(u, 1, 1000000), USER_BLOCKED);
    sim_advance(999999);
    CHECK_EQ(user_state(u), USER_BLOCKED);
    sim_advance(1);
    CHECK_EQ(user_state(u), USER_RETURNED);
    CHECK_EQ(user_result(u), -(int64_t)STATUS_TIMED_OUT);
}

TEST(memory_comes_with_the_first_touch)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    CHECK(user_touch(u, u->scratch, UPCALL_ACCESS_READ));
    CHECK(user_touch(u, u->scratch, UPCALL_ACCESS_WRITE));
    CHECK(!user_touch(u, u->scratch, UPCALL_ACCESS_EXECUTE)); /* no handler: the process ends */
    CHECK_EQ(user_state(u), USER_DIED);
    CHECK_EQ(u->process->exit.kind, EXIT_KIND_FAULTED);
    CHECK_EQ(u->process->exit.address, u->scratch);
}

static void lose_a_frame(void)
{
    struct counts before = counts_take();
    frame_t f;
    CHECK_OK(frame_alloc(&f));
    counts_check(&before);
}

static void touch_freed_memory(void)
{
    void *memory;
    CHECK_OK(kmem_alloc(&ledger_root, 100, &memory));
    kmem_free(&ledger_root, memory, 100);
    *(volatile char *)memory = 1;
}

TEST(the_checks_can_fail)
{
    sim_boot(NULL);
    CHECK(test_fails(lose_a_frame));
    CHECK(test_fails(touch_freed_memory));
}
