/* Every resource that can run out: the one who is short is told which, others go on, and what is
 * given back can be had again. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/frame.h"
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

#define TRIES_MAX 100000

static struct object *const grants[] = {&console_object,         &std_io_object,
                                        &timer_object,           &entropy_source_object,
                                        &code_memory_object,     &boot_package_object,
                                        &process_spawner_object, &restricted_launcher_object};
#define GRANTS (sizeof(grants) / sizeof(grants[0]))

static struct scene scene;
static struct user_reply reply;
static struct user *neighbour;

/* A process with a limit of one kind, as the scene's user; and a neighbour without. */
static void begin_limited(enum ledger_kind kind, uint64_t limit)
{
    uint64_t limits[LEDGER_KINDS] = {0};
    struct process *p;
    limits[kind] = limit;
    scene_boot();
    CHECK_OK(sim_process_try(&ledger_root, grants, GRANTS, limits, &p));
    scene.u = user_of(p);
    neighbour = user_of(sim_process(grants, GRANTS));
}

static status_t attempt(const struct interface *interface, uint16_t method)
{
    user_scratch_reset(scene.u);
    scene_find(interface, method)->build(&scene);
    status_t s = user_call(scene.u, scene.target, interface->id, method, &scene.message, scene.sent,
                           scene.sent_count, &reply);
    invariants_check();
    return s;
}

static void neighbour_goes_on(void)
{
    struct user *u = scene.u;
    scene.u = neighbour;
    CHECK_OK(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE));
    CHECK_OK(attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_MAP));
    CHECK_OK(attempt(&timer_interface, TIMER_METHOD_NOW));
    scene.u = u;
}

static status_t release(cap_id_t id)
{
    return (status_t)-user_run(scene.u, (struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id})
        .status;
}

TEST(slots)
{
    static cap_id_t ids[TRIES_MAX];
    begin_limited(LEDGER_SLOTS, 40);
    uint32_t count = 0;
    status_t s;
    while ((s = attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE))
           == STATUS_OK) {
        ids[count++] = reply.transfers[0].cap;
        ids[count++] = reply.transfers[1].cap;
    }
    CHECK_STATUS(s, STATUS_SLOTS_EXHAUSTED);
    CHECK_EQ(count, 40 - 4 - GRANTS);
    neighbour_goes_on();
    CHECK_OK(release(ids[0])); /* one is not enough for a pipe */
    CHECK_STATUS(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE),
                 STATUS_SLOTS_EXHAUSTED);
    CHECK_OK(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT));
    CHECK_STATUS(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT),
                 STATUS_SLOTS_EXHAUSTED);
    for (uint32_t i = 1; i < count; i++) {
        CHECK_OK(release(ids[i]));
    }
    CHECK_OK(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE));
}

TEST(frames)
{
    begin_limited(LEDGER_FRAMES, 250);
    uint64_t last = 0;
    int count = 0;
    status_t s;
    while ((s = attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_MAP)) == STATUS_OK) {
        last = virtual_memory_map_results_address(reply.root);
        count++;
    }
    CHECK_GT(count, 5);
    CHECK_STATUS(s, STATUS_FRAMES_EXHAUSTED);
    while ((s = attempt(&code_memory_interface, CODE_MEMORY_METHOD_RESERVE)) == STATUS_OK) {
        CHECK_LT(++count, 250); /* one page each, until not even that is left */
    }
    CHECK_STATUS(s, STATUS_FRAMES_EXHAUSTED);
    CHECK_OK(attempt(&virtual_memory_interface,
                     VIRTUAL_MEMORY_METHOD_RESERVE)); /* addresses cost no frames */
    scene.reserved = virtual_memory_reserve_results_address(reply.root);
    neighbour_goes_on();
    /* What is committed is there, however little is left. */
    for (uint64_t page = 0; page < SCENE_PAGES; page++) {
        CHECK(user_touch(scene.u, last + page * PAGE_SIZE, UPCALL_ACCESS_WRITE));
    }
    scene.memory = last - PAGE_SIZE; /* the case unmaps the second page of it */
    CHECK_OK(attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_UNMAP));
    CHECK_OK(attempt(&code_memory_interface, CODE_MEMORY_METHOD_RESERVE));
}

/* The object's frames are paid by who made it, as long as it lives, wherever it is. */
TEST(frames_of_an_object_are_its_makers)
{
    begin_limited(LEDGER_FRAMES, 250);
    cap_id_t id = CAP_ID_NONE;
    status_t s;
    while ((s = attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT))
           == STATUS_OK) {
        id = reply.transfers[0].cap;
    }
    CHECK_STATUS(s, STATUS_FRAMES_EXHAUSTED);
    struct object *o;
    CHECK_OK(cap_table_look_up(&scene.u->process->table, id, &o));
    sim_grant(neighbour->process, o);
    CHECK_OK(release(id));
    CHECK_STATUS(attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT),
                 STATUS_FRAMES_EXHAUSTED);
    neighbour_goes_on();
}

TEST(threads)
{
    begin_limited(LEDGER_THREADS, 5);
    for (int i = 1; i < 5; i++) {
        CHECK_OK(attempt(&thread_spawner_interface, THREAD_SPAWNER_METHOD_SPAWN));
    }
    CHECK_STATUS(attempt(&thread_spawner_interface, THREAD_SPAWNER_METHOD_SPAWN),
                 STATUS_THREADS_EXHAUSTED);
    CHECK_STATUS(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_FORK),
                 STATUS_THREADS_EXHAUSTED);
    neighbour_goes_on();
}

TEST(pending_calls)
{
    begin_limited(LEDGER_CALLS, 7);
    struct ring_completion c;
    user_scratch_reset(scene.u);
    struct ring_entry sleep = scene_entry(&scene, scene_find(&timer_interface, TIMER_METHOD_SLEEP));
    for (uint64_t i = 0; i < 7; i++) {
        sleep.user_data = i;
        user_submit(scene.u, &sleep);
        user_enter(scene.u, 0, 0);
        CHECK(!user_reap(scene.u, &c));
    }
    sleep.user_data = 7;
    CHECK_STATUS(-user_run(scene.u, sleep).status, STATUS_CALLS_EXHAUSTED);
    neighbour_goes_on();
    struct ring_entry cancel = {.opcode = RING_OP_CANCEL, .interface_id = 3, .user_data = 100};
    user_submit(scene.u, &cancel);
    user_enter(scene.u, 2, CAP_ENTER_FOREVER);
    CHECK(user_reap(scene.u, &c) && user_reap(scene.u, &c));
    sleep.user_data = 8;
    user_submit(scene.u, &sleep);
    user_enter(scene.u, 0, 0);
    CHECK(!user_reap(scene.u, &c));
    invariants_check();
}

TEST(kernel_bytes)
{
    begin_limited(LEDGER_KERNEL_BYTES, 30000);
    status_t s;
    int count = 0;
    cap_id_t last = CAP_ID_NONE;
    while ((s = attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT))
           == STATUS_OK) {
        last = reply.transfers[0].cap;
        CHECK_LT(++count, TRIES_MAX);
    }
    CHECK_STATUS(s, STATUS_BYTES_EXHAUSTED);
    CHECK_GT(count, 10);
    neighbour_goes_on();
    CHECK_OK(release(last));
    CHECK_OK(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_ENDPOINT));
}

TEST(mappings)
{
    begin_limited(LEDGER_MAPPINGS, 30);
    CHECK_OK(attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_CREATE_OBJECT));
    scene.memory_object = reply.transfers[0].cap;
    status_t s;
    int count = 0;
    while ((s = attempt(&memory_object_interface, MEMORY_OBJECT_METHOD_MAP)) == STATUS_OK) {
        scene.object_at = memory_object_map_results_address(reply.root);
        CHECK_LT(++count, 31);
    }
    CHECK_STATUS(s, STATUS_MAPPINGS_EXHAUSTED);
    neighbour_goes_on();
    CHECK_OK(attempt(&memory_object_interface, MEMORY_OBJECT_METHOD_UNMAP));
    CHECK_OK(attempt(&memory_object_interface, MEMORY_OBJECT_METHOD_MAP));
}

/* Reserved addresses are so cheap that the machine would be out of other things first. */
TEST(reserved_pages)
{
    begin_limited(LEDGER_RESERVED_PAGES, 2000);
    status_t s;
    int count = 0;
    while ((s = attempt(&virtual_memory_interface, VIRTUAL_MEMORY_METHOD_RESERVE)) == STATUS_OK) {
        CHECK_LT(++count, 2000);
    }
    CHECK(s == STATUS_MAPPINGS_EXHAUSTED || s == STATUS_FRAMES_EXHAUSTED);
    neighbour_goes_on();
}

/* A pipe that nobody reads: the writer waits, and is answered when the reader goes. */
TEST(a_full_pipe_makes_its_writer_wait)
{
    begin_limited(LEDGER_CALLS, 100);
    CHECK_OK(attempt(&process_spawner_interface, PROCESS_SPAWNER_METHOD_CREATE_PIPE));
    cap_id_t reader = reply.transfers[0].cap;
    scene.writer = reply.transfers[1].cap;
    static const uint8_t bytes[STREAM_CHUNK_MAX];
    struct wire_builder b = user_message(&scene.message, PIPE_WRITER_WRITE_PARAMS_DATA_WORDS,
                                         PIPE_WRITER_WRITE_PARAMS_POINTER_WORDS);
    pipe_writer_write_params_set_data(b, (struct wire_span){bytes, sizeof(bytes)});
    user_scratch_reset(scene.u);
    struct ring_entry e = user_call_entry(scene.u, scene.writer, PIPE_WRITER_INTERFACE_ID,
                                          PIPE_WRITER_METHOD_WRITE, &scene.message, NULL, 0);
    for (int i = 0; i < PIPE_CAPACITY / STREAM_CHUNK_MAX; i++) {
        CHECK_OK(user_run(scene.u, e).status);
    }
    struct ring_completion c;
    user_submit(scene.u, &e);
    user_enter(scene.u, 0, 0);
    CHECK(!user_reap(scene.u, &c));
    invariants_check();
    neighbour_goes_on();
    struct ring_entry release_reader = {.opcode = RING_OP_RELEASE, .cap = reader, .user_data = 1};
    user_submit(scene.u, &release_reader);
    user_enter(scene.u, 0, 0);
    user_enter(scene.u, 2, CAP_ENTER_FOREVER);
    CHECK_EQ(user_state(scene.u), USER_RETURNED);
    for (int i = 0; i < 2; i++) {
        CHECK(user_reap(scene.u, &c));
        CHECK(c.user_data == 1 ? c.status == 0 : c.status != 0);
    }
}

/* --- the whole machine --- */

static struct process *spawn_until_it_fails(status_t *why)
{
    struct process *last = NULL;
    struct process *p;
    for (int i = 0; i < TRIES_MAX; i++) {
        *why = sim_process_try(&ledger_root, grants, GRANTS, NULL, &p);
        if (*why != STATUS_OK) {
            return last;
        }
        last = p;
    }
    FAIL("%d processes, and still room", TRIES_MAX);
}

TEST(a_machine_full_of_processes)
{
    scene_boot();
    struct user *first = user_of(sim_process(grants, GRANTS));
    for (int round = 0; round < 3; round++) {
        status_t why;
        spawn_until_it_fails(&why);
        CHECK(why == STATUS_FRAMES_EXHAUSTED || why == STATUS_BYTES_EXHAUSTED);
        CHECK_OK(user_run(first, (struct ring_entry){.opcode = RING_OP_NOP}).status);
        invariants_check();
        sim_end_all();
        first = user_of(sim_process(grants, GRANTS));
    }
}

/* One process commits all there is; what another one had committed before is still there for it. */
TEST(a_hog_takes_only_what_is_free)
{
    scene_boot();
    neighbour =
        user_of(sim_process(grants, GRANTS)); /* its scratch memory is committed, and untouched */
    scene.u = user_of(sim_process(grants, GRANTS));
    uint64_t at;
    uint64_t size = 64 * PAGE_SIZE;
    while (size >= PAGE_SIZE) {
        if (address_space_map(scene.u->process->space, 0, false, size, PROTECTION_READ_WRITE, &at)
            != STATUS_OK) {
            size /= 2;
            continue;
        }
        for (uint64_t page = 0; page < size; page += PAGE_SIZE) {
            CHECK(user_touch(scene.u, at + page, UPCALL_ACCESS_WRITE));
        }
    }
    invariants_check();
    for (uint64_t page = 0; page < USER_SCRATCH_SIZE; page += PAGE_SIZE) {
        CHECK(user_touch(neighbour, neighbour->scratch + page, UPCALL_ACCESS_WRITE));
    }
    invariants_check();
    struct process *p;
    CHECK_STATUS(sim_process_try(&ledger_root, grants, GRANTS, NULL, &p), STATUS_FRAMES_EXHAUSTED);
    user_syscall(scene.u, SYSCALL_EXIT, 0, 0, 0);
    CHECK_OK(sim_process_try(&ledger_root, grants, GRANTS, NULL, &p));
}
