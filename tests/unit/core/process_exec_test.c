/* exec: another image under the same handle, with what was to be kept; and no effect at all when it
 * fails. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/park.h"
#include "kernel/core/timer_queue.h"
#include "lib/wire/gen/process_spawner.h"
#include "lib/wire/gen/timer.h"
#include "tests/lib/sim.h"

#define SPAWNER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define TIMER CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1)

static struct user *setup(void)
{
    struct object *grants[] = {&process_spawner_object, &timer_object};
    return user_of(sim_process(grants, 2));
}

static struct ring_entry exec_entry(struct user *u, cap_id_t image, const cap_id_t *keep,
                                    uint32_t count)
{
    struct user_message m;
    struct cap_transfer sent = {image, CAP_TRANSFER_COPY};
    uint64_t start[3] = {2ull << 32, 0, 0x5151};
    struct wire_builder params = user_message(&m, 0, PROCESS_SPAWNER_EXEC_PARAMS_POINTER_WORDS);
    process_spawner_exec_params_set_image(params, 0);
    process_spawner_exec_params_set_start(params, (struct wire_span){start, sizeof start});
    struct wire_list_builder list = process_spawner_exec_params_init_keep(params, count);
    for (uint32_t i = 0; i < count; i++) {
        wire_list_set_u32(list, i, keep[i]);
    }
    return user_call_entry(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_EXEC,
                           &m, &sent, 1);
}

TEST(exec_keeps_what_is_listed_and_nothing_else)
{
    sim_boot(NULL);
    struct user *u = setup();
    struct process *p = u->process;
    cap_id_t image = sim_grant(p, sim_image()), console = sim_grant(p, &console_object),
             other = sim_grant(p, &timer_object);
    const cap_id_t keep[] = {console, SPAWNER};
    struct user_reply reply;
    CHECK_OK(user_call(u, TIMER, TIMER_INTERFACE_ID, TIMER_METHOD_PAGE, NULL, NULL, 0, &reply));
    CHECK(p->arch.time_open && p->time_granted);
    struct user *v = user_thread(p);
    uint32_t zero = 0;
    CHECK(user_write(p, v->scratch, &zero, sizeof zero));
    user_submit(v, &(struct ring_entry){.opcode = RING_OP_PARK,
                                        .cap = CAP_ID(CAP_SLOT_PARK, 1),
                                        .user_data = 1,
                                        .message = v->scratch,
                                        .interface_id = CAP_ENTER_FOREVER});
    CHECK_EQ(user_enter(v, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    struct address_space *before = p->space;
    uint64_t scratch = u->scratch;
    struct ring_entry e = exec_entry(u, image, keep, 2);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
    CHECK_EQ(user_state(v), USER_DIED);
    CHECK(!p->ended && p->thread_count == 1 && p->space != NULL && p->space != before);
    CHECK_EQ(tally.parked, 0);
    struct object *o;
    CHECK_OK(cap_table_look_up(&p->table, console, &o));
    CHECK(o == &console_object);
    CHECK_OK(cap_table_look_up(&p->table, SPAWNER, &o));
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_MEMORY, 1), &o));
    CHECK_STATUS(cap_table_look_up(&p->table, other, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&p->table, TIMER, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&p->table, image, &o), STATUS_STALE_CAPABILITY);
    CHECK(!p->arch.time_open
          && !process_time_granted(p)); /* the Timer was not kept: time is closed again */
    uint8_t byte;
    CHECK(!user_read(p, scratch, &byte, 1));
    u = user_of(p);
    uint64_t start[3];
    CHECK_EQ(u->thread->arch.registers.rdx, sizeof start);
    CHECK(user_read(p, u->thread->arch.registers.rdi, start, sizeof start));
    CHECK_EQ(start[2], 0x5151);
    CHECK_OK(user_run(u, (struct ring_entry){.opcode = RING_OP_NOP, .user_data = 1}).status);
    sim_drop_time_page();
}

TEST(what_took_the_slot_of_an_own_object_goes_unless_it_is_listed)
{
    sim_boot(NULL);
    struct user *u = setup();
    struct process *p = u->process;
    cap_id_t image = sim_grant(p, sim_image());
    CHECK_OK(cap_table_release(&p->table, CAP_ID(CAP_SLOT_THREADS, 1)));
    CHECK_OK(cap_table_release(&p->table, CAP_ID(CAP_SLOT_MEMORY, 1)));
    cap_id_t kept = sim_grant(p, &console_object), secret = sim_grant(p, &timer_object);
    CHECK((kept & CAP_SLOT_MASK) < CAP_SLOT_FIRST_GRANT);
    CHECK((secret & CAP_SLOT_MASK) < CAP_SLOT_FIRST_GRANT);
    struct ring_entry e = exec_entry(u, image, &kept, 1);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
    struct object *o;
    CHECK_OK(cap_table_look_up(&p->table, kept, &o));
    CHECK_STATUS(cap_table_look_up(&p->table, secret, &o), STATUS_STALE_CAPABILITY);
    CHECK_OK(cap_table_look_up(&p->table, CAP_ID(CAP_SLOT_PARK, 1), &o));
}

TEST(a_kept_timer_is_still_time)
{
    sim_boot(NULL);
    struct user *u = setup();
    struct process *p = u->process;
    cap_id_t image = sim_grant(p, sim_image());
    const cap_id_t keep[] = {TIMER};
    struct ring_entry e = exec_entry(u, image, keep, 1);
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_DIED);
    CHECK(process_time_granted(p));
    struct object *o;
    CHECK_STATUS(cap_table_look_up(&p->table, SPAWNER, &o), STATUS_STALE_CAPABILITY);
}

TEST(a_failing_exec_has_no_effect)
{
    sim_boot(NULL);
    struct user *u = setup();
    struct process *p = u->process;
    struct object *empty, *sealed;
    cap_id_t image = sim_grant(p, sim_image());
    CHECK_OK(memory_object_create(&ledger_root, PAGE_SIZE, &empty));
    cap_id_t no_image = sim_grant(p, empty);
    object_put(empty);
    CHECK_OK(
        memory_object_create_boot(SIM_FIRST_FRAME + 4, 100, &sealed)); /* an Image, no program */
    cap_id_t no_program = sim_grant(p, sealed);
    object_put(sealed);
    const cap_id_t stale[] = {CAP_ID(77, 1)};
    const struct {
        cap_id_t image;
        const cap_id_t *keep;
        uint32_t count;
        status_t status;
    } cases[] = {{no_image, NULL, 0, STATUS_EXCEPTION},
                 {no_program, NULL, 0, STATUS_EXCEPTION},
                 {image, stale, 1, STATUS_BAD_CAPABILITY}};
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct ring_entry e = exec_entry(u, cases[i].image, cases[i].keep, cases[i].count);
        struct ring_completion c = user_run(u, e);
        CHECK_STATUS(c.status, -(int)cases[i].status);
        CHECK_EQ(p->thread_count, 1);
        CHECK_EQ(user_state(u), USER_RETURNED);
    }
    struct object *o;
    CHECK_OK(cap_table_look_up(&p->table, TIMER, &o));
}

static struct user *failing;
static cap_id_t failing_image;

static void make_failing(void)
{
    static uint8_t zeroes[USER_SCRATCH_SIZE];
    failing = setup();
    failing_image = sim_grant(failing->process, sim_image());
    CHECK(user_write(failing->process, failing->scratch, zeroes, sizeof zeroes));
}

static void exec_once(void)
{
    const cap_id_t keep[] = {TIMER};
    struct ring_entry e = exec_entry(failing, failing_image, keep, 1);
    user_submit(failing, &e);
    enum outcome outcome = user_enter(failing, 1, CAP_ENTER_FOREVER);
    CHECK(outcome == USER_DIED || outcome == USER_RETURNED);
    CHECK(!failing->process->ended && failing->process->thread_count == 1);
}

TEST(exec_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, exec_once);
}
