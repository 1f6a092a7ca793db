/* Address spaces: their beginning, their end, and questions about them. See address_space.h;
 * mapping is in address_space_map.c, unmapping and changes in address_space_change.c, faults in
 * address_space_fault.c, fork in address_space_fork.c; what these share is in
 * address_space_region.c. */
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

bool address_space_range_free(const struct address_space *as, uint64_t address, uint64_t size)
{
    if (!address_space_in_bounds(address, size)) {
        return false;
    }
    const struct region *r = region_tree_at_or_after(as->regions, address);
    return r == NULL || r->start >= address + size;
}

bool address_space_maps_object(const struct address_space *as, const struct memory_object *m,
                               uint64_t address, uint64_t size)
{
    KASSERT(m != NULL);
    return address_space_check_range(address, size) == STATUS_OK
           && address_space_is_all(as, address, address + size, REGION_OBJECT, m);
}

void address_space_identity(struct address_space *as, uint64_t address,
                            struct memory_object **object, uint64_t *offset)
{
    const struct region *r = region_tree_find(as->regions, address);
    *object = NULL;
    *offset = 0;
    if (r != NULL && r->kind == REGION_OBJECT && r->sharing == SHARING_SHARED) {
        KASSERT(r->object != NULL);
        *object = r->object;
        *offset = r->offset + (address - r->start);
    }
}

uint64_t address_space_committed_pages(const struct address_space *as)
{
    return as->charged_pages;
}
