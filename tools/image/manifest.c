/* See manifest.h. */
#include "tools/image/manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/boot_package.h"
#include "lib/wire/gen/types.h"
#include "tools/image/elf_file.h"
#include "tools/image/json.h"

void strings_add(struct strings *list, const char *item)
{
    list->items = reallocate(list->items, (list->count + 1) * sizeof(*list->items));
    list->items[list->count++] = item;
}

void manifest_add_grant(struct manifest *m, struct manifest_grant grant)
{
    m->grants = reallocate(m->grants, (m->grant_count + 1) * sizeof(*m->grants));
    m->grants[m->grant_count++] = grant;
}

void manifest_add_binary(struct manifest *m, struct manifest_binary binary)
{
    m->binaries = reallocate(m->binaries, (m->binary_count + 1) * sizeof(*m->binaries));
    m->binaries[m->binary_count++] = binary;
}

/* --- from JSON --- */

static void expect(const char *path, const struct json *value, enum json_kind kind,
                   const char *what)
{
    if (value->kind != kind) {
        json_fail(path, value, "%s must be %s", value->name != NULL ? value->name : "this", what);
    }
}

static const char *text_member(const char *path, const struct json *object, const char *name)
{
    struct json *value = json_member(object, name);
    if (value == NULL) {
        return "";
    }
    expect(path, value, JSON_STRING, "a string");
    return value->text;
}

static struct strings strings_member(const char *path, const struct json *object, const char *name)
{
    struct strings list = {0};
    struct json *value = json_member(object, name);
    if (value != NULL) {
        expect(path, value, JSON_ARRAY, "an array of strings");
        for (struct json *item = value->first; item != NULL; item = item->next) {
            expect(path, item, JSON_STRING, "a string");
            strings_add(&list, item->text);
        }
    }
    return list;
}

static const char *below(const char *root, const char *path)
{
    return path[0] == '/' ? path : format("%s/%s", root, path);
}

#define FOLDER_SHAPE                                                                               \
    "a folder is {\"name\": \"/data\", \"interface\": \"" MANIFEST_DIRECTORY                       \
    "\", \"host\": \"PATH\", \"readOnly\": true}"

/* A host's folder: host says which, readOnly that it is not written; a spec would say it again. */
static void read_folder(const char *path, const struct json *item, const char *root,
                        struct manifest_grant *grant)
{
    const struct json *read_only = json_member(item, "readOnly");
    grant->host = text_member(path, item, "host");
    if (grant->host[0] == 0 || grant->name[0] != '/' || grant->spec[0] != 0) {
        json_fail(path, item, FOLDER_SHAPE);
    }
    if (read_only != NULL) {
        expect(path, read_only, JSON_BOOL, "true or false");
        grant->spec = read_only->truth ? MANIFEST_READ_ONLY : "";
    }
    grant->host = below(root, grant->host);
}

static struct manifest_grant read_grant(const char *path, const struct json *item,
                                        const char *root)
{
    static const char *const fields[] = {"name", "interface", "spec", "host", "readOnly"};
    struct manifest_grant grant = {.name = text_member(path, item, "name"),
                                   .interface = text_member(path, item, "interface"),
                                   .spec = text_member(path, item, "spec")};
    bool is_folder = strcmp(grant.interface, MANIFEST_DIRECTORY) == 0;
    uint32_t known = is_folder ? 5 : 3;
    for (struct json *field = item->first; field != NULL; field = field->next) {
        uint32_t i = 0;
        while (i < known && strcmp(field->name, fields[i]) != 0) {
            i++;
        }
        if (i == known) {
            json_fail(path, field, "a grant has name, interface and spec, not \"%s\"%s",
                      field->name, is_folder ? "; a folder has host and readOnly besides" : "");
        }
    }
    if (is_folder) {
        read_folder(path, item, root, &grant);
    }
    return grant;
}

/* A grant is its name, or an object. */
static void read_grants(const char *path, const struct json *init, const char *root,
                        struct manifest *m)
{
    struct json *value = json_member(init, "grants");
    if (value == NULL) {
        return;
    }
    expect(path, value, JSON_ARRAY, "an array of grants");
    for (struct json *item = value->first; item != NULL; item = item->next) {
        struct manifest_grant grant = {.name = item->text, .interface = "", .spec = ""};
        if (item->kind == JSON_OBJECT) {
            grant = read_grant(path, item, root);
        } else if (item->kind != JSON_STRING) {
            json_fail(path, item, "a grant must be a name or an object");
        }
        if (grant.name[0] == 0) {
            json_fail(path, item, "a grant must have a name");
        }
        if (strcmp(grant.name, "dir") == 0) { /* as the command line has it */
            json_fail(path, item, FOLDER_SHAPE);
        }
        manifest_add_grant(m, grant);
    }
}

static void read_binaries(const char *path, const struct json *top, const char *root,
                          struct manifest *m)
{
    struct json *value = json_member(top, "binaries");
    if (value == NULL) {
        return;
    }
    expect(path, value, JSON_OBJECT, "an object of names and paths");
    for (struct json *item = value->first; item != NULL; item = item->next) {
        expect(path, item, JSON_STRING, "a path");
        manifest_add_binary(m, (struct manifest_binary){item->name, below(root, item->text)});
    }
}

struct manifest manifest_from_json(const char *path, const char *root)
{
    struct manifest m = {0};
    struct json *top = json_read(path);
    static const struct json nothing = {.kind = JSON_OBJECT};
    expect(path, top, JSON_OBJECT, "an object");
    for (struct json *field = top->first; field != NULL; field = field->next) {
        if (strcmp(field->name, "binaries") != 0 && strcmp(field->name, "initConfig") != 0 &&
            strcmp(field->name, "machine") != 0) {
            json_fail(path, field, "unknown field \"%s\"; there are binaries and initConfig",
                      field->name);
        }
    }
    const struct json *config = json_member(top, "initConfig");
    config = config != NULL ? config : &nothing;
    expect(path, config, JSON_OBJECT, "an object");
    const struct json *init = json_member(config, "init");
    init = init != NULL ? init : &nothing;
    expect(path, init, JSON_OBJECT, "an object");

    m.program = text_member(path, init, "program");
    m.current_directory = text_member(path, init, "currentDirectory");
    m.arguments = strings_member(path, init, "arguments");
    m.environment = strings_member(path, init, "environment");
    m.launchable = strings_member(path, init, "launchable");
    read_grants(path, init, root, &m);
    read_binaries(path, top, root, &m);
    if (m.program[0] == 0) {
        json_fail(path, top, "initConfig.init.program must name the binary to start");
    }
    bool known = false;
    for (uint32_t i = 0; i < m.binary_count; i++) {
        known = known || strcmp(m.binaries[i].name, m.program) == 0;
    }
    if (!known) {
        json_fail(path, json_member(init, "program"), "\"%s\" is not among the binaries",
                  m.program);
    }
    return m;
}

/* --- to JSON --- */

static char *strings_to_json(struct strings list)
{
    char *out = format("[");
    for (uint32_t i = 0; i < list.count; i++) {
        out = format("%s%s%s", out, i > 0 ? ", " : "", json_quote(list.items[i]));
    }
    return format("%s]", out);
}

static char *grant_to_json(const struct manifest_grant *g)
{
    char *rest = format("\"spec\": %s", json_quote(g->spec));
    if (g->host != NULL) {
        rest = format("\"host\": %s, \"readOnly\": %s", json_quote(g->host),
                      g->spec[0] != 0 ? "true" : "false");
    }
    return format("{\"name\": %s, \"interface\": %s, %s}", json_quote(g->name),
                  json_quote(g->interface), rest);
}

char *manifest_to_json(const struct manifest *m)
{
    char *grants = format("["), *binaries = format("{");
    for (uint32_t i = 0; i < m->grant_count; i++) {
        grants = format("%s%s\n        %s", grants, i > 0 ? "," : "", grant_to_json(&m->grants[i]));
    }
    for (uint32_t i = 0; i < m->binary_count; i++) {
        binaries = format("%s%s\n    %s: %s", binaries, i > 0 ? "," : "",
                          json_quote(m->binaries[i].name), json_quote(m->binaries[i].path));
    }
    const char *machine = "";
    if (m->machine != NULL) {
        machine = format("  \"machine\": {\"name\": %s, \"reason\": %s},\n", json_quote(m->machine),
                         json_quote(m->machine_reason));
    }
    return format("{\n%s  \"binaries\": %s\n  },\n  \"initConfig\": {\n    \"init\": {\n"
                  "      \"program\": %s,\n      \"arguments\": %s,\n      \"environment\": %s,\n"
                  "      \"currentDirectory\": %s,\n      \"launchable\": %s,\n"
                  "      \"grants\": %s%s]\n    }\n  }\n}\n",
                  machine, binaries, json_quote(m->program), strings_to_json(m->arguments),
                  strings_to_json(m->environment), json_quote(m->current_directory),
                  strings_to_json(m->launchable), grants, m->grant_count > 0 ? "\n      " : "");
}

/* --- to a message and a package --- */

static struct wire_span span_of(const char *text)
{
    return (struct wire_span){.data = (const void *)text, .size = strlen(text)};
}

static void set_strings(struct wire_list_builder list, struct strings strings)
{
    for (uint32_t i = 0; i < strings.count; i++) {
        wire_list_set_text(list, i, span_of(strings.items[i]));
    }
}

/* More than enough room for the message: its parts, with their pointers and padding. */
static size_t message_room(const struct manifest *m)
{
    size_t room = 1024;
    const struct strings *lists[] = {&m->arguments, &m->environment, &m->launchable};
    for (size_t l = 0; l < sizeof(lists) / sizeof(lists[0]); l++) {
        for (uint32_t i = 0; i < lists[l]->count; i++) {
            room += strlen(lists[l]->items[i]) + 32;
        }
    }
    for (uint32_t i = 0; i < m->grant_count; i++) {
        room += strlen(m->grants[i].name) + strlen(m->grants[i].interface) +
                strlen(m->grants[i].spec) + 128;
    }
    for (uint32_t i = 0; i < m->binary_count; i++) {
        room += strlen(m->binaries[i].name) + 32;
    }
    return (room + strlen(m->program) + strlen(m->current_directory)) & ~(size_t)7;
}

struct bytes manifest_to_message(const struct manifest *m)
{
    struct wire_message_builder message;
    size_t room = message_room(m);
    uint8_t *buffer = allocate(room);
    wire_message_begin(&message, buffer, room);
    struct wire_builder root = manifest_init(&message);
    manifest_set_program(root, span_of(m->program));
    set_strings(manifest_init_arguments(root, m->arguments.count), m->arguments);
    set_strings(manifest_init_environment(root, m->environment.count), m->environment);
    manifest_set_current_directory(root, span_of(m->current_directory));
    set_strings(manifest_init_launchable(root, m->launchable.count), m->launchable);
    struct wire_list_builder grants = manifest_init_grants(root, m->grant_count);
    for (uint32_t i = 0; i < m->grant_count; i++) {
        struct wire_builder grant = wire_list_at(grants, i);
        manifest_grant_set_name(grant, span_of(m->grants[i].name));
        manifest_grant_set_interface(grant, span_of(m->grants[i].interface));
        manifest_grant_set_spec(grant, span_of(m->grants[i].spec));
    }
    struct wire_list_builder binaries = manifest_init_binaries(root, m->binary_count);
    for (uint32_t i = 0; i < m->binary_count; i++) {
        wire_list_set_text(binaries, i, span_of(m->binaries[i].name));
    }
    size_t size = wire_message_finish(&message);
    if (size == 0) {
        fail(TOOL_FAILED, "the manifest does not fit its message: a mistake in capos");
    }
    return (struct bytes){.data = buffer, .size = size};
}

/* A program without its symbols, or a file of another kind (a script, a module) as it is. */
static struct bytes read_binary(const char *path, bool must_be_program)
{
    struct bytes file;
    if (!file_read(path, &file)) {
        fail(TOOL_USAGE, "%s: %s", path, strerror(errno));
    }
    enum elf_kind kind = elf_classify(file);
    if (kind == ELF_KIND_NOT_ELF && !must_be_program) {
        return file;
    }
    if (kind != ELF_KIND_CAPOS) {
        fail(TOOL_USAGE, "%s %s", path, elf_kind_problem(kind));
    }
    return elf_strip(file);
}

struct bytes manifest_to_package(const struct manifest *m, const char *init_path)
{
    uint32_t count = m->binary_count + 2;
    struct package_entry *entries = allocate(count * sizeof(*entries));
    entries[0] = (struct package_entry){BOOT_PACKAGE_MANIFEST, manifest_to_message(m)};
    entries[1] = (struct package_entry){BOOT_PACKAGE_INIT, read_binary(init_path, true)};
    for (uint32_t i = 0; i < m->binary_count; i++) {
        const struct manifest_binary *binary = &m->binaries[i];
        bool starts = strcmp(binary->name, m->program) == 0;
        entries[i + 2] = (struct package_entry){binary->name, read_binary(binary->path, starts)};
    }
    return package_build(entries, count);
}
