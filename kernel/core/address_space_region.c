/* Regions: what they cost, and how they are made, split, cut and merged. See
 * address_space_region.h.
 *
 * How page tables are charged: as->tables is a function of the set of mapped pages alone, whatever
 * the order of the operations that made it, so all of it comes back exactly. It is the sum of
 * arch_tables_needed() over the runs of mapped pages, less what neighbouring runs share. Two pages
 * share at least need(a) + need(b) - need(a to b) tables if that is positive: exact when they are
 * near each other, else a lower bound, so the charge is an upper bound of what can be in use. */
#include "kernel/core/address_space_region.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/core/park.h"

status_t address_space_check_range(uint64_t address, uint64_t size)
{
    if (!address_space_in_bounds(address, size)) {
        return STATUS_OVERFLOW;
    }
    bool proper = page_aligned(address) && page_aligned(size) && size != 0;
    return proper ? STATUS_OK : STATUS_BAD_STATE;
}

/* Between two mapped pages, or 0 if there is none on one side: see above for `none`. */
static uint64_t tables_shared(uint64_t below, uint64_t above)
{
    if (below == 0 || above == UINT64_MAX) {
        return 0;
    }
    KASSERT(below <= above);
    uint64_t low = below - PAGE_SIZE;
    uint64_t apart = arch_tables_needed(low, 1) + arch_tables_needed(above, 1);
    uint64_t joined = arch_tables_needed(low, ((above - low) >> PAGE_SHIFT) + 1);
    return joined < apart ? apart - joined : 0;
}

uint64_t address_space_tables_between(uint64_t below, uint64_t start, uint64_t end, uint64_t above)
{
    KASSERT(below <= start && start < end && end <= above);
    uint64_t needed = arch_tables_needed(start, (end - start) >> PAGE_SHIFT);
    uint64_t shared = tables_shared(below, start) + tables_shared(end, above);
    needed += tables_shared(below, above);
    KASSERT(shared <= needed);
    return needed - shared;
}

uint64_t address_space_tables_for(const struct address_space *as, uint64_t start, uint64_t end)
{
    uint64_t below = region_tree_mapped_below(as->regions, start);
    uint64_t above = region_tree_mapped_above(as->regions, end);
    return address_space_tables_between(below, start, end, above);
}

/* --- charges --- */

static status_t make_nodes(struct address_space *as, uint64_t count)
{
    uint64_t bytes = count * kmem_charge(sizeof(struct region));
    status_t status = ledger_charge(as->account, LEDGER_MAPPINGS, count);
    if (status != STATUS_OK) {
        return status;
    }
    status = ledger_charge(as->account, LEDGER_KERNEL_BYTES, bytes);
    if (status != STATUS_OK) {
        ledger_refund(as->account, LEDGER_MAPPINGS, count);
        return status;
    }
    as->spare_count = count;
    while (status == STATUS_OK && count-- > 0) {
        void *memory;
        status = kmem_take(sizeof(struct region), &memory);
        if (status == STATUS_OK) {
            struct region *node = memory;
            node->next = as->spare;
            as->spare = node;
        }
    }
    return status;
}

status_t address_space_charge(struct address_space *as, const struct address_space_cost *cost)
{
    KASSERT(as->spare == NULL && as->spare_count == 0);
    if (cost->pages > UINT64_MAX - cost->tables) {
        return STATUS_OVERFLOW;
    }
    uint64_t frames = cost->pages + cost->tables;
    status_t status = ledger_charge(as->account, LEDGER_FRAMES, frames);
    if (status != STATUS_OK) {
        return status;
    }
    status = ledger_charge(as->account, LEDGER_RESERVED_PAGES, cost->reserved);
    if (status != STATUS_OK) {
        ledger_refund(as->account, LEDGER_FRAMES, frames);
        return status;
    }
    as->charged_pages += cost->pages;
    as->tables += cost->tables;
    as->reserved_pages += cost->reserved;
    status = cost->nodes != 0 ? make_nodes(as, cost->nodes) : STATUS_OK;
    if (status != STATUS_OK) {
        address_space_give_back(as, cost);
    }
    return status;
}

void address_space_give_back(struct address_space *as, const struct address_space_cost *cost)
{
    KASSERT(as->charged_pages >= cost->pages && as->tables >= cost->tables);
    KASSERT(as->reserved_pages >= cost->reserved);
    as->charged_pages -= cost->pages;
    as->tables -= cost->tables;
    as->reserved_pages -= cost->reserved;
    while (as->spare != NULL) {
        struct region *node = as->spare;
        as->spare = node->next;
        kmem_give(node, sizeof(*node));
    }
    uint64_t nodes = as->spare_count;
    as->spare_count = 0;
    if (cost->pages + cost->tables != 0) {
        ledger_refund(as->account, LEDGER_FRAMES, cost->pages + cost->tables);
    }
    if (cost->reserved != 0) {
        ledger_refund(as->account, LEDGER_RESERVED_PAGES, cost->reserved);
    }
    if (nodes != 0) {
        ledger_refund(as->account, LEDGER_MAPPINGS, nodes);
        ledger_refund(as->account, LEDGER_KERNEL_BYTES, nodes * kmem_charge(sizeof(struct region)));
    }
}

/* --- regions --- */

struct region *address_space_region_make(struct address_space *as, const struct region *like)
{
    KASSERT(as->spare != NULL); /* the check has counted too few */
    struct region *r = as->spare;
    as->spare = r->next;
    as->spare_count--;
    as->region_count++;
    *r = *like;
    if (r->object != NULL) {
        memory_object_mapping_added(r->object, address_space_writes_object(r));
    }
    if (r->through != NULL) {
        object_get(r->through);
        as->revocable++;
    }
    return r;
}

void address_space_region_end(struct address_space *as, struct region *r)
{
    if (r->object != NULL) {
        memory_object_mapping_removed(r->object, address_space_writes_object(r));
    }
    if (r->through != NULL) {
        KASSERT(as->revocable > 0);
        as->revocable--;
        object_put(r->through);
    }
    KASSERT(as->region_count > 0);
    as->region_count--;
    as->spare_count++;
    r->next = as->spare;
    as->spare = r;
}

bool address_space_is_all(const struct address_space *as, uint64_t start, uint64_t end,
                          enum region_kind kind, const struct memory_object *object)
{
    const struct region *r = region_tree_find(as->regions, start);
    while (r != NULL && r->kind == kind && r->object == object && r->end < end) {
        r = address_space_adjacent(r);
    }
    return r != NULL && r->kind == kind && r->object == object;
}

uint32_t address_space_nodes_to_cut(const struct address_space *as, uint64_t start, uint64_t end)
{
    const struct region *r = region_tree_find(as->regions, start);
    return r != NULL && r->start < start && r->end > end ? 1 : 0;
}

/* What is left of a region. */
static void clip(struct region *r, uint64_t start, uint64_t end)
{
    KASSERT(start >= r->start && start < end && end <= r->end);
    r->offset += r->object != NULL ? start - r->start : 0;
    r->touched_start = MAX(r->touched_start, start);
    r->touched_end = MIN(r->touched_end, end);
    r->start = start;
    r->end = end;
}

void address_space_split(struct address_space *as, uint64_t at)
{
    struct region *r = region_tree_find(as->regions, at);
    if (r != NULL && r->start < at) {
        struct region *upper = address_space_region_make(as, r);
        clip(upper, at, upper->end);
        clip(r, r->start, at);
        region_tree_changed(&as->regions, r);
        region_tree_insert(&as->regions, upper);
    }
}

status_t address_space_put_pages(struct address_space *as, struct region *r, uint64_t start,
                                 const frame_t *frames, uint64_t count, enum protection p)
{
    status_t status = arch_map(&as->arch, start, frames, count, p);
    if (status == STATUS_OK) {
        address_space_touched(r, start, start + (count << PAGE_SHIFT));
        for (uint64_t i = 0; i < count; i++) {
            frame_get(frames[i]);
        }
    }
    return status;
}

static void put_frame(void *context, frame_t f)
{
    (void)context;
    frame_put(f);
}

void address_space_drop_pages(struct address_space *as, const struct region *r, uint64_t start,
                              uint64_t end)
{
    if (address_space_touched_part(r, &start, &end)) {
        user_view_forget(as);
        arch_unmap(&as->arch, start, (end - start) >> PAGE_SHIFT, put_frame, NULL);
    }
}

/* Takes [from, to) out of one region, at one of its ends or all of it. */
static void shrink(struct address_space *as, struct region *r, uint64_t from, uint64_t to)
{
    if (from == r->start && to == r->end) {
        region_tree_remove(&as->regions, r);
        address_space_region_end(as, r);
        return;
    }
    KASSERT(from == r->start || to == r->end);
    clip(r, from == r->start ? to : r->start, from == r->start ? r->end : from);
    region_tree_changed(&as->regions, r);
}

void address_space_cut(struct address_space *as, uint64_t start, uint64_t end)
{
    if (address_space_nodes_to_cut(as, start, end) != 0) {
        address_space_split(as, end);
    }
    park_unmapped(as, start, end - start);
    struct address_space_cost freed = {0};
    struct region *r = region_tree_at_or_after(as->regions, start);
    while (r != NULL && r->start < end) {
        struct region *next = r->next;
        uint64_t from = MAX(r->start, start), to = MIN(r->end, end);
        uint64_t pages = (to - from) >> PAGE_SHIFT;
        address_space_drop_pages(as, r, from, to);
        freed.reserved += address_space_has_addresses(r->kind) ? pages : 0;
        freed.pages += r->charged ? pages : 0;
        shrink(as, r, from, to);
        freed.tables += r->kind != REGION_RESERVED ? address_space_tables_for(as, from, to) : 0;
        r = next;
    }
    address_space_give_back(as, &freed);
}

static bool mergeable(const struct region *a, const struct region *b)
{
    return a->end == b->start && a->kind == b->kind && a->kind != REGION_KERNEL
           && a->protection == b->protection && a->sharing == b->sharing && a->object == b->object
           && a->charged == b->charged && a->through == b->through && a->may_write == b->may_write
           && a->may_execute == b->may_execute
           && (a->object == NULL || a->offset + (a->end - a->start) == b->offset);
}

void address_space_merge(struct address_space *as, uint64_t start, uint64_t end)
{
    struct region *r = region_tree_at_or_after(as->regions, start - 1);
    while (r != NULL && r->start <= end) {
        struct region *next = r->next;
        if (next == NULL || !mergeable(r, next)) {
            r = next;
            continue;
        }
        region_tree_remove(&as->regions, next);
        r->end = next->end;
        r->touched_start = MIN(r->touched_start, next->touched_start);
        r->touched_end = MAX(r->touched_end, next->touched_end);
        region_tree_changed(&as->regions, r);
        address_space_region_end(as, next);
    }
}
