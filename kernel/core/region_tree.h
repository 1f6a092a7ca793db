/* The regions of one address space: a balanced tree, ordered by address. For
 * kernel/core/address_space*.c only.
 *
 * A region is a range of pages of one kind and with one protection. Regions never overlap. The tree
 * (AVL, with parent pointers, so no recursion) also knows for each subtree the bounds, the largest
 * gap between neighbours, and the bounds of what is mapped, so that finding a free range and the
 * mapped neighbours of an address cost O(log n). Nobody changes start, end or kind of a region that
 * is in the tree but through region_tree_*. */
#pragma once

#include "kernel/core/types.h"

struct memory_object;
struct object;

enum region_kind {
    REGION_RESERVED,  /* addresses only */
    REGION_ANONYMOUS, /* private, zeroed when first touched */
    REGION_OBJECT,    /* a MemoryObject, shared or private */
    REGION_CODE,      /* CodeMemory: runs, is written by the kernel only */
    REGION_KERNEL,    /* pages of the kernel's: ring, gate, time page */
};

struct region {
    struct region *left, *right, *parent;
    uint64_t start, end;
    /* Of the subtree: */
    uint64_t first, last, gap;
    uint64_t first_mapped, last_mapped; /* UINT64_MAX and 0 if nothing is */
    /* All pages in the tables lie between these; UINT64_MAX and 0 if there is none. */
    uint64_t touched_start, touched_end;
    struct memory_object *object; /* one mapping of it is counted */
    uint64_t offset;              /* of `start` in it, bytes */
    struct object *through;       /* the forwarder that it was mapped through: a reference */
    uint8_t kind, protection, sharing;
    uint8_t height;
    bool charged; /* each page is paid for by this space: private memory that is or was writable */
    bool may_write;   /* a shared mapping through a writable face */
    bool may_execute; /* through an Image, and never writable since; or code */
};

static inline uint64_t region_pages(const struct region *r)
{
    return (r->end - r->start) >> PAGE_SHIFT;
}

/* The one that contains the address, or NULL. */
struct region *region_tree_find(struct region *root, uint64_t address);
/* The first whose end is above it, or NULL. */
struct region *region_tree_at_or_after(struct region *root, uint64_t address);
struct region *region_tree_next(struct region *r);
void region_tree_insert(struct region **root, struct region *r);
void region_tree_remove(struct region **root, struct region *r);
/* Changes bounds or kind; the order stays as it is. */
void region_tree_change(struct region **root, struct region *r, uint64_t start, uint64_t end,
                        enum region_kind kind);
/* The lowest free range of this size at or above `from`; 0 if none below USER_END. */
uint64_t region_tree_gap(struct region *root, uint64_t from, uint64_t size);
/* The end of the last mapped page below `address`, or 0; the start of the first mapped page at or
 * above it, or UINT64_MAX. No mapped region may straddle the address. */
uint64_t region_tree_mapped_below(const struct region *root, uint64_t address);
uint64_t region_tree_mapped_above(const struct region *root, uint64_t address);
/* For taking a whole tree apart: a leaf below `r`, unlinked; *next is where to go on, NULL after
 * the last. The rest is good for nothing but more of this. */
struct region *region_tree_take_leaf(struct region *r, struct region **next);
