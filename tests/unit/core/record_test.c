/* Where the record of an entry is made and kept: with the ring or with the CPU. Entries that end
 * their thread, its process or its program in either case, rings that are handed on with a record,
 * and the order in which entries in flight are found. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/process_handle.h"
#include "lib/wire/gen/process_spawner.h"
#include "lib/wire/gen/thread_control.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

#define SPAWNER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)

enum ring_kind { RING_USUAL, RING_SMALL, RING_LARGE, RING_KINDS };

static struct user *u;

static struct user *new_thread(struct process *p, enum ring_kind kind)
{
    static const uint32_t entries[RING_KINDS] = {0, 8, 64};
    struct thread *t;
    CHECK_OK(thread_create(p, p->space, entries[kind], &t));
    thread_start(t);
    return user_of_thread(t);
}

/* A process whose last thread has such a ring, with a record ready or not, and is alone or not. */
static void make(enum ring_kind kind, bool ready, bool alone)
{
    struct object *grants[] = {&process_spawner_object};
    struct process *p = sim_process(grants, 1);
    struct user *first = user_of(p);
    u = kind == RING_USUAL ? first : new_thread(p, kind);
    if (alone && u != first) {
        struct ring_entry e = {.opcode = RING_OP_NOP};
        user_submit(first, &e);
        CHECK_EQ(user_enter(first, 1, CAP_ENTER_FOREVER), USER_RETURNED);
        thread_remove(first->thread, p->space);
    } else if (!alone && u == first) {
        (void)new_thread(p, RING_USUAL);
    }
    if (ready) {
        ipc_start(u, ipc_receive(u, 2, ipc_endpoint(p)));
        ipc_start(u, ipc_cancel(3, 2));
        CHECK_STATUS(ipc_take(u, 2).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(u, 3).status);
    }
    CHECK_EQ(u->thread->ring.spare != NULL, ready);
    CHECK_EQ(p->thread_count == 1, alone);
}

static struct ring_entry exit_entry(void)
{
    struct user_message m;
    struct wire_builder b = user_message(&m, 1, 0);
    wire_set_u64(b, 0, 7);
    return user_call_entry(u, CAP_ID(CAP_SLOT_THREAD, 1), THREAD_CONTROL_INTERFACE_ID,
                           THREAD_CONTROL_METHOD_EXIT, &m, NULL, 0);
}

static struct ring_entry terminate_entry(void)
{
    cap_id_t handle = sim_grant(u->process, &u->process->object);
    return user_call_entry(u, handle, PROCESS_HANDLE_INTERFACE_ID, PROCESS_HANDLE_METHOD_TERMINATE,
                           NULL, NULL, 0);
}

static struct ring_entry exec_entry(void)
{
    struct user_message m;
    struct cap_transfer sent = {sim_grant(u->process, sim_image()), CAP_TRANSFER_COPY};
    struct wire_builder b = user_message(&m, 0, PROCESS_SPAWNER_EXEC_PARAMS_POINTER_WORDS);
    process_spawner_exec_params_set_image(b, 0);
    return user_call_entry(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_EXEC,
                           &m, &sent, 1);
}

/* It ends, and what lies behind it in the queue is not carried out. */
static void check_end(struct ring_entry end)
{
    struct object *token;
    struct process *p = u->process;
    CHECK_OK(cap_table_look_up(&p->table, SPAWNER, &token));
    uint32_t references = token->references;
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = SPAWNER};
    user_submit(u, &end);
    user_submit(u, &release);
    user_submit(u, &end);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
    sim_settle();
    if (!p->ended && end.cap != SPAWNER) {
        CHECK_EQ(token->references, references);
    }
    CHECK(arch_cpu()->record == NULL);
    invariants_check();
}

static void check_all(struct ring_entry (*end)(void))
{
    sim_boot(NULL);
    for (int kind = 0; kind < RING_KINDS; kind++) {
        for (int how = 0; how < 4; how++) {
            test_context("ring %d, way %d", kind, how);
            make((enum ring_kind)kind, how % 2 != 0, how / 2 != 0);
            struct process *p = u->process;
            check_end(end());
            if (!p->ended) { /* whoever is left, or the new program, does as before */
                struct user *left = user_of(p);
                cap_id_t endpoint = ipc_endpoint(p);
                ipc_start(left, ipc_receive(left, 2, endpoint));
                ipc_start(left, ipc_cancel(3, 2));
                CHECK_STATUS(ipc_take(left, 2).status, -STATUS_CANCELLED);
                CHECK_OK(ipc_take(left, 3).status);
            }
            sim_end_all();
            invariants_check();
            CHECK_EQ(ledger_root.used[LEDGER_CALLS], 0);
        }
    }
}

TEST(an_entry_ends_its_thread)
{
    check_all(exit_entry);
}

TEST(an_entry_ends_its_process)
{
    check_all(terminate_entry);
}

TEST(an_entry_ends_its_program)
{
    check_all(exec_entry);
}

TEST(a_ring_goes_on_with_its_record)
{
    sim_boot(NULL);
    make(RING_USUAL, false, false);
    struct process *p = u->process;
    for (int i = 0; i < 10; i++) {
        u = new_thread(p, RING_USUAL);
        CHECK_EQ(u->thread->ring.spare != NULL, i > 0);
        cap_id_t endpoint = ipc_endpoint(p);
        ipc_start(u, ipc_receive(u, 2, endpoint));
        if (i % 2 == 0) {
            ipc_start(u, ipc_cancel(3, 2));
        }
        struct ring_entry end = exit_entry();
        user_submit(u, &end);
        CHECK_EQ(user_enter(u, 9, CAP_ENTER_FOREVER), USER_DIED);
        CHECK_EQ(p->account->used[LEDGER_CALLS], 1);
        invariants_check();
    }
}

TEST(of_equal_ones_the_first_is_found_first)
{
    sim_boot(NULL);
    make(RING_USUAL, false, true);
    cap_id_t endpoint = ipc_endpoint(u->process);
    struct ring_entry receive = ipc_receive(u, 1, endpoint);
    uint64_t at = receive.result;
    for (int round = 0; round < 3; round++) {
        for (uint64_t i = 0; i < 4; i++) {
            receive.result = at + i * 16;
            receive.result_size = 16;
            ipc_start(u, receive);
        }
        ipc_start(u, ipc_cancel(2, 1)); /* the one that was alone */
        CHECK_STATUS(ipc_take(u, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(u, 2).status);
        receive.result = at + 4 * 16;
        ipc_start(u, receive); /* behind those that are left */
        ipc_start(u, ipc_cancel(2, 1)); /* the oldest of these */
        CHECK_STATUS(ipc_take(u, 1).status, -STATUS_CANCELLED);
        CHECK_OK(ipc_take(u, 2).status);
        for (uint64_t i = 2; i < 5; i++) {
            cap_id_t facet = ipc_facet(u->process, endpoint, u->process, 40 + i);
            struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = facet, .user_data = 5};
            ipc_start(u, release);
            struct ring_completion c[2];
            CHECK(user_reap(u, &c[0]) && user_reap(u, &c[1]));
            CHECK_EQ(c[0].user_data + c[1].user_data, 6);
            struct ring_request request;
            CHECK(user_read(u->process, at + i * 16, &request, sizeof(request)));
            CHECK_EQ(request.tag, 40 + i);
        }
        CHECK_EQ(u->thread->ring.in_flight, 0);
        CHECK(u->thread->ring.alone == NULL);
    }
}
