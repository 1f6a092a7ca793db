/* What `capos run` is asked to do, and the parts that do it. One run a process; each part ends the
 * process through fail() when it cannot go on. */
#pragma once

#include "tools/image/manifest.h"

enum machine { MACHINE_QEMU, MACHINE_LINUX };
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
    enum machine machine;
    enum accel accel;
    bool accel_given;
    const char *kernel_log; /* NULL: none */
    bool print_manifest, print_json;
    bool is_manifest;      /* program is a manifest in JSON: `capos boot` */
    bool trace_start;      /* how long each step of the start took, on standard error */
};

/* Of the command line after the verb. */
struct run_options options_parse(bool is_manifest, int argc, char **argv);
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
void grants_explain(const struct run_options *options, const struct manifest *manifest);

/* --- where things are --- */
const char *path_root(void);                /* the checkout, found from this executable */
const char *path_in_root(const char *path); /* root + "/" + path */
/* In the cache (in build/ when there is none), whose folder it makes; NULL: neither can be
 * written. */
const char *path_cache(const char *name);

/* --- parts --- */
/* A choice that works on this machine, by probe. Fails for ACCEL_KVM when KVM does not. */
enum accel accel_choose(enum accel wish);
/* Starts QEMU, talks to it to the end, tells the user what happened. The exit status of capos. */
int session_run(const struct run_options *options, const struct manifest *manifest,
                struct bytes package, enum accel accel);
