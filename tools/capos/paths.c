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

const char *path_cache(const char *name)
{
    const char *base = getenv("XDG_CACHE_HOME");
    const char *home = getenv("HOME");
    char *folder;
    if (base != NULL && base[0] == '/') {
        folder = format("%s/capos", base);
    } else if (home != NULL && home[0] == '/') {
        folder = format("%s/.cache/capos", home);
    } else {
        return NULL;
    }
    char *path = format("%s/%s", folder, name);
    char *parent = format("%s", path);
    *strrchr(parent, '/') = 0;
    return folders_make(parent) ? path : NULL;
}
