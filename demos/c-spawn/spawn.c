/* Processes from a program's side: children and what they find, the ways in which they end and how
 * their parent learns of it, and what hostile requests come to. The children are this program
 * again, in roles (child.c).
 *
 * Run by `make run-spawn` with the grants stdio, timer, boot and spawn. Prints `ok CHECK` or `not
 * ok CHECK: why`. */
#include "spawn.h"

#include <stdlib.h>

cap_t spawn_spawner, spawn_image, spawn_timer;
static cap_t stdio;
static char why[256];

void spawn_why(const char *file, int line, const char *what)
{
    const char *slash = strrchr(file, '/');
    snprintf(why, sizeof why, "%s:%d: %s", slash == NULL ? file : slash + 1, line, what);
}

status_t spawn_role(const char *role, const char *argument, const struct capos_child_grant *grants,
                    size_t grant_count, cap_t *handle)
{
    const char *const arguments[] = {"role", role, argument, NULL};
    const struct capos_child child = {.name = role,
                                      .image = spawn_image,
                                      .arguments = arguments,
                                      .grants = grants,
                                      .grant_count = grant_count};
    return capos_spawn(spawn_spawner, &child, handle);
}

static status_t end_of(cap_t handle, struct wire_reader *status)
{
    struct capos_process_handle_wait_results results;
    status_t s = capos_process_handle_wait(handle, &results);
    *status = results.status_;
    return s;
}

status_t spawn_and_wait(const char *role, const char *argument,
                        const struct capos_child_grant *grants, size_t grant_count,
                        struct wire_reader *status)
{
    cap_t handle;
    status_t s = spawn_role(role, argument, grants, grant_count, &handle);
    if (s == STATUS_OK) {
        s = end_of(handle, status);
        capos_release(handle);
    }
    return s;
}

static bool start_block(void)
{
    const char *const arguments[] = {"role", "start", "with spaces and \xc3\xa9", NULL};
    const char *const environment[] = {"KEY=value", NULL};
    const struct capos_child_grant grants[] = {
        {"clock", TIMER_INTERFACE_ID, spawn_timer, CAP_TRANSFER_COPY},
        {"output", STD_IO_INTERFACE_ID, stdio, CAP_TRANSFER_COPY}};
    const struct capos_child child = {.image = spawn_image,
                                      .arguments = arguments,
                                      .environment = environment,
                                      .directory = "/somewhere",
                                      .grants = grants,
                                      .grant_count = 2};
    cap_t handle;
    struct wire_reader status;
    CHECK_OK(capos_spawn(spawn_spawner, &child, &handle));
    CHECK_OK(end_of(handle, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_EXITED);
    CHECK(exit_status_code(status) == 0); /* else the number of what the child found wrong */
    capos_release(handle);
    return true;
}

static bool exit_statuses(void)
{
    static const char *const codes[] = {"0", "1", "7", "255", "-1", "2147483647"};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct wire_reader status;
        CHECK_OK(spawn_and_wait("exit", codes[i], NULL, 0, &status));
        CHECK(exit_status_kind(status) == EXIT_KIND_EXITED);
        CHECK(exit_status_code(status) == atoi(codes[i]));
    }
    return true;
}

static bool faults(void)
{
    static const struct {
        const char *how;
        enum fault_cause cause;
    } cases[] = {{"page", FAULT_CAUSE_PAGE_FAULT},
                 {"divide", FAULT_CAUSE_DIVIDE},
                 {"illegal", FAULT_CAUSE_ILLEGAL_INSTRUCTION},
                 {"breakpoint", FAULT_CAUSE_BREAKPOINT},
                 {"protection", FAULT_CAUSE_PROTECTION},
                 {"foreign", FAULT_CAUSE_FOREIGN_SYSCALL},
                 {"text", FAULT_CAUSE_PAGE_FAULT},
                 {"data", FAULT_CAUSE_PAGE_FAULT},
                 {"time", FAULT_CAUSE_PROTECTION},
                 {"kernel", FAULT_CAUSE_PAGE_FAULT},
                 {"stack", FAULT_CAUSE_PAGE_FAULT}};
    struct wire_reader status;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_OK(spawn_and_wait("fault", cases[i].how, NULL, 0, &status));
        bool open = getenv("TIME_IS_OPEN") != NULL && strcmp(cases[i].how, "time") == 0;
        bool faulted = exit_status_kind(status) == EXIT_KIND_FAULTED
                       && exit_status_cause(status) == cases[i].cause;
        if (faulted == open) {
            spawn_why(__FILE__, __LINE__, cases[i].how);
            return false;
        }
    }
    CHECK_OK(spawn_and_wait("fault", "page", NULL, 0, &status));
    CHECK(exit_status_address(status) == 0x1238
          && exit_status_access(status) == FAULT_ACCESS_WRITE);
    CHECK(exit_status_instruction(status) > exit_status_image_base(status));
    CHECK(exit_status_backtrace(status).count
          >= 7); /* five of its own depth, and those that led there */
    return true;
}

static bool other_ends(void)
{
    struct wire_reader status;
    CHECK_OK(spawn_and_wait("deny", "", NULL, 0, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_DENIED);
    struct wire_list denials = exit_status_denials(status);
    CHECK(denials.count == 1);
    struct wire_reader denial = wire_list_get_struct(denials, 0);
    CHECK(strcmp(denial_name(denial).data, "timer") == 0);
    CHECK(denial_reason(denial) == DENIAL_REASON_NOT_GRANTED);
    CHECK(denial_interface_id(denial) == TIMER_INTERFACE_ID);
    CHECK_OK(spawn_and_wait("panic", "", NULL, 0, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_PANICKED);
    CHECK_OK(spawn_and_wait("timeless", "", NULL, 0, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_EXITED && exit_status_code(status) == 0);
    return true;
}

static bool terminate(void)
{
    static const char *const roles[] = {"loop", "block"};
    for (int i = 0; i < 2; i++) {
        cap_t handle;
        struct wire_reader status;
        struct capos_process_handle_stats_results stats;
        CHECK_OK(spawn_role(roles[i], "", NULL, 0, &handle));
        CHECK_OK(capos_timer_sleep(
            spawn_timer, 5000000)); /* beside a child that computes, the parent is woken in time */
        CHECK_OK(capos_process_handle_stats(handle, &stats));
        CHECK(stats.threads == 1 && stats.frames > 0 && stats.slots == 4);
        CHECK_OK(capos_process_handle_terminate(handle));
        CHECK_OK(end_of(handle, &status));
        CHECK(exit_status_kind(status) == EXIT_KIND_TERMINATED);
        CHECK_OK(capos_process_handle_terminate(handle)); /* it has ended: no error */
        CHECK_OK(capos_process_handle_stats(handle, &stats));
        CHECK(stats.threads == 0 && stats.frames == 0);
        capos_release(handle);
    }
    return true;
}

static bool waiters(void)
{
    static struct capos_call calls[4];
    static _Alignas(8) uint8_t requests[4][64], replies[4][1024];
    cap_t handle;
    CHECK_OK(spawn_role("block", "", NULL, 0, &handle));
    for (int i = 0; i < 4; i++) {
        capos_call_init(&calls[i], requests[i], sizeof requests[i], replies[i], sizeof replies[i]);
        CHECK_OK(i == 3 ? capos_process_handle_ready_submit(&calls[i], handle, READINESS_READABLE)
                        : capos_process_handle_wait_submit(&calls[i], handle));
    }
    CHECK_OK(capos_cancel(&calls[1]));
    CHECK_STATUS(capos_await(&calls[1]), STATUS_CANCELLED);
    CHECK_OK(capos_process_handle_terminate(handle));
    for (int i = 0; i < 4; i++) {
        if (i != 1) {
            CHECK_OK(capos_await(&calls[i]));
        }
    }
    CHECK(process_handle_ready_results_mask(calls[3].results) == READINESS_READABLE);
    capos_release(handle);
    return true;
}

static bool many(void)
{
    enum { CHILDREN = 24 };
    cap_t handles[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
        char code[8];
        snprintf(code, sizeof code, "%d", i);
        CHECK_OK(spawn_role("exit", code, NULL, 0, &handles[i]));
    }
    for (int i = CHILDREN - 1; i >= 0; i--) {
        struct wire_reader status;
        CHECK_OK(end_of(handles[i], &status));
        CHECK(exit_status_code(status) == i);
        capos_release(handles[i]);
    }
    return true;
}

static bool grants(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_pipe_reader_read_results got;
    struct capos_pipe_writer_write_results written;
    struct wire_reader status;
    CHECK_OK(capos_process_spawner_create_pipe(spawn_spawner, &pipe));
    const struct capos_child_grant writer = {"pipe", PIPE_WRITER_INTERFACE_ID, pipe.writer,
                                             CAP_TRANSFER_MOVE};
    CHECK_OK(spawn_and_wait("write", "from the child", &writer, 1, &status));
    CHECK(exit_status_code(status) == 0);
    CHECK_STATUS(capos_pipe_writer_write(pipe.writer, "x", 1, &written),
                 STATUS_STALE_CAPABILITY); /* moved */
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 100, &got));
    CHECK(got.data.size == 14 && memcmp(got.data.data, "from the child", 14) == 0);
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 100, &got));
    CHECK(got.end_of_file); /* the child's end went with it */
    capos_release(pipe.reader);
    return true;
}

static bool exec(void)
{
    struct capos_process_spawner_create_pipe_results pipe;
    struct capos_pipe_reader_read_results got;
    struct wire_reader status;
    CHECK_OK(capos_process_spawner_create_pipe(spawn_spawner, &pipe));
    const struct capos_child_grant grant[] = {
        {"image", IMAGE_INTERFACE_ID, spawn_image, CAP_TRANSFER_COPY},
        {"pipe", PIPE_WRITER_INTERFACE_ID, pipe.writer, CAP_TRANSFER_MOVE},
        {"spawn", PROCESS_SPAWNER_INTERFACE_ID, spawn_spawner, CAP_TRANSFER_COPY}};
    CHECK_OK(spawn_and_wait("exec", "write", grant, 3, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_EXITED && exit_status_code(status) == 0);
    CHECK_OK(capos_pipe_reader_read(pipe.reader, 100, &got));
    CHECK(got.data.size == 10 && memcmp(got.data.data, "after exec", 10) == 0);
    capos_release(pipe.reader);
    return true;
}

static bool budget(void)
{
    const char *const arguments[] = {"role", "exhaust", NULL};
    struct capos_child child = {
        .image = spawn_image, .arguments = arguments, .limits = {.frames = 1500}};
    cap_t handle;
    struct wire_reader status;
    CHECK_OK(capos_spawn(spawn_spawner, &child, &handle));
    CHECK_OK(end_of(handle, &status));
    CHECK(exit_status_kind(status) == EXIT_KIND_EXITED && exit_status_code(status) == 0);
    capos_release(handle);
    child.limits = (struct capos_child_limits){.frames = 10};
    CHECK_STATUS(capos_spawn(spawn_spawner, &child, &handle), STATUS_FRAMES_EXHAUSTED);
    child.limits = (struct capos_child_limits){.slots = 2};
    CHECK_STATUS(capos_spawn(spawn_spawner, &child, &handle), STATUS_SLOTS_EXHAUSTED);
    child.limits = (struct capos_child_limits){.kernel_bytes = 100};
    CHECK_STATUS(capos_spawn(spawn_spawner, &child, &handle), STATUS_BYTES_EXHAUSTED);
    return true;
}

static const struct {
    const char *name;
    bool (*run)(void);
} checks[] = {
    {"start block", start_block},
    {"exit statuses", exit_statuses},
    {"faults", faults},
    {"denied, panicked, timeless", other_ends},
    {"terminate", terminate},
    {"waiters", waiters},
    {"many children", many},
    {"grants by move", grants},
    {"exec", exec},
    {"budget", budget},
    {"hostile images", spawn_hostile_images},
    {"hostile requests", spawn_hostile_requests},
};

int main(int argc, char **argv, char **environment)
{
    if (argc > 1) {
        spawn_child(argc, argv, environment);
    }
    spawn_timer = capos_need("timer", TIMER_INTERFACE_ID);
    stdio = capos_need("stdio", STD_IO_INTERFACE_ID);
    spawn_spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    cap_t boot = capos_need("boot", BOOT_PACKAGE_INTERFACE_ID);
    struct capos_boot_package_binary_results binary;
    if (capos_boot_package_binary(boot, "spawn", 5, &binary) != STATUS_OK) {
        return 2;
    }
    spawn_image = binary.image;
    int failed = 0;
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        if (checks[i].run()) {
            printf("ok %s\n", checks[i].name);
        } else {
            printf("not ok %s: %s\n", checks[i].name, why);
            failed++;
        }
        fflush(stdout);
    }
    printf(failed == 0 ? "all ok\n" : "%d not ok\n", failed);
    return failed == 0 ? 0 : 1;
}
