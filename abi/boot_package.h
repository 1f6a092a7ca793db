/* The boot package: what the machine is started with besides the kernel. The host writes it
 * (tools/mkimage, `capos run`), the boot loader hands it over as one block of memory (the first
 * PVH module), the kernel reads it.
 *
 * Layout: a header, `count` entries, zeroes up to the next page, then each entry's contents,
 * each from the start of a page and padded with zeroes to the end of its last page, in the order
 * of the entries and without overlap. So the kernel can map an image from where it lies, and no
 * byte of a neighbour is visible through its last page.
 *
 * One entry is named "manifest": a Cap'n Proto message `Manifest` (schema/capos.capnp), flat,
 * with its segment table. One is named "init": the only program that the kernel itself starts.
 * The others are the manifest's binaries, under the names it uses. Names are unique, end with a
 * NUL inside their field, and are not empty.
 *
 * The reader trusts nothing: offsets, sizes, order and names are checked before use. */
#pragma once

#include <stdint.h>

#define BOOT_PACKAGE_MAGIC 0x676b70534f706163ull /* "capOSpkg" as a little-endian word */
#define BOOT_PACKAGE_VERSION 1u
#define BOOT_PACKAGE_ALIGN 4096u
#define BOOT_PACKAGE_NAME_SIZE 48u
#define BOOT_PACKAGE_MAX_ENTRIES 1024u /* more than any manifest needs; bounds the kernel's loops */
#define BOOT_PACKAGE_MANIFEST "manifest"
#define BOOT_PACKAGE_INIT "init"

struct boot_package_entry {
    char name[BOOT_PACKAGE_NAME_SIZE];
    uint64_t offset; /* from the package's first byte, a multiple of BOOT_PACKAGE_ALIGN */
    uint64_t size;   /* bytes of contents, without the padding */
};

struct boot_package_header {
    uint64_t magic;
    uint32_t version;
    uint32_t count;
    uint64_t size; /* of the whole package, padding included */
    uint64_t reserved[5];
    struct boot_package_entry entries[];
};

_Static_assert(sizeof(struct boot_package_entry) == 64, "entries are one cache line");
_Static_assert(sizeof(struct boot_package_header) == 64, "entries begin on a cache line");
