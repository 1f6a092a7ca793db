/* The command line of `capos run` and `capos boot`. Everything malformed ends with one line that
 * says what to type instead, and status 2. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/capos/folders.h"
#include "tools/capos/run.h"

#define CPUS_LIMIT 64
#define MEMORY_DEFAULT (256ull << 20)
#define MEMORY_LEAST (4ull << 20)
#define MEMORY_MOST (3ull << 30) /* below the hole for devices under 4 GiB */
#define TIME_MOST_S 31536000.0

struct parser {
    struct run_options options;
    const char *accel_asked; /* as typed */
    bool bare;
};

/* The place of a word among the names that `what` takes; NULL ends them. */
static uint32_t choose(const char *what, const char *value, const char *const *names)
{
    uint32_t count = 0;
    char *list = format("%s", names[0]);
    for (; names[count] != NULL; count++) {
        if (strcmp(value, names[count]) == 0) {
            return count;
        }
        if (count > 0) {
            list = format("%s%s%s", list, names[count + 1] != NULL ? ", " : " or ", names[count]);
        }
    }
    const char *near = suggest(value, names, count);
    fail(TOOL_USAGE, "%s takes %s, not \"%s\"%s%s%s", what, list, value,
         near != NULL ? "; did you mean " : "", near != NULL ? near : "", near != NULL ? "?" : "");
}

static void put_grant(struct parser *p, struct manifest_grant grant)
{
    struct run_options *o = &p->options;
    for (uint32_t i = 0; i < o->grant_count; i++) {
        if (strcmp(o->grants[i].name, grant.name) == 0) {
            folders_not_twice(&o->grants[i], &grant);
            o->grants[i] = grant; /* the last SPEC counts */
            return;
        }
    }
    o->grants = reallocate(o->grants, (o->grant_count + 1) * sizeof(*o->grants));
    o->grants[o->grant_count++] = grant;
}

static void set_dir(struct parser *p, const char *value)
{
    put_grant(p, folders_parse(value));
}

static void set_grant(struct parser *p, const char *value)
{
    put_grant(p, grants_parse(value));
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

static const char *const machine_names[] = {"auto", "qemu", "linux", NULL}; /* enum machine */
static const char *const accel_names[] = {"auto", "kvm", "tcg", NULL};     /* enum accel */

static void set_machine(struct parser *p, const char *value)
{
    p->options.machine = (enum machine)choose("--machine", value, machine_names);
    p->options.machine_asked = format("--machine %s", value);
}

static void set_accel(struct parser *p, const char *value)
{
    p->options.accel = (enum accel)choose("--accel", value, accel_names);
    p->accel_asked = format("--accel %s", value);
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

static void set_gdb(struct parser *p, const char *value)
{
    (void)value;
    p->options.gdb = true;
}

enum value_rule { VALUE_NONE, VALUE_NEEDED, VALUE_ATTACHED }; /* attached: only with '=' */

#define MACHINE_VERBS (VERB_RUN | VERB_BOOT)

static const struct option_row {
    const char *name;
    enum value_rule value;
    uint32_t verbs; /* that take it */
    void (*set)(struct parser *, const char *);
} rows[] = {
    {"--grant", VALUE_NEEDED, VERB_RUN, set_grant},
    {"--dir", VALUE_NEEDED, VERB_RUN, set_dir},
    {"--bare", VALUE_NONE, VERB_RUN, set_bare},
    {"--env", VALUE_NEEDED, VERB_RUN, set_env},
    {"--cpus", VALUE_NEEDED, MACHINE_VERBS, set_cpus},
    {"--mem", VALUE_NEEDED, MACHINE_VERBS, set_mem},
    {"--time", VALUE_NEEDED, MACHINE_VERBS, set_time},
    {"--machine", VALUE_NEEDED, MACHINE_VERBS | VERB_SETUP, set_machine},
    {"--accel", VALUE_NEEDED, MACHINE_VERBS | VERB_SETUP, set_accel},
    {"--print-manifest", VALUE_ATTACHED, MACHINE_VERBS, set_print_manifest},
    {"--kernel-log", VALUE_NEEDED, MACHINE_VERBS, set_kernel_log},
    {"--gdb", VALUE_NONE, MACHINE_VERBS, set_gdb},
    {"--trace-start", VALUE_NONE, MACHINE_VERBS, set_trace_start},
};
#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

static const struct option_row *find_row(const struct parser *p, const char *word, size_t size)
{
    const char *names[ROW_COUNT];
    char *name = format("%.*s", (int)size, word);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        names[i] = rows[i].name;
        if (strcmp(rows[i].name, name) == 0) {
            if ((p->options.verb & rows[i].verbs) == 0) {
                fail(TOOL_USAGE, "%s is for `capos run`%s", name,
                     p->options.verb == VERB_BOOT ? "; `capos boot` takes it from the manifest"
                                                  : "");
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
        put_grant(p, asked[i]);
    }
}

/* CAPOS_MACHINE counts where --machine does not; --accel is about QEMU. */
static void settle_machine(struct parser *p)
{
    struct run_options *o = &p->options;
    const char *fixed = getenv("CAPOS_MACHINE");
    if (o->machine_asked == NULL && fixed != NULL && fixed[0] != 0) {
        o->machine = (enum machine)choose("CAPOS_MACHINE", fixed, machine_names);
        o->machine_asked = format("CAPOS_MACHINE=%s", fixed);
    }
    if (p->accel_asked == NULL) {
        return;
    }
    if (o->machine == MACHINE_LINUX) {
        fail(TOOL_USAGE, "%s is for the machine qemu, and %s was asked for", p->accel_asked,
             o->machine_asked);
    }
    o->machine_asked = o->machine == MACHINE_AUTO ? p->accel_asked : o->machine_asked;
    o->machine = MACHINE_QEMU;
}

struct run_options options_parse(enum verb verb, int argc, char **argv)
{
    struct parser p = {.options = {.verb = verb, .cpus = 1, .memory = MEMORY_DEFAULT}};
    int at = 0;
    for (; at < argc && argv[at][0] == '-' && argv[at][1] != 0; at++) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        take_option(&p, argc, argv, &at);
    }
    settle_machine(&p);
    if (p.options.gdb && p.options.time_ms > 0) {
        fail(TOOL_USAGE, "--gdb and --time do not go together: you would be the one who is timed");
    }
    if (verb == VERB_SETUP) {
        if (at < argc) {
            fail(TOOL_USAGE, "setup takes no program; try `capos run %s`", argv[at]);
        }
        return p.options;
    }
    if (at == argc) {
        fail(TOOL_USAGE, verb == VERB_BOOT
                             ? "which manifest? `capos boot manifests/smoke.json`"
                             : "which program? `capos run demos/c-hello/hello.c -- world`");
    }
    p.options.program = argv[at++];
    if (at < argc && strcmp(argv[at], "--") == 0) {
        at++;
    }
    if (verb == VERB_BOOT && at < argc) {
        fail(TOOL_USAGE, "`capos boot` takes no arguments; they stand in the manifest");
    }
    for (; at < argc; at++) {
        strings_add(&p.options.arguments, argv[at]);
    }
    add_default_grants(&p);
    return p.options;
}
