/* What the files address_space*.c share: check, then commit.
 *
 * An operation first adds up all that it will need and charges that; this may fail and then has had
 * no effect. After it, nothing fails: regions are split, changed, removed and merged with the nodes
 * that came with the charge, and at its end the operation gives back what it has freed. For these
 * files only. */
#pragma once

#include "kernel/core/address_space.h"
#include "kernel/core/region_tree.h"

struct address_space_cost {
    uint64_t pages;    /* that are paid for */
    uint64_t tables;   /* page tables */
    uint64_t reserved; /* pages of addresses */
    uint64_t nodes;    /* regions that may have to be made; none to give back */
};

/* Errors: overflow (wraps, or outside of user space), badState (not page-aligned, or empty). */
status_t address_space_check_range(uint64_t address, uint64_t size) MUST_CHECK;
/* Page tables that mapping [start, end) adds to those of its mapped neighbours, which end at
 * `below` (0: none) and start at `above` (UINT64_MAX: none). */
uint64_t address_space_tables_between(uint64_t below, uint64_t start, uint64_t end, uint64_t above);
/* The same, with the neighbours as they are; nothing in [start, end) is mapped. */
uint64_t address_space_tables_for(const struct address_space *as, uint64_t start, uint64_t end);

/* Charges all that the cost names and makes its nodes, or does nothing. */
status_t address_space_charge(struct address_space *as,
                              const struct address_space_cost *cost) MUST_CHECK;
/* The end of an operation, or its undoing: refunds the cost, and frees the nodes that are
 * not in use. */
void address_space_give_back(struct address_space *as, const struct address_space_cost *cost);

/* A region that is like another, from a node that was charged: one more mapping of its object, one
 * more reference to its forwarder. It is not in the tree yet. */
struct region *address_space_region_make(struct address_space *as, const struct region *like);
/* The end of a region that is not in the tree any more; its node goes with the next giving back. */
void address_space_region_end(struct address_space *as, struct region *r);

/* The next region without a hole between, or NULL. */
static inline struct region *address_space_adjacent(const struct region *r)
{
    return r->next != NULL && r->next->start == r->end ? r->next : NULL;
}

/* Whether the range has no holes and is all of one kind and, or NULL, one object. */
bool address_space_is_all(const struct address_space *as, uint64_t start, uint64_t end,
                          enum region_kind kind, const struct memory_object *object);
/* Makes a region boundary there. */
void address_space_split(struct address_space *as, uint64_t at);
/* Nodes that cutting the range out takes: one if it lies inside one region, else none. */
uint32_t address_space_nodes_to_cut(const struct address_space *as, uint64_t start, uint64_t end);
/* Unmaps the range, removes it from the regions, and gives back. */
void address_space_cut(struct address_space *as, uint64_t start, uint64_t end);
/* Merges neighbours with equal properties in and at the borders of the range. */
void address_space_merge(struct address_space *as, uint64_t start, uint64_t end);
/* Maps frames, each with a reference more, in a region. */
status_t address_space_put_pages(struct address_space *as, struct region *r, uint64_t start,
                                 const frame_t *frames, uint64_t count,
                                 enum protection p) MUST_CHECK;
/* Unmaps the pages that one region has in [start, end); the region stays. */
void address_space_drop_pages(struct address_space *as, const struct region *r, uint64_t start,
                              uint64_t end);
/* Pages of the region came into the tables. */
static inline void address_space_touched(struct region *r, uint64_t start, uint64_t end)
{
    KASSERT(start >= r->start && end <= r->end);
    r->touched_start = MIN(r->touched_start, start);
    r->touched_end = MAX(r->touched_end, end);
}

/* None of them is there (any more). */
static inline void address_space_untouched(struct region *r)
{
    r->touched_start = UINT64_MAX;
    r->touched_end = 0;
}

/* Narrows [*start, *end) to where the region may have pages in the tables; false: nowhere. */
static inline bool address_space_touched_part(const struct region *r, uint64_t *start,
                                              uint64_t *end)
{
    *start = MAX(*start, r->touched_start);
    *end = MIN(*end, r->touched_end);
    return *start < *end;
}

/* The protection that a present page of the region gets while its frame may be shared. */
static inline enum protection address_space_shared_protection(const struct region *r)
{
    bool copy_on_write = r->sharing == SHARING_PRIVATE && r->protection == PROTECTION_READ_WRITE;
    return copy_on_write ? PROTECTION_READ : (enum protection)r->protection;
}

/* Whether the region counts as a writable mapping of its object. */
static inline bool address_space_writes_object(const struct region *r)
{
    return r->kind == REGION_OBJECT && r->sharing == SHARING_SHARED
           && r->protection == PROTECTION_READ_WRITE;
}

static inline bool address_space_has_addresses(enum region_kind kind) /* charged as reserved */
{
    return kind == REGION_RESERVED || kind == REGION_ANONYMOUS;
}
