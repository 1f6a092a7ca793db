/* mkimage MANIFEST -o PACKAGE [--init FILE] [--root FOLDER]: the boot package of a manifest in
 * JSON. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tools/image/manifest.h"

static const char usage[] = "usage: mkimage MANIFEST.json -o PACKAGE [--init ELF] [--root FOLDER]\n"
                            "\n"
                            "Paths in the manifest are relative to FOLDER (default: here).\n";

int main(int argc, char **argv)
{
    const char *manifest_path = NULL, *output = NULL, *root = ".";
    const char *init = "build/x86_64/services/init/init.elf";
    tool_name = "mkimage";
    for (int i = 1; i < argc; i++) {
        const char **value = strcmp(argv[i], "-o") == 0       ? &output
                             : strcmp(argv[i], "--init") == 0 ? &init
                             : strcmp(argv[i], "--root") == 0 ? &root
                                                              : NULL;
        if (value != NULL && i + 1 < argc) {
            *value = argv[++i];
        } else if (value == NULL && argv[i][0] != '-' && manifest_path == NULL) {
            manifest_path = argv[i];
        } else {
            fputs(usage, stderr);
            return TOOL_USAGE;
        }
    }
    if (manifest_path == NULL || output == NULL) {
        fputs(usage, stderr);
        return TOOL_USAGE;
    }
    struct manifest manifest = manifest_from_json(manifest_path, root);
    for (uint32_t i = 0; i < manifest.grant_count; i++) {
        if (manifest.grants[i].host != NULL) {
            fail(TOOL_USAGE,
                 "%s: the grant %s is a folder of the host, which a package does not carry; "
                 "`capos boot --machine linux %s` has it",
                 manifest_path, manifest.grants[i].name, manifest_path);
        }
    }
    struct bytes package = manifest_to_package(&manifest, init);
    int fd = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0 || !write_all(fd, package.data, package.size) || close(fd) != 0) {
        fail(TOOL_FAILED, "%s: %s", output, strerror(errno));
    }
    return 0;
}
