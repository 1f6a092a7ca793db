/* Writes a boot package (abi/boot_package.h). */
#pragma once

#include "tools/image/base.h"

struct package_entry {
    const char *name;
    struct bytes contents;
};

/* The package as one block. The tool fails when a name is too long, empty or there twice, or there
 * are too many entries. */
struct bytes package_build(const struct package_entry *entries, uint32_t count);
