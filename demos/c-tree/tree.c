/*
 * tree.c: shows the folders that were granted as trees: of each file its size and its first line.
 *
 *     capos run --dir ./data:ro demos/c-tree/tree.c             all that was granted
 *     capos run --dir ./data:ro demos/c-tree/tree.c -- /data    the one of that name
 *
 * A folder is a Directory, granted under its place: "/data". From there it goes by single names:
 * each is asked of the Directory that it stands in, which answers with a File or with another
 * Directory, never with anything outside. Links and devices are listed and lead nowhere.
 *
 * Each call says two things: whether it was made (status_t), and what came of it (file_error). What
 * cannot be read is told in its place, and the rest is shown all the same; the status is then 1.
 */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/wire/gen/types.h"

#define DEPTH_MAX 100                     /* the folders around the one that is shown stay open */
#define LINE_COLUMNS 60                   /* of a file's first line */
#define LINE_BYTES (4 * LINE_COLUMNS + 1) /* enough to see that it goes on, whatever is in it */

static bool has_problems;

/* ------------------------------------------------------------------------------- words */

static const char *const error_words[FILE_ERROR_COUNT] = {
    [FILE_ERROR_NOT_FOUND] = "is gone",
    [FILE_ERROR_NOT_A_DIRECTORY] = "is no folder any more",
    [FILE_ERROR_NOT_A_FILE] = "is no file any more",
    [FILE_ERROR_BAD_NAME] = "has a name that cannot be asked for",
    [FILE_ERROR_OTHER_KIND] = "neither file nor folder",
    [FILE_ERROR_MOUNT_POINT] = "another file system, which was not granted",
    [FILE_ERROR_NOT_PERMITTED] = "not permitted",
    [FILE_ERROR_TOO_MANY] = "too many open files",
    [FILE_ERROR_BUSY] = "busy",
    [FILE_ERROR_INPUT_OUTPUT] = "cannot be read",
};

/* Why a call came to nothing; NULL: it did not. The error is looked at if the call was made. */
static const char *problem(status_t status, const enum file_error *error)
{
    if (status != STATUS_OK) {
        return capos_status_name(status);
    }
    if (*error == FILE_ERROR_NONE) {
        return NULL;
    }
    const char *words = *error < FILE_ERROR_COUNT ? error_words[*error] : NULL;
    return words != NULL ? words : "an error of another kind";
}

static void complain(const char *what)
{
    printf("  (%s)", what);
    has_problems = true;
}

/* ------------------------------------------------------------------------------- text */

/* How many bytes the character has that the text begins with; 0: it is not to reach a terminal as
 * it is, being a control character, one that changes the direction of writing, or no UTF-8. */
static size_t plain_character(const unsigned char *text, size_t size)
{
    static const uint32_t least[] = {0, 0, 0xa0, 0x800, 0x10000}; /* shorter ones do for less */
    if (text[0] < 0x80) {
        return text[0] >= ' ' && text[0] != 0x7f;
    }
    size_t length = text[0] < 0xc0 ? 0 : text[0] < 0xe0 ? 2 : text[0] < 0xf0 ? 3 : 4;
    if (length == 0 || text[0] > 0xf4 || length > size) {
        return 0;
    }
    uint32_t code = text[0] & 0x7fu >> length;
    for (size_t i = 1; i < length; i++) {
        if ((text[i] & 0xc0) != 0x80) {
            return 0;
        }
        code = code << 6 | (text[i] & 0x3f);
    }
    bool surrogate = code >= 0xd800 && code < 0xe000;
    bool turns = (code >= 0x200e && code <= 0x200f) || (code >= 0x2028 && code <= 0x202e)
                 || (code >= 0x2066 && code <= 0x2069);
    return code < least[length] || code > 0x10ffff || surrogate || turns ? 0 : length;
}

/* As much as fits the columns. What is no plain character stands as \x0a, a backslash twice. */
static void show_text(const char *text, size_t size, size_t columns)
{
    const unsigned char *at = (const unsigned char *)text;
    const unsigned char *end = at + size;
    while (at < end) {
        size_t length = plain_character(at, (size_t)(end - at));
        size_t width = length == 0 ? 4 : *at == '\\' ? 2 : 1;
        if (width > columns) {
            printf("...");
            return;
        }
        if (length == 0) {
            printf("\\x%02x", *at);
        } else {
            printf("%s%.*s", *at == '\\' ? "\\" : "", (int)length, (const char *)at);
        }
        columns -= width;
        at += length == 0 ? 1 : length;
    }
}

/* ------------------------------------------------------------------------------- files */

/* The first line, or as much of it as there is room for. */
static const char *read_line(cap_t file, char line[LINE_BYTES], size_t *size)
{
    const char *end = NULL;
    *size = 0;
    while (*size < LINE_BYTES && end == NULL) {
        struct capos_file_read_results part;
        status_t status = capos_file_read(file, *size, (uint32_t)(LINE_BYTES - *size), &part);
        const char *what = problem(status, &part.error);
        if (what != NULL || part.data.size == 0) { /* a problem, or the file's end */
            return what;
        }
        memcpy(line + *size, part.data.data, part.data.size);
        end = memchr(line + *size, '\n', part.data.size);
        *size += part.data.size;
    }
    *size = end != NULL ? (size_t)(end - line) : *size;
    return NULL;
}

static void show_contents(cap_t file)
{
    char line[LINE_BYTES];
    size_t size;
    struct capos_file_stat_results info;
    status_t status = capos_file_stat(file, &info);
    const char *what = problem(status, &info.error);
    if (what == NULL) {
        printf("  %llu", (unsigned long long)info.size);
        what = read_line(file, line, &size);
    }
    if (what != NULL) {
        complain(what);
    } else if (size > 0) {
        printf("  ");
        show_text(line, size, LINE_COLUMNS);
    }
}

static void show_file(cap_t folder, const char *name)
{
    struct capos_directory_open_results opened;
    status_t status = capos_directory_open(folder, name, strlen(name), 0, &opened);
    const char *what = problem(status, &opened.error);
    if (what != NULL) {
        complain(what);
    } else {
        show_contents(opened.file);
        capos_release(opened.file);
    }
    printf("\n");
}

/* ------------------------------------------------------------------------------- folders */

struct entry {
    char *name;
    enum file_kind kind;
};

struct listing {
    struct entry *entries;
    size_t count, room;
};

static _Noreturn void out_of_memory(void)
{
    fprintf(stderr, "tree: a folder has more names than there is memory for\n");
    exit(1);
}

static void add_entry(struct listing *list, struct wire_reader entry)
{
    struct wire_span name = directory_entry_name(entry);
    if (list->count == list->room) {
        list->room = list->room * 2 + 16;
        list->entries = realloc(list->entries, list->room * sizeof *list->entries);
    }
    char *copy = malloc(name.size + 1);
    if (list->entries == NULL || copy == NULL) {
        out_of_memory();
    }
    memcpy(copy, name.data, name.size);
    copy[name.size] = '\0';
    list->entries[list->count++] = (struct entry){copy, directory_entry_kind(entry)};
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* All that is in the folder, by name. After a problem the list has what came before. */
static const char *list_folder(cap_t folder, struct listing *list)
{
    struct capos_directory_list_results part = {.next = 0};
    const char *what;
    do {
        status_t status = capos_directory_list(folder, part.next, UINT32_MAX, &part);
        what = problem(status, &part.error);
        for (uint32_t i = 0; what == NULL && i < part.entries.count; i++) {
            add_entry(list, wire_list_get_struct(part.entries, i));
        }
    } while (what == NULL && part.next != 0);
    if (list->count > 0) {
        qsort(list->entries, list->count, sizeof *list->entries, by_name);
    }
    return what;
}

static void show_folder(cap_t folder, int depth);

static void show_sub(cap_t folder, const char *name, int depth)
{
    if (depth > DEPTH_MAX) {
        printf("/  (not shown: deeper than %d folders)\n", DEPTH_MAX);
        return;
    }
    printf("/");
    struct capos_directory_sub_results sub;
    status_t status = capos_directory_sub(folder, name, strlen(name), &sub);
    const char *what = problem(status, &sub.error);
    if (what != NULL) {
        complain(what);
        printf("\n");
        return;
    }
    show_folder(sub.directory, depth);
    capos_release(sub.directory);
}

static void show_entry(cap_t folder, const struct entry *entry, int depth)
{
    printf("%*s", 2 * depth, "");
    show_text(entry->name, strlen(entry->name), SIZE_MAX);
    switch (entry->kind) {
    case FILE_KIND_FILE:
        show_file(folder, entry->name);
        break;
    case FILE_KIND_DIRECTORY:
        show_sub(folder, entry->name, depth + 1);
        break;
    default:
        printf("  (a link, a device or the like)\n");
    }
}

/* Its name stands there already; the rest of its line, and what is in it. */
static void show_folder(cap_t folder, int depth)
{
    struct listing list = {0};
    const char *what = list_folder(folder, &list);
    if (what != NULL) {
        complain(what);
    }
    printf("\n");
    for (size_t i = 0; i < list.count; i++) {
        show_entry(folder, &list.entries[i], depth);
        free(list.entries[i].name);
    }
    free(list.entries);
}

static void show_grant(const char *name, cap_t folder)
{
    show_text(name, strlen(name), SIZE_MAX);
    show_folder(folder, 1);
}

int main(int argc, char **argv)
{
    bool found = argc > 1;
    for (int i = 1; i < argc; i++) {
        show_grant(argv[i], capos_need(argv[i], DIRECTORY_INTERFACE_ID));
    }
    for (size_t i = 0; argc == 1 && i < capos_grant_count(); i++) {
        const struct capos_grant *grant = capos_grant_at(i);
        if (grant->name[0] == '/' && grant->interface_id == DIRECTORY_INTERFACE_ID) {
            show_grant(grant->name, grant->cap);
            found = true;
        }
    }
    if (!found) {
        (void)capos_need("/", DIRECTORY_INTERFACE_ID); /* ends here, and it is told what to add */
    }
    return fflush(stdout) != 0 || has_problems ? 1 : 0;
}
