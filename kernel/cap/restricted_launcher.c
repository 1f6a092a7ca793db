/* RestrictedLauncher: starts programs of the boot package, those that the manifest lists as
 * launchable and no others.
 *
 * The list is read from the manifest at each call: its bytes never change, and nothing of it needs
 * to be kept. */
#include "kernel/cap/spawn.h"
#include "kernel/core/boot_package.h"
#include "kernel/core/denial.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/restricted_launcher.h"
#include "lib/wire/gen/types.h"

/* Empty if there is no manifest or it is malformed. */
static struct wire_list launchable(struct wire_message *message)
{
    struct wire_span bytes = boot_package_manifest_bytes();
    if (wire_message_open(message, bytes.data, bytes.size) != WIRE_OK) {
        return (struct wire_list){0};
    }
    return manifest_launchable(wire_message_root(message));
}

static bool is_launchable(struct wire_span name)
{
    struct wire_message message;
    struct wire_list list = launchable(&message);
    for (uint32_t i = 0; i < list.count; i++) {
        struct wire_span listed = wire_list_get_text(list, i);
        if (listed.size == name.size
            && (name.size == 0 || __builtin_memcmp(listed.data, name.data, name.size) == 0)) {
            return true;
        }
    }
    return false;
}

status_t restricted_launcher_launch(const struct invocation *in, struct wire_span name,
                                    struct wire_span start, struct wire_list grants)
{
    if (!is_launchable(name)) {
        char text[PROCESS_NAME_MAX] = {0};
        for (size_t i = 0; i < name.size && i < sizeof text - 1; i++) {
            text[i] = ((const char *)name.data)[i];
        }
        denial_record(in->call->process, RESTRICTED_LAUNCHER_INTERFACE_ID,
                      RESTRICTED_LAUNCHER_METHOD_LAUNCH, DENIAL_REASON_ATTENUATED, text, NULL);
        return call_exception(in->call, EXCEPTION_TYPE_FAILED,
                              "the launcher was not granted for this program", "name");
    }
    struct object *image;
    status_t status = boot_package_image(name.data, name.size, &image);
    if (status != STATUS_OK) {
        return status;
    }
    status = spawn_process(in, name, image, start, grants, (struct wire_reader){0},
                           restricted_launcher_launch_results_set_handle);
    object_put(image);
    return status;
}

status_t restricted_launcher_list(const struct invocation *in)
{
    struct wire_message message;
    restricted_launcher_list_results_set_names(in->results, launchable(&message));
    return STATUS_OK;
}
