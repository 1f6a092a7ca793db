/* See folders.h. */
#include "tools/capos/folders.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHAPE "--dir HOST[::GUEST][:ro]"
#define READ_ONLY_MARK ":" MANIFEST_READ_ONLY

/* --- from the command line --- */

/* The next component of a path, and its size; NULL: there is none. Moves *at behind it. */
static const char *next_component(const char **at, size_t *size)
{
    *at += strspn(*at, "/");
    *size = strcspn(*at, "/");
    const char *component = *at;
    *at += *size;
    return *size > 0 ? component : NULL;
}

static bool is_dots(const char *component, size_t size, size_t dots)
{
    return size == dots && strncmp(component, "..", dots) == 0;
}

/* Where a folder lies when nobody says so: "./data/" at "/data", "." at "/". */
static const char *default_guest(const char *host)
{
    char *guest = format("%s", "");
    const char *at = host, *component;
    size_t size;
    while ((component = next_component(&at, &size)) != NULL) {
        if (is_dots(component, size, 2)) {
            fail(TOOL_USAGE,
                 "--dir %s: where is it to be for the program? Say so: --dir %s::/folder", host,
                 host);
        }
        if (!is_dots(component, size, 1)) {
            guest = format("%s/%.*s", guest, (int)size, component);
        }
    }
    return guest[0] != 0 ? guest : "/";
}

static bool is_normal(const char *guest)
{
    const char *at = guest, *component;
    size_t size = strlen(guest);
    if (size > 1 && guest[size - 1] == '/') {
        return false;
    }
    while ((component = next_component(&at, &size)) != NULL) {
        if (is_dots(component, size, 1) || is_dots(component, size, 2)) {
            return false;
        }
    }
    return guest[0] == '/' && strstr(guest, "//") == NULL;
}

static void check_guest(const char *host, const char *guest)
{
    if (!is_normal(guest)) {
        fail(TOOL_USAGE,
             "--dir %s: its place for the program, \"%s\", must be a path such as /data, without "
             "\".\", \"..\" and \"//\"",
             host, guest);
    }
    if (strlen(guest) > FOLDERS_GUEST_MAX) {
        fail(TOOL_USAGE,
             "--dir %s: its place for the program, %s, has more than %u bytes; say a shorter one: "
             "--dir %s::/folder",
             host, guest, FOLDERS_GUEST_MAX, host);
    }
}

/* Takes the mark off the end of the text. */
static bool take_read_only(char *text)
{
    size_t size = strlen(text), mark = strlen(READ_ONLY_MARK);
    if (size < mark || strcmp(text + size - mark, READ_ONLY_MARK) != 0) {
        return false;
    }
    text[size - mark] = 0;
    return true;
}

/* Cuts the text at its last "::"; what stands behind it, or NULL. */
static char *take_guest(char *text)
{
    for (char *at = text + strlen(text); at-- > text;) {
        if (at[0] == ':' && at[1] == ':') {
            at[0] = 0;
            return at + 2;
        }
    }
    return NULL;
}

struct manifest_grant folders_parse(const char *text)
{
    char *host = format("%s", text);
    bool read_only = take_read_only(host);
    char *said = take_guest(host);
    size_t size = said != NULL ? strlen(said) : 0;
    if (host[0] == 0) {
        fail(TOOL_USAGE, "--dir %s: which folder of the host? " SHAPE, text);
    }
    if (size > 1 && said[size - 1] == '/') {
        said[size - 1] = 0;
    }
    const char *guest = said != NULL ? said : default_guest(host);
    check_guest(host, guest);
    return (struct manifest_grant){.name = guest,
                                   .interface = MANIFEST_DIRECTORY,
                                   .spec = read_only ? MANIFEST_READ_ONLY : "",
                                   .host = host};
}

void folders_not_twice(const struct manifest_grant *a, const struct manifest_grant *b)
{
    if (a->host != NULL && b->host != NULL && strcmp(a->name, b->name) == 0) {
        fail(TOOL_USAGE,
             "two folders for one place, %s: %s and %s; say another for one of them: --dir "
             "%s::/folder",
             a->name, a->host, b->host, b->host);
    }
}

/* --- before the machine --- */

/* The machine qemu has no folders yet; nobody gets another machine than the one asked for. */
static void check_machine(const struct run_options *o)
{
    if (o->machine == MACHINE_QEMU) {
        fail(TOOL_USAGE,
             "%s: host folders (--dir) come later on the machine qemu; --machine linux has them",
             o->machine_asked);
    }
}

/* A folder that may not be entered is of no use: better to say so than to let the program find out.
 */
static int open_folder(const char *host)
{
    int fd = open(host, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || access(host, X_OK) != 0) {
        fail(TOOL_USAGE, "--dir %s: %s", host, strerror(errno));
    }
    int above = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1); /* of those some may be closed */
    close(fd);
    if (above < 0) {
        fail(TOOL_FAILED, "--dir %s: %s", host, strerror(errno));
    }
    return above;
}

struct folders folders_open(struct run_options *o, struct manifest_grant *grants, uint32_t count)
{
    struct folders folders = {0};
    for (uint32_t i = 0; i < count; i++) {
        struct manifest_grant *grant = &grants[i];
        if (grant->host == NULL) {
            continue;
        }
        check_machine(o);
        check_guest(grant->host, grant->name);
        for (uint32_t j = 0; j < folders.count; j++) {
            folders_not_twice(folders.items[j].grant, grant);
        }
        if (folders.count == HOST_FOLDERS_MAX) {
            fail(TOOL_USAGE, "--dir %s: a program can have %d folders, and this is one more",
                 grant->host, HOST_FOLDERS_MAX);
        }
        int fd = open_folder(grant->host);
        const char *path = realpath(grant->host, NULL);
        grant->host = path != NULL ? path : grant->host;
        folders.items[folders.count++] = (struct folder){
            .grant = grant, .read_only = grant->spec[0] != 0, .fd = fd};
    }
    o->has_folders = folders.count > 0;
    return folders;
}
