/* Fork: a copy of an address space. See address_space.h.
 *
 * The child gets the parent's regions and the pages that are present. Private writable
 * pages become read-only in both and are copied by whoever writes first; the child has been charged
 * for all of them, so that copy never fails for lack of budget. Pages are taken from the parent's
 * tables in runs, skipping tables that are empty, so the cost is that of what was touched. Kernel
 * pages (rings, gate, time page) are not copied: who forks maps the child's own. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_plan.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"

#define RUN_PAGES 32           /* mapped in one go; 256 bytes of stack */
#define SHARED_PAGES_COPIED 16 /* of a region */

/* The child's tree of regions: a copy of the parent's as it is, so nothing has to be balanced.
 * Kernel pages are taken out afterwards. */
static status_t copy_regions(const struct address_space *parent, struct address_space *child)
{
    const struct region *r = parent->regions;
    struct region *up = NULL, **link = &child->regions;
    uint64_t made = 0;
    status_t status = address_space_nodes_charge(child, parent->region_count);
    while (status == STATUS_OK && r != NULL) {
        void *memory;
        status = kmem_take(sizeof(struct region), &memory);
        if (status != STATUS_OK) {
            address_space_nodes_refund(child, parent->region_count - made);
            break;
        }
        struct region *copy = memory;
        made++;
        *copy = *r;
        copy->parent = up;
        copy->left = copy->right = NULL;
        address_space_untouched(copy);
        address_space_hold(child, copy);
        *link = up = copy;
        /* On to the left, else to the right, else to the right of the first above that has one. */
        if (r->left != NULL) {
            r = r->left;
            link = &up->left;
            continue;
        }
        while (r->right == NULL || up->right != NULL) {
            r = r->parent;
            up = up->parent;
            if (r == NULL) {
                return STATUS_OK;
            }
        }
        r = r->right;
        link = &up->right;
    }
    return status;
}

static status_t copy_pages(struct address_space *parent, struct address_space *child,
                           const struct region *from, struct region *to)
{
    enum protection p = address_space_shared_protection(from);
    uint64_t address = from->start, end = from->end;
    if (!address_space_touched_part(from, &address, &end)) {
        return STATUS_OK;
    }
    /* Shared pages are their object's: the child would find them there. Few are cheaper copied than
     * faulted in, many are not. */
    bool of_object = from->kind == REGION_OBJECT && from->sharing == SHARING_SHARED;
    if (of_object && end - address > SHARED_PAGES_COPIED * PAGE_SIZE) {
        return STATUS_OK;
    }
    if (p != (enum protection)from->protection) {
        user_view_forget(parent);
        arch_protect(&parent->arch, address, (end - address) >> PAGE_SHIFT, p);
    }
    while (address < end) {
        frame_t frames[RUN_PAGES];
        uint64_t count = arch_present_run(&parent->arch, address, end, frames, RUN_PAGES);
        if (count == 0) {
            address = arch_next_present(&parent->arch, address, end);
            continue;
        }
        KASSERT(count <= RUN_PAGES);
        status_t status = arch_map(&child->arch, address, frames, count, p);
        if (status != STATUS_OK) {
            return status;
        }
        for (uint64_t i = 0; i < count; i++) {
            frame_get(frames[i]);
        }
        address_space_touched(to, address, address + (count << PAGE_SHIFT));
        address += count << PAGE_SHIFT;
    }
    return STATUS_OK;
}

status_t address_space_fork(struct address_space *parent, struct address_space *child)
{
    KASSERT(child->regions == NULL && child->charged_pages == 0 && child->tables == 0);
    /* The child pays for what the parent pays for, page tables by the same rule. */
    struct address_space_plan plan = {.frames = parent->charged_pages,
                                      .tables = parent->tables,
                                      .reserved = parent->reserved_pages};
    status_t status = address_space_plan_reserve(child, &plan);
    if (status != STATUS_OK) {
        return status;
    }
    child->next_hint = parent->next_hint;
    status = copy_regions(parent, child);
    struct region *from = region_tree_at_or_after(parent->regions, 0);
    struct region *to = region_tree_at_or_after(child->regions, 0);
    while (status == STATUS_OK && from != NULL) {
        KASSERT(from->start == to->start && from->end == to->end);
        if (from->kind != REGION_KERNEL) {
            status = copy_pages(parent, child, from, to);
        }
        from = region_tree_next(from);
        to = region_tree_next(to);
    }
    if (status != STATUS_OK) {
        address_space_clear(child);
    }
    return status;
}

void address_space_fork_end(struct address_space *child)
{
    struct region *r = region_tree_at_or_after(child->regions, 0);
    while (r != NULL) {
        struct region *next = region_tree_next(r);
        if (r->kind == REGION_KERNEL && r->touched_end == 0) {
            struct address_space_plan nothing = {0};
            address_space_cut(child, r->start, r->end, &nothing);
        }
        r = next;
    }
}
