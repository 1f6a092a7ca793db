/* Address spaces: their beginning, their end, questions about them, fork. See address_space.h;
 * mapping is in address_space_map.c, unmapping and changes in address_space_change.c, faults in
 * address_space_fault.c; what these share is in address_space_region.c. */
#include "kernel/core/address_space.h"

#include "kernel/arch/arch.h"
#include "kernel/core/address_space_region.h"
#include "kernel/core/kmem.h"
#include "kernel/core/park.h"

#define FIRST_HINT 0x100000000ull /* until elf_map chooses: above what ET_EXEC images take */

status_t address_space_create(struct account *a, struct address_space **out)
{
    status_t status = ledger_charge(a, LEDGER_FRAMES, 1); /* the root of the page tables */
    if (status != STATUS_OK) {
        return status;
    }
    void *memory = NULL;
    status = kmem_alloc(a, sizeof(struct address_space), &memory);
    if (status == STATUS_OK) {
        struct address_space *as = memory;
        status = arch_address_space_create(&as->arch);
        if (status == STATUS_OK) {
            as->account = a;
            as->next_hint = FIRST_HINT;
            list_init(&as->parked);
            *out = as;
            return STATUS_OK;
        }
        kmem_free(a, memory, sizeof(*as));
    }
    ledger_refund(a, LEDGER_FRAMES, 1);
    return status;
}

void address_space_clear(struct address_space *as)
{
    park_unmapped(as, USER_BASE, USER_END - USER_BASE);
    struct region *next;
    for (struct region *r = region_tree_at_or_after(as->regions, 0); r != NULL; r = next) {
        next = r->next;
        address_space_drop_pages(as, r, r->start, r->end);
        address_space_region_end(as, r);
    }
    as->regions = NULL;
    as->next_hint = FIRST_HINT;
    struct address_space_cost all = {
        .pages = as->charged_pages, .tables = as->tables, .reserved = as->reserved_pages};
    address_space_give_back(as, &all);
    KASSERT(as->region_count == 0);
}

void address_space_destroy(struct address_space *as)
{
    address_space_clear(as);
    KASSERT(list_empty(&as->parked));
    arch_address_space_destroy(&as->arch);
    struct account *a = as->account;
    kmem_free(a, as, sizeof(*as));
    ledger_refund(a, LEDGER_FRAMES, 1);
}

bool address_space_maps_object(const struct address_space *as, const struct memory_object *m,
                               uint64_t address, uint64_t size)
{
    KASSERT(m != NULL);
    return address_space_check_range(address, size) == STATUS_OK
           && address_space_is_all(as, address, address + size, REGION_OBJECT, m);
}

const void *address_space_identity(const struct address_space *as, uint64_t address,
                                   uint64_t *offset)
{
    const struct region *r = region_tree_find(as->regions, address);
    bool shared = r != NULL && r->kind == REGION_OBJECT && r->sharing == SHARING_SHARED;
    *offset = shared ? r->offset + (address - r->start) : address;
    return shared ? (const void *)r->object : as;
}

/* --- fork ---
 *
 * The child gets the parent's regions and the pages that are present. Private writable pages become
 * read-only in both and are copied by whoever writes first; the child has been charged for all of
 * them, so that copy never fails for lack of budget. Pages are taken from the parent's tables in
 * runs, skipping tables that are empty, so the cost is that of what was touched. Kernel pages
 * (rings, gate, time page) are not copied: who forks maps the child's own. */

#define RUN_PAGES 32           /* mapped in one go; 256 bytes of stack */
#define SHARED_PAGES_COPIED 16 /* of a region */

/* The child's tree of regions: a copy of the parent's as it is, so nothing has to be balanced.
 * Kernel pages are taken out afterwards. */
static void copy_regions(const struct address_space *parent, struct address_space *child)
{
    const struct region *r = parent->regions;
    struct region *up = NULL;
    bool above = false;
    while (r != NULL) {
        struct region *copy = address_space_region_make(child, r);
        address_space_untouched(copy);
        region_tree_attach(&child->regions, up, above, copy);
        up = copy;
        /* On below, else above, else above the first on the way up that has such a child, not
         * copied yet. */
        above = r->child[0] == NULL;
        while (r != NULL && (r->child[above] == NULL || up->child[above] != NULL)) {
            r = r->parent;
            up = up->parent;
        }
        r = r != NULL ? r->child[above] : NULL;
    }
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
        status_t status = address_space_put_pages(child, to, address, frames, count, p);
        if (status != STATUS_OK) {
            return status;
        }
        address += count << PAGE_SHIFT;
    }
    return STATUS_OK;
}

status_t address_space_fork(struct address_space *parent, struct address_space *child)
{
    KASSERT(child->regions == NULL && child->charged_pages == 0 && child->tables == 0);
    /* The child pays for what the parent pays for, page tables by the same rule. */
    struct address_space_cost cost = {.pages = parent->charged_pages,
                                      .tables = parent->tables,
                                      .reserved = parent->reserved_pages,
                                      .nodes = parent->region_count};
    status_t status = address_space_charge(child, &cost);
    if (status != STATUS_OK) {
        return status;
    }
    child->next_hint = parent->next_hint;
    copy_regions(parent, child);
    const struct region *from = region_tree_at_or_after(parent->regions, 0);
    struct region *to = region_tree_at_or_after(child->regions, 0);
    for (; status == STATUS_OK && from != NULL; from = from->next, to = to->next) {
        KASSERT(from->start == to->start && from->end == to->end);
        if (from->kind != REGION_KERNEL) {
            status = copy_pages(parent, child, from, to);
        }
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
        struct region *next = r->next;
        if (r->kind == REGION_KERNEL && r->touched_end == 0) {
            address_space_cut(child, r->start, r->end);
        }
        r = next;
    }
}
