/* fork: what the child has of its parent, what it has not, and that failing leaves nothing. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/park.h"
#include "lib/wire/gen/process_handle.h"
#include "lib/wire/gen/process_spawner.h"
#include "lib/wire/gen/timer.h"
#include "lib/wire/gen/types.h"
#include "tests/lib/sim.h"

#define SPAWNER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define TIMER CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1)

static struct process *forker(void)
{
    struct object *grants[] = {&process_spawner_object, &timer_object};
    return sim_process(grants, 2);
}

/* The youngest process. */
static struct process *child_of(struct process *parent)
{
    struct process *p = CONTAINER_OF(process_all.previous, struct process, all);
    CHECK(p != parent && !p->ended);
    return p;
}

static struct ring_entry fork_entry(struct user *u)
{
    return user_call_entry(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_FORK,
                           NULL, NULL, 0);
}

/* The parent's whole call; *entry is as it was submitted. */
static struct process *fork_it(struct user *u, struct user_reply *reply, struct ring_entry *entry)
{
    *entry = fork_entry(u);
    user_submit(u, entry);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK(user_reap(u, &reply->completion));
    CHECK_OK(reply->completion.status);
    user_take_reply(u, entry, &reply->completion, reply);
    CHECK(!process_spawner_fork_results_is_child(reply->root));
    CHECK_EQ(reply->completion.transfer_count, 1);
    return child_of(u->process);
}

TEST(both_return_from_the_same_call)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p);
    struct user_reply reply;
    struct ring_entry entry;
    u->thread->arch.registers.rbx = 0xabcdef;
    struct ring_header before = user_ring(u);
    struct process *child = fork_it(u, &reply, &entry);
    cap_id_t handle = reply.transfers[0].cap;
    struct user *c = user_of(child);
    CHECK(strcmp(child->name, p->name) == 0);
    CHECK_EQ(c->ring, u->ring);
    struct ring_header ring = user_ring(c);
    CHECK_EQ(ring.sq_head, before.sq_head + 1);
    CHECK_EQ(ring.cq_tail, before.cq_tail + 1);
    CHECK_EQ(c->thread->arch.registers.rbx, 0xabcdef);
    CHECK_EQ(c->thread->arch.registers.rip, u->thread->arch.registers.rip);
    CHECK_EQ(user_result(c), 1);
    CHECK(user_reap(c, &reply.completion));
    CHECK_EQ(reply.completion.user_data, entry.user_data);
    CHECK_OK(reply.completion.status);
    CHECK_EQ(reply.completion.transfer_count, 0);
    user_take_reply(c, &entry, &reply.completion, &reply);
    CHECK(process_spawner_fork_results_is_child(reply.root));
    CHECK(!process_spawner_fork_results_has_handle(reply.root));
    /* the parent waits for it */
    struct ring_entry wait = user_call_entry(u, handle, PROCESS_HANDLE_INTERFACE_ID,
                                             PROCESS_HANDLE_METHOD_WAIT, NULL, NULL, 0);
    user_submit(u, &wait);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    CHECK_EQ(user_syscall(c, SYSCALL_EXIT, 12, 0, 0), USER_DIED);
    CHECK(user_reap(u, &reply.completion));
    user_take_reply(u, &wait, &reply.completion, &reply);
    CHECK_EQ(exit_status_code(process_handle_wait_results_status(reply.root)), 12);
}

TEST(private_memory_is_copied_and_shared_memory_shared)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p);
    struct object *object;
    uint64_t shared;
    CHECK_OK(memory_object_create(p->account, PAGE_SIZE, &object));
    CHECK_OK(address_space_map_object(p->space, object, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &shared));
    object_put(object);
    uint64_t value = 1, private = user_place(u, &value, sizeof value);
    CHECK(user_write(p, shared, &value, sizeof value));
    struct user_reply reply;
    struct ring_entry entry;
    struct process *child = fork_it(u, &reply, &entry);
    uint64_t seen = 0;
    CHECK(user_read(child, private, &seen, sizeof seen));
    CHECK_EQ(seen, 1);
    value = 2;
    CHECK(user_write(child, private, &value, sizeof value));
    CHECK(user_write(child, shared, &value, sizeof value));
    CHECK(user_read(p, private, &seen, sizeof seen));
    CHECK_EQ(seen, 1);
    CHECK(user_read(p, shared, &seen, sizeof seen));
    CHECK_EQ(seen, 2);
    value = 3;
    CHECK(user_write(p, private, &value, sizeof value));
    CHECK(user_read(child, private, &seen, sizeof seen));
    CHECK_EQ(seen, 2);
}

TEST(the_table_follows_each_interface)
{
    sim_boot(NULL);
    struct process *p = forker(), *other = sim_process(NULL, 0);
    struct user *u = user_of(p);
    cap_id_t handle = sim_grant(p, &other->object), released = sim_grant(p, &timer_object);
    CHECK_OK(cap_table_release(&p->table, released));
    struct user_reply reply;
    struct ring_entry entry;
    struct process *child = fork_it(u, &reply, &entry);
    struct object *o;
    CHECK_OK(cap_table_look_up(&child->table, CAP_ID(CAP_SLOT_MEMORY, 1), &o));
    CHECK(o == &child->own[OWN_MEMORY]);
    CHECK_OK(cap_table_look_up(&child->table, CAP_ID(CAP_SLOT_THREADS, 1), &o));
    CHECK(o == &child->own[OWN_THREADS]);
    CHECK_OK(cap_table_look_up(&child->table, SPAWNER, &o));
    CHECK(o == &process_spawner_object);
    CHECK_OK(cap_table_look_up(&child->table, TIMER, &o));
    CHECK(o == &timer_object);
    CHECK_STATUS(cap_table_look_up(&child->table, handle, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&child->table, released, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&child->table, reply.transfers[0].cap, &o),
                 STATUS_BAD_CAPABILITY); /* its own handle */
}

TEST(only_the_caller_and_its_fork_go_on_in_the_child)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p), *v = user_thread(p);
    uint32_t zero = 0;
    CHECK(user_write(p, u->scratch + 65536, &zero, sizeof zero));
    struct ring_entry park = {.opcode = RING_OP_PARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .user_data = 77,
                              .message = u->scratch + 65536,
                              .interface_id = CAP_ENTER_FOREVER};
    struct ring_entry nop = {.opcode = RING_OP_NOP, .user_data = 78};
    struct ring_entry fork = fork_entry(u);
    user_submit(u, &park);
    user_submit(u, &fork);
    user_submit(u, &nop); /* after it in the queue: carried out by each for itself */
    CHECK_EQ(user_enter(u, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    struct process *child = child_of(p);
    CHECK_EQ(child->thread_count, 1);
    CHECK_EQ(tally.parked, 1);
    struct user *c = user_of(child);
    uint8_t byte;
    CHECK(!user_read(child, v->ring, &byte, 1)); /* the other thread's ring */
    CHECK_EQ(c->thread->ring.in_flight, 0);
    struct ring_completion completion;
    CHECK(user_reap(c, &completion));
    CHECK_EQ(completion.user_data, fork.user_data);
    CHECK(!user_reap(c, &completion));
    CHECK_EQ(user_enter(c, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK(user_reap(c, &completion));
    CHECK_EQ(completion.user_data, 78);
    /* the parent's parked entry is still its own */
    struct ring_entry wake = {.opcode = RING_OP_UNPARK,
                              .cap = CAP_ID(CAP_SLOT_PARK, 1),
                              .user_data = 5,
                              .message = u->scratch + 65536,
                              .result_size = 9};
    CHECK_EQ(user_run(c, wake).aux, 0);
    CHECK_EQ(user_run(v, wake).aux, 1);
}

TEST(a_child_has_the_time_page_where_its_parent_has_it)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p);
    struct user_reply reply;
    struct ring_entry entry;
    CHECK_OK(user_call(u, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply));
    uint64_t page = timer_page_results_address(reply.root);
    CHECK(p->arch.time_open);
    struct process *child = fork_it(u, &reply, &entry);
    uint64_t a[4], b[4];
    CHECK(child->arch.time_open);
    CHECK(user_read(p, page, a, sizeof a));
    CHECK(user_read(child, page, b, sizeof b));
    CHECK_BYTES(a, b, sizeof a);
    CHECK(!user_write(child, page, a, sizeof a));
    CHECK(user_reap(user_of(child), &reply.completion));
    CHECK_OK(user_call(user_of(child), TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_NOW, NULL, NULL, 0,
                       &reply));
    sim_drop_time_page();
}

TEST(a_result_that_does_not_fit_is_said_to_both)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p);
    struct ring_entry e = fork_entry(u);
    e.result_size = 8;
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    struct ring_completion completion;
    CHECK(user_reap(u, &completion));
    CHECK_STATUS(completion.status, -STATUS_RESULT_TOO_SMALL);
    CHECK(user_reap(user_of(child_of(p)), &completion));
    CHECK_STATUS(completion.status, -STATUS_RESULT_TOO_SMALL);
}

TEST(the_child_is_charged_for_all_it_may_write)
{
    sim_boot(NULL);
    struct process *p = forker();
    struct user *u = user_of(p);
    struct user_reply reply;
    (void)user_place(u, NULL, 64);
    uint64_t used = p->account->used[LEDGER_FRAMES];
    p->account->limit[LEDGER_FRAMES] =
        2 * used - 1; /* enough for what is there, not for a second one */
    CHECK_STATUS(user_call(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_FORK,
                           NULL, NULL, 0, &reply),
                 STATUS_FRAMES_EXHAUSTED);
    CHECK_EQ(p->account->used[LEDGER_FRAMES], used);
    p->account->limit[LEDGER_FRAMES] = 2 * used + 64; /* tables and the like may differ */
    CHECK_OK(user_call(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_FORK, NULL,
                       NULL, 0, &reply));
    CHECK_GT(p->account->used[LEDGER_FRAMES], 2 * used - 16);
}

static struct user *failing;

static void make_failing(void)
{
    static uint8_t zeroes[USER_SCRATCH_SIZE];
    failing = user_of(forker());
    CHECK(user_write(failing->process, failing->scratch, zeroes, sizeof zeroes));
}

static void fork_once(void)
{
    struct ring_entry e = fork_entry(failing);
    struct ring_completion completion;
    user_submit(failing, &e);
    CHECK_EQ(user_enter(failing, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK(user_reap(failing, &completion));
}

TEST(forking_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, fork_once);
}
