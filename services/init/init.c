/* init: the one program that the kernel starts. It reads the manifest from the boot package, starts
 * the manifest's program with exactly the manifest's grants, waits for its end and ends.
 *
 * The kernel hands init every object there is, under the names of `capos run --grant`, and the
 * host's folders, each under its place in the program's name space. What init hands on is what the
 * manifest lists, nothing else. It ends the machine by ending: the kernel then sends the host the
 * exit record of the first process that init started, which is the program; if there is none, a
 * record that says that the boot failed, and why stands in the log (kernel/core/exit_record.h). So
 * the program's whole record, with its backtrace and denials, reaches the host without passing
 * through here. */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "lib/wire/gen/types.h"

#define GRANTS_MAX 64 /* RING_TRANSFERS_MAX less the image would do; no manifest comes near */
#define CHUNK 16384u  /* of the manifest in one call */

/* Interfaces that a manifest may name in a grant, when its own name is not the usual one. */
static const struct {
    const char *interface;
    uint64_t id;
} interfaces[] = {
    {"Console", CONSOLE_INTERFACE_ID},
    {"StdIO", STD_IO_INTERFACE_ID},
    {"Timer", TIMER_INTERFACE_ID},
    {"EntropySource", ENTROPY_SOURCE_INTERFACE_ID},
    {"CodeMemory", CODE_MEMORY_INTERFACE_ID},
    {"BootPackage", BOOT_PACKAGE_INTERFACE_ID},
    {"ProcessSpawner", PROCESS_SPAWNER_INTERFACE_ID},
    {"RestrictedLauncher", RESTRICTED_LAUNCHER_INTERFACE_ID},
    {"Directory", DIRECTORY_INTERFACE_ID},
};

static void tell(const char *what, const char *which)
{
    char line[CONSOLE_WRITE_MAX];
    int size =
        snprintf(line, sizeof line, "init: %s%s%s", what, which[0] == '\0' ? "" : ": ", which);
    cap_t console;
    if (capos_find("console", CONSOLE_INTERFACE_ID, &console) == STATUS_OK && size > 0) {
        size_t length = (size_t)size < sizeof line ? (size_t)size : sizeof line - 1;
        status_t ignored = capos_console_write_line(console, line, length);
        (void)ignored;
    }
}

static _Noreturn void fail(const char *what, const char *which)
{
    tell(what, which);
    exit(1);
}

static void must(status_t status, const char *what, const char *which)
{
    if (status != STATUS_OK) {
        char reason[256];
        snprintf(reason, sizeof reason, "%s %s", which, capos_status_name(status));
        fail(what, reason);
    }
}

/* The manifest's bytes, in memory that stays. */
static const void *read_manifest(cap_t boot, size_t *size)
{
    struct capos_boot_package_manifest_size_results info;
    must(capos_boot_package_manifest_size(boot, &info), "the manifest's size", "");
    *size = info.size;
    uint8_t *bytes = capos_pages_map(info.size + 1);
    if (bytes == NULL) {
        fail("there is no memory for the manifest", "");
    }
    for (size_t done = 0; done < *size;) {
        struct capos_boot_package_read_manifest_results part;
        must(capos_boot_package_read_manifest(boot, done, CHUNK, &part), "reading the manifest",
             "");
        if (part.data.size == 0 || part.data.size > *size - done) {
            fail("the manifest is cut off", "");
        }
        memcpy(bytes + done, part.data.data, part.data.size);
        done += part.data.size;
    }
    return bytes;
}

/* Texts of a message end with a NUL there, so their bytes are strings. */
static const char *string(struct wire_span text)
{
    return text.data == NULL ? "" : text.data;
}

static const char **strings(struct wire_list list)
{
    const char **out = calloc(list.count + 1, sizeof *out);
    if (out == NULL) {
        fail("there is no memory for the arguments", "");
    }
    for (uint32_t i = 0; i < list.count; i++) {
        out[i] = string(wire_list_get_text(list, i));
    }
    return out;
}

static uint64_t interface_id(const char *name)
{
    for (size_t i = 0; i < sizeof interfaces / sizeof interfaces[0]; i++) {
        if (strcmp(interfaces[i].interface, name) == 0) {
            return interfaces[i].id;
        }
    }
    return 0;
}

/* What init holds that the manifest means. Of a Directory there may be several: there the name
 * decides, and no other folder takes its place. */
static const struct capos_grant *own_grant(const char *name, const char *interface)
{
    uint64_t id = interface_id(interface);
    bool any = interface[0] == '\0';
    const struct capos_grant *by_interface = NULL;
    for (size_t i = CAP_SLOT_FIRST_GRANT - 1; i < capos_grant_count(); i++) {
        const struct capos_grant *own = capos_grant_at(i);
        if (!any && own->interface_id != id) {
            continue;
        }
        if (strcmp(own->name, name) == 0) {
            return own;
        }
        if (!any && by_interface == NULL && id != DIRECTORY_INTERFACE_ID) {
            by_interface = own;
        }
    }
    return by_interface;
}

static size_t collect_grants(struct wire_list list, struct capos_child_grant *out)
{
    if (list.count > GRANTS_MAX) {
        fail("the manifest has too many grants", "");
    }
    for (uint32_t i = 0; i < list.count; i++) {
        struct wire_reader grant = wire_list_get_struct(list, i);
        const char *name = string(manifest_grant_name(grant));
        const char *interface = string(manifest_grant_interface(grant));
        const struct capos_grant *own = own_grant(name, interface);
        if (own == NULL) {
            fail("the manifest grants what this machine does not have", name);
        }
        out[i] = (struct capos_child_grant){name, own->interface_id, own->cap, CAP_TRANSFER_COPY};
    }
    return list.count;
}

int main(void)
{
    cap_t boot = capos_need("boot", BOOT_PACKAGE_INTERFACE_ID);
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    size_t size;
    const void *bytes = read_manifest(boot, &size);
    struct wire_message message;
    if (wire_message_open(&message, bytes, size) != WIRE_OK) {
        fail("the manifest is no message", "");
    }
    struct wire_reader manifest = wire_message_root(&message);
    static struct capos_child_grant grants[GRANTS_MAX];
    const char *directory = string(manifest_current_directory(manifest));
    struct capos_child child = {
        .name = string(manifest_program(manifest)),
        .arguments = strings(manifest_arguments(manifest)),
        .environment = strings(manifest_environment(manifest)),
        .directory = directory[0] == '\0' ? "/" : directory,
        .grants = grants,
        .grant_count = collect_grants(manifest_grants(manifest), grants),
    };
    if (message.error != WIRE_OK) {
        fail("the manifest is malformed", wire_error_name(message.error));
    }
    struct capos_boot_package_binary_results binary;
    must(capos_boot_package_binary(boot, child.name, strlen(child.name), &binary),
         "no such program in the package", child.name);
    child.image = binary.image;
    cap_t handle;
    status_t status = capos_spawn(spawner, &child, &handle);
    if (status == STATUS_FRAMES_EXHAUSTED || status == STATUS_BYTES_EXHAUSTED) {
        tell("the machine has too little memory for", child.name);
        capos_end_exhausted(status);
    }
    must(status, "the program does not start", child.name);
    struct capos_process_handle_wait_results ended;
    must(capos_process_handle_wait(handle, &ended), "waiting for the program", child.name);
    return 0;
}
