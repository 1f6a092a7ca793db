/* Fork: a copy of an address space. See address_space.h.
 *
 * The child gets the parent's regions and the pages that are present. Private writable pages become
 * read-only in both and are copied by whoever writes first; the child has been charged for all of
 * them, so that copy never fails for lack of budget. Pages are taken from the parent's tables in
 * runs, skipping tables that are empty, so the cost is that of what was touched. Kernel pages
 * (rings, gate, time page) are not copied: who forks maps the child's own. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_plan.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"

#define RUN_PAGES 32 /* mapped in one go; 256 bytes of stack */

/* Charges the child for the parent's regions at once. */
static status_t charge(const struct address_space *parent, struct address_space *child)
{
    struct address_space_plan plan = {0};
    uint64_t below = 0;
    struct region *r = region_tree_at_or_after(parent->regions, 0);
    for (; r != NULL; r = region_tree_next(r)) {
        if (r->kind == REGION_KERNEL) {
            continue;
        }
        plan.frames += r->charged ? region_pages(r) : 0;
        plan.reserved += address_space_has_addresses(r->kind) ? region_pages(r) : 0;
        if (r->kind != REGION_RESERVED) {
            plan.tables += address_space_tables_between(below, r->start, r->end, UINT64_MAX);
            below = r->end;
        }
    }
    return address_space_plan_reserve(child, &plan);
}

static status_t copy_region(struct address_space *child, const struct region *r)
{
    struct region *copy;
    status_t status = address_space_node_create(child, &copy);
    if (status != STATUS_OK) {
        return status;
    }
    *copy = *r;
    address_space_hold(child, copy);
    region_tree_insert(&child->regions, copy);
    return STATUS_OK;
}

/* The run of present pages from `address` on, at most RUN_PAGES. */
static uint64_t take_run(const struct address_space *as, uint64_t address, uint64_t end,
                         frame_t *frames)
{
    uint64_t count = 0;
    enum protection p;
    while (count < RUN_PAGES && address < end
           && arch_lookup(&as->arch, address, &frames[count], &p)) {
        count++;
        address += PAGE_SIZE;
    }
    return count;
}

static status_t copy_pages(struct address_space *parent, struct address_space *child,
                           const struct region *r)
{
    enum protection p = address_space_shared_protection(r);
    uint64_t address = r->start, end = r->end;
    if (!address_space_touched_part(r, &address, &end)) {
        return STATUS_OK;
    }
    address = arch_next_present(&parent->arch, address, end);
    if (address < end && p != (enum protection)r->protection) {
        arch_protect(&parent->arch, address, (end - address) >> PAGE_SHIFT, p);
    }
    while (address < end) {
        frame_t frames[RUN_PAGES];
        uint64_t count = take_run(parent, address, end, frames);
        KASSERT(count > 0);
        status_t status = arch_map(&child->arch, address, frames, count, p);
        if (status != STATUS_OK) {
            return status;
        }
        for (uint64_t i = 0; i < count; i++) {
            frame_get(frames[i]);
        }
        address = arch_next_present(&parent->arch, address + (count << PAGE_SHIFT), end);
    }
    return STATUS_OK;
}

status_t address_space_fork(struct address_space *parent, struct address_space *child)
{
    KASSERT(child->regions == NULL && child->charged_pages == 0 && child->tables == 0);
    status_t status = charge(parent, child);
    if (status != STATUS_OK) {
        return status;
    }
    child->next_hint = parent->next_hint;
    struct region *r = region_tree_at_or_after(parent->regions, 0);
    for (; r != NULL && status == STATUS_OK; r = region_tree_next(r)) {
        if (r->kind == REGION_KERNEL) {
            continue;
        }
        status = copy_region(child, r);
        if (status == STATUS_OK && r->kind != REGION_RESERVED) {
            status = copy_pages(parent, child, r);
        }
    }
    if (status != STATUS_OK) {
        address_space_clear(child);
    }
    return status;
}
