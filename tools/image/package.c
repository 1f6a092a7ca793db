/* See package.h. */
#include "tools/image/package.h"

#include <string.h>

#include "abi/boot_package.h"

static uint64_t to_page(uint64_t n)
{
    return (n + BOOT_PACKAGE_ALIGN - 1) / BOOT_PACKAGE_ALIGN * BOOT_PACKAGE_ALIGN;
}

static void check_names(const struct package_entry *entries, uint32_t count)
{
    if (count > BOOT_PACKAGE_MAX_ENTRIES) {
        fail(TOOL_USAGE, "%u programs in one machine; at most %u fit", count,
             BOOT_PACKAGE_MAX_ENTRIES);
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t length = strlen(entries[i].name);
        if (length == 0 || length >= BOOT_PACKAGE_NAME_SIZE) {
            fail(TOOL_USAGE, "the name \"%s\" must have 1 to %u bytes", entries[i].name,
                 BOOT_PACKAGE_NAME_SIZE - 1);
        }
        for (uint32_t j = 0; j < i; j++) {
            if (strcmp(entries[i].name, entries[j].name) == 0) {
                fail(TOOL_USAGE, "\"%s\" is there twice", entries[i].name);
            }
        }
    }
}

struct bytes package_build(const struct package_entry *entries, uint32_t count)
{
    check_names(entries, count);
    uint64_t size = to_page(sizeof(struct boot_package_header) +
                            count * sizeof(struct boot_package_entry));
    uint64_t at = size;
    for (uint32_t i = 0; i < count; i++) {
        size += to_page(entries[i].contents.size);
    }
    struct bytes package = {.data = allocate(size), .size = size};
    struct boot_package_header *header = (struct boot_package_header *)(void *)package.data;
    header->magic = BOOT_PACKAGE_MAGIC;
    header->version = BOOT_PACKAGE_VERSION;
    header->count = count;
    header->size = size;
    for (uint32_t i = 0; i < count; i++) {
        struct boot_package_entry *entry = &header->entries[i];
        memcpy(entry->name, entries[i].name, strlen(entries[i].name));
        entry->offset = at;
        entry->size = entries[i].contents.size;
        memcpy(package.data + at, entries[i].contents.data, entries[i].contents.size);
        at += to_page(entry->size);
    }
    return package;
}
