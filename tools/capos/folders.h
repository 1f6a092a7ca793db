/* The host's folders that a program gets: --dir HOST[::GUEST][:ro].
 *
 * GUEST is the place of the folder in the program's name space and the name of its grant: absolute,
 * without ".", ".." and empty components. Without it HOST counts, as it was typed, below "/".
 *
 * A folder is opened before the machine starts, by a descriptor that reads nothing of it: what was
 * looked at here is what the program gets, whatever becomes of the path in between. */
#pragma once

#include "abi/host_link.h"
#include "tools/capos/run.h"

#define FOLDERS_GUEST_MAX (HOST_LINK_NAME_SIZE - 1) /* as a record of a denial has room for */

struct folder {
    const struct manifest_grant *grant;
    bool read_only;
    int fd;
};

struct folders {
    struct folder items[HOST_FOLDERS_MAX]; /* in the order of the grants */
    uint32_t count;
};

/* What stands after --dir. Fails for what cannot be meant. */
struct manifest_grant folders_parse(const char *text);
/* Fails where both are folders, which would be at the same place. */
void folders_not_twice(const struct manifest_grant *a, const struct manifest_grant *b);
/* Opens those among the grants, which must stay where they are; their `host` becomes an absolute
 * path. Says in the options that there are some. Fails when there are too many, when one is not
 * there or is no folder, and when the machine that was asked for has none. */
struct folders folders_open(struct run_options *options, struct manifest_grant *grants,
                            uint32_t count);
