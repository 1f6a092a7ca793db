/* Check, then commit, for address spaces. See address_space_plan.h.
 *
 * How page tables are charged: as->tables is a function of the set of mapped pages alone, whatever
 * the order of the operations that made it, so all of it comes back exactly. It is the sum of
 * arch_tables_needed() over the runs of mapped pages, less what neighbouring runs share. Two pages
 * share at least need(a) + need(b) - need(a to b) tables if that is positive: exact when they are
 * near each other, else a lower bound, so the charge is an upper bound of what can be in use. */
#include "kernel/core/address_space_plan.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/core/park.h"

status_t address_space_check_range(uint64_t address, uint64_t size)
{
    if (address < USER_BASE || address > USER_END || size > USER_END - address) {
        return STATUS_OVERFLOW;
    }
    if (!page_aligned(address) || !page_aligned(size) || size == 0) {
        return STATUS_BAD_STATE;
    }
    return STATUS_OK;
}

static uint64_t tables_shared(uint64_t low_page, uint64_t high_page)
{
    KASSERT(low_page < high_page);
    uint64_t apart = arch_tables_needed(low_page, 1) + arch_tables_needed(high_page, 1);
    uint64_t joined = arch_tables_needed(low_page, ((high_page - low_page) >> PAGE_SHIFT) + 1);
    return joined < apart ? apart - joined : 0;
}

uint64_t address_space_tables_between(uint64_t below, uint64_t start, uint64_t end, uint64_t above)
{
    KASSERT(below <= start && start < end && end <= above);
    uint64_t needed = arch_tables_needed(start, (end - start) >> PAGE_SHIFT);
    uint64_t shared = 0;
    if (below != 0) {
        shared += tables_shared(below - PAGE_SIZE, start);
    }
    if (above != UINT64_MAX) {
        shared += tables_shared(end - PAGE_SIZE, above);
        if (below != 0) {
            needed += tables_shared(below - PAGE_SIZE, above);
        }
    }
    KASSERT(shared <= needed);
    return needed - shared;
}

uint64_t address_space_tables_for(const struct address_space *as, uint64_t start, uint64_t end)
{
    uint64_t below = region_tree_mapped_below(as->regions, start);
    uint64_t above = region_tree_mapped_above(as->regions, end);
    return address_space_tables_between(below, start, end, above);
}

status_t address_space_nodes_charge(struct address_space *as, uint64_t count)
{
    status_t status = ledger_charge(as->account, LEDGER_MAPPINGS, count);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t bytes = count * kmem_charge(sizeof(struct region));
    status = ledger_charge(as->account, LEDGER_KERNEL_BYTES, bytes);
    if (status != STATUS_OK) {
        ledger_refund(as->account, LEDGER_MAPPINGS, count);
        return status;
    }
    as->region_count += count;
    return STATUS_OK;
}

void address_space_nodes_refund(struct address_space *as, uint64_t count)
{
    KASSERT(as->region_count >= count);
    as->region_count -= count;
    ledger_refund(as->account, LEDGER_KERNEL_BYTES, count * kmem_charge(sizeof(struct region)));
    ledger_refund(as->account, LEDGER_MAPPINGS, count);
}

static void node_free(struct address_space *as, struct region *r)
{
    kmem_give(r, sizeof(*r));
    address_space_nodes_refund(as, 1);
}

void address_space_plan_finish(struct address_space *as, struct address_space_plan *plan)
{
    while (plan->made > 0) {
        node_free(as, plan->spare[--plan->made]);
    }
}

void address_space_give_back(struct address_space *as, const struct address_space_refund *refund)
{
    KASSERT(as->reserved_pages >= refund->reserved);
    as->reserved_pages -= refund->reserved;
    if (refund->frames != 0) {
        ledger_refund(as->account, LEDGER_FRAMES, refund->frames);
    }
    if (refund->reserved != 0) {
        ledger_refund(as->account, LEDGER_RESERVED_PAGES, refund->reserved);
    }
}

static status_t make_nodes(struct address_space *as, struct address_space_plan *plan)
{
    status_t status = plan->nodes != 0 ? address_space_nodes_charge(as, plan->nodes) : STATUS_OK;
    while (status == STATUS_OK && plan->made < plan->nodes) {
        void *memory;
        status = kmem_take(sizeof(struct region), &memory);
        if (status != STATUS_OK) {
            address_space_nodes_refund(as, plan->nodes - plan->made);
            return status;
        }
        plan->spare[plan->made++] = memory;
    }
    return status;
}

status_t address_space_plan_reserve(struct address_space *as, struct address_space_plan *plan)
{
    KASSERT(plan->made == 0 && plan->nodes <= PLAN_NODES_MAX);
    if (plan->frames > UINT64_MAX - plan->tables) {
        return STATUS_OVERFLOW;
    }
    status_t status = ledger_charge(as->account, LEDGER_FRAMES, plan->frames + plan->tables);
    if (status != STATUS_OK) {
        return status;
    }
    status = ledger_charge(as->account, LEDGER_RESERVED_PAGES, plan->reserved);
    if (status != STATUS_OK) {
        ledger_refund(as->account, LEDGER_FRAMES, plan->frames + plan->tables);
        return status;
    }
    as->charged_pages += plan->frames;
    as->tables += plan->tables;
    as->reserved_pages += plan->reserved;
    status = make_nodes(as, plan);
    if (status != STATUS_OK) {
        address_space_plan_undo(as, plan);
    }
    return status;
}

void address_space_plan_undo(struct address_space *as, struct address_space_plan *plan)
{
    address_space_plan_finish(as, plan);
    KASSERT(as->charged_pages >= plan->frames && as->tables >= plan->tables);
    as->charged_pages -= plan->frames;
    as->tables -= plan->tables;
    struct address_space_refund refund = {plan->frames + plan->tables, plan->reserved};
    address_space_give_back(as, &refund);
}

struct region *address_space_plan_take(struct address_space_plan *plan)
{
    KASSERT(plan->made > 0); /* the check has counted too few */
    return plan->spare[--plan->made];
}

void address_space_hold(struct address_space *as, const struct region *r)
{
    if (r->object != NULL) {
        memory_object_mapping_added(r->object, address_space_writes_object(r));
    }
    if (r->through != NULL) {
        object_get(r->through);
        as->revocable++;
    }
}

void address_space_let_go(struct address_space *as, const struct region *r)
{
    if (r->object != NULL) {
        memory_object_mapping_removed(r->object, address_space_writes_object(r));
    }
    if (r->through != NULL) {
        KASSERT(as->revocable > 0);
        as->revocable--;
        object_put(r->through);
    }
}

static bool strictly_inside(const struct address_space *as, uint64_t address)
{
    const struct region *r = region_tree_find(as->regions, address);
    return r != NULL && r->start < address;
}

uint32_t address_space_nodes_to_split(const struct address_space *as, uint64_t start, uint64_t end)
{
    return (uint32_t)strictly_inside(as, start) + (uint32_t)strictly_inside(as, end);
}

uint32_t address_space_nodes_to_cut(const struct address_space *as, uint64_t start, uint64_t end)
{
    const struct region *r = region_tree_find(as->regions, start);
    return r != NULL && r->start < start && r->end > end ? 1 : 0;
}

/* Makes [at, end of r) a region of its own. */
static void split_at(struct address_space *as, struct region *r, uint64_t at,
                     struct address_space_plan *plan)
{
    KASSERT(r->start < at && at < r->end);
    struct region *upper = address_space_plan_take(plan);
    *upper = *r;
    upper->start = at;
    upper->offset += r->object != NULL ? at - r->start : 0;
    address_space_hold(as, upper);
    upper->touched_start = upper->touched_start > at ? upper->touched_start : at;
    r->touched_end = r->touched_end < at ? r->touched_end : at;
    region_tree_change(&as->regions, r, r->start, at, r->kind);
    region_tree_insert(&as->regions, upper);
}

void address_space_split(struct address_space *as, uint64_t start, uint64_t end,
                         struct address_space_plan *plan)
{
    struct region *r = region_tree_find(as->regions, start);
    if (r != NULL && r->start < start) {
        split_at(as, r, start, plan);
    }
    r = region_tree_find(as->regions, end);
    if (r != NULL && r->start < end) {
        split_at(as, r, end, plan);
    }
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
    KASSERT(from >= r->start && to <= r->end && (from == r->start || to == r->end));
    if (from > r->start) {
        r->touched_end = r->touched_end < from ? r->touched_end : from;
        region_tree_change(&as->regions, r, r->start, from, r->kind);
    } else if (to < r->end) {
        r->offset += r->object != NULL ? to - r->start : 0;
        r->touched_start = r->touched_start > to ? r->touched_start : to;
        region_tree_change(&as->regions, r, to, r->end, r->kind);
    } else {
        region_tree_remove(&as->regions, r);
        address_space_let_go(as, r);
        node_free(as, r);
    }
}

void address_space_cut(struct address_space *as, uint64_t start, uint64_t end,
                       struct address_space_plan *plan)
{
    if (address_space_nodes_to_cut(as, start, end) != 0) {
        split_at(as, region_tree_find(as->regions, start), end, plan);
    }
    park_unmapped(as, start, end - start);
    struct address_space_refund refund = {0};
    struct region *r = region_tree_at_or_after(as->regions, start);
    while (r != NULL && r->start < end) {
        struct region *next = region_tree_next(r);
        uint64_t from = r->start > start ? r->start : start;
        uint64_t to = r->end < end ? r->end : end;
        uint64_t pages = (to - from) >> PAGE_SHIFT;
        bool mapped = r->kind != REGION_RESERVED;
        address_space_drop_pages(as, r, from, to);
        refund.reserved += address_space_has_addresses(r->kind) ? pages : 0;
        if (r->charged) {
            KASSERT(as->charged_pages >= pages);
            as->charged_pages -= pages;
            refund.frames += pages;
        }
        shrink(as, r, from, to);
        if (mapped) {
            uint64_t tables = address_space_tables_for(as, from, to);
            KASSERT(as->tables >= tables);
            as->tables -= tables;
            refund.frames += tables;
        }
        r = next;
    }
    address_space_give_back(as, &refund);
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
        struct region *next = region_tree_next(r);
        if (next == NULL || !mergeable(r, next)) {
            r = next;
            continue;
        }
        uint64_t merged_end = next->end;
        r->touched_start =
            r->touched_start < next->touched_start ? r->touched_start : next->touched_start;
        r->touched_end = r->touched_end > next->touched_end ? r->touched_end : next->touched_end;
        region_tree_remove(&as->regions, next);
        region_tree_change(&as->regions, r, r->start, merged_end, r->kind);
        address_space_let_go(as, next);
        node_free(as, next);
    }
}
