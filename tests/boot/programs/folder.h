/* folder.h: what the programs about host folders share: calls that say what must come of them. */
#pragma once

#include "check.h"

#define CHECK_ERROR(results, expected)                                                             \
    do {                                                                                           \
        if ((results).error != (expected)) {                                                       \
            char number[12];                                                                       \
            snprintf(number, sizeof number, "%d", (int)(results).error);                           \
            check_fail(__FILE__, __LINE__, "the error of " #results, number);                      \
        }                                                                                          \
    } while (0)

static inline enum file_error open_error(cap_t folder, const char *name, uint32_t flags)
{
    struct capos_directory_open_results got;
    CHECK_OK(capos_directory_open(folder, name, strlen(name), flags, &got));
    CHECK((got.error == FILE_ERROR_NONE) == (got.file != CAP_ID_NONE));
    capos_release(got.file);
    return got.error;
}

static inline cap_t must_open(cap_t folder, const char *name, uint32_t flags)
{
    struct capos_directory_open_results got;
    CHECK_OK(capos_directory_open(folder, name, strlen(name), flags, &got));
    CHECK_ERROR(got, FILE_ERROR_NONE);
    return got.file;
}

static inline enum file_error sub_error(cap_t folder, const char *name)
{
    struct capos_directory_sub_results got;
    CHECK_OK(capos_directory_sub(folder, name, strlen(name), &got));
    CHECK((got.error == FILE_ERROR_NONE) == (got.directory != CAP_ID_NONE));
    capos_release(got.directory);
    return got.error;
}

static inline cap_t must_sub(cap_t folder, const char *name)
{
    struct capos_directory_sub_results got;
    CHECK_OK(capos_directory_sub(folder, name, strlen(name), &got));
    CHECK_ERROR(got, FILE_ERROR_NONE);
    return got.directory;
}

static inline enum file_error create_error(cap_t folder, const char *name)
{
    struct capos_directory_create_directory_results got;
    CHECK_OK(capos_directory_create_directory(folder, name, strlen(name), &got));
    CHECK((got.error == FILE_ERROR_NONE) == (got.directory != CAP_ID_NONE));
    capos_release(got.directory);
    return got.error;
}

static inline enum file_error remove_error(cap_t folder, const char *name)
{
    struct capos_directory_remove_results got;
    CHECK_OK(capos_directory_remove(folder, name, strlen(name), &got));
    return got.error;
}

static inline enum file_error rename_error(cap_t folder, const char *name, cap_t into,
                                           const char *new_name)
{
    struct capos_directory_rename_results got;
    CHECK_OK(capos_directory_rename(folder, name, strlen(name), into, new_name, strlen(new_name),
                                    &got));
    return got.error;
}

static inline enum file_error stat_error(cap_t folder, const char *name,
                                         struct capos_directory_stat_results *got)
{
    CHECK_OK(capos_directory_stat(folder, name, strlen(name), got));
    return got->error;
}

static inline void must_write(cap_t file, uint64_t offset, const void *data, size_t size)
{
    struct capos_file_write_results got;
    for (size_t done = 0; done < size; done += got.written) {
        CHECK_OK(capos_file_write(file, offset + done, (const char *)data + done, size - done,
                                  &got));
        CHECK_ERROR(got, FILE_ERROR_NONE);
        CHECK(got.written > 0 && got.written <= size - done);
    }
}

/* A small file's text. */
static inline void check_text(cap_t file, const char *expected)
{
    struct capos_file_read_results got;
    CHECK_OK(capos_file_read(file, 0, 1000, &got));
    CHECK_ERROR(got, FILE_ERROR_NONE);
    CHECK(check_same(got.data, expected));
}

/* Host and program wait for each other by files in the folder. */
static inline void tell_host(cap_t folder, const char *name)
{
    capos_release(must_open(folder, name, OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE));
}

static inline void await_host(cap_t folder, const char *name)
{
    struct capos_directory_stat_results got;
    cap_t timer = capos_need("timer", TIMER_INTERFACE_ID);
    for (int i = 0; i < 3000 && stat_error(folder, name, &got) == FILE_ERROR_NOT_FOUND; i++) {
        CHECK_OK(capos_timer_sleep(timer, 10000000));
    }
    CHECK(stat_error(folder, name, &got) == FILE_ERROR_NONE);
}
