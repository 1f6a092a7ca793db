/* Folders of the host while the host changes them, and while programs do not wait for answers.
 * tests/boot/host_folders.test has the host's part. The arguments say which. */
#include "folder.h"

#define WRITE OPEN_FLAGS_WRITE
#define CREATE (OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE)
#define RACE_NS 1500000000ull
#define FLIGHT 12

static cap_t data, timer;

static uint64_t now_ns(void)
{
    uint64_t now;
    CHECK_OK(capos_clock(timer, &now));
    return now;
}

/* --- a race: each name is now what it says, now a link to the outside, or a FIFO --- */

static uint32_t opened, refused;

/* What is opened by that name is the inside one. */
static void race_open(cap_t folder, const char *name, uint32_t flags)
{
    struct capos_directory_open_results got;
    CHECK_OK(capos_directory_open(folder, name, strlen(name), flags, &got));
    if (got.error != FILE_ERROR_NONE) {
        CHECK_ERROR(got, FILE_ERROR_OTHER_KIND);
        refused++;
        return;
    }
    opened++;
    if ((flags & WRITE) != 0) {
        must_write(got.file, 0, "inside\n", 7);
    }
    check_text(got.file, "inside\n");
    capos_release(got.file);
}

static void race_sub(void)
{
    struct capos_directory_sub_results got;
    CHECK_OK(capos_directory_sub(data, "x", 1, &got));
    if (got.error != FILE_ERROR_NONE) {
        CHECK_ERROR(got, FILE_ERROR_OTHER_KIND);
        refused++;
        return;
    }
    opened++;
    check_text(must_open(got.directory, "f", 0), "inside\n");
    CHECK(open_error(got.directory, "outside-only", 0) == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(got.directory, "made", CREATE) == FILE_ERROR_NONE);
    capos_release(got.directory);
}

static void race(void)
{
    await_host(data, "go");
    uint64_t end_ns = now_ns() + RACE_NS;
    uint32_t rounds = 0, subs = 0, kinds = 0;
    for (; now_ns() < end_ns; rounds++) {
        opened = refused = 0;
        race_sub();
        subs += opened;
        race_open(data, "g", 0);
        race_open(data, "g", WRITE);
        race_open(data, "g", CREATE);
        race_open(data, "g", CREATE | OPEN_FLAGS_TRUNCATE);
        race_open(data, "p", 0);
        race_open(data, "p", CREATE);
        kinds |= (opened > 0 ? 1u : 0u) | (refused > 0 ? 2u : 0u);
    }
    CHECK(rounds > 5 && subs > 0 && kinds == 3);
    ok("nothing but the inside was seen");
}

/* --- a folder that is replaced while it is used --- */

static void replaced(void)
{
    cap_t x = must_sub(data, "x");
    tell_host(data, "ready");
    await_host(data, "go");
    check_text(must_open(x, "f", 0), "inside\n");
    CHECK(open_error(x, "outside-only", 0) == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(x, "made", CREATE) == FILE_ERROR_NONE);
    CHECK(sub_error(data, "x") == FILE_ERROR_OTHER_KIND);
    CHECK(open_error(data, "x", 0) == FILE_ERROR_OTHER_KIND);
    CHECK(rename_error(data, "g", x, "g") == FILE_ERROR_NONE);
    CHECK(sub_error(x, "..") == FILE_ERROR_BAD_NAME);
    ok("a folder stays itself, whatever comes in its place");
}

static void mounted(void)
{
    struct capos_directory_stat_results got;
    CHECK(sub_error(data, "mount") == FILE_ERROR_MOUNT_POINT);
    CHECK(open_error(data, "mount", 0) == FILE_ERROR_NOT_A_FILE);
    CHECK(stat_error(data, "mount", &got) == FILE_ERROR_MOUNT_POINT);
    CHECK(remove_error(data, "mount") == FILE_ERROR_BUSY);
    ok("another file system is not entered");
}

/* --- many open, and none left behind --- */

/* Those that were released are closed a little later. */
static void check_room_again(void)
{
    enum file_error error = FILE_ERROR_TOO_MANY;
    for (int i = 0; i < 200 && error == FILE_ERROR_TOO_MANY; i++) {
        error = open_error(data, "g", 0);
        CHECK_OK(capos_timer_sleep(timer, 1000000));
    }
    CHECK(error == FILE_ERROR_NONE);
}

static void too_many(void)
{
    static cap_t files[1000];
    struct capos_directory_open_results got = {.error = FILE_ERROR_NONE};
    for (uint32_t round = 0; round < 3; round++) {
        uint32_t count = 0;
        for (; count < 1000; count++) {
            CHECK_OK(capos_directory_open(data, "g", 1, 0, &got));
            if (got.error != FILE_ERROR_NONE) {
                break;
            }
            files[count] = got.file;
        }
        CHECK_ERROR(got, FILE_ERROR_TOO_MANY);
        CHECK(count > 50);
        CHECK(sub_error(data, "x") == FILE_ERROR_TOO_MANY);
        check_text(files[count - 1], "inside\n");
        while (count > 0) {
            capos_release(files[--count]);
        }
        check_room_again();
    }
    ok("the host's descriptors run out, and come back");
}

static struct capos_call calls[FLIGHT];
static _Alignas(8) uint8_t requests[FLIGHT][FILE_CHUNK_MAX + 256], replies[FLIGHT][512];

static struct capos_call *fresh(uint32_t i)
{
    capos_call_init(&calls[i], requests[i], sizeof requests[i], replies[i], sizeof replies[i]);
    return &calls[i];
}

/* More than there are workers, of all kinds. */
static void submit_all(cap_t folder, cap_t file)
{
    static const uint8_t bytes[FILE_CHUNK_MAX];
    for (uint32_t i = 0; i < FLIGHT; i++) {
        switch (i % 6) {
        case 0:
            CHECK_OK(capos_directory_open_submit(fresh(i), folder, "g", 1, 0));
            break;
        case 1:
            CHECK_OK(capos_directory_sub_submit(fresh(i), folder, "x", 1));
            break;
        case 2:
            CHECK_OK(capos_file_write_submit(fresh(i), file, 0, bytes, sizeof bytes));
            break;
        case 3:
            CHECK_OK(capos_file_sync_submit(fresh(i), file));
            break;
        case 4:
            CHECK_OK(capos_directory_rename_submit(fresh(i), folder, "n", 1, folder, "m", 1));
            break;
        default:
            CHECK_OK(capos_directory_list_submit(fresh(i), folder, 0, 0));
        }
    }
    capos_flush();
}

static void dropped(void)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID), handle;
    cap_t file = must_open(data, "scratch", CREATE);
    for (uint32_t i = 0; i < 60; i++) {
        bool is_child;
        CHECK_OK(capos_fork(spawner, &is_child, &handle));
        if (is_child) {
            submit_all(data, file);
            exit(0);
        }
        if (i % 2 == 0) {
            CHECK_OK(capos_process_handle_terminate(handle));
        }
        struct capos_process_handle_wait_results ended;
        CHECK_OK(capos_process_handle_wait(handle, &ended));
        capos_release(handle);
    }
    check_room_again();
    ok("processes end with calls in flight");
}

static void cancelled(void)
{
    cap_t file = must_open(data, "scratch", CREATE);
    for (uint32_t i = 0; i < 60; i++) {
        submit_all(data, file);
        for (uint32_t k = 0; k < FLIGHT; k++) {
            status_t s = capos_cancel(&calls[(k + i) % FLIGHT]);
            CHECK(s == STATUS_OK || s == STATUS_NOT_FOUND);
        }
        for (uint32_t k = 0; k < FLIGHT; k++) {
            status_t s = capos_await(&calls[k]);
            CHECK(s == STATUS_OK || s == STATUS_CANCELLED || s == STATUS_RESULT_TOO_SMALL);
            capos_call_reset(&calls[k]);
        }
    }
    check_room_again();
    ok("calls in flight are cancelled");
}

static void cut(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    cap_t file = must_open(data, "scratch", CREATE);
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    for (uint32_t i = 0; i < 60; i++) {
        struct capos_endpoint_revocable_results folder, lent;
        CHECK_OK(capos_endpoint_revocable(made.endpoint, data, &folder));
        CHECK_OK(capos_endpoint_revocable(made.endpoint, file, &lent));
        submit_all(folder.forwarder, lent.forwarder);
        CHECK_OK(capos_cutter_cut(folder.cutter));
        CHECK_OK(capos_cutter_cut(lent.cutter));
        for (uint32_t k = 0; k < FLIGHT; k++) {
            status_t s = capos_await(&calls[k]);
            CHECK(s == STATUS_OK || s == STATUS_REVOKED || s == STATUS_RESULT_TOO_SMALL
                  || s == STATUS_EXCEPTION);
            capos_call_reset(&calls[k]);
        }
        capos_release(folder.forwarder);
        capos_release(folder.cutter);
        capos_release(lent.forwarder);
        capos_release(lent.cutter);
    }
    check_room_again();
    ok("calls in flight are revoked");
}

/* --- more calls than workers --- */

static void in_order(void)
{
    static uint8_t bytes[FILE_CHUNK_MAX];
    struct capos_file_write_results written;
    struct capos_file_read_results got;
    cap_t file = must_open(data, "long", CREATE);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < FLIGHT; i++) {
            memset(bytes, (int)(i + round + 1), sizeof bytes);
            CHECK_OK(capos_file_write_submit(fresh(i), file, (uint64_t)i * sizeof bytes, bytes,
                                             sizeof bytes));
        }
        capos_flush();
        for (uint32_t i = 0; i < FLIGHT; i++) {
            CHECK_OK(capos_file_write_await(&calls[i], &written));
            CHECK(written.error == FILE_ERROR_NONE && written.written == sizeof bytes);
        }
        for (uint32_t i = 0; i < FLIGHT; i++) {
            memset(bytes, (int)(i + round + 1), sizeof bytes);
            CHECK_OK(capos_file_read(file, (uint64_t)i * sizeof bytes, sizeof bytes, &got));
            CHECK(got.data.size == sizeof bytes && memcmp(got.data.data, bytes, sizeof bytes) == 0);
        }
    }
    ok("more writes at a time than there are workers");
}

/* The user's limit of a file's size is 4 GiB at most. */
static void limited(void)
{
    struct capos_file_write_results written;
    struct capos_file_truncate_results cut;
    cap_t file = must_open(data, "limited", CREATE);
    CHECK_OK(capos_file_write(file, 5ull << 30, "x", 1, &written));
    CHECK_ERROR(written, FILE_ERROR_TOO_BIG);
    CHECK_OK(capos_file_truncate(file, 5ull << 30, &cut));
    CHECK_ERROR(cut, FILE_ERROR_TOO_BIG);
    must_write(file, 0, "x", 1);
    check_text(file, "x");
    ok("the user's limit of a file's size");
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } all[] = {{"race", race},         {"replaced", replaced},   {"mounted", mounted},
               {"too-many", too_many}, {"dropped", dropped},     {"cancelled", cancelled},
               {"cut", cut},           {"in-order", in_order},   {"limited", limited}};
    data = capos_need("/data", DIRECTORY_INTERFACE_ID);
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    for (int k = 1; k < argc; k++) {
        for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
            if (strcmp(all[i].name, argv[k]) == 0) {
                all[i].run();
            }
        }
    }
    return 0;
}
