/* The capos command behind ./capos, which has already made sure that everything is built.
 *
 *   run [options] PROGRAM [ARGS]   boots a machine and runs a program in it
 *   boot [options] MANIFEST        the same with a manifest in JSON
 *   grants                         what can be granted */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "abi/boot_package.h"
#include "tools/capos/run.h"
#include "tools/image/elf_file.h"

#define INIT_PATH "build/x86_64/init.elf"

/* PROGRAM is there and is something that runs on capOS: the path of its ELF. */
static const char *program_elf(const char *path)
{
    size_t size = strlen(path);
    struct bytes file;
    if (size > 2 && strcmp(path + size - 2, ".c") == 0) {
        return access(path, R_OK) == 0 ? compile(path)
                                       : (fail(TOOL_USAGE, "%s: %s", path, strerror(errno)), NULL);
    }
    if (!file_read(path, &file)) {
        fail(TOOL_USAGE, "%s: %s", path, strerror(errno));
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

/* The manifest that the command line stands for. */
static struct manifest manifest_from_options(const struct run_options *o, const char *elf)
{
    struct manifest m = {.program = program_name(o->program),
                         .current_directory = "/",
                         .environment = o->environment,
                         .grants = o->grants,
                         .grant_count = o->grant_count};
    strings_add(&m.arguments, m.program);
    for (uint32_t i = 0; i < o->arguments.count; i++) {
        strings_add(&m.arguments, o->arguments.items[i]);
    }
    manifest_add_binary(&m, (struct manifest_binary){.name = m.program, .path = elf});
    for (uint32_t i = 0; i < o->grant_count; i++) {
        if (strcmp(o->grants[i].name, "launch") == 0) {
            strings_add(&m.launchable, o->grants[i].spec);
        }
    }
    return m;
}

static int command_run(bool is_manifest, int argc, char **argv)
{
    struct run_options options = options_parse(is_manifest, argc, argv);
    struct manifest manifest;
    if (is_manifest) {
        manifest = manifest_from_json(options.program, path_root());
    } else {
        bool only_words = options.print_manifest && access(options.program, R_OK) == 0;
        manifest = manifest_from_options(&options, only_words ? options.program
                                                              : program_elf(options.program));
    }
    if (options.print_manifest) {
        if (options.print_json) {
            fputs(manifest_to_json(&manifest), stdout);
        } else {
            grants_explain(&options, &manifest);
        }
        return 0;
    }
    struct bytes package = manifest_to_package(&manifest, path_in_root(INIT_PATH));
    return session_run(&options, &manifest, package, accel_choose(options.accel));
}

int main(int argc, char **argv)
{
    static const char *const verbs[] = {"run", "boot", "grants"};
    const char *verb = argc > 1 ? argv[1] : "";
    if (strcmp(verb, "run") == 0 || strcmp(verb, "boot") == 0) {
        return command_run(verb[0] == 'b', argc - 2, argv + 2);
    }
    if (strcmp(verb, "grants") == 0) {
        grants_list();
        return 0;
    }
    const char *near = suggest(verb, verbs, sizeof(verbs) / sizeof(verbs[0]));
    if (near != NULL) {
        fail(TOOL_USAGE, "unknown verb \"%s\"; did you mean %s?", verb, near);
    }
    fail(TOOL_USAGE, "unknown verb \"%s\"; `capos --help` lists the verbs", verb);
}
