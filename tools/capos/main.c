/* The capos command behind ./capos, which has already made sure that everything is built.
 *
 *   run [options] PROGRAM [ARGS]   boots a machine and runs a program in it
 *   boot [options] MANIFEST        the same with a manifest in JSON
 *   setup [--machine M]            installs what the machine needs */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/boot_package.h"
#include "abi/limits.h"
#include "tools/capos/compile.h"
#include "tools/capos/folders.h"
#include "tools/capos/qemu.h"
#include "tools/capos/run.h"
#include "tools/image/elf_file.h"

#define INIT_PATH "build/x86_64/init.elf"

static bool is_source(const char *path)
{
    size_t size = strlen(path);
    return size > 2 && strcmp(path + size - 2, ".c") == 0;
}

/* PROGRAM is there and is something that runs on capOS: the path of its ELF. With `only_look` C
 * source is not compiled, and the path is the source's. */
static const char *program_elf(const char *path, bool only_look)
{
    struct bytes file;
    if (!file_read(path, &file)) {
        fail(TOOL_USAGE, "%s: %s", path, strerror(errno));
    }
    if (is_source(path)) {
        return only_look ? path : compile(path);
    }
    enum elf_kind kind = elf_classify(file);
    if (kind != ELF_KIND_CAPOS) {
        fail(TOOL_USAGE, "%s %s", path, elf_kind_problem(kind));
    }
    return path;
}

/* The name of the program in its machine: the file's, without folders and ".c" or ".elf". */
static const char *program_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(base, '.');
    size_t size = strlen(base);
    if (dot != NULL && dot != base && (strcmp(dot, ".c") == 0 || strcmp(dot, ".elf") == 0)) {
        size = (size_t)(dot - base);
    }
    size = size < BOOT_PACKAGE_NAME_SIZE ? size : BOOT_PACKAGE_NAME_SIZE - 1;
    char *name = format("%.*s", (int)size, base);
    bool taken = strcmp(name, BOOT_PACKAGE_INIT) == 0 || strcmp(name, BOOT_PACKAGE_MANIFEST) == 0;
    return taken ? format("%s-program", name) : name;
}

/* --grant launch=a.c,b.elf: these programs come into the package, under their names. */
static void add_launchable(struct manifest *m, struct manifest_grant *grant, bool only_look)
{
    char *list = format("%s", grant->spec);
    char *names = format("%s", "");
    for (char *path = strtok(list, ","); path != NULL; path = strtok(NULL, ",")) {
        const char *name = program_name(path);
        manifest_add_binary(m, (struct manifest_binary){name, program_elf(path, only_look)});
        strings_add(&m->launchable, name);
        names = format("%s%s%s", names, names[0] != 0 ? "," : "", name);
    }
    grant->spec = names;
}

#define START_BLOCK_OTHER 4096 /* of the start block: the grants, its own words; generous */

/* What a program finds at its start is one message; better to say so here than in the machine. */
static void check_size(const struct manifest *m)
{
    const struct strings *lists[] = {&m->arguments, &m->environment};
    size_t size = 0;
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (uint32_t i = 0; i < lists[l]->count; i++) {
            size += sizeof(uint64_t) + ((strlen(lists[l]->items[i]) + 1 + 7) & ~(size_t)7);
        }
    }
    if (size > MESSAGE_MAX - START_BLOCK_OTHER) {
        fail(TOOL_USAGE, "the arguments and the environment take %zu bytes; at most %d fit", size,
             MESSAGE_MAX - START_BLOCK_OTHER);
    }
}

/* The manifest that the command line stands for. */
static struct manifest manifest_from_options(const struct run_options *o)
{
    struct manifest m = {.program = program_name(o->program),
                         .current_directory = "/",
                         .environment = o->environment,
                         .grants = o->grants,
                         .grant_count = o->grant_count};
    const char *elf = program_elf(o->program, o->print_manifest);
    strings_add(&m.arguments, m.program);
    for (uint32_t i = 0; i < o->arguments.count; i++) {
        strings_add(&m.arguments, o->arguments.items[i]);
    }
    manifest_add_binary(&m, (struct manifest_binary){.name = m.program, .path = elf});
    for (uint32_t i = 0; i < o->grant_count; i++) {
        if (strcmp(o->grants[i].name, "launch") == 0) {
            add_launchable(&m, &o->grants[i], o->print_manifest);
        }
    }
    check_size(&m);
    return m;
}

static void print_manifest(const struct run_options *options, struct manifest *manifest)
{
    struct machine_choice choice = machine_choose_tried(options);
    if (options->print_json) {
        manifest->machine = machine_name(&choice);
        manifest->machine_reason = choice.reason;
        fputs(manifest_to_json(manifest), stdout);
    } else {
        grants_explain(options, manifest, &choice);
    }
}

static int command_run(struct run_options *options)
{
    struct manifest manifest;
    struct folders folders;
    if (options->verb == VERB_BOOT) {
        manifest = manifest_from_json(options->program, path_root());
        folders = folders_open(options, manifest.grants, manifest.grant_count);
    } else { /* the manifest has the same array */
        folders = folders_open(options, options->grants, options->grant_count);
        manifest = manifest_from_options(options);
    }
    if (options->print_manifest) {
        print_manifest(options, &manifest);
        return 0;
    }
    struct bytes package = manifest_to_package(&manifest, path_in_root(INIT_PATH));
    struct machine_choice choice = machine_choose(options);
    return session_run(options, &manifest, package, &choice, &folders);
}

int main(int argc, char **argv)
{
    static const char *const verbs[] = {"run", "boot", "setup"};
    bool by_shell = argc > 1 && strcmp(argv[1], "--by-capos") == 0;
    if (by_shell) {
        argc--;
        argv++;
    }
    for (uint32_t i = 0; argc > 1 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (strcmp(argv[1], verbs[i]) == 0) {
            struct run_options options = options_parse((enum verb)(1u << i), argc - 2, argv + 2);
            if (by_shell && !options.print_manifest) {
                qemu_may_install();
            }
            if (options.verb == VERB_SETUP) {
                machine_set_up(&options);
                return 0;
            }
            return command_run(&options);
        }
    }
    fail(TOOL_USAGE, "this is the part behind ./capos; use that");
}
