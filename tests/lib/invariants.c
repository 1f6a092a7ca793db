/* Invariants of the kernel's state, as functions. See invariants.h. */
#include "tests/lib/invariants.h"

#include <stdlib.h>

#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"

#define EACH_PROCESS(p)                                                                            \
    for (struct process *p = LIST_FIRST(&process_all, struct process, all);                        \
         &p->all != &process_all; p = LIST_FIRST(&p->all, struct process, all))

#define EACH_THREAD(p, t)                                                                          \
    for (struct thread *t = LIST_FIRST(&(p)->threads, struct thread, of_process);                  \
         &t->of_process != &(p)->threads;                                                          \
         t = LIST_FIRST(&t->of_process, struct thread, of_process))

#define NODES_MAX 100000 /* a list or heap longer than this has a loop */

static uint64_t list_check(const struct list *head)
{
    uint64_t length = 0;
    for (const struct list *l = head->next; l != head; l = l->next) {
        CHECK(l != NULL && l->next != NULL && l->next->previous == l && l->previous->next == l);
        CHECK_LT(++length, NODES_MAX);
    }
    CHECK(head->next->previous == head);
    return length;
}

/* Nodes of a heap; each key is at least its parent's. */
static uint64_t heap_check(const struct heap *heap, void (*each)(const struct heap_node *node))
{
    static const struct heap_node *stack[NODES_MAX];
    uint64_t top = 0;
    uint64_t count = 0;
    if (heap->root != NULL) {
        stack[top++] = heap->root;
    }
    while (top > 0) {
        const struct heap_node *node = stack[--top];
        CHECK_LT(++count, NODES_MAX);
        each(node);
        for (uint32_t side = 0; side < 2; side++) {
            const struct heap_node *child = node->child[side];
            if (child != NULL) {
                CHECK(child->parent == node);
                CHECK_GE(child->key, node->key);
                CHECK_LT(top, NODES_MAX);
                stack[top++] = child;
            }
        }
    }
    return count;
}

/* --- accounts --- */

static uint64_t sum_of_processes(enum ledger_kind kind)
{
    uint64_t sum = 0;
    EACH_PROCESS(p) {
        if (p->account != NULL && p->account->depth == ledger_root.depth + 1) {
            sum += p->account->used[kind];
        }
    }
    return sum;
}

void invariants_accounts(void)
{
    uint64_t threads = 0;
    uint64_t slots = 0;
    uint64_t calls = 0;
    EACH_PROCESS(p) {
        for (const struct account *a = p->account; a != NULL && a->parent != NULL; a = a->parent) {
            for (int kind = 0; kind < LEDGER_KINDS; kind++) {
                CHECK_LE(a->used[kind], a->parent->used[kind]);
                if (a->limit[kind] != UINT64_MAX) {
                    CHECK_LE(a->used[kind], a->limit[kind]);
                }
            }
        }
        threads += p->thread_count;
        slots += p->ended ? 0 : p->table.live + p->table.charge_kept;
        EACH_THREAD(p, t) {
            calls += t->ring.in_flight;
        }
    }
    CHECK_EQ(ledger_root.used[LEDGER_THREADS], threads);
    CHECK_EQ(ledger_root.used[LEDGER_SLOTS], slots);
    CHECK_GE(ledger_root.used[LEDGER_CALLS],
             calls); /* a Reply keeps the record of a caller that is gone */
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_GE(ledger_root.used[kind], sum_of_processes((enum ledger_kind)kind));
    }
    CHECK_LE(tally.kernel_bytes, ledger_root.used[LEDGER_KERNEL_BYTES]);
}

/* --- tables --- */

static int by_object(const void *a, const void *b)
{
    const struct object *x = *(const struct object *const *)a;
    const struct object *y = *(const struct object *const *)b;
    return x < y ? -1 : x > y;
}

static uint32_t table_check(const struct process *p, const struct object **held, uint32_t count,
                            uint32_t room)
{
    uint32_t live = 0;
    uint32_t slot = 0;
    cap_id_t id;
    struct object *o;
    while ((slot = cap_table_next(&p->table, slot, &id, &o)) != 0) {
        struct object *found;
        CHECK_EQ(id & CAP_SLOT_MASK, slot);
        CHECK_OK(cap_table_look_up(&p->table, id, &found));
        CHECK(found == o && o->class != NULL);
        CHECK_LT(count + live, room);
        held[count + live++] = o;
    }
    CHECK_LE(live, p->table.live); /* the others are reserved or in transit */
    return live;
}

void invariants_tables(void)
{
    static const struct object *held[NODES_MAX];
    uint32_t count = 0;
    EACH_PROCESS(p) {
        if (!p->ended) {
            count += table_check(p, held, count, NODES_MAX);
        }
    }
    qsort(held, count, sizeof(held[0]), by_object);
    for (uint32_t i = 0; i < count;) {
        uint32_t same = 0;
        while (i + same < count && held[i + same] == held[i]) {
            same++;
        }
        if (held[i]->references < same) {
            FAIL("object %p of %s has %u references and is in %u slots", (const void *)held[i],
                 held[i]->class->interface != NULL ? held[i]->class->interface->name : "a facet",
                 held[i]->references, same);
        }
        i += same;
    }
}

/* --- frames --- */

struct mapped {
    uint32_t mappings;
    bool writable, executable;
};

static struct mapped *mapped; /* by frame, while invariants_frames() runs */

static void note_page(void *context, uint64_t address, frame_t f, enum protection p)
{
    (void)context;
    (void)address;
    CHECK_LT(f, sim_machine.frame_count);
    CHECK_NE(f, FRAME_NONE);
    mapped[f].mappings++;
    mapped[f].writable = mapped[f].writable || p == PROTECTION_READ_WRITE;
    mapped[f].executable = mapped[f].executable || p == PROTECTION_READ_EXECUTE;
}

void invariants_frames(void)
{
    mapped = calloc(sim_machine.frame_count, sizeof(*mapped));
    CHECK(mapped != NULL);
    EACH_PROCESS(p) {
        if (p->space != NULL) {
            sim_each_page(&p->space->arch, note_page, NULL);
        }
    }
    for (frame_t f = 1; f < sim_machine.frame_count; f++) {
        if (mapped[f].mappings == 0) {
            continue;
        }
        uint32_t count = frame_count(f);
        CHECK(!(mapped[f].writable && mapped[f].executable));
        CHECK_GE(count, mapped[f].mappings);
        if (count < FRAME_COUNT_MANY) { /* one more for a memory object, a ring or CodeMemory that
                                           holds it */
            CHECK_LE(count, mapped[f].mappings + 1);
        }
    }
    free(mapped);
    uint64_t used = tally.frames - tally.frames_free - tally.kernel_frames;
    CHECK_LE(used, ledger_root.used[LEDGER_FRAMES] + sim_frames_of_machine());
}

/* --- threads --- */

static uint32_t cpu_walked;

static void ready_check(const struct heap_node *node)
{
    const struct thread *t = CONTAINER_OF(node, const struct thread, run);
    CHECK_EQ(t->state, THREAD_READY);
    CHECK_EQ(t->cpu, cpu_walked);
    CHECK(t->process != NULL);
}

/* Whoever waits has a reason: what would have woken it has not happened. A ring that somebody
 * scribbles over tells nothing. */
static void wait_check(const struct thread *t)
{
    CHECK_EQ(t->wait_timer.armed, t->wait_timed);
    if (sim_machine.edge == NULL) {
        CHECK_LT(ring_completions(&t->ring), t->wait_min_complete);
    }
}

void invariants_threads(void)
{
    uint64_t by_state[THREAD_DEAD + 1] = {0};
    EACH_PROCESS(p) {
        CHECK_EQ(list_check(&p->threads), p->thread_count);
        list_check(&p->waiters);
        CHECK(p->ended == (p->space == NULL));
        CHECK(!p->ended || p->thread_count == 0);
        EACH_THREAD(p, t) {
            by_state[t->state]++;
            CHECK(t->process == p);
            CHECK_GE(t->object.references, 1);
            list_check(&t->joiners);
            CHECK((t->state == THREAD_RUNNING) == (arch_cpu_by_number(t->cpu)->current == t));
            CHECK(!t->wait_timer.armed || t->state == THREAD_BLOCKED);
            if (t->state == THREAD_BLOCKED) {
                wait_check(t);
            }
        }
    }
    uint64_t ready = 0;
    uint64_t running = 0;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        const struct cpu *cpu = arch_cpu_by_number(i);
        cpu_walked = i;
        CHECK_EQ(heap_check(&cpu->ready, ready_check), cpu->ready_count);
        ready += cpu->ready_count + (cpu->hand_off != NULL);
        running += cpu->current != NULL;
        CHECK(cpu->hand_off == NULL || cpu->hand_off->state == THREAD_READY);
        CHECK(cpu->dead == NULL);
    }
    CHECK_EQ(by_state[THREAD_DEAD], 0);
    CHECK_EQ(by_state[THREAD_READY], ready);
    CHECK_EQ(by_state[THREAD_RUNNING], running);
}

/* --- rings --- */

static void kept_check(const struct ring *r, const struct call *call)
{
    CHECK(call->kept && call->caller != NULL && &call->caller->ring == r);
    CHECK(call->process == call->caller->process);
}

static void ring_check(const struct ring *r)
{
    uint64_t kept = r->alone != NULL;
    if (r->alone != NULL) {
        kept_check(r, r->alone);
    }
    CHECK_EQ(r->cq_entries, 2 * r->sq_entries);
    CHECK_LE(r->in_flight, r->cq_entries);
    for (uint32_t i = 0; i < r->bucket_count; i++) {
        const struct list *bucket = &r->buckets[i];
        kept += list_check(bucket);
        for (const struct list *l = bucket->next; l != bucket; l = l->next) {
            kept_check(r, CONTAINER_OF(l, const struct call, in_flight));
        }
    }
    CHECK_EQ(kept, r->in_flight);
}

void invariants_rings(void)
{
    EACH_PROCESS(p) {
        EACH_THREAD(p, t) {
            ring_check(&t->ring);
        }
    }
}

/* --- timers --- */

static void timer_check(const struct heap_node *node)
{
    const struct timer *t = CONTAINER_OF(node, const struct timer, node);
    CHECK(t->armed && t->fire != NULL);
    CHECK_EQ(t->cpu, cpu_walked);
}

void invariants_timers(void)
{
    uint64_t armed = 0;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        cpu_walked = i;
        armed += heap_check(&arch_cpu_by_number(i)->timers, timer_check);
    }
    CHECK_EQ(armed, tally.timers);
}

void invariants_check(void)
{
    invariants_threads();
    invariants_tables();
    invariants_accounts();
    invariants_frames();
    invariants_rings();
    invariants_timers();
}
