/* Grants as the command line has them. The table is generated from the schema. */
#include <stdio.h>
#include <string.h>

#include "tools/capos/folders.h"
#include "tools/capos/gen/grants.h"
#include "tools/capos/run.h"
#include "tools/image/json.h"

#define GRANT_COUNT (sizeof(grants) / sizeof(grants[0]))

uint32_t grants_count(void)
{
    return GRANT_COUNT;
}

struct grant_view grants_at(uint32_t i)
{
    return (struct grant_view){.name = grants[i].name,
                               .spec = grants[i].spec,
                               .allows = grants[i].allows,
                               .interface = grants[i].interface,
                               .interface_id = grants[i].interface_id,
                               .is_default = grants[i].is_default};
}

struct manifest_grant grants_parse(const char *text)
{
    const char *names[GRANT_COUNT];
    const char *equals = strchr(text, '=');
    char *name =
        format("%.*s", (int)(equals != NULL ? equals - text : (ptrdiff_t)strlen(text)), text);
    const char *spec = equals != NULL ? equals + 1 : "";
    for (uint32_t i = 0; i < GRANT_COUNT; i++) {
        names[i] = grants[i].name;
        if (strcmp(name, grants[i].name) != 0) {
            continue;
        }
        if (grants[i].spec[0] == 0 && equals != NULL) {
            fail(TOOL_USAGE, "the grant %s takes no value: --grant %s", name, name);
        }
        if (grants[i].spec[0] != 0 && grants[i].spec[0] != '[' && spec[0] == 0) {
            fail(TOOL_USAGE, "the grant %s needs a value: --grant %s=%s", name, name,
                 grants[i].spec);
        }
        if (strcmp(grants[i].interface, MANIFEST_DIRECTORY) == 0) {
            return folders_parse(spec);
        }
        return (struct manifest_grant){
            .name = name, .interface = grants[i].interface, .spec = spec};
    }
    const char *near = suggest(name, names, GRANT_COUNT);
    if (near != NULL) {
        fail(TOOL_USAGE, "unknown grant \"%s\"; did you mean %s?", name, near);
    }
    fail(TOOL_USAGE, "unknown grant \"%s\"; `capos grants` lists what there is", name);
}

const char *grants_for_interface(uint64_t interface_id)
{
    for (uint32_t i = 0; i < GRANT_COUNT; i++) {
        if (grants[i].interface_id == interface_id) {
            return grants[i].name;
        }
    }
    return NULL;
}

/* A path as it is, or quoted where a control character would make another line of it. */
static const char *path_words(const char *path)
{
    for (const char *c = path; *c != 0; c++) {
        if ((uint8_t)*c < ' ' || *c == 0x7f) {
            return json_quote(path);
        }
    }
    return path;
}

static const char *allows(const struct manifest_grant *grant)
{
    if (grant->host != NULL) {
        return format("read%s the files of the host's folder %s",
                      grant->spec[0] != 0 ? "" : " and write", path_words(grant->host));
    }
    for (uint32_t i = 0; i < GRANT_COUNT; i++) {
        if (strcmp(grants[i].name, grant->name) == 0 ||
            strcmp(grants[i].interface, grant->interface) == 0) {
            return grants[i].allows;
        }
    }
    return "use this service";
}

static void explain_list(const char *what, struct strings list)
{
    printf("%s:", what);
    for (uint32_t i = 0; i < list.count; i++) {
        printf(" %s", list.items[i]);
    }
    printf(list.count == 0 ? " none\n" : "\n");
}

void grants_explain(const struct run_options *o, const struct manifest *m,
                    const struct machine_choice *choice)
{
    bool is_manifest = o->verb == VERB_BOOT;
    printf("program: %s\n", is_manifest ? m->program : o->program);
    explain_list("arguments", is_manifest ? m->arguments : o->arguments);
    explain_list("environment", m->environment);
    printf("machine: %s (%s), %u CPU%s, %llu MiB of memory", machine_name(choice), choice->reason,
           o->cpus, o->cpus == 1 ? "" : "s", (unsigned long long)o->memory >> 20);
    if (o->cpus > 1) {
        printf(" (one of the CPUs is used so far)");
    }
    if (o->time_ms > 0) {
        printf(", %g seconds", (double)o->time_ms / 1000);
    }
    printf("\nThe program may, within its own memory and threads, compute, and besides:\n");
    for (uint32_t i = 0; i < m->grant_count; i++) {
        const struct manifest_grant *g = &m->grants[i];
        bool has_spec = g->spec[0] != 0 && g->host == NULL;
        const char *name = path_words(g->name);
        printf("  %-10s %s\n", has_spec ? format("%s=%s", name, g->spec) : name, allows(g));
    }
    bool time_is_open = choice->machine == MACHINE_LINUX && machine_leaves_time_open();
    if (time_is_open) {
        printf("  %-10s read the processor's time-stamp counter: this host cannot close it\n",
               "-");
    }
    printf(m->grant_count == 0 && !time_is_open ? "  nothing at all\n" : "and nothing else.\n");
}
