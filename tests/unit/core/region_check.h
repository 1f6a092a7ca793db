/* Whether the regions of an address space are what kernel/core/region_tree.h and address_space.h
 * promise. For tests, between operations. */
#pragma once

#include "kernel/arch/arch.h"
#include "kernel/core/address_space_region.h"
#include "tests/lib/test.h"

/* One node against its neighbours and its children. */
static inline void region_check_node(const struct region *r)
{
    const struct region *a = r->child[0], *b = r->child[1];
    bool mapped = r->kind != REGION_RESERVED;
    uint64_t gap = r->start - (r->previous != NULL ? r->previous->end : USER_BASE),
             first_mapped = mapped ? r->start : UINT64_MAX, last_mapped = mapped ? r->end : 0;
    uint32_t left = a != NULL ? a->height : 0, right = b != NULL ? b->height : 0;
    CHECK(left <= right + 1 && right <= left + 1);
    CHECK_EQ(r->height, (left > right ? left : right) + 1);
    CHECK(r->start < r->end && page_aligned(r->start) && page_aligned(r->end));
    CHECK(r->previous == NULL || (r->previous->next == r && r->previous->end <= r->start));
    CHECK(r->next == NULL || (r->next->previous == r && r->next->start >= r->end));
    for (int side = 0; side < 2; side++) {
        const struct region *c = r->child[side];
        if (c != NULL) {
            CHECK(c->parent == r && (side == 0 ? c->end <= r->start : c->start >= r->end));
            gap = c->gap > gap ? c->gap : gap;
            first_mapped = c->first_mapped < first_mapped ? c->first_mapped : first_mapped;
            last_mapped = c->last_mapped > last_mapped ? c->last_mapped : last_mapped;
        }
    }
    CHECK_EQ(r->gap, gap);
    CHECK_EQ(r->first_mapped, first_mapped);
    CHECK_EQ(r->last_mapped, last_mapped);
}

/* The nodes of the tree; each lies where a search for it ends. */
static inline uint64_t region_check_tree(const struct address_space *as)
{
    uint64_t count = 0;
    for (struct region *r = region_tree_at_or_after(as->regions, 0); r != NULL; r = r->next) {
        region_check_node(r);
        CHECK(region_tree_find(as->regions, r->start) == r);
        CHECK(region_tree_find(as->regions, r->end - 1) == r);
        count++;
    }
    return count;
}

/* Every page in the tables is some region's, lies where that region has said, and allows no more.
 */
static inline void region_check_page(void *context, uint64_t address, frame_t f, enum protection p)
{
    const struct address_space *as = context;
    const struct region *r = region_tree_find(as->regions, address);
    CHECK(f != FRAME_NONE && r != NULL && r->kind != REGION_RESERVED);
    CHECK(address >= r->touched_start && address < r->touched_end);
    CHECK(p == (enum protection)r->protection || p == address_space_shared_protection(r));
}

/* The tree, the pages, and the totals that are charged. */
static inline void region_check(const struct address_space *as)
{
    uint64_t charged = 0, reserved = 0, tables = 0, below = 0, last = 0;
    CHECK(as->regions == NULL || as->regions->parent == NULL);
    for (struct region *r = region_tree_at_or_after(as->regions, 0); r != NULL; r = r->next) {
        CHECK(r->start >= last);
        CHECK_EQ(r->object != NULL, r->kind == REGION_OBJECT);
        CHECK(!(r->protection == PROTECTION_READ_EXECUTE) || r->may_execute);
        charged += r->charged ? region_pages(r) : 0;
        reserved += address_space_has_addresses(r->kind) ? region_pages(r) : 0;
        if (r->kind != REGION_RESERVED) {
            tables += address_space_tables_between(below, r->start, r->end, UINT64_MAX);
            below = r->end;
        }
        last = r->end;
    }
    CHECK_EQ(as->region_count, region_check_tree(as));
    CHECK(as->spare == NULL && as->spare_count == 0);
    CHECK_EQ(as->charged_pages, charged);
    CHECK_EQ(as->reserved_pages, reserved);
    CHECK_EQ(as->tables, tables);
    sim_each_page(&as->arch, region_check_page, (void *)(uintptr_t)as);
    CHECK_LE(sim_table_count(&as->arch) - 1, tables);
}
