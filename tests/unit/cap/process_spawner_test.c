/* ProcessSpawner through the ring: what a child gets and what its parent keeps, refusals without
 * effect, and the exit record of the machine's program. (fork and exec: tests/unit/core.) */
#include "kernel/cap/root_objects.h"
#include "kernel/core/endpoint.h"
#include "lib/wire/gen/process_spawner.h"
#include "lib/wire/gen/types.h"
#include "tests/lib/sim.h"

#define SPAWNER CAP_ID(CAP_SLOT_FIRST_GRANT, 1)
#define CONSOLE CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1)

static struct user *u;
static cap_id_t image;

static void begin(void)
{
    struct object *grants[] = {&process_spawner_object, &console_object};
    u = user_of(sim_process(grants, 2));
    image = sim_grant(u->process, sim_image());
}

struct request {
    cap_id_t image;
    struct cap_transfer grants[4]; /* sent behind the image, and granted */
    uint16_t count;
    struct cap_transfer sent[5];
    uint64_t frames;
    bool twice; /* the first is granted twice */
};

static struct ring_entry spawn_entry(struct request *r)
{
    struct user_message m;
    uint64_t start[2] = {1ull << 32, 0};
    struct wire_builder params = user_message(&m, 0, PROCESS_SPAWNER_SPAWN_PARAMS_POINTER_WORDS);
    process_spawner_spawn_params_set_name(params, (struct wire_span){"a-child", 7});
    process_spawner_spawn_params_set_image(params, 0);
    process_spawner_spawn_params_set_start(params, (struct wire_span){start, sizeof start});
    struct wire_list_builder list =
        process_spawner_spawn_params_init_grants(params, r->count + r->twice);
    r->sent[0] = (struct cap_transfer){r->image, CAP_TRANSFER_COPY};
    for (uint32_t i = 0; i < r->count; i++) {
        r->sent[i + 1] = r->grants[i];
        granted_cap_set_name(wire_list_at(list, i), (struct wire_span){"x", 1});
        granted_cap_set_cap(wire_list_at(list, i), i + 1);
    }
    if (r->twice) {
        granted_cap_set_cap(wire_list_at(list, r->count), 1);
    }
    if (r->frames != 0) {
        limits_set_frames(process_spawner_spawn_params_init_limits(params), r->frames);
    }
    return user_call_entry(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_SPAWN,
                           &m, r->sent, (uint16_t)(r->count + 1));
}

static status_t spawn(struct request *r, struct user_reply *reply)
{
    struct ring_entry e = spawn_entry(r);
    reply->completion = user_run(u, e);
    user_take_reply(u, &e, &reply->completion, reply);
    return (status_t)-reply->completion.status;
}

static struct process *newest(void)
{
    return CONTAINER_OF(process_all.previous, struct process, all);
}

TEST(a_child_has_what_was_copied_and_what_was_moved)
{
    sim_boot(NULL);
    begin();
    struct process *parent = u->process;
    cap_id_t timer = sim_grant(parent, &timer_object);
    struct request r = {
        .image = image,
        .grants = {{CONSOLE, CAP_TRANSFER_COPY}, {timer, CAP_TRANSFER_MOVE}},
        .count = 2,
    };
    struct user_reply reply;
    CHECK_OK(spawn(&r, &reply));
    struct process *child = newest();
    struct object *o;
    CHECK(child != parent && strcmp(child->name, "a-child") == 0);
    CHECK_OK(cap_table_look_up(&child->table, CAP_ID(CAP_SLOT_FIRST_GRANT, 1), &o));
    CHECK(o == &console_object);
    CHECK_OK(cap_table_look_up(&child->table, CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1), &o));
    CHECK(o == &timer_object);
    CHECK_OK(cap_table_look_up(&parent->table, CONSOLE, &o));
    CHECK_STATUS(cap_table_look_up(&parent->table, timer, &o), STATUS_STALE_CAPABILITY);
    CHECK_OK(cap_table_look_up(&parent->table, reply.transfers[0].cap, &o));
    CHECK(o == &child->object);
    CHECK_EQ(child->account->parent == parent->account, true);
    CHECK_EQ(child->thread_count, 1);
}

TEST(a_moved_capability_is_granted_once)
{
    sim_boot(NULL);
    begin();
    struct object *endpoint;
    CHECK_OK(endpoint_create(u->process->account, &endpoint));
    cap_id_t id = sim_grant(u->process, endpoint);
    object_put(endpoint);
    struct request r = {
        .image = image, .grants = {{id, CAP_TRANSFER_MOVE}}, .count = 1, .twice = true};
    struct user_reply reply;
    struct process *before = newest();
    CHECK_STATUS(spawn(&r, &reply), STATUS_EXCEPTION); /* else it would have two owners at last */
    CHECK(newest() == before);
    struct object *o;
    CHECK_OK(cap_table_look_up(&u->process->table, id, &o));
    r.grants[0] = (struct cap_transfer){CONSOLE, CAP_TRANSFER_COPY};
    CHECK_OK(spawn(&r, &reply));
}

TEST(a_refused_spawn_has_no_effect)
{
    sim_boot(NULL);
    begin();
    cap_id_t timer = sim_grant(u->process, &timer_object);
    struct user_reply reply;
    struct object *o;
    struct request no_image = {
        .image = CONSOLE, .grants = {{timer, CAP_TRANSFER_MOVE}}, .count = 1};
    CHECK_STATUS(spawn(&no_image, &reply), STATUS_EXCEPTION);
    CHECK_OK(cap_table_look_up(&u->process->table, timer, &o)); /* it is back */
    struct request stale = {
        .image = image, .grants = {{timer, CAP_TRANSFER_MOVE}, {CAP_ID(99, 1), 0}}, .count = 2};
    CHECK_STATUS(spawn(&stale, &reply), STATUS_BAD_CAPABILITY);
    CHECK_OK(cap_table_look_up(&u->process->table, timer, &o));
    struct request poor = {
        .image = image, .grants = {{timer, CAP_TRANSFER_MOVE}}, .count = 1, .frames = 3};
    CHECK_STATUS(spawn(&poor, &reply), STATUS_FRAMES_EXHAUSTED);
    CHECK_OK(cap_table_look_up(&u->process->table, timer, &o));
    CHECK_EQ(tally.processes, 1);
}

TEST(a_child_is_charged_to_its_parent)
{
    sim_boot(NULL);
    begin();
    struct account *a = u->process->account;
    uint64_t before = a->used[LEDGER_FRAMES];
    struct request r = {.image = image};
    struct user_reply reply;
    CHECK_OK(spawn(&r, &reply));
    CHECK_GT(a->used[LEDGER_FRAMES], before + 64);
    CHECK_EQ(a->used[LEDGER_FRAMES] - before >= newest()->account->used[LEDGER_FRAMES], true);
    process_end(newest(), &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    sim_settle();
    CHECK_LE(a->used[LEDGER_FRAMES], before + 4); /* pages of the parent's scratch */
}

TEST(the_first_child_of_init_is_the_program)
{
    sim_boot(NULL);
    begin();
    struct request r = {.image = image};
    struct user_reply reply;
    CHECK_OK(spawn(&r, &reply));
    CHECK(process_program == NULL); /* nobody's init has made it */
    process_init = u->process;
    CHECK_OK(spawn(&r, &reply));
    struct process *program = newest();
    CHECK(process_program == program);
    CHECK_OK(spawn(&r, &reply));
    CHECK(process_program == program); /* the first one only */
    process_init = NULL;               /* else its end would be the machine's */
    process_program = NULL;
    object_put(&program->object);
}

TEST(pipes_and_endpoints_are_made)
{
    sim_boot(NULL);
    begin();
    struct user_reply reply;
    CHECK_OK(user_call(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID, PROCESS_SPAWNER_METHOD_CREATE_PIPE,
                       NULL, NULL, 0, &reply));
    CHECK_EQ(reply.completion.transfer_count, 2);
    struct object *reader, *writer, *endpoint;
    CHECK_OK(cap_table_look_up(&u->process->table, reply.transfers[0].cap, &reader));
    CHECK_OK(cap_table_look_up(&u->process->table, reply.transfers[1].cap, &writer));
    CHECK(object_interface_id(reader) == PIPE_READER_INTERFACE_ID);
    CHECK(object_interface_id(writer) == PIPE_WRITER_INTERFACE_ID);
    CHECK_OK(user_call(u, SPAWNER, PROCESS_SPAWNER_INTERFACE_ID,
                       PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT, NULL, NULL, 0, &reply));
    CHECK_OK(cap_table_look_up(&u->process->table, reply.transfers[0].cap, &endpoint));
    CHECK(object_interface_id(endpoint) == ENDPOINT_INTERFACE_ID);
}

static void make_failing(void)
{
    static uint8_t zeroes[USER_SCRATCH_SIZE];
    begin();
    CHECK(user_write(u->process, u->scratch, zeroes, sizeof zeroes));
}

static void spawn_once(void)
{
    struct request r = {.image = image, .grants = {{CONSOLE, CAP_TRANSFER_MOVE}}, .count = 1};
    struct user_reply reply;
    struct object *o;
    status_t status = spawn(&r, &reply);
    /* moved if and only if it has worked */
    CHECK((cap_table_look_up(&u->process->table, CONSOLE, &o) == STATUS_OK)
          == (status != STATUS_OK));
}

TEST(spawning_through_the_ring_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, spawn_once);
}
