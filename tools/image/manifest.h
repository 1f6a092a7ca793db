/* What a machine runs, on its way from the command line or a JSON file to the Manifest of the
 * schema. */
#pragma once

#include "tools/image/base.h"
#include "tools/image/package.h"

struct strings {
    const char **items;
    uint32_t count;
};

struct manifest_grant {
    const char *name;      /* under which the program finds it */
    const char *interface; /* "": the one that the grant of this name has */
    const char *spec;
    const char *host;      /* of a Directory: the host's folder; NULL: it is none */
};
#define MANIFEST_DIRECTORY "Directory" /* the interface of those with a host's folder */
#define MANIFEST_READ_ONLY "ro"        /* their spec, or "" */

struct manifest_binary {
    const char *name;
    const char *path;
};

struct manifest {
    const char *program;
    const char *current_directory;
    struct strings arguments, environment, launchable;
    struct manifest_grant *grants;
    uint32_t grant_count;
    struct manifest_binary *binaries;
    uint32_t binary_count;
    const char *machine, *machine_reason; /* what it runs on; only to JSON, if not NULL */
};

void strings_add(struct strings *list, const char *item);
void manifest_add_grant(struct manifest *manifest, struct manifest_grant grant);
void manifest_add_binary(struct manifest *manifest, struct manifest_binary binary);

/* Reads the JSON form (see manifests/README.md). The tool fails with file, line and column when it
 * is not well-formed, an unknown field is at its top level, or a field has the wrong type. Unknown
 * fields under initConfig.init are ignored, and so is "machine" at the top. Paths of binaries and
 * of the host's folders are relative to `root`. */
struct manifest manifest_from_json(const char *path, const char *root);
/* The same, as JSON text for people and tools. */
char *manifest_to_json(const struct manifest *manifest);
/* A framed Cap'n Proto message. */
struct bytes manifest_to_message(const struct manifest *manifest);
/* The boot package: manifest, init, and the binaries, read from their paths, checked and stripped.
 */
struct bytes manifest_to_package(const struct manifest *manifest, const char *init_path);
