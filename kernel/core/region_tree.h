/* The regions of one address space: a balanced tree, ordered by address. For
 * kernel/core/address_space*.c only.
 *
 * A region is a range of pages of one kind and with one protection. Regions never overlap. The tree
 * (AVL, with parent pointers, so no recursion) also knows for each subtree the largest gap right
 * below one of its regions and the bounds of what is mapped, so that finding a free range and the
 * mapped neighbours of an address cost O(log n). Who changes start, end or kind of a region that is
 * in the tree says so at once with region_tree_changed. */
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
    struct region *child[2], *parent; /* child[0] lies below it, child[1] above it */
    struct region *previous, *next;   /* the neighbours in that order, or NULL */
    uint64_t start, end;
    /* Of the subtree: */
    uint64_t gap;                       /* the largest free range right below one of them */
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

/* The first whose end is above the address, or NULL. */
struct region *region_tree_at_or_after(struct region *root, uint64_t address);
/* The one that contains the address, or NULL. */
static inline struct region *region_tree_find(struct region *root, uint64_t address)
{
    struct region *r = region_tree_at_or_after(root, address);
    return r != NULL && r->start <= address ? r : NULL;
}

void region_tree_insert(struct region **root, struct region *r);
void region_tree_remove(struct region **root, struct region *r);
/* Its bounds or kind were changed; the order is as it was. */
void region_tree_changed(struct region **root, struct region *r);
/* Hangs r at an empty place of the tree and into the order, for who keeps the balance himself. */
void region_tree_attach(struct region **root, struct region *parent, bool above, struct region *r);
/* The lowest free range of this size at or above `from`; 0 if none below USER_END. */
uint64_t region_tree_gap(const struct region *root, uint64_t from, uint64_t size);
/* The end of the last mapped page below `address`, or 0; the start of the first mapped page at or
 * above it, or UINT64_MAX. No mapped region may straddle the address. */
uint64_t region_tree_mapped_below(const struct region *root, uint64_t address);
uint64_t region_tree_mapped_above(const struct region *root, uint64_t address);
