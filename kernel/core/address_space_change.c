/* Changes of what is mapped: unmap, protect, commit, decommit. See address_space.h and
 * address_space_plan.h. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_plan.h"
#include "kernel/core/park.h"

/* Part of a region that lies in [start, end). */
static uint64_t pages_inside(const struct region *r, uint64_t start, uint64_t end)
{
    uint64_t from = r->start > start ? r->start : start;
    uint64_t to = r->end < end ? r->end : end;
    KASSERT(from < to);
    return (to - from) >> PAGE_SHIFT;
}

/* The next region without a hole between, or NULL. */
static struct region *adjacent(struct region *r)
{
    struct region *next = region_tree_next(r);
    return next != NULL && next->start == r->end ? next : NULL;
}

static status_t cut(struct address_space *as, uint64_t address, uint64_t size)
{
    struct address_space_plan plan = {.nodes =
                                          address_space_nodes_to_cut(as, address, address + size)};
    status_t status = address_space_plan_reserve(as, &plan);
    if (status != STATUS_OK) {
        return status;
    }
    address_space_cut(as, address, address + size, &plan);
    address_space_plan_finish(as, &plan);
    return STATUS_OK;
}

status_t address_space_unmap(struct address_space *as, uint64_t address, uint64_t size)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    struct region *r = region_tree_at_or_after(as->regions, address);
    if (r == NULL || r->start >= address + size) {
        return STATUS_OK; /* holes are no error */
    }
    for (; r != NULL && r->start < address + size; r = region_tree_next(r)) {
        if (r->kind == REGION_KERNEL) {
            return STATUS_BAD_STATE;
        }
    }
    return cut(as, address, size);
}

/* All of the range must be of one kind, without holes. */
static status_t unmap_kind(struct address_space *as, uint64_t address, uint64_t size,
                           enum region_kind kind)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    struct region *r = region_tree_find(as->regions, address);
    while (r != NULL && r->kind == kind && r->end < address + size) {
        r = adjacent(r);
    }
    return r != NULL && r->kind == kind ? cut(as, address, size) : STATUS_BAD_STATE;
}

status_t address_space_unmap_kernel_pages(struct address_space *as, uint64_t address,
                                          uint64_t count)
{
    return unmap_kind(as, address, count << PAGE_SHIFT, REGION_KERNEL);
}

status_t address_space_unmap_code(struct address_space *as, uint64_t address, uint64_t size)
{
    return unmap_kind(as, address, size, REGION_CODE);
}

void address_space_revoke(struct address_space *as, const struct object *through)
{
    struct region *r = as->revocable != 0 ? region_tree_at_or_after(as->regions, 0) : NULL;
    while (r != NULL) {
        struct region *next = region_tree_next(r);
        if (r->through == through) {
            struct address_space_plan nothing = {0}; /* whole regions go, so none is split */
            address_space_cut(as, r->start, r->end, &nothing);
        }
        r = next;
    }
}

/* --- protect --- */

static status_t protect_allowed(const struct region *r, enum protection p)
{
    if (r->kind == REGION_RESERVED || r->kind == REGION_KERNEL) {
        return STATUS_BAD_STATE;
    }
    bool allowed = true;
    if (p == PROTECTION_READ_EXECUTE) {
        allowed = r->may_execute;
    } else if (p == PROTECTION_READ_WRITE) {
        allowed = r->kind != REGION_CODE
                  && (r->sharing == SHARING_PRIVATE
                      || (r->may_write && !memory_object_sealed(r->object)));
    }
    return allowed ? STATUS_OK : STATUS_WRONG_INTERFACE;
}

/* Private memory of an object is paid for from when it first becomes writable. */
static bool protect_charges(const struct region *r, enum protection p)
{
    return p == PROTECTION_READ_WRITE && r->sharing == SHARING_PRIVATE && !r->charged;
}

static status_t protect_check(struct address_space *as, uint64_t address, uint64_t size,
                              enum protection p, struct address_space_plan *plan)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t end = address + size;
    struct region *r = region_tree_find(as->regions, address);
    for (;;) {
        if (r == NULL) {
            return STATUS_BAD_STATE; /* a hole */
        }
        status = protect_allowed(r, p);
        if (status != STATUS_OK) {
            return status;
        }
        plan->frames += protect_charges(r, p) ? pages_inside(r, address, end) : 0;
        if (r->end >= end) {
            plan->nodes = address_space_nodes_to_split(as, address, end);
            return address_space_plan_reserve(as, plan);
        }
        r = adjacent(r);
    }
}

/* A whole region gets another protection. */
static void protect_region(struct address_space *as, struct region *r, enum protection p)
{
    if (r->protection == p) {
        return;
    }
    bool wrote = address_space_writes_object(r);
    r->charged = r->charged || protect_charges(r, p);
    r->protection = (uint8_t)p;
    if (p == PROTECTION_READ_WRITE) {
        r->may_execute = false; /* what was written is no image's any more */
    }
    if (address_space_writes_object(r) != wrote) {
        memory_object_mapping_added(r->object, !wrote);
        memory_object_mapping_removed(r->object, wrote);
    }
    uint64_t start = r->start, end = r->end;
    if (address_space_touched_part(r, &start, &end)) {
        user_view_forget(as);
        arch_protect(&as->arch, start, (end - start) >> PAGE_SHIFT,
                     address_space_shared_protection(r));
    }
}

status_t address_space_protect(struct address_space *as, uint64_t address, uint64_t size,
                               enum protection p)
{
    KASSERT((uint32_t)p < PROTECTION_COUNT);
    uint64_t end = address + size;
    struct address_space_plan plan = {0};
    status_t status = protect_check(as, address, size, p, &plan);
    if (status != STATUS_OK) {
        return status;
    }
    address_space_split(as, address, end, &plan);
    for (struct region *r = region_tree_find(as->regions, address); r != NULL && r->start < end;
         r = adjacent(r)) {
        protect_region(as, r, p);
    }
    address_space_merge(as, address, end);
    address_space_plan_finish(as, &plan);
    return STATUS_OK;
}

/* --- commit and decommit --- */

/* The range must consist of reserved and committed pages. Counts what changes: from reserved (if
 * `commit`) or to it. */
static status_t commit_check(struct address_space *as, uint64_t address, uint64_t size,
                             bool commit, struct address_space_plan *plan)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t end = address + size;
    uint64_t below = 0; /* end of what this commit has mapped before */
    struct region *r = region_tree_find(as->regions, address);
    for (;;) {
        if (r == NULL || (r->kind != REGION_RESERVED && r->kind != REGION_ANONYMOUS)) {
            return STATUS_BAD_STATE;
        }
        if (commit && r->kind == REGION_RESERVED) {
            uint64_t from = r->start > address ? r->start : address;
            uint64_t to = r->end < end ? r->end : end;
            uint64_t mapped = region_tree_mapped_below(as->regions, from);
            uint64_t above = region_tree_mapped_above(as->regions, to);
            plan->frames += (to - from) >> PAGE_SHIFT;
            plan->tables +=
                address_space_tables_between(mapped > below ? mapped : below, from, to, above);
            below = to;
        }
        if (r->end >= end) {
            plan->nodes = address_space_nodes_to_split(as, address, end);
            return address_space_plan_reserve(as, plan);
        }
        r = adjacent(r);
    }
}

status_t address_space_commit(struct address_space *as, uint64_t address, uint64_t size,
                              enum protection p)
{
    if (p == PROTECTION_READ_EXECUTE) {
        return STATUS_WRONG_INTERFACE;
    }
    uint64_t end = address + size;
    struct address_space_plan plan = {0};
    status_t status = commit_check(as, address, size, true, &plan);
    if (status != STATUS_OK) {
        return status;
    }
    address_space_split(as, address, end, &plan);
    for (struct region *r = region_tree_find(as->regions, address); r != NULL && r->start < end;
         r = adjacent(r)) {
        if (r->kind == REGION_ANONYMOUS) {
            protect_region(as, r, p);
        } else {
            r->protection = (uint8_t)p;
            r->charged = true;
            region_tree_change(&as->regions, r, r->start, r->end, REGION_ANONYMOUS);
        }
    }
    address_space_merge(as, address, end);
    address_space_plan_finish(as, &plan);
    return STATUS_OK;
}

status_t address_space_decommit(struct address_space *as, uint64_t address, uint64_t size)
{
    uint64_t end = address + size;
    struct address_space_plan plan = {0};
    status_t status = commit_check(as, address, size, false, &plan);
    if (status != STATUS_OK) {
        return status;
    }
    address_space_split(as, address, end, &plan);
    park_unmapped(as, address, size);
    struct address_space_refund refund = {0};
    for (struct region *r = region_tree_find(as->regions, address); r != NULL && r->start < end;
         r = adjacent(r)) {
        if (r->kind == REGION_ANONYMOUS) {
            address_space_drop_pages(as, r, r->start, r->end);
            address_space_untouched(r);
            r->protection = PROTECTION_NONE;
            r->charged = false;
            region_tree_change(&as->regions, r, r->start, r->end, REGION_RESERVED);
            uint64_t tables = address_space_tables_for(as, r->start, r->end);
            KASSERT(as->tables >= tables && as->charged_pages >= region_pages(r));
            as->tables -= tables;
            as->charged_pages -= region_pages(r);
            refund.frames += tables + region_pages(r);
        }
    }
    address_space_give_back(as, &refund);
    address_space_merge(as, address, end);
    address_space_plan_finish(as, &plan);
    return STATUS_OK;
}
