/* BootPackage: the manifest, in pieces of any size, says how this program was started; its binaries
 * are Images. */
#include "check.h"
#include "lib/wire/gen/types.h"

static _Alignas(8) uint8_t bytes[65536];

static size_t read_all(cap_t boot, uint32_t step)
{
    struct capos_boot_package_manifest_size_results size;
    CHECK_OK(capos_boot_package_manifest_size(boot, &size));
    CHECK(size.size > 0 && size.size <= sizeof bytes);
    memset(bytes, 0xee, sizeof bytes);
    for (size_t done = 0; done < size.size;) {
        struct capos_boot_package_read_manifest_results part;
        CHECK_OK(capos_boot_package_read_manifest(boot, done, step, &part));
        CHECK(part.data.size > 0 && part.data.size <= step);
        memcpy(bytes + done, part.data.data, part.data.size);
        done += part.data.size;
    }
    return size.size;
}

static void manifest(cap_t boot, const char *last_argument)
{
    struct wire_message message;
    static uint8_t first[sizeof bytes];
    size_t size = read_all(boot, 7);
    memcpy(first, bytes, sizeof bytes);
    CHECK(read_all(boot, 4096) == size && memcmp(first, bytes, size) == 0);
    CHECK(wire_message_open(&message, bytes, size) == WIRE_OK);
    struct wire_reader root = wire_message_root(&message);
    CHECK(check_same(manifest_program(root), "boot_package"));
    struct wire_list arguments = manifest_arguments(root);
    CHECK(arguments.count == 2 && check_same(wire_list_get_text(arguments, 1), last_argument));
    CHECK(manifest_grants(root).count == 2);
    ok("the manifest");
    struct capos_boot_package_read_manifest_results part;
    CHECK_OK(capos_boot_package_read_manifest(boot, size, 10, &part));
    CHECK(part.data.size == 0);
    CHECK_OK(capos_boot_package_read_manifest(boot, 0, 0, &part));
    CHECK(part.data.size == 0);
    CHECK_INVALID(capos_boot_package_read_manifest(boot, size + 1, 10, &part));
    CHECK_INVALID(capos_boot_package_read_manifest(boot, UINT64_MAX, 10, &part));
    ok("its end");
}

int main(int argc, char **argv)
{
    cap_t boot = capos_need("boot", BOOT_PACKAGE_INTERFACE_ID);
    struct capos_boot_package_binary_results binary;
    struct capos_image_info_results info;
    CHECK(argc == 2);
    manifest(boot, argv[1]);
    CHECK_OK(capos_boot_package_binary(boot, "boot_package", 12, &binary));
    CHECK_OK(capos_image_info(binary.image, &info));
    CHECK(info.size > PAGE && info.sealed);
    CHECK_STATUS(capos_boot_package_binary(boot, "boot_packag", 11, &binary), STATUS_NOT_FOUND);
    CHECK_STATUS(capos_boot_package_binary(boot, "", 0, &binary), STATUS_NOT_FOUND);
    ok("binaries");
    check_object(boot, BOOT_PACKAGE_INTERFACE_ID, PROCESS_SPAWNER_INTERFACE_ID);
    return 0;
}
