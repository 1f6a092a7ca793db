/* BootPackage: the machine's manifest and its binaries, as kernel/core/boot_package.h has checked
 * them. Holds nothing. */
#include "kernel/core/boot_package.h"

#include "kernel/cap/root_objects.h"
#include "kernel/core/call.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/boot_package.h"

#define READ_MAX                                                                                   \
    (MESSAGE_MAX / 2) /* a chunk of the manifest; leaves room for the message around it */

static void boot_package_destroy(struct object *self)
{
    (void)self;
    panic("the machine's BootPackage is never released");
}

static const struct object_class boot_package_class = {
    .interface = &boot_package_interface,
    .destroy = boot_package_destroy,
};

struct object boot_package_object = {.class = &boot_package_class, .references = 1};

status_t boot_package_manifest_size(struct object *self, struct call *call,
                                    struct wire_reader params, struct wire_builder results)
{
    KASSERT(self->class == &boot_package_class);
    (void)call;
    (void)params;
    boot_package_manifest_size_results_set_size(results, boot_package_manifest_bytes().size);
    return STATUS_OK;
}

status_t boot_package_read_manifest(struct object *self, struct call *call,
                                    struct wire_reader params, struct wire_builder results)
{
    KASSERT(self->class == &boot_package_class);
    struct wire_span manifest = boot_package_manifest_bytes();
    uint64_t offset = boot_package_read_manifest_params_offset(params);
    if (offset > manifest.size) {
        return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the offset lies beyond the manifest", "offset");
    }
    size_t size = boot_package_read_manifest_params_max_bytes(params);
    size = size < READ_MAX ? size : READ_MAX;
    size = size < manifest.size - offset ? size : manifest.size - offset;
    struct wire_span part = {size != 0 ? (const char *)manifest.data + offset : NULL, size};
    boot_package_read_manifest_results_set_data(results, part);
    return STATUS_OK;
}

status_t boot_package_binary(struct object *self, struct call *call, struct wire_reader params,
                             struct wire_builder results)
{
    KASSERT(self->class == &boot_package_class);
    struct wire_span name = boot_package_binary_params_name(params);
    struct object *image;
    status_t status = boot_package_image(name.data, name.size, &image);
    if (status == STATUS_OK) {
        boot_package_binary_results_set_image(results, call_give(call, image));
    }
    return status;
}
