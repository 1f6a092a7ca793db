/* Random programs on 1 to 4 CPUs. A failure prints its SEED; the same test with it replays the run.
 * SEEDS (runs) and STEPS (of each) make it longer. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/explorer.h"

#define SEEDS 8
#define STEPS 3000

static void print_statistics(void)
{
    const struct explorer_statistics *s = &explorer_statistics;
    if (getenv("EXPLORE_SHOW") == NULL) {
        return;
    }
    fprintf(
        stderr,
        "%llu entries, %llu completions, %llu of them good; %llu blocked, %llu died, %llu killed\n",
        (unsigned long long)s->entries, (unsigned long long)s->completions,
        (unsigned long long)s->succeeded, (unsigned long long)s->blocked,
        (unsigned long long)s->deaths, (unsigned long long)s->kills);
    for (int i = 0; i < STATUS_COUNT; i++) {
        fprintf(stderr, "%s %llu\n", test_status_name(i), (unsigned long long)s->status[i]);
    }
}

static void explore(uint32_t cpus, bool scribble, bool starve)
{
    uint64_t first = test_seed(cpus * 1000 + (scribble ? 100 : 0) + (starve ? 200 : 0));
    uint64_t seeds = test_number("SEEDS", getenv("SEED") != NULL ? 1 : SEEDS);
    explorer_boot(cpus);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        test_seed_is(seed);
        explorer_run(&(struct explorer_plan){
            .choices = {.random = {seed}},
            .steps = test_number("STEPS", STEPS),
            .cpus = cpus,
            .processes = 1 + (uint32_t)(seed % 5),
            .scribble = scribble,
            .starve = starve,
            .check_every = 1,
        });
    }
    print_statistics();
}

/* A run that reaches nothing finds nothing. */
static void check_reach(uint32_t cpus)
{
    const struct explorer_statistics *s = &explorer_statistics;
    if (getenv("SEED") == NULL && getenv("SEEDS") == NULL) {
        CHECK_GT(s->succeeded, s->completions / 10);
        CHECK_GT(s->blocked, 100);
        CHECK_GT(s->kills, 0);
        CHECK_GT(s->short_answers, 50);
        CHECK(cpus > 1 || s->shortcuts > 0); /* for two threads of one CPU */
        for (int opcode = 0; opcode < RING_OP_COUNT; opcode++) {
            CHECK_GT(s->opcode[opcode], 50);
        }
        static const enum status reached[] = {
            STATUS_OK,
            STATUS_BAD_ADDRESS,
            STATUS_BAD_CAPABILITY,
            STATUS_STALE_CAPABILITY,
            STATUS_EXCEPTION,
            STATUS_WRONG_INTERFACE,
            STATUS_CANCELLED,
            STATUS_DISCONNECTED,
            STATUS_BAD_MESSAGE,
            STATUS_NOT_FOUND,
            STATUS_VALUE_CHANGED,
            STATUS_TIMED_OUT,
        };
        for (size_t i = 0; i < sizeof(reached) / sizeof(reached[0]); i++) {
            if (s->status[reached[i]] == 0) {
                FAIL("no run has met %s", test_status_name((int)reached[i]));
            }
        }
    }
}

TEST(one_cpu)
{
    explore(1, false, false);
    check_reach(1);
}

TEST(two_cpus)
{
    explore(2, false, false);
    check_reach(2);
}

TEST(four_cpus)
{
    explore(4, false, false);
    check_reach(4);
}

TEST(while_others_scribble)
{
    explore(1, true, false);
}

TEST(while_allocations_fail)
{
    explore(2, false, true);
}
