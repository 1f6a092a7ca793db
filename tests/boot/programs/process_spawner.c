/* ProcessSpawner: spawn, fork, exec, and what only two processes need: pipes and endpoints. The
 * children are this program again:
 *
 *   process_spawner add A B     exits with A + B, if what it was handed is what it should be
 *   process_spawner replace A   becomes `add A 1` by exec */
#include "check.h"

static cap_t spawner, image;

static int add(char **arguments)
{
    CHECK(capos_grant_count() == CAP_SLOT_FIRST_GRANT); /* its own four, and the output */
    cap_t cap;
    CHECK_STATUS(capos_find("spawn", PROCESS_SPAWNER_INTERFACE_ID, &cap), STATUS_NOT_FOUND);
    return atoi(arguments[0]) + atoi(arguments[1]);
}

static status_t start(const char *const *arguments, const struct capos_child_grant *grants,
                      size_t count, cap_t *handle)
{
    const struct capos_child child = {
        .image = image, .arguments = arguments, .grants = grants, .grant_count = count};
    return capos_spawn(spawner, &child, handle);
}

static void replace(const char *number)
{
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    image = capos_need("image", IMAGE_INTERFACE_ID);
    const char *const arguments[] = {"process_spawner", "add", number, "1", NULL};
    const struct capos_child_grant keep[] = {{"stdio", STD_IO_INTERFACE_ID,
                                              capos_need("stdio", STD_IO_INTERFACE_ID),
                                              CAP_TRANSFER_COPY}};
    struct capos_child child = {.image = capos_need("stdio", STD_IO_INTERFACE_ID),
                                .arguments = arguments};
    CHECK_INVALID(capos_exec(spawner, &child)); /* no image: it lives on */
    child = (struct capos_child){
        .image = image, .arguments = arguments, .grants = keep, .grant_count = 1};
    CHECK_OK(capos_exec(spawner, &child));
    CHECK(!"exec came back");
}

static void spawns(void)
{
    cap_t handle;
    const struct capos_child_grant grants[] = {
        {"stdio", STD_IO_INTERFACE_ID, capos_need("stdio", STD_IO_INTERFACE_ID), CAP_TRANSFER_COPY},
        {"image", IMAGE_INTERFACE_ID, image, CAP_TRANSFER_COPY},
        {"spawn", PROCESS_SPAWNER_INTERFACE_ID, spawner, CAP_TRANSFER_COPY}};
    const char *const add_them[] = {"process_spawner", "add", "40", "2", NULL};
    CHECK_OK(start(add_them, grants, 1, &handle));
    check_exited(handle, 42);
    capos_release(handle);
    ok("spawn");
    const char *const replaces[] = {"process_spawner", "replace", "70", NULL};
    CHECK_OK(start(replaces, grants, 3, &handle));
    check_exited(handle, 71);
    capos_release(handle);
    ok("exec");
    struct capos_child child = {.image = grants[0].cap, .arguments = add_them};
    CHECK_INVALID(capos_spawn(spawner, &child, &handle)); /* no Image */
    child.image = CAP_ID(4000, 1);
    CHECK_STATUS(capos_spawn(spawner, &child, &handle), STATUS_BAD_CAPABILITY);
    child = (struct capos_child){.image = image, .limits = {.frames = 4}};
    CHECK_STATUS(capos_spawn(spawner, &child, &handle), STATUS_FRAMES_EXHAUSTED);
    ok("what does not start");
}

static int shared = 1;
static cap_t to_child;

/* The child's memory is a copy; what it was doing alone is gone, what it holds works. */
static void forked(void)
{
    struct capos_pipe_writer_write_results written;
    CHECK(shared == 2);
    shared = 3;
    CHECK_OK(capos_pipe_writer_write(to_child, "from the copy", 13, &written));
    cap_t found = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK(found == spawner);
}

static void forks(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_pipe_reader_read_results got;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    to_child = pipe.writer;
    shared = 2;
    check_in_child(spawner, forked);
    CHECK(shared == 2);
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 100, &got));
    CHECK(check_same(got.data, "from the copy"));
    capos_release(pipe.reader), capos_release(pipe.writer);
    ok("fork");
}

static void makes(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_process_spawner_create_endpoint_results endpoint;
    struct capos_pipe_writer_write_results written;
    struct capos_endpoint_mint_results minted;
    CHECK_OK(capos_process_spawner_create_pipe(spawner, &pipe));
    CHECK_OK(capos_pipe_writer_write(pipe.writer, "x", 1, &written));
    CHECK_STATUS(check_call(pipe.writer, PIPE_READER_INTERFACE_ID, 0), STATUS_WRONG_INTERFACE);
    ok("createPipe");
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &endpoint));
    CHECK_OK(capos_endpoint_mint(endpoint.endpoint, TIMER_INTERFACE_ID, 1, &minted));
    ok("createEndpoint");
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "add") == 0) {
        return add(argv + 2);
    }
    if (argc == 3 && strcmp(argv[1], "replace") == 0) {
        replace(argv[2]);
    }
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    image = check_image("process_spawner");
    spawns();
    forks();
    makes();
    check_object(spawner, PROCESS_SPAWNER_INTERFACE_ID, RESTRICTED_LAUNCHER_INTERFACE_ID);
    return 0;
}
