/* The command line of `capos run` and `capos boot`. Everything malformed ends with one line that
 * says what to type instead, and status 2. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/run.h"

#define CPUS_LIMIT 64
#define MEMORY_DEFAULT (256ull << 20)
#define MEMORY_LEAST (4ull << 20)
#define MEMORY_MOST (3ull << 30) /* below the hole for devices under 4 GiB */
#define TIME_MOST_S 31536000.0

struct parser {
    struct run_options options;
    bool bare;
};

static void set_grant(struct parser *p, const char *value)
{
    struct run_options *o = &p->options;
    struct manifest_grant grant = grants_parse(value);
    for (uint32_t i = 0; i < o->grant_count; i++) {
        if (strcmp(o->grants[i].name, grant.name) == 0) {
            o->grants[i] = grant; /* the last SPEC counts */
            return;
        }
    }
    o->grants = reallocate(o->grants, (o->grant_count + 1) * sizeof(*o->grants));
    o->grants[o->grant_count++] = grant;
}

static void set_env(struct parser *p, const char *value)
{
    const char *equals = strchr(value, '=');
    if (equals == value || value[0] == 0) {
        fail(TOOL_USAGE, "--env takes NAME=VALUE or NAME, not \"%s\"", value);
    }
    if (equals == NULL) {
        const char *own = getenv(value);
        if (own == NULL) {
            fail(TOOL_USAGE, "--env %s: there is no %s in the environment; give --env %s=VALUE",
                 value, value, value);
        }
        value = format("%s=%s", value, own);
    }
    strings_add(&p->options.environment, value);
}

static void set_cpus(struct parser *p, const char *value)
{
    char *end;
    errno = 0;
    unsigned long n = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != 0 || errno != 0 || n < 1 || n > CPUS_LIMIT) {
        fail(TOOL_USAGE, "--cpus takes a number from 1 to %d, not \"%s\"", CPUS_LIMIT, value);
    }
    p->options.cpus = (uint32_t)n;
}

static void set_mem(struct parser *p, const char *value)
{
    static const char units[] = "KMG";
    char *end;
    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    bool good = value[0] >= '0' && value[0] <= '9' && errno == 0 && n <= 1ull << 40;
    const char *unit = *end != 0 ? strchr(units, *end >= 'a' ? *end - 32 : *end) : NULL;
    if (unit != NULL) {
        n <<= 10 * (unit - units + 1);
        end++;
    }
    if (strcmp(end, "iB") == 0 || strcmp(end, "B") == 0) {
        end += strlen(end);
    }
    if (!good || *end != 0) {
        fail(TOOL_USAGE, "--mem takes a size such as 8M or 1G, not \"%s\"", value);
    }
    if (n < MEMORY_LEAST || n > MEMORY_MOST) {
        fail(TOOL_USAGE, "--mem %s: the machine can have %lluM to %lluM", value, MEMORY_LEAST >> 20,
             MEMORY_MOST >> 20);
    }
    p->options.memory = n;
}

static void set_time(struct parser *p, const char *value)
{
    char *end;
    double seconds = strtod(value, &end);
    if (value[0] < '0' || value[0] > '9' || *end != 0 ||
        !(seconds >= 0.001 && seconds <= TIME_MOST_S)) {
        fail(TOOL_USAGE, "--time takes seconds, such as 10 or 0.5, not \"%s\"", value);
    }
    p->options.time_ms = (uint64_t)(seconds * 1000 + 0.5);
}

static void set_machine(struct parser *p, const char *value)
{
    if (strcmp(value, "qemu") != 0 && strcmp(value, "linux") != 0) {
        fail(TOOL_USAGE, "--machine takes qemu or linux, not \"%s\"", value);
    }
    p->options.machine = value[0] == 'l' ? MACHINE_LINUX : MACHINE_QEMU;
}

static void set_accel(struct parser *p, const char *value)
{
    p->options.accel_given = true;
    static const char *const names[] = {"auto", "kvm", "tcg"};
    for (uint32_t i = 0; i < 3; i++) {
        if (strcmp(value, names[i]) == 0) {
            p->options.accel = (enum accel)i;
            return;
        }
    }
    fail(TOOL_USAGE, "--accel takes kvm, tcg or auto, not \"%s\"", value);
}

static void set_kernel_log(struct parser *p, const char *value)
{
    p->options.kernel_log = value;
}

static void set_bare(struct parser *p, const char *value)
{
    (void)value;
    p->bare = true;
}

static void set_print_manifest(struct parser *p, const char *value)
{
    if (value != NULL && strcmp(value, "json") != 0) {
        fail(TOOL_USAGE, "--print-manifest takes nothing or =json, not \"%s\"", value);
    }
    p->options.print_manifest = true;
    p->options.print_json = value != NULL;
}

static void set_trace_start(struct parser *p, const char *value)
{
    (void)value;
    p->options.trace_start = true;
}

enum value_rule { VALUE_NONE, VALUE_NEEDED, VALUE_ATTACHED }; /* attached: only with '=' */

static const struct option_row {
    const char *name;
    enum value_rule value;
    bool for_manifest; /* `capos boot` takes it too */
    void (*set)(struct parser *, const char *);
} rows[] = {
    {"--grant", VALUE_NEEDED, false, set_grant},
    {"--bare", VALUE_NONE, false, set_bare},
    {"--env", VALUE_NEEDED, false, set_env},
    {"--cpus", VALUE_NEEDED, true, set_cpus},
    {"--mem", VALUE_NEEDED, true, set_mem},
    {"--time", VALUE_NEEDED, true, set_time},
    {"--machine", VALUE_NEEDED, true, set_machine},
    {"--accel", VALUE_NEEDED, true, set_accel},
    {"--print-manifest", VALUE_ATTACHED, true, set_print_manifest},
    {"--kernel-log", VALUE_NEEDED, true, set_kernel_log},
    {"--trace-start", VALUE_NONE, true, set_trace_start},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct option_row *find_row(const struct parser *p, const char *word, size_t size)
{
    const char *names[ROW_COUNT];
    char *name = format("%.*s", (int)size, word);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = rows[i].name;
        if (strcmp(rows[i].name, name) == 0) {
            if (p->options.is_manifest && !rows[i].for_manifest) {
                fail(TOOL_USAGE, "%s is for `capos run`; `capos boot` takes it from the manifest",
                     name);
            }
            return &rows[i];
        }
    }
    const char *near = suggest(name, names, ROW_COUNT);
    if (near != NULL) {
        fail(TOOL_USAGE, "unknown option %s; did you mean %s?", name, near);
    }
    fail(TOOL_USAGE, "unknown option %s; `capos --help` lists the options", name);
}

/* One option at argv[*at]; moves *at to its last word. */
static void take_option(struct parser *p, int argc, char **argv, int *at)
{
    const char *word = argv[*at];
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct option_row *row = find_row(p, word, size);
    const char *value = equals != NULL ? equals + 1 : NULL;
    if (row->value == VALUE_NONE && value != NULL) {
        fail(TOOL_USAGE, "%s takes no value", row->name);
    }
    if (row->value == VALUE_NEEDED && value == NULL) {
        if (*at + 1 == argc) {
            fail(TOOL_USAGE, "%s needs a value; `capos --help` has examples", row->name);
        }
        value = argv[++*at];
    }
    row->set(p, value);
}

static void add_default_grants(struct parser *p)
{
    struct manifest_grant *asked = p->options.grants;
    uint32_t count = p->options.grant_count;
    p->options.grants = NULL;
    p->options.grant_count = 0;
    for (uint32_t i = 0; i < grants_count() && !p->bare; i++) {
        if (grants_at(i).is_default) {
            set_grant(p, grants_at(i).name);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        set_grant(p, asked[i].spec[0] != 0 ? format("%s=%s", asked[i].name, asked[i].spec)
                                           : asked[i].name);
    }
}

struct run_options options_parse(bool is_manifest, int argc, char **argv)
{
    struct parser p = {
        .options = {.cpus = 1, .memory = MEMORY_DEFAULT, .is_manifest = is_manifest}};
    int at = 0;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != 0; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        take_option(&p, argc, argv, &at);
    }
    if (at == argc) {
        fail(TOOL_USAGE, is_manifest ? "which manifest? `capos boot manifests/smoke.json`"
                                     : "which program? `capos run demos/c-hello/hello.c -- world`");
    }
    if (p.options.machine == MACHINE_LINUX && p.options.accel_given) {
        fail(TOOL_USAGE, "--accel is for --machine qemu; the linux machine needs none");
    }
    p.options.program = argv[at++];
    if (at < argc && strcmp(argv[at], "--") == 0) {
        at++;
    }
    if (is_manifest && at < argc) {
        fail(TOOL_USAGE, "`capos boot` takes no arguments; they stand in the manifest");
    }
    for (; at < argc; at++) {
        strings_add(&p.options.arguments, argv[at]);
    }
    add_default_grants(&p);
    return p.options;
}
