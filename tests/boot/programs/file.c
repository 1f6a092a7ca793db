/* File: reading and writing files of the host. tests/boot/file.test makes them and compares. */
#include "folder.h"

#define WRITE OPEN_FLAGS_WRITE
#define CREATE (OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE)
#define GIB4 (4ull << 30)

static cap_t data, ro;

/* --- contents --- */

/* By chunks of this size; the bytes go where the results lie. */
static void copy(const char *from, const char *to, uint32_t chunk)
{
    struct capos_file_read_results got;
    static uint8_t bytes[FILE_CHUNK_MAX];
    cap_t source = must_open(ro, from, 0), target = must_open(data, to, CREATE);
    bool ended = false; /* what the host has in part is read as a whole, too */
    for (uint64_t at = 0;; at += got.data.size) {
        CHECK_OK(capos_file_read(source, at, chunk, &got));
        CHECK_ERROR(got, FILE_ERROR_NONE);
        CHECK(got.data.size <= chunk && (got.data.size == 0 || !ended));
        ended = got.data.size < chunk;
        if (got.data.size == 0) {
            break;
        }
        size_t size = got.data.size;
        memcpy(bytes, got.data.data, size);
        must_write(target, at, bytes, size);
        got.data.size = size;
    }
    capos_release(source);
    capos_release(target);
}

static void check_contents(void)
{
    copy("in", "out-64k", FILE_CHUNK_MAX);
    copy("in", "out-odd", 1021);
    copy("cold", "out-cold", FILE_CHUNK_MAX);
    copy("empty", "out-empty", FILE_CHUNK_MAX);
    ok("whole files are copied");
}

/* The answer, byte by byte: nothing of it is beyond what was read but zeros up to a word. */
static void check_message(void)
{
    static _Alignas(8) uint8_t request[64];
    static uint8_t space[3 * PAGE + 64];
    cap_t file = must_open(ro, "in", 0);
    struct capos_file_read_results got, whole;
    CHECK_OK(capos_file_read(file, 0, 9000, &whole));
    CHECK(whole.data.size == 9000);
    static uint8_t expected[9000];
    memcpy(expected, whole.data.data, 9000);
    for (uint32_t at = 0; at < PAGE + 32; at += 8) {
        uint32_t size = 1 + at % 4099;
        struct capos_call call;
        memset(space, 0xaa, sizeof space);
        uint8_t *reply = space + (size_t)((uintptr_t)-(intptr_t)space % 8) + at;
        capos_call_init(&call, request, sizeof request, reply, 2 * PAGE);
        CHECK_OK(capos_file_read_submit(&call, file, at, size));
        CHECK_OK(capos_file_read_await(&call, &got));
        CHECK(got.data.size == size && memcmp(got.data.data, expected + at, size) == 0);
        const uint8_t *end = (const uint8_t *)got.data.data + size;
        const uint8_t *last = reply + call.result_size;
        CHECK(last - end < 8);
        for (; end < last; end++) {
            CHECK(*end == 0);
        }
        CHECK(*last == 0xaa);
    }
    ok("an answer in place, across pages");
}

static void check_room(void)
{
    static _Alignas(8) uint8_t request[64], reply[128];
    struct capos_file_read_results got;
    struct capos_call call;
    cap_t file = must_open(ro, "in", 0);
    capos_call_init(&call, request, sizeof request, reply, 32);
    CHECK_OK(capos_file_read_submit(&call, file, 0, 10));
    CHECK_STATUS(capos_file_read_await(&call, &got), STATUS_EXCEPTION);
    capos_call_init(&call, request, sizeof request, reply, 56);
    CHECK_OK(capos_file_read_submit(&call, file, 0, 1000));
    CHECK_OK(capos_file_read_await(&call, &got));
    CHECK(got.data.size == 24);
    CHECK_INVALID(capos_file_read(file, 0, FILE_CHUNK_MAX + 1, &got));
    CHECK_INVALID(capos_file_read(file, 0, UINT32_MAX, &got));
    CHECK_OK(capos_file_read(file, 0, 0, &got));
    CHECK(got.data.size == 0);
    ok("as much as there is room for");
}

/* Reads into an address that has no memory to be written, in whole or in part. */
static void read_into(cap_t file, uint64_t result, uint32_t size, status_t expected)
{
    struct capos_wait wait = {.done = false};
    struct ring_entry e = {.opcode = RING_OP_CALL,
                           .flags = RING_FLAG_SHORT,
                           .method = FILE_METHOD_READ,
                           .cap = file,
                           .interface_id = FILE_INTERFACE_ID,
                           .message_size = 16,
                           .message = 0,
                           .transfers = 40000,
                           .result = result,
                           .result_size = size};
    capos_submit_entry(&e, &wait);
    CHECK_STATUS(capos_await_entry(&wait), expected);
}

static void check_bad_buffers(void)
{
    cap_t file = must_open(ro, "in", 0);
    struct capos_virtual_memory_map_results map;
    CHECK_OK(capos_virtual_memory_map(CAPOS_MEMORY, 0, 32 * PAGE, PROTECTION_READ_WRITE, &map));
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, map.address + 16 * PAGE, 16 * PAGE));
    read_into(file, map.address, 60000, STATUS_OK);
    read_into(file, map.address + 10 * PAGE, 60000, STATUS_BAD_ADDRESS);
    read_into(file, map.address + 16 * PAGE - 16, 60000, STATUS_BAD_ADDRESS);
    read_into(file, map.address + 16 * PAGE, 60000, STATUS_BAD_ADDRESS);
    CHECK_OK(capos_virtual_memory_protect(CAPOS_MEMORY, map.address, PAGE, PROTECTION_READ));
    read_into(file, map.address, 60000, STATUS_BAD_ADDRESS);
    read_into(file, map.address + PAGE - 8, 40000, STATUS_BAD_ADDRESS); /* only its head */
    read_into(file, 0, 60000, STATUS_BAD_ADDRESS);
    read_into(file, USER_END - 64, 60000, STATUS_BAD_ADDRESS);
    read_into(file, UINT64_MAX - 40, 60000, STATUS_BAD_ADDRESS);
    read_into(file, 1ull << 63, 60000, STATUS_BAD_ADDRESS);
    ok("a buffer that is not there is the caller's error");
}

/* --- offsets --- */

static void check_offsets(void)
{
    struct capos_file_read_results got;
    struct capos_file_write_results written;
    struct capos_file_stat_results status;
    struct capos_file_truncate_results cut;
    cap_t file = must_open(data, "sparse", CREATE);
    must_write(file, 10, "ten", 3);
    CHECK_OK(capos_file_read(file, 0, 100, &got));
    CHECK(got.data.size == 13 && memcmp(got.data.data, "\0\0\0\0\0\0\0\0\0\0ten", 13) == 0);
    static const uint64_t behind[] = {13, 14, GIB4, INT64_MAX - 3, INT64_MAX, 1ull << 63,
                                      UINT64_MAX - 99, UINT64_MAX};
    for (size_t i = 0; i < sizeof behind / sizeof behind[0]; i++) {
        CHECK_OK(capos_file_read(file, behind[i], 100, &got));
        CHECK_ERROR(got, FILE_ERROR_NONE);
        CHECK(got.data.size == 0);
    }
    must_write(file, GIB4 + 5, "far", 3);
    CHECK_OK(capos_file_read(file, GIB4, 100, &got));
    CHECK(got.data.size == 8 && memcmp(got.data.data, "\0\0\0\0\0far", 8) == 0);
    CHECK_OK(capos_file_stat(file, &status));
    CHECK(status.size == GIB4 + 8);
    for (size_t i = 4; i < sizeof behind / sizeof behind[0]; i++) {
        CHECK_OK(capos_file_write(file, behind[i], "x", 1, &written));
        CHECK_ERROR(written, FILE_ERROR_TOO_BIG);
    }
    CHECK_OK(capos_file_truncate(file, UINT64_MAX, &cut));
    CHECK_ERROR(cut, FILE_ERROR_TOO_BIG);
    CHECK_OK(capos_file_truncate(file, 12, &cut));
    CHECK_ERROR(cut, FILE_ERROR_NONE);
    CHECK_OK(capos_file_truncate(file, 14, &cut));
    CHECK_OK(capos_file_read(file, 10, 100, &got));
    CHECK(got.data.size == 4 && memcmp(got.data.data, "te\0\0", 4) == 0);
    CHECK_OK(capos_file_write(file, 0, "x", 0, &written));
    CHECK(written.error == FILE_ERROR_NONE && written.written == 0);
    static uint8_t large[FILE_CHUNK_MAX + 1];
    CHECK_INVALID(capos_file_write(file, 0, large, sizeof large, &written));
    ok("offsets behind the end, at 4 GiB, and beyond all files");
}

/* --- the rest --- */

static void check_times(const char *size, const char *modified)
{
    struct capos_file_stat_results status;
    struct capos_directory_stat_results same;
    cap_t file = must_open(ro, "in", 0);
    CHECK_OK(capos_file_stat(file, &status));
    CHECK_ERROR(status, FILE_ERROR_NONE);
    CHECK(status.size == strtoull(size, NULL, 10));
    CHECK(status.modified == (int64_t)strtoull(modified, NULL, 10));
    CHECK(stat_error(ro, "in", &same) == FILE_ERROR_NONE);
    CHECK(same.size == status.size && same.modified == status.modified);
    CHECK(same.kind == FILE_KIND_FILE);
    ok("size and time are the host's");
}

static void check_refuses(cap_t file)
{
    struct capos_file_write_results written;
    struct capos_file_truncate_results cut;
    struct capos_file_sync_results synced;
    CHECK_OK(capos_file_write(file, 0, "x", 1, &written));
    CHECK_ERROR(written, FILE_ERROR_READ_ONLY);
    CHECK_OK(capos_file_truncate(file, 0, &cut));
    CHECK_ERROR(cut, FILE_ERROR_READ_ONLY);
    CHECK_OK(capos_file_sync(file, &synced));
    CHECK_ERROR(synced, FILE_ERROR_NONE);
    check_text(file, "kept");
}

static void check_read_only(void)
{
    struct capos_file_read_only_results face, again;
    cap_t file = must_open(data, "kept", CREATE);
    must_write(file, 0, "kept", 4);
    check_refuses(must_open(data, "kept", 0));
    check_refuses(must_open(ro, "kept", 0));
    CHECK_OK(capos_file_read_only(file, &face));
    CHECK_OK(capos_file_read_only(face.file, &again));
    check_refuses(face.file);
    capos_release(file);
    capos_release(face.file);
    check_refuses(again.file);
    ok("read-only files and faces");
}

static void check_sync(void)
{
    struct capos_file_sync_results synced;
    cap_t file = must_open(data, "synced", CREATE);
    must_write(file, 0, "x", 1);
    CHECK_OK(capos_file_sync(file, &synced));
    CHECK_ERROR(synced, FILE_ERROR_NONE);
    CHECK(remove_error(data, "synced") == FILE_ERROR_NONE);
    check_text(file, "x"); /* it has no name any more, and is there */
    ok("sync; a removed file stays until it is released");
}

int main(int argc, char **argv)
{
    CHECK(argc == 3);
    data = capos_need("/data", DIRECTORY_INTERFACE_ID);
    ro = capos_need("/ro", DIRECTORY_INTERFACE_ID);
    check_contents();
    check_message();
    check_room();
    check_bad_buffers();
    check_offsets();
    check_times(argv[1], argv[2]);
    check_read_only();
    check_sync();
    check_object(must_open(data, "kept", 0), FILE_INTERFACE_ID, DIRECTORY_INTERFACE_ID);
    return 0;
}
