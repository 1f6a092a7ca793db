/* Random programs over everything that there is: several processes and threads on several CPUs,
 * each doing whatever the next choice says, right or wrong. After each step all invariants hold;
 * each accepted entry completes exactly once; at the end all counts are back.
 *
 * The choices are random numbers of a seed, or the bytes of a fuzzer. The same choices give the
 * same run. */
#pragma once

#include "tests/lib/sim.h"

struct choices {
    const uint8_t *bytes; /* NULL: random */
    size_t size;
    struct random random;
};

uint64_t choose(struct choices *c, uint64_t below); /* 0 when the bytes are used up */
bool chance(struct choices *c, uint64_t one_in);

struct explorer_plan {
    struct choices choices;
    uint64_t steps;
    uint32_t cpus;        /* as the machine was booted */
    uint32_t processes;   /* to begin with */
    bool scribble;        /* other threads write to rings and buffers while the kernel reads them */
    bool starve;          /* every now and then an allocation fails */
    uint32_t check_every; /* steps between checks of all invariants */
};

/* Boots once; then any number of plans can be run. */
void explorer_boot(uint32_t cpus);
/* Runs it and ends all processes; the counts must be what they were. */
void explorer_run(const struct explorer_plan *plan);

struct explorer_statistics {
    uint64_t entries, completions, succeeded, forks, kills, deaths, blocked;
    uint64_t short_answers, shortcuts; /* the latter: completions after one, at least */
    uint64_t opcode[16], status[64];
};
extern struct explorer_statistics
    explorer_statistics; /* of all runs: a test looks whether they reach enough */
