/* The capability table of a process: id -> object.
 *
 * Flat: a directory of pages of slots. A slot's generation goes up with each release; a slot
 * that used up its generations is retired, a page of retired slots is freed, and only after all
 * 2^32 ids does one recur. A slot is free, live, reserved (an operation holds it for its commit)
 * or in transit (being moved: unusable, still charged). One charge of LEDGER_SLOTS for each slot
 * that is not free. Kernel lock held. */
#pragma once

#include "kernel/core/ledger.h"
#include "kernel/core/object.h"

/* each at most one piece of kernel memory: 512 pages of 256 slots */
#define CAP_TABLE_DIRECTORIES 8

#define CAP_SLOTS_PER_PAGE 256u

enum cap_slot_state {
    SLOT_FREE,
    SLOT_LIVE,
    SLOT_RESERVED,
    SLOT_TRANSIT,
    SLOT_RETIRED,
};

struct cap_slot {
    union {
        struct object *object; /* live, in transit */
        uint64_t next_free;    /* free: the next one's index, 0 at the end */
    };
    union {
        struct {
            uint16_t generation;
            uint8_t state;
            uint8_t kept; /* only within cap_table_keep_commit() */
        };
        uint32_t tag; /* the three in one word */
    };
    uint32_t page_retired; /* in a page's first slot: how many of the page are retired */
};

/* The tag of a slot that is not marked as kept. */
#define CAP_SLOT_TAG(state, generation) ((uint32_t)(state) << 16 | (generation))
_Static_assert(offsetof(struct cap_slot, state) == offsetof(struct cap_slot, tag) + 2
                   && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the state lies above the generation");

struct cap_table {
    struct account *account;  /* a reference */
    struct cap_slot *first;   /* the first page of slots, or NULL */
    struct cap_slot **directory[CAP_TABLE_DIRECTORIES];
    uint32_t frontier;        /* slots from here on were never used */
    uint32_t live;            /* slots that are not free */
    uint64_t free_slot;       /* head of the list of free slots; 0: none */
    bool charge_kept;         /* by cap_table_vacate(): one slot more is charged than in use */
};

void cap_table_init(struct cap_table *t, struct account *a);
void cap_table_destroy(struct cap_table *t); /* releases all it holds */

/* Errors: badCapability (never given out), staleCapability, inTransit. No reference is taken. */
status_t cap_table_look_up(const struct cap_table *t, cap_id_t id, struct object **out) MUST_CHECK;

/* The object of a live id in the first page, where nearly all of a program's are, else NULL. A slot
 * there that was never used is zero, and so not live. */
static inline struct object *cap_table_look_up_first(const struct cap_table *t, cap_id_t id)
{
    uint32_t index = id & CAP_SLOT_MASK;
    if (index >= CAP_SLOTS_PER_PAGE || t->first == NULL
        || t->first[index].tag != CAP_SLOT_TAG(SLOT_LIVE, id >> CAP_SLOT_BITS)) {
        return NULL;
    }
    struct object *o = t->first[index].object;
    if (o == NULL) {
        __builtin_unreachable(); /* so that callers look at the tag alone */
    }
    return o;
}

/* Takes over the caller's reference on success. In a new table ids come in order: slot 1, slot 2,
 * ... */
status_t cap_table_insert(struct cap_table *t, struct object *o, cap_id_t *out) MUST_CHECK;
/* Reserve, then commit without failing (takes over the reference) or cancel. */
status_t cap_table_reserve(struct cap_table *t, cap_id_t *out) MUST_CHECK;
void cap_table_commit(struct cap_table *t, cap_id_t reserved, struct object *o);
void cap_table_cancel(struct cap_table *t, cap_id_t reserved);
status_t cap_table_release(struct cap_table *t, cap_id_t id) MUST_CHECK;
/* As release, and the slot's reference goes to the caller. NULL: it is not live. */
struct object *cap_table_take(struct cap_table *t, cap_id_t id);

/* --- for endpoint_fast.c: a slot taken and given back in the first page, where neither the ledger
 * nor the generations have a say --- */
static inline bool cap_table_ready(const struct cap_table *t)
{
    return t->charge_kept && t->free_slot - 1 < CAP_SLOTS_PER_PAGE - 1;
}

static inline cap_id_t cap_table_insert_ready(struct cap_table *t, struct object *o)
{
    uint32_t index = (uint32_t)t->free_slot;
    struct cap_slot *slot = &t->first[index];
    KASSERT(slot->state == SLOT_FREE);
    t->charge_kept = false;
    t->live++;
    t->free_slot = slot->next_free;
    slot->state = SLOT_LIVE;
    slot->object = o;
    return CAP_ID(index, slot->generation);
}

/* of a live one */
static inline bool cap_table_vacate_ready(const struct cap_table *t, cap_id_t id)
{
    return !t->charge_kept && (id & CAP_SLOT_MASK) < CAP_SLOTS_PER_PAGE
           && id >> CAP_SLOT_BITS < CAP_GENERATION_MAX;
}

/* Its reference goes to the caller. Its charge is kept for the next slot: a server takes one for
 * each request and gives it back with each answer. */
static inline void cap_table_vacate(struct cap_table *t, cap_id_t id)
{
    uint32_t index = id & CAP_SLOT_MASK;
    struct cap_slot *slot = &t->first[index];
    KASSERT(slot->tag == CAP_SLOT_TAG(SLOT_LIVE, id >> CAP_SLOT_BITS) && t->live > 0);
    t->charge_kept = true;
    t->live--;
    slot->generation++;
    slot->state = SLOT_FREE;
    slot->next_free = t->free_slot;
    t->free_slot = index;
}

/* A move: begin (live -> in transit; *out gets no reference of its own), then end it: moved away
 * (the slot is freed, its reference goes to the caller) or back under the same id. */
status_t cap_table_move_begin(struct cap_table *t, cap_id_t id, struct object **out) MUST_CHECK;
struct object *cap_table_move_commit(struct cap_table *t, cap_id_t id);
void cap_table_move_cancel(struct cap_table *t, cap_id_t id);

/* Same slots and generations in an empty child, each by its interface's fork policy; slots of
 * dropped ones are stale. */
status_t cap_table_fork(const struct cap_table *parent, struct cap_table *child,
                        struct process *child_process) MUST_CHECK;
/* exec: releases all but the listed ids and the own four. Every listed id must be live, or
 * nothing happens. */
status_t cap_table_keep_check(const struct cap_table *t, const cap_id_t *keep,
                              uint32_t count) MUST_CHECK;
void cap_table_keep_commit(struct cap_table *t, const cap_id_t *keep, uint32_t count);
/* Iteration for reports: the next live slot above `slot`, or 0. */
uint32_t cap_table_next(const struct cap_table *t, uint32_t slot, cap_id_t *id,
                        struct object **out);
