/* The boot package, checked once. See abi/boot_package.h for the layout and boot_package.h for who
 * asks.
 *
 * Nothing of it is trusted: every number is compared with the size that the boot loader gave before
 * it is used, and the entries must ascend without overlap, so no page belongs to two of them.
 * Afterwards the bytes are only read. */
#include "kernel/core/boot_package.h"

#include "abi/boot_package.h"
#include "kernel/arch/arch.h"
#include "kernel/core/memory_object.h"

static struct {
    frame_t first;
    const struct boot_package_entry *entries;
    uint32_t count; /* of those that were checked */
    /* made when first asked for; a reference each */
    struct object *images[BOOT_PACKAGE_MAX_ENTRIES];
} package;

static size_t name_length(const struct boot_package_entry *e)
{
    size_t size = 0;
    while (size < BOOT_PACKAGE_NAME_SIZE && e->name[size] != '\0') {
        size++;
    }
    return size;
}

static bool is_named(const struct boot_package_entry *e, const char *name, size_t size)
{
    return name_length(e) == size && __builtin_memcmp(e->name, name, size) == 0;
}

static const struct boot_package_entry *find(const char *name, size_t size)
{
    for (uint32_t i = 0; i < package.count; i++) {
        if (is_named(&package.entries[i], name, size)) {
            return &package.entries[i];
        }
    }
    return NULL;
}

static const struct boot_package_entry *manifest(void)
{
    return find(BOOT_PACKAGE_MANIFEST, sizeof BOOT_PACKAGE_MANIFEST - 1);
}

/* *end: where the entry before ends; moved to the end of this one. */
static const char *check_entry(const struct boot_package_entry *e, uint64_t package_size,
                               uint64_t *end)
{
    size_t length = name_length(e);
    if (length == 0 || length == BOOT_PACKAGE_NAME_SIZE) {
        return "the boot package has an entry without a proper name";
    }
    if (e->offset % BOOT_PACKAGE_ALIGN != 0 || e->offset < *end || e->offset > package_size
        || e->size > package_size - e->offset) {
        return "the boot package has an entry that lies outside of it, or over another";
    }
    if (ALIGN_UP(e->size, (uint64_t)BOOT_PACKAGE_ALIGN) > package_size - e->offset) {
        return "the boot package ends in the middle of a page";
    }
    *end = e->offset + ALIGN_UP(e->size, (uint64_t)BOOT_PACKAGE_ALIGN);
    return NULL;
}

static const char *check(const struct boot_package_header *h, uint64_t size)
{
    if (size < sizeof *h || h->magic != BOOT_PACKAGE_MAGIC) {
        return "there is no boot package";
    }
    if (h->version != BOOT_PACKAGE_VERSION) {
        return "the boot package is of another version";
    }
    if (h->size > size || h->count > BOOT_PACKAGE_MAX_ENTRIES
        || sizeof *h + h->count * sizeof h->entries[0] > h->size) {
        return "the boot package is cut off";
    }
    uint64_t end =
        ALIGN_UP(sizeof *h + h->count * sizeof h->entries[0], (uint64_t)BOOT_PACKAGE_ALIGN);
    package.entries = h->entries;
    for (; package.count < h->count; package.count++) {
        const struct boot_package_entry *e = &h->entries[package.count];
        const char *reason = check_entry(e, h->size, &end);
        if (reason != NULL) {
            return reason;
        }
        if (find(e->name, name_length(e)) != NULL) {
            return "the boot package has two entries of one name";
        }
    }
    return NULL;
}

status_t boot_package_open(frame_t first, uint64_t size, const char **reason)
{
    KASSERT(first != FRAME_NONE || size == 0);
    for (uint32_t i = 0; i < package.count; i++) {
        object_put(package.images[i]);
        package.images[i] = NULL;
    }
    package.count = 0;
    package.first = first;
    *reason = check(arch_frame_address(first), size);
    if (*reason != NULL) {
        package.count = 0;
        return STATUS_BAD_MESSAGE;
    }
    return STATUS_OK;
}

status_t boot_package_image(const char *name, size_t name_size, struct object **image)
{
    const struct boot_package_entry *e = find(name, name_size);
    if (e == NULL || e == manifest()) {
        return STATUS_NOT_FOUND;
    }
    struct object **kept = &package.images[e - package.entries];
    if (*kept == NULL) {
        status_t status =
            memory_object_create_boot(package.first + (e->offset >> PAGE_SHIFT), e->size, kept);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *image = object_get(*kept);
    return STATUS_OK;
}

const char *boot_package_name_of(const struct object *image)
{
    for (uint32_t i = 0; image != NULL && i < package.count; i++) {
        if (package.images[i] == image) {
            return package.entries[i].name;
        }
    }
    return "";
}

struct wire_span boot_package_manifest_bytes(void)
{
    const struct boot_package_entry *e = manifest();
    const char *bytes = arch_frame_address(package.first);
    return e != NULL ? (struct wire_span){bytes + e->offset, e->size} : (struct wire_span){NULL, 0};
}
