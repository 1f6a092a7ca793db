/* BootPackage: the machine's manifest and its binaries, as kernel/core/boot_package.h has checked
 * them. Holds nothing. */
#include "kernel/core/boot_package.h"

#include "kernel/core/call.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/boot_package.h"

#define READ_MAX (MESSAGE_MAX / 2) /* of the manifest: leaves room for the message around it */

status_t boot_package_manifest_size(const struct invocation *in)
{
    KASSERT(in->self == &boot_package_object);
    boot_package_manifest_size_results_set_size(in->results, boot_package_manifest_bytes().size);
    return STATUS_OK;
}

status_t boot_package_read_manifest(const struct invocation *in, uint64_t offset,
                                    uint32_t max_bytes)
{
    KASSERT(in->self == &boot_package_object);
    struct wire_span manifest = boot_package_manifest_bytes();
    if (offset > manifest.size) {
        return call_bad_argument(in->call, "offset", "the offset lies beyond the manifest");
    }
    size_t size = MIN(MIN(max_bytes, READ_MAX), manifest.size - offset);
    struct wire_span part = {size != 0 ? (const char *)manifest.data + offset : NULL, size};
    boot_package_read_manifest_results_set_data(in->results, part);
    return STATUS_OK;
}

status_t boot_package_binary(const struct invocation *in, struct wire_span name)
{
    KASSERT(in->self == &boot_package_object);
    struct object *image;
    status_t status = boot_package_image(name.data, name.size, &image);
    if (status == STATUS_OK) {
        boot_package_binary_results_set_image(in->results, call_give(in->call, image));
    }
    return status;
}
