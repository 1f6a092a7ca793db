/* Random programs: see explorer.h. This file moves the machine; explorer_agent.c is what a thread
 * does. */
#include "tests/sim/explorer.h"

#include <stdio.h>
#include <stdlib.h>

#include "abi/host_link.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/kmem.h"
#include "tests/lib/invariants.h"
#include "tests/sim/explorer_agent.h"
#include "tests/sim/scene.h"

#define PROCESSES_MAX 14 /* more are thinned out */
#define THREADS_MAX 50

struct explorer_statistics explorer_statistics;
static struct choices *current_choices;

uint64_t choose(struct choices *c, uint64_t below)
{
    if (below <= 1) {
        return 0;
    }
    if (c->bytes == NULL) {
        return random_below(&c->random, below);
    }
    uint64_t value = 0;
    for (uint64_t range = below; range > 1; range = (range + 255) / 256) {
        value = value << 8 | (c->size > 0 ? *c->bytes : 0);
        c->bytes += c->size > 0;
        c->size -= c->size > 0;
    }
    return value % below;
}

bool chance(struct choices *c, uint64_t one_in)
{
    return choose(c, one_in) == one_in - 1; /* never when the bytes are used up */
}

/* --- the world --- */

static struct object *shared; /* memory that every process can map; the run's own reference */

static struct process *some_process(struct choices *c)
{
    uint64_t n = 0;
    for (struct list *l = process_all.next; l != &process_all; l = l->next) {
        n++;
    }
    struct list *l = process_all.next;
    for (uint64_t i = choose(c, n); n > 0 && i > 0; i--) {
        l = l->next;
    }
    return n > 0 ? CONTAINER_OF(l, struct process, all) : NULL;
}

static bool insert(struct process *p, struct object *o)
{
    cap_id_t id;
    if (cap_table_insert(&p->table, object_get(o), &id) == STATUS_OK) {
        return true;
    }
    object_put(o);
    return false;
}

/* A process with all there is, the owner of an endpoint to which some others have a facet. Its
 * threads stay on this CPU. */
static void try_process(struct choices *c, uint32_t cpu)
{
    struct object *grants[] = {&console_object,
                               &std_io_object,
                               &timer_object,
                               &entropy_source_object,
                               &code_memory_object,
                               &boot_package_object,
                               &process_spawner_object,
                               &restricted_launcher_object,
                               sim_image(),
                               shared};
    struct process *p;
    struct object *endpoint;
    struct object *facet;
    sim_machine.cpu = cpu;
    if (sim_process_try(&ledger_root, grants, sizeof(grants) / sizeof(grants[0]), NULL, &p)
        != STATUS_OK) {
        return;
    }
    sim_let_go(p);
    if (endpoint_create(p->account, &endpoint) != STATUS_OK) {
        return;
    }
    if (endpoint_mint_facet(endpoint, p->account, AGENT_FACET_INTERFACE, p->id, &facet)
        == STATUS_OK) {
        for (int i = 0; i < 3; i++) {
            insert(some_process(c), facet);
        }
        object_put(facet);
    }
    insert(p, endpoint);
    object_put(endpoint);
}

/* What dies of a failure outside of an entry to the kernel is reaped here. */
static void add_process(struct choices *c, uint32_t cpu)
{
    try_process(c, cpu);
    object_reap();
}

static void make_world(const struct explorer_plan *plan, struct choices *c)
{
    CHECK_OK(memory_object_create(&ledger_root, 2 * PAGE_SIZE, &shared));
    for (uint32_t i = 0; i < plan->processes; i++) {
        add_process(c, i % plan->cpus);
    }
}

/* --- acts of nature --- */

static void end_process(void *context)
{
    const struct exit_record record = {.kind = EXIT_KIND_TERMINATED};
    process_end(context, &record);
}

static void kill_one(struct choices *c, uint32_t cpu)
{
    struct process *p = some_process(c);
    if (p != NULL) {
        explorer_statistics.kills++;
        sim_enter_kernel(cpu, end_process, p);
    }
}

static void host_acts(struct choices *c)
{
    uint8_t bytes[256];
    if (chance(c, 2)) {
        struct host_link_header h = {.type = HOST_LINK_STDIN, .length = (uint32_t)choose(c, 64)};
        memset(bytes, 'x', sizeof(bytes));
        memcpy(bytes, &h, sizeof(h));
        if (agent_input_credit(h.length)) {
            sim_host_sends(bytes, sizeof(h) + h.length);
        }
    } else {
        while (sim_host_takes(bytes, sizeof(bytes)) > 0) {
        }
    }
}

static bool cpu_has_work(uint32_t n)
{
    const struct cpu *cpu = &sim_machine.cpus[n];
    return cpu->current != NULL || cpu->ready_count > 0 || cpu->hand_off != NULL || cpu->arch.poked;
}

/* When everybody waits, time passes, or somebody is ended. */
static void wake_the_world(struct choices *c)
{
    for (uint32_t i = 0; i < sim_machine.cpu_count; i++) {
        if (cpu_has_work(i)) {
            return;
        }
    }
    if (chance(c, 12)) {
        kill_one(c, (uint32_t)choose(c, sim_machine.cpu_count));
    } else {
        sim_advance(choose(c, 2000000000));
    }
}

static void step(const struct explorer_plan *plan, struct choices *c)
{
    uint32_t n = (uint32_t)choose(c, plan->cpus);
    struct cpu *cpu = &sim_machine.cpus[n];
    if (chance(c, 24)) {
        sim_machine.now_ns += choose(c, 6000000);
        sim_tick(n);
    } else if (chance(c, 40)) {
        host_acts(c);
    } else if (chance(c, 300) || tally.processes > PROCESSES_MAX || tally.threads > THREADS_MAX) {
        kill_one(c, n);
    } else if (tally.processes < plan->processes && chance(c, 8)) {
        add_process(c, n);
    } else if (cpu->current != NULL && !(cpu->arch.poked && chance(c, 2))) {
        agent_act(agent_of(cpu->current), c);
    } else if (cpu->ready_count > 0 || cpu->arch.poked) {
        cpu->arch.poked = false;
        sim_tick(n);
    }
}

/* --- a thread of the same process writes meanwhile --- */

static void scribble(enum sim_edge_kind kind, uint64_t address, size_t size)
{
    struct choices *c = current_choices;
    const struct thread *t = arch_cpu()->current;
    if (t == NULL || t->process == NULL || !chance(c, 6)) {
        return;
    }
    uint64_t at = t->ring.user_address + choose(c, PAGE_SIZE / 8) * 8;
    if (kind != SIM_EDGE_RING && chance(c, 2)) {
        at = (address + choose(c, size)) & ~7ull;
    }
    uint8_t *bytes = sim_translate(arch_cpu()->arch.loaded, at, UPCALL_ACCESS_WRITE);
    uint64_t value = choose(c, chance(c, 4) ? UINT64_MAX : 40);
    if (bytes != NULL) {
        memcpy(bytes, &value, sizeof(value));
    }
}

/* --- */

void explorer_boot(uint32_t cpus)
{
    scene_boot_cpus(cpus);
}

void explorer_run(const struct explorer_plan *plan)
{
    struct choices c = plan->choices;
    struct counts before = counts_take();
    current_choices = &c;
    agents_start(!plan->scribble);
    make_world(plan, &c);
    sim_machine.edge = plan->scribble ? scribble : NULL;
    for (uint64_t i = 0; i < plan->steps; i++) {
        test_context("step %llu", (unsigned long long)i);
        if (plan->starve && chance(&c, 12)) {
            kmem_fail_after = (int64_t)choose(&c, 30);
        }
        wake_the_world(&c);
        step(plan, &c);
        if (plan->check_every != 0 && i % plan->check_every == 0) {
            invariants_check();
        }
        if (c.bytes != NULL && c.size == 0) {
            break;
        }
    }
    kmem_fail_after = -1;
    invariants_check(); /* which knows by the edge that rings were scribbled over */
    sim_machine.edge = NULL;
    agents_end();
    object_put(shared);
    shared = NULL;
    sim_end_all();
    counts_check(&before);
}
