/* A capability's id means nothing in another process: this one makes an object, tells a child its
 * id, and the child, who was handed the output alone, reaches nothing with it.
 *
 *   stranger STEM       makes the object and the child
 *   stranger STEM ID    is that child */
#include "check.h"

static cap_t spawner;

struct target {
    const char *stem;
    uint64_t id;
    cap_t (*make)(void);
};

static cap_t make_object(void)
{
    struct capos_virtual_memory_create_object_results made;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, PAGE, &made));
    return made.object;
}

static cap_t make_read_only(void)
{
    struct capos_memory_object_read_only_results narrow;
    CHECK_OK(capos_memory_object_read_only(make_object(), &narrow));
    return narrow.object;
}

static cap_t make_image(void)
{
    return check_image("stranger");
}

static cap_t make_process(void)
{
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        CHECK_OK(capos_wait_any(CAP_ENTER_FOREVER));
    }
    return handle;
}

static cap_t make_reader(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    return pipe.reader;
}

static cap_t make_writer(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    return pipe.writer;
}

static cap_t make_endpoint(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    return made.endpoint;
}

static cap_t make_cutter(void)
{
    struct capos_endpoint_revocable_results lent;
    CHECK_OK(capos_endpoint_revocable(make_endpoint(), make_object(), &lent));
    return lent.cutter;
}

static uint64_t waits(void *argument)
{
    (void)argument;
    return capos_wait_any(CAP_ENTER_FOREVER);
}

static cap_t make_thread(void)
{
    struct capos_thread *thread;
    CHECK_OK(capos_thread_spawn(waits, NULL, NULL, &thread));
    return capos_thread_handle(thread);
}

static cap_t make_file(void)
{
    cap_t folder = capos_need("/data", DIRECTORY_INTERFACE_ID);
    struct capos_directory_open_results got;
    CHECK_OK(capos_directory_open(folder, "made", 4, OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE, &got));
    return got.file;
}

static const struct target targets[] = {
    {"file", FILE_INTERFACE_ID, make_file},
    {"memory_object", MEMORY_OBJECT_INTERFACE_ID, make_object},
    {"read_only_memory", READ_ONLY_MEMORY_INTERFACE_ID, make_read_only},
    {"image", IMAGE_INTERFACE_ID, make_image},
    {"process_handle", PROCESS_HANDLE_INTERFACE_ID, make_process},
    {"pipe_reader", PIPE_READER_INTERFACE_ID, make_reader},
    {"pipe_writer", PIPE_WRITER_INTERFACE_ID, make_writer},
    {"endpoint", ENDPOINT_INTERFACE_ID, make_endpoint},
    {"cutter", CUTTER_INTERFACE_ID, make_cutter},
    {"thread_handle", THREAD_HANDLE_INTERFACE_ID, make_thread},
};

static int knows_the_id(const struct target *t, cap_t cap)
{
    struct capos_wait wait;
    struct ring_entry release = {.opcode = RING_OP_RELEASE, .cap = cap};
    CHECK_STATUS(check_call(cap, t->id, 0), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(check_call(cap, t->id, 1), STATUS_BAD_CAPABILITY);
    capos_submit_entry(&release, &wait);
    CHECK_STATUS(capos_await_entry(&wait), STATUS_BAD_CAPABILITY);
    struct capos_call *call = capos_call_begin(); /* nor can it be passed on */
    (void)capos_send(call, cap, CAP_TRANSFER_MOVE);
    CHECK_STATUS(capos_invoke(call, capos_need("stdio", STD_IO_INTERFACE_ID), STD_IO_INTERFACE_ID,
                              STD_IO_METHOD_WRITE),
                 STATUS_BAD_CAPABILITY);
    ok("an id of another process leads nowhere");
    return 0;
}

static void tell_a_stranger(const struct target *t)
{
    char id[16];
    cap_t cap = t->make(), handle;
    snprintf(id, sizeof id, "%u", cap);
    const char *const arguments[] = {"stranger", t->stem, id, NULL};
    const struct capos_child_grant grants[] = {{"stdio", STD_IO_INTERFACE_ID,
                                                capos_need("stdio", STD_IO_INTERFACE_ID),
                                                CAP_TRANSFER_COPY}};
    const struct capos_child child = {
        .image = make_image(), .arguments = arguments, .grants = grants, .grant_count = 1};
    CHECK_OK(capos_spawn(spawner, &child, &handle));
    check_exited(handle, 0);
    CHECK_STATUS(check_call(cap, TIMER_INTERFACE_ID, 0), STATUS_WRONG_INTERFACE); /* still there */
    ok("its owner has it still");
}

int main(int argc, char **argv)
{
    const struct target *t = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof targets / sizeof targets[0]; i++) {
        t = strcmp(targets[i].stem, argv[1]) == 0 ? &targets[i] : t;
    }
    CHECK(t != NULL);
    if (argc > 2) {
        return knows_the_id(t, (cap_t)strtoul(argv[2], NULL, 10));
    }
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    tell_a_stranger(t);
    exit(0); /* with what it started */
}
