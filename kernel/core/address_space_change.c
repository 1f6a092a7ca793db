/* Changes of what is mapped: unmap, protect, commit, decommit. See address_space.h and
 * address_space_region.h. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_region.h"
#include "kernel/core/park.h"

static status_t cut(struct address_space *as, uint64_t address, uint64_t size)
{
    uint64_t end = address + size;
    struct address_space_cost cost = {.nodes = address_space_nodes_to_cut(as, address, end)};
    status_t status = address_space_charge(as, &cost);
    if (status == STATUS_OK) {
        address_space_cut(as, address, end);
    }
    return status;
}

status_t address_space_unmap(struct address_space *as, uint64_t address, uint64_t size)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    struct region *r = region_tree_at_or_after(as->regions, address);
    for (; r != NULL && r->start < address + size; r = r->next) {
        if (r->kind == REGION_KERNEL) {
            return STATUS_BAD_STATE;
        }
    }
    return cut(as, address, size); /* holes are no error */
}

/* All of the range must be of one kind, without holes. */
static status_t unmap_kind(struct address_space *as, uint64_t address, uint64_t size,
                           enum region_kind kind)
{
    status_t status = address_space_check_range(address, size);
    if (status != STATUS_OK) {
        return status;
    }
    return address_space_is_all(as, address, address + size, kind, NULL) ? cut(as, address, size)
                                                                         : STATUS_BAD_STATE;
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
        struct region *next = r->next;
        if (r->through == through) {
            address_space_cut(as, r->start, r->end); /* whole: no node is needed */
        }
        r = next;
    }
}

/* --- protect, commit, decommit --- */

static status_t allowed(const struct region *r, enum address_space_change change, enum protection p)
{
    if (change != CHANGE_PROTECT) {
        return address_space_has_addresses(r->kind) ? STATUS_OK : STATUS_BAD_STATE;
    }
    if (r->kind == REGION_RESERVED || r->kind == REGION_KERNEL) {
        return STATUS_BAD_STATE;
    }
    bool may_write = r->kind != REGION_CODE
                     && (r->sharing == SHARING_PRIVATE
                         || (r->may_write && !memory_object_sealed(r->object)));
    bool refused = (p == PROTECTION_READ_EXECUTE && !r->may_execute)
                   || (p == PROTECTION_READ_WRITE && !may_write);
    return refused ? STATUS_WRONG_INTERFACE : STATUS_OK;
}

/* Private memory of an object is paid for from when it first becomes writable, other private memory
 * from when it is committed. */
static bool charges(const struct region *r, enum address_space_change change, enum protection p)
{
    if (change == CHANGE_COMMIT) {
        return r->kind == REGION_RESERVED;
    }
    return p == PROTECTION_READ_WRITE && r->sharing == SHARING_PRIVATE && !r->charged;
}

static status_t check(const struct address_space *as, uint64_t address, uint64_t end,
                      enum address_space_change change, enum protection p,
                      struct address_space_cost *cost)
{
    uint64_t below = 0; /* end of what this commit has mapped before */
    const struct region *r = region_tree_find(as->regions, address);
    for (;; r = address_space_adjacent(r)) {
        status_t status = r != NULL ? allowed(r, change, p) : STATUS_BAD_STATE; /* a hole */
        if (status != STATUS_OK) {
            return status;
        }
        uint64_t from = MAX(r->start, address), to = MIN(r->end, end);
        cost->nodes += (uint64_t)(r->start < address) + (uint64_t)(r->end > end); /* to split it */
        cost->pages += charges(r, change, p) ? (to - from) >> PAGE_SHIFT : 0;
        if (change == CHANGE_COMMIT && r->kind == REGION_RESERVED) {
            below = MAX(below, region_tree_mapped_below(as->regions, from));
            uint64_t above = region_tree_mapped_above(as->regions, to);
            cost->tables += address_space_tables_between(below, from, to, above);
            below = to;
        }
        if (r->end >= end) {
            return STATUS_OK;
        }
    }
}

static void protect_region(struct address_space *as, struct region *r, enum protection p)
{
    if (r->protection == p) {
        return;
    }
    bool wrote = address_space_writes_object(r);
    r->charged = r->charged || charges(r, CHANGE_PROTECT, p);
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

static void commit_region(struct address_space *as, struct region *r, enum protection p)
{
    r->kind = REGION_ANONYMOUS;
    r->protection = (uint8_t)p;
    r->charged = true;
    region_tree_changed(&as->regions, r);
    if (ARCH_PREFERS_RUNS) {
        arch_map_ahead(as, r->start, r->end);
    }
}

static void decommit_region(struct address_space *as, struct region *r,
                            struct address_space_cost *freed)
{
    address_space_drop_pages(as, r, r->start, r->end);
    address_space_untouched(r);
    r->kind = REGION_RESERVED;
    r->protection = PROTECTION_NONE;
    r->charged = false;
    region_tree_changed(&as->regions, r);
    freed->pages += region_pages(r);
    freed->tables += address_space_tables_for(as, r->start, r->end);
}

status_t address_space_change(struct address_space *as, enum address_space_change change,
                              uint64_t address, uint64_t size, enum protection p)
{
    KASSERT((uint32_t)p < PROTECTION_COUNT);
    if (change == CHANGE_COMMIT && p == PROTECTION_READ_EXECUTE) {
        return STATUS_WRONG_INTERFACE;
    }
    struct address_space_cost cost = {0}, freed = {0};
    status_t status = address_space_check_range(address, size);
    uint64_t end = address + size;
    if (status == STATUS_OK) {
        status = check(as, address, end, change, p, &cost);
    }
    if (status == STATUS_OK) {
        status = address_space_charge(as, &cost);
    }
    if (status != STATUS_OK) {
        return status;
    }
    address_space_split(as, address);
    address_space_split(as, end);
    if (change == CHANGE_DECOMMIT) {
        park_unmapped(as, address, size);
    }
    struct region *r = region_tree_find(as->regions, address);
    for (; r != NULL && r->start < end; r = r->next) {
        if (change != CHANGE_DECOMMIT && r->kind != REGION_RESERVED) {
            protect_region(as, r, p);
        } else if (change == CHANGE_COMMIT) {
            commit_region(as, r, p);
        } else if (r->kind == REGION_ANONYMOUS) {
            decommit_region(as, r, &freed);
        }
    }
    address_space_merge(as, address, end);
    address_space_give_back(as, &freed);
    return STATUS_OK;
}
