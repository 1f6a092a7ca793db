/* Where things are: the checkout, found from this executable (build/host/capos in it), and the
 * cache. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/run.h"

const char *path_root(void)
{
    static char root[PATH_MAX];
    if (root[0] == 0) {
        ssize_t size = readlink("/proc/self/exe", root, sizeof(root) - 1);
        if (size <= 0) {
            fail(TOOL_FAILED, "/proc is not there: capos cannot find itself");
        }
        for (int up = 0; up < 3; up++) { /* capos, host, build */
            char *slash = strrchr(root, '/');
            if (slash == NULL) {
                fail(TOOL_FAILED, "%s: capos must lie in build/host of its checkout", root);
            }
            *slash = 0;
        }
    }
    return root;
}

const char *path_in_root(const char *path)
{
    return format("%s/%s", path_root(), path);
}

/* A file's path in a folder that this makes, or NULL when it cannot. */
static const char *path_made(const char *folder, const char *name)
{
    char *path = format("%s/%s", folder, name);
    char *parent = format("%s", path);
    *strrchr(parent, '/') = 0;
    return folders_make(parent) && access(parent, W_OK) == 0 ? path : NULL;
}

const char *path_cache(const char *name)
{
    const char *base = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    const char *path = NULL;
    if (base != NULL && base[0] == '/') {
        path = path_made(format("%s/capos", base), name);
    } else if (home != NULL && home[0] == '/') {
        path = path_made(format("%s/.cache/capos", home), name);
    }
    return path != NULL ? path : path_made(path_in_root("build/cache"), name);
}
