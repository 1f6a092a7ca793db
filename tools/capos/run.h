/* What `capos run` is asked to do, and the parts that do it. One run a process; each part ends the
 * process through fail() when it cannot go on. */
#pragma once

#include "tools/image/manifest.h"

struct folders; /* folders.h */

enum verb { VERB_RUN = 1, VERB_BOOT = 2, VERB_SETUP = 4 };
enum machine { MACHINE_AUTO, MACHINE_QEMU, MACHINE_LINUX };
enum accel { ACCEL_AUTO, ACCEL_KVM, ACCEL_TCG };

struct run_options {
    const char *program;   /* as given */
    struct strings arguments; /* the program's own, without its name */
    struct strings environment;
    struct manifest_grant *grants; /* in the order in which the program finds them */
    uint32_t grant_count;
    uint32_t cpus;
    uint64_t memory;       /* bytes */
    uint64_t time_ms;      /* 0: no limit */
    enum machine machine; /* AUTO becomes QEMU where an acceleration was named */
    const char *machine_asked; /* what named it, as typed; NULL: nothing did */
    enum accel accel;
    const char *kernel_log; /* NULL: none */
    bool print_manifest, print_json;
    enum verb verb;        /* boot: program is a manifest in JSON; setup: there is no program */
    bool has_folders;      /* of the host's: which machines are there for them */
    bool gdb;              /* stop at the program's first instruction */
    bool trace_start;      /* how long each step of the start took, on standard error */
};

struct machine_choice {
    enum machine machine; /* not AUTO */
    enum accel accel;     /* not AUTO for QEMU */
    bool by_itself;       /* nobody asked for it, so another will do where it cannot run */
    const char *reason;   /* in words */
};

/* Of the command line after the verb. */
struct run_options options_parse(enum verb verb, int argc, char **argv);
/* The nearest of `names`, or NULL when none is near. */
const char *suggest(const char *word, const char *const *names, uint32_t count);

/* --- grants (from the schema) --- */
struct grant_view {
    const char *name, *spec, *allows, *interface;
    uint64_t interface_id;
    bool is_default;
};
uint32_t grants_count(void);
struct grant_view grants_at(uint32_t index);
/* NAME[=SPEC] as typed; fails for an unknown name or a SPEC of the wrong shape. */
struct manifest_grant grants_parse(const char *text);
/* The grant whose interface that is, or NULL. */
const char *grants_for_interface(uint64_t interface_id);
/* In words what the program would get. */
void grants_explain(const struct run_options *options, const struct manifest *manifest,
                    const struct machine_choice *choice);

/* --- where things are --- */
const char *path_root(void);                /* the checkout, found from this executable */
const char *path_in_root(const char *path); /* root + "/" + path */
/* In the cache (in build/ when there is none), whose folder it makes; NULL: neither can be
 * written. */
const char *path_cache(const char *name);

/* --- which machine --- */
/* A choice that works here, by probe. Fails when what was asked for does not. */
struct machine_choice machine_choose(const struct run_options *options);
/* The same, but that the linux machine is tried first: what a run would come to. */
struct machine_choice machine_choose_tried(const struct run_options *options);
/* What takes its place where it cannot run; says so. Fails if nothing does. */
struct machine_choice machine_instead(const struct machine_choice *choice, const char *problem);
/* "linux", "qemu with KVM", "qemu, emulated" */
const char *machine_name(const struct machine_choice *choice);
/* Whether programs of the linux machine can read the time-stamp counter whatever they were granted:
 * some hosts take PR_SET_TSC and do nothing. */
bool machine_leaves_time_open(void);
/* Installs what the machine needs, says which one it is. */
void machine_set_up(const struct run_options *options);

/* NULL: KVM runs an ordinary kernel here; else why not, in words. A probe, whose answer is kept. */
const char *accel_kvm_problem(void);
/* For QEMU. Fails for ACCEL_KVM when KVM does not work. */
enum accel accel_choose(enum accel wish);
/* Whether it is not the line that was last kept under this name in the cache; keeps it. */
bool accel_is_news(const char *name, const char *line);
/* Says what is news. */
void accel_say_once(const char *name, const char *line);

/* --- parts --- */
/* Starts the machine, talks to it to the end, tells the user what happened. The exit status of
 * capos. */
int session_run(const struct run_options *options, const struct manifest *manifest,
                struct bytes package, const struct machine_choice *choice,
                const struct folders *folders);
/* Whether the linux machine comes up here: NULL, or why not. */
const char *session_try_linux(struct bytes package);
