/* What the files address_space*.c share: check, then commit.
 *
 * An operation first fills a plan with all that it will need and reserves that; this may fail and
 * then has had no effect. After it, nothing fails: regions are split, changed, removed and merged
 * with what the plan holds. For these files only. */
#pragma once

#include "kernel/core/address_space.h"
#include "kernel/core/region_tree.h"

#define PLAN_NODES_MAX 3 /* two splits and a new region */

struct address_space_plan {
    uint64_t frames;   /* pages to charge */
    uint64_t tables;   /* page tables to charge */
    uint64_t reserved; /* addresses to charge */
    uint32_t nodes;    /* regions that may have to be made */
    uint32_t made;
    struct region *spare[PLAN_NODES_MAX];
};

/* What an operation gives back, collected and refunded at once. */
struct address_space_refund {
    uint64_t frames, reserved;
};

/* Errors: overflow (wraps, or outside of user space), badState (not page-aligned, or empty). */
status_t address_space_check_range(uint64_t address, uint64_t size) MUST_CHECK;
/* Page tables that mapping [start, end) adds to those of its mapped neighbours, which end at
 * `below` (0: none) and start at `above` (UINT64_MAX: none). */
uint64_t address_space_tables_between(uint64_t below, uint64_t start, uint64_t end, uint64_t above);
/* The same, with the neighbours as they are; nothing in [start, end) is mapped. */
uint64_t address_space_tables_for(const struct address_space *as, uint64_t start, uint64_t end);

/* Charges and allocates all that the plan names, or nothing. */
status_t address_space_plan_reserve(struct address_space *as,
                                    struct address_space_plan *plan) MUST_CHECK;
/* After the commit: frees the nodes that were not needed. */
void address_space_plan_finish(struct address_space *as, struct address_space_plan *plan);
/* Instead of the commit: gives all of it back. */
void address_space_plan_undo(struct address_space *as, struct address_space_plan *plan);
/* An empty region from the plan; not yet in the tree. */
struct region *address_space_plan_take(struct address_space_plan *plan);

/* Nodes that splitting at both ends of the range takes. */
uint32_t address_space_nodes_to_split(const struct address_space *as, uint64_t start, uint64_t end);
/* Makes region boundaries at both ends. */
void address_space_split(struct address_space *as, uint64_t start, uint64_t end,
                         struct address_space_plan *plan);
/* Nodes that cutting the range out takes: one if it lies inside one region, else none. */
uint32_t address_space_nodes_to_cut(const struct address_space *as, uint64_t start, uint64_t end);
/* Unmaps the range and removes it from the regions. */
void address_space_cut(struct address_space *as, uint64_t start, uint64_t end,
                       struct address_space_plan *plan);
/* Merges neighbours with equal properties in and at the borders of the range. */
void address_space_merge(struct address_space *as, uint64_t start, uint64_t end);
/* Unmaps the pages that one region has in [start, end); the region stays. */
void address_space_drop_pages(struct address_space *as, const struct region *r, uint64_t start,
                              uint64_t end);
/* Pages of the region came into the tables. */
static inline void address_space_touched(struct region *r, uint64_t start, uint64_t end)
{
    KASSERT(start >= r->start && end <= r->end);
    r->touched_start = start < r->touched_start ? start : r->touched_start;
    r->touched_end = end > r->touched_end ? end : r->touched_end;
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
    *start = *start > r->touched_start ? *start : r->touched_start;
    *end = *end < r->touched_end ? *end : r->touched_end;
    return *start < *end;
}

void address_space_give_back(struct address_space *as, const struct address_space_refund *refund);
/* A region in the tree counts as a mapping of its object and refers to its forwarder. */
void address_space_hold(struct address_space *as, const struct region *r);
void address_space_let_go(struct address_space *as, const struct region *r);
/* So many nodes are charged, or given back. The nodes themselves: kmem_take and kmem_give. */
status_t address_space_nodes_charge(struct address_space *as, uint64_t count) MUST_CHECK;
void address_space_nodes_refund(struct address_space *as, uint64_t count);

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
