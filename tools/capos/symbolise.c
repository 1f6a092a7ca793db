/* Addresses of a program as a person reads them: function and offset from the program's own
 * symbols, file and line from addr2line where it is installed. */
#include <elf.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/command.h"
#include "tools/capos/session.h"
#include "tools/image/elf_file.h"

/* What addr2line says about the address: for each function that was inlined there, innermost first,
 * a line with its name and a line with its place. Empty when it is not installed. */
static char *ask_addr2line(const char *path, uint64_t address)
{
    struct command command = {0};
    struct bytes output;
    const char *const words[] = {"addr2line", "-f", "-i", "-e", path,
                                 format("%#llx", (unsigned long long)address)};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        command_add(&command, words[i]);
    }
    (void)command_output(&command, false, &output);
    return (char *)output.data;
}

/* The rest of a path below a folder, or NULL when it is not there. */
static const char *below(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/' ? path + size + 1 : NULL;
}

/* A place as a person wants it: relative to where they are or to the checkout, without what
 * compilers add. NULL: unknown. */
static const char *short_place(char *place)
{
    char here[PATH_MAX];
    const char *from_here = getcwd(here, sizeof(here)) != NULL ? below(place, here) : NULL;
    const char *from_root = below(place, path_root());
    char *discriminator = strstr(place, " (discriminator");
    if (discriminator != NULL) {
        *discriminator = 0;
    }
    if (place[0] == '?' || strstr(place, ":?") != NULL) {
        return NULL;
    }
    return from_here != NULL ? from_here : from_root != NULL ? from_root : place;
}

/* "inner (a.c:3) in outer (a.c:9)", or NULL when addr2line does not know. */
static char *with_places(const char *path, uint64_t address)
{
    char *out = NULL;
    char *name = strtok(ask_addr2line(path, address), "\n");
    while (name != NULL) {
        char *place = strtok(NULL, "\n");
        const char *shown = place != NULL ? short_place(place) : NULL;
        if (shown == NULL) {
            return out;
        }
        out = out == NULL ? format("%s (%s)", name, shown)
                          : format("%s in %s (%s)", out, name, shown);
        name = strtok(NULL, "\n");
    }
    return out;
}

/* The program's file, read once; empty: it cannot be read. */
static struct bytes program_file(const char *path)
{
    static struct bytes file;
    static const char *file_path;
    if (path != NULL && file_path != path) {
        file_path = path;
        if (!file_read(path, &file) || file.size < sizeof(Elf64_Ehdr)) {
            file = (struct bytes){0};
        }
    }
    return path != NULL ? file : (struct bytes){0};
}

/* An address of the running program as its file has it. */
static uint64_t as_linked(struct bytes file, uint64_t image_base, uint64_t address)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)(const void *)file.data;
    return header->e_type == ET_EXEC ? address : address - image_base;
}

bool symbolise_frameless(const char *path, uint64_t image_base, uint64_t instruction, uint64_t word)
{
    struct bytes file = program_file(path);
    return file.size > 0 && elf_returns_to(file, as_linked(file, image_base, instruction),
                                           as_linked(file, image_base, word));
}

char *symbolise(const char *path, uint64_t image_base, uint64_t address, bool is_return)
{
    struct bytes file = program_file(path);
    char *bare = format("%#llx", (unsigned long long)address);
    if (file.size == 0) {
        return bare;
    }
    uint64_t linked =
        as_linked(file, image_base, address) - is_return; /* the call, not what is after */
    uint64_t offset;
    const char *function = elf_function_at(file, linked, &offset);
    if (function == NULL) {
        return bare;
    }
    char *places = with_places(path, linked);
    int name_size = (int)strcspn(function, "."); /* without what the compiler appends to a clone */
    return places != NULL ? places
                          : format("%.*s+%#llx", name_size, function,
                                   (unsigned long long)(offset + is_return));
}
