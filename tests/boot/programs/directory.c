/* Directory: what a program can do in a folder of the host (/data, and /ro, the same read-only),
 * and what it cannot. tests/boot/directory.test makes the folder and looks at it afterwards. */
#include "folder.h"

#define WRITE OPEN_FLAGS_WRITE
#define CREATE (OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE)
#define MANY 1000

static cap_t data, ro;

/* --- list --- */

static void check_kinds(void)
{
    static const struct {
        const char *name;
        enum file_kind kind;
    } expected[] = {{"file", FILE_KIND_FILE},     {"folder", FILE_KIND_DIRECTORY},
                    {"link", FILE_KIND_OTHER},    {"fifo", FILE_KIND_OTHER},
                    {"socket", FILE_KIND_OTHER},  {"\xff\xfe not UTF-8", FILE_KIND_FILE}};
    struct capos_directory_list_results got;
    cap_t kinds = must_sub(data, "kinds");
    uint32_t seen = 0;
    CHECK_OK(capos_directory_list(kinds, 0, 0, &got));
    CHECK_ERROR(got, FILE_ERROR_NONE);
    CHECK(got.entries.count == 6 && got.next == 0);
    for (uint32_t i = 0; i < got.entries.count; i++) {
        struct wire_reader entry = wire_list_get_struct(got.entries, i);
        for (uint32_t k = 0; k < 6; k++) {
            if (check_same(directory_entry_name(entry), expected[k].name)) {
                CHECK(directory_entry_kind(entry) == expected[k].kind);
                seen |= 1u << k;
            }
        }
    }
    CHECK(seen == 0x3f);
    for (uint32_t k = 0; k < 6; k++) {
        struct capos_directory_stat_results status;
        CHECK(stat_error(kinds, expected[k].name, &status) == FILE_ERROR_NONE);
        CHECK(status.kind == expected[k].kind);
    }
    ok("list and stat tell files, folders and others");
}

/* Lists /data/many by buffers of this size; how many calls it took. */
static uint32_t list_all(cap_t many, uint32_t reply_size, uint32_t most)
{
    static _Alignas(8) uint8_t request[64], reply[MESSAGE_MAX];
    static bool seen[MANY];
    struct capos_directory_list_results got = {.next = 0};
    struct capos_call call;
    uint32_t calls = 0, found = 0;
    memset(seen, 0, sizeof seen);
    do {
        capos_call_init(&call, request, sizeof request, reply, reply_size);
        CHECK_OK(capos_directory_list_submit(&call, many, got.next, most));
        CHECK_OK(capos_directory_list_await(&call, &got));
        CHECK_ERROR(got, FILE_ERROR_NONE);
        CHECK(most == 0 || got.entries.count <= most);
        for (uint32_t i = 0; i < got.entries.count; i++) {
            struct wire_span name = directory_entry_name(wire_list_get_struct(got.entries, i));
            CHECK(name.size == 13 && memcmp(name.data, "name-of-", 8) == 0);
            uint32_t n = (uint32_t)atoi((const char *)name.data + 9);
            CHECK(n < MANY && !seen[n]);
            seen[n] = true;
            found++;
        }
        calls++;
    } while (got.next != 0 && calls < 2 * MANY);
    CHECK(found == MANY);
    return calls;
}

static void check_many(void)
{
    cap_t many = must_sub(ro, "many");
    CHECK(list_all(many, MESSAGE_MAX, 0) <= 2);
    CHECK(list_all(many, MESSAGE_MAX, 100) <= 11);
    CHECK(list_all(many, 4096, 0) >= 8);
    CHECK(list_all(many, 96, 0) >= MANY);
    CHECK(list_all(many, 200, 1) >= MANY);
    ok("1,000 names over several calls, each once");
}

static void check_no_room(void)
{
    static _Alignas(8) uint8_t request[64], reply[80];
    struct capos_directory_list_results got;
    struct capos_call call;
    cap_t empty = must_sub(ro, "empty");
    capos_call_init(&call, request, sizeof request, reply, 64);
    CHECK_OK(capos_directory_list_submit(&call, ro, 0, 0));
    CHECK_STATUS(capos_directory_list_await(&call, &got), STATUS_EXCEPTION);
    CHECK_INVALID(capos_directory_list(ro, UINT64_MAX, 0, &got));
    CHECK_OK(capos_directory_list(empty, 0, 0, &got));
    CHECK_ERROR(got, FILE_ERROR_NONE);
    CHECK(got.entries.count == 0 && got.next == 0);
    CHECK_OK(capos_directory_list(ro, INT64_MAX, 1, &got)); /* nonsense, and no harm */
    ok("list: no room, no entries, no such cursor");
}

/* --- names --- */

static void check_bad_name(const char *name, size_t size)
{
    struct capos_directory_open_results opened;
    struct capos_directory_sub_results below;
    struct capos_directory_create_directory_results created;
    struct capos_directory_remove_results removed;
    struct capos_directory_rename_results renamed;
    struct capos_directory_stat_results status;
    CHECK_OK(capos_directory_open(data, name, size, 0, &opened));
    CHECK_ERROR(opened, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_open(data, name, size, CREATE, &opened));
    CHECK_ERROR(opened, FILE_ERROR_BAD_NAME);
    CHECK(opened.file == CAP_ID_NONE);
    CHECK_OK(capos_directory_sub(data, name, size, &below));
    CHECK_ERROR(below, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_create_directory(data, name, size, &created));
    CHECK_ERROR(created, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_remove(data, name, size, &removed));
    CHECK_ERROR(removed, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_rename(data, "stays", 5, data, name, size, &renamed));
    CHECK_ERROR(renamed, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_rename(data, name, size, data, "moved", 5, &renamed));
    CHECK_ERROR(renamed, FILE_ERROR_BAD_NAME);
    CHECK_OK(capos_directory_stat(data, name, size, &status));
    CHECK_ERROR(status, FILE_ERROR_BAD_NAME);
}

static void check_bad_names(void)
{
    static char name[300];
    static const char *const bad[] = {"",   ".",  "..", "/",         "a/b",     "../x",
                                      "a/", "//", "./", "/etc/passwd", "sub/..", "stays/"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        check_bad_name(bad[i], strlen(bad[i]));
    }
    memset(name, 'x', sizeof name);
    check_bad_name(name, 300);
    check_bad_name(name, 256);
    check_bad_name("stays\0x", 7);
    check_bad_name("\0", 1);
    name[255] = 0;
    CHECK(open_error(data, name, 0) == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(data, name, CREATE) == FILE_ERROR_NONE);
    CHECK(remove_error(data, name) == FILE_ERROR_NONE);
    CHECK(open_error(data, "...", CREATE) == FILE_ERROR_NONE);
    CHECK(remove_error(data, "...") == FILE_ERROR_NONE);
    ok("names of one component, and no others");
}

/* --- making, opening, removing --- */

static void check_open(void)
{
    cap_t file = must_open(data, "made", CREATE | OPEN_FLAGS_EXCLUSIVE);
    must_write(file, 0, "first", 5);
    CHECK(open_error(data, "made", CREATE | OPEN_FLAGS_EXCLUSIVE) == FILE_ERROR_EXISTS);
    CHECK(open_error(data, "kinds", CREATE | OPEN_FLAGS_EXCLUSIVE) == FILE_ERROR_EXISTS);
    check_text(must_open(data, "made", CREATE), "first");
    check_text(must_open(ro, "made", 0), "first");
    CHECK(open_error(data, "made", WRITE | OPEN_FLAGS_TRUNCATE) == FILE_ERROR_NONE);
    check_text(file, "");
    CHECK(open_error(data, "absent", 0) == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(data, "absent", WRITE) == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(data, "kinds", 0) == FILE_ERROR_NOT_A_FILE);
    CHECK(open_error(data, "kinds", CREATE) == FILE_ERROR_NOT_A_FILE);
    struct capos_directory_open_results got;
    CHECK_INVALID(capos_directory_open(data, "made", 4, 16, &got));
    CHECK_INVALID(capos_directory_open(data, "made", 4, UINT32_MAX, &got));
    CHECK_INVALID(capos_directory_open(data, "made", 4, OPEN_FLAGS_CREATE, &got));
    CHECK_INVALID(capos_directory_open(data, "made", 4, OPEN_FLAGS_TRUNCATE, &got));
    CHECK_INVALID(capos_directory_open(data, "made", 4, WRITE | OPEN_FLAGS_EXCLUSIVE, &got));
    must_write(file, 0, "written by capOS\n", 17);
    ok("open: create, exclusive, truncate");
}

static void check_folders(void)
{
    CHECK(create_error(data, "new") == FILE_ERROR_NONE);
    CHECK(create_error(data, "new") == FILE_ERROR_EXISTS);
    cap_t new = must_sub(data, "new");
    CHECK(create_error(new, "deeper") == FILE_ERROR_NONE);
    must_write(must_open(must_sub(new, "deeper"), "file", CREATE), 0, "deep\n", 5);
    CHECK(sub_error(data, "stays") == FILE_ERROR_NOT_A_DIRECTORY);
    CHECK(sub_error(data, "absent") == FILE_ERROR_NOT_FOUND);
    CHECK(remove_error(data, "new") == FILE_ERROR_NOT_EMPTY);
    CHECK(create_error(new, "gone") == FILE_ERROR_NONE);
    cap_t gone = must_sub(new, "gone");
    CHECK(remove_error(new, "gone") == FILE_ERROR_NONE);
    CHECK(remove_error(new, "gone") == FILE_ERROR_NOT_FOUND);
    CHECK(open_error(gone, "file", CREATE) == FILE_ERROR_NOT_FOUND); /* a folder without a name */
    CHECK(create_error(gone, "folder") == FILE_ERROR_NOT_FOUND);
    ok("folders: create, sub, remove");
}

static void check_rename(void)
{
    cap_t new = must_sub(data, "new"), deeper = must_sub(new, "deeper");
    must_write(must_open(data, "one", CREATE), 0, "one\n", 4);
    must_write(must_open(data, "two", CREATE), 0, "two\n", 4);
    CHECK(rename_error(data, "one", data, "three") == FILE_ERROR_NONE);
    CHECK(rename_error(data, "three", new, "moved") == FILE_ERROR_NONE);
    CHECK(open_error(data, "three", 0) == FILE_ERROR_NOT_FOUND);
    CHECK(rename_error(data, "two", new, "moved") == FILE_ERROR_NONE); /* replaces */
    check_text(must_open(new, "moved", 0), "two\n");
    CHECK(rename_error(data, "absent", new, "x") == FILE_ERROR_NOT_FOUND);
    CHECK(rename_error(new, "moved", new, "deeper") == FILE_ERROR_NOT_A_FILE);
    CHECK(rename_error(new, "deeper", new, "moved") == FILE_ERROR_NOT_A_DIRECTORY);
    CHECK(rename_error(data, "new", deeper, "x") == FILE_ERROR_BAD_NAME); /* into itself */
    CHECK(rename_error(new, "moved", ro, "x") == FILE_ERROR_READ_ONLY);
    CHECK(rename_error(ro, "stays", data, "x") == FILE_ERROR_READ_ONLY);
    struct capos_directory_rename_results got;
    cap_t file = must_open(new, "moved", 0);
    CHECK_INVALID(capos_directory_rename(new, "moved", 5, file, "x", 1, &got));
    CHECK_INVALID(capos_directory_rename(new, "moved", 5, CAPOS_MEMORY, "x", 1, &got));
    CHECK_INVALID(capos_directory_rename(new, "moved", 5, CAP_ID_NONE, "x", 1, &got));
    ok("rename: within, across, over, and not into itself");
}

/* --- what is neither file nor folder --- */

static void check_others(void)
{
    static const char *const links[] = {"out-file", "out-folder", "in-file", "in-folder",
                                        "proc-self", "proc-fd",    "up",      "root",
                                        "loop",     "long"};
    static const uint32_t flags[] = {0, WRITE, CREATE, WRITE | OPEN_FLAGS_TRUNCATE};
    cap_t others = must_sub(data, "links");
    for (size_t i = 0; i < sizeof links / sizeof links[0]; i++) {
        struct capos_directory_stat_results got;
        for (size_t k = 0; k < 4; k++) {
            CHECK(open_error(others, links[i], flags[k]) == FILE_ERROR_OTHER_KIND);
        }
        CHECK(sub_error(others, links[i]) == FILE_ERROR_OTHER_KIND);
        CHECK(create_error(others, links[i]) == FILE_ERROR_EXISTS);
        CHECK(stat_error(others, links[i], &got) == FILE_ERROR_NONE);
        CHECK(got.kind == FILE_KIND_OTHER && got.size == 0);
    }
    CHECK(open_error(others, "dangling", CREATE) == FILE_ERROR_OTHER_KIND);
    CHECK(open_error(others, "dangling", CREATE | OPEN_FLAGS_EXCLUSIVE) == FILE_ERROR_EXISTS);
    ok("links are never followed");
    cap_t kinds = must_sub(data, "kinds");
    for (size_t k = 0; k < 4; k++) {
        CHECK(open_error(kinds, "fifo", flags[k]) == FILE_ERROR_OTHER_KIND);
        CHECK(open_error(kinds, "socket", flags[k]) == FILE_ERROR_OTHER_KIND);
    }
    CHECK(sub_error(kinds, "fifo") == FILE_ERROR_OTHER_KIND);
    CHECK(sub_error(kinds, "socket") == FILE_ERROR_OTHER_KIND);
    ok("a FIFO and a socket are never opened");
    CHECK(rename_error(others, "in-folder", others, "renamed") == FILE_ERROR_NONE);
    CHECK(remove_error(others, "renamed") == FILE_ERROR_NONE);
    CHECK(remove_error(others, "out-folder") == FILE_ERROR_NONE);
    ok("a link itself can be renamed and removed");
}

/* --- read-only --- */

static void check_refuses(cap_t folder)
{
    CHECK(open_error(folder, "stays", WRITE) == FILE_ERROR_READ_ONLY);
    CHECK(open_error(folder, "x", CREATE) == FILE_ERROR_READ_ONLY);
    CHECK(open_error(folder, "stays", WRITE | OPEN_FLAGS_TRUNCATE) == FILE_ERROR_READ_ONLY);
    CHECK(create_error(folder, "x") == FILE_ERROR_READ_ONLY);
    CHECK(remove_error(folder, "stays") == FILE_ERROR_READ_ONLY);
    CHECK(rename_error(folder, "stays", folder, "x") == FILE_ERROR_READ_ONLY);
    CHECK(rename_error(folder, "stays", data, "x") == FILE_ERROR_READ_ONLY);
    CHECK(rename_error(data, "stays", folder, "x") == FILE_ERROR_READ_ONLY);
}

static void check_read_only(void)
{
    struct capos_directory_read_only_results face, again;
    CHECK_OK(capos_directory_read_only(data, &face));
    CHECK_OK(capos_directory_read_only(face.directory, &again));
    cap_t views[] = {ro, face.directory, again.directory};
    for (size_t i = 0; i < 3; i++) {
        check_refuses(views[i]);
        cap_t below = must_sub(views[i], "tree"), deep = must_sub(below, "deep");
        check_refuses(below);
        check_refuses(deep);
        cap_t file = must_open(deep, "stays", 0);
        struct capos_file_write_results written;
        struct capos_file_truncate_results cut;
        CHECK_OK(capos_file_write(file, 0, "x", 1, &written));
        CHECK_ERROR(written, FILE_ERROR_READ_ONLY);
        CHECK_OK(capos_file_truncate(file, 0, &cut));
        CHECK_ERROR(cut, FILE_ERROR_READ_ONLY);
        check_text(file, "deep\n");
    }
    capos_release(face.directory);
    check_text(must_open(must_sub(again.directory, "tree"), "stays", 0), "tree\n");
    ok("what is got from a read-only folder is read-only");
}

/* --- the object --- */

static void check_forwarded(void)
{
    struct capos_process_spawner_create_endpoint_results made;
    struct capos_endpoint_revocable_results lent;
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    CHECK_OK(capos_process_spawner_create_endpoint(spawner, &made));
    CHECK_OK(capos_endpoint_revocable(made.endpoint, data, &lent));
    must_write(must_open(data, "lent", CREATE), 0, "x", 1);
    CHECK(open_error(lent.forwarder, "lent", 0) == FILE_ERROR_NONE);
    CHECK(rename_error(data, "lent", lent.forwarder, "back") == FILE_ERROR_NONE);
    CHECK(remove_error(lent.forwarder, "back") == FILE_ERROR_NONE);
    CHECK_OK(capos_cutter_cut(lent.cutter));
    struct capos_directory_open_results got;
    CHECK_STATUS(capos_directory_open(lent.forwarder, "stays", 5, 0, &got), STATUS_REVOKED);
    ok("through a forwarder, until it is cut");
}

static void in_child(void)
{
    check_text(must_open(data, "stays", 0), "it stays\n");
    CHECK(open_error(ro, "stays", WRITE) == FILE_ERROR_READ_ONLY);
}

int main(int argc, char **argv)
{
    data = capos_need("/data", DIRECTORY_INTERFACE_ID);
    ro = capos_need("/ro", DIRECTORY_INTERFACE_ID);
    if (argc > 1 && strcmp(argv[1], "denied") == 0) {
        CHECK(remove_error(ro, "stays") == FILE_ERROR_READ_ONLY);
        capos_end_denied();
    }
    check_kinds();
    check_many();
    check_no_room();
    check_bad_names();
    check_open();
    check_folders();
    check_rename();
    check_others();
    check_read_only();
    check_forwarded();
    check_in_child(capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID), in_child);
    ok("a forked child has the same folders");
    check_object(data, DIRECTORY_INTERFACE_ID, FILE_INTERFACE_ID);
    return 0;
}
