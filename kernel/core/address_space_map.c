/* Mapping: every way a range of addresses comes into use. See address_space.h and
 * address_space_region.h. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_region.h"

static bool range_free(const struct address_space *as, uint64_t address, uint64_t size)
{
    const struct region *r = region_tree_at_or_after(as->regions, address);
    return address_space_in_bounds(address, size) && (r == NULL || r->start >= address + size);
}

/* At the hint if `fixed` or if that is free, else where there is room. */
static status_t place(const struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                      uint64_t *address)
{
    if (size == 0 || !page_aligned(size) || !page_aligned(hint)) {
        return STATUS_BAD_STATE;
    }
    if (size > USER_END - USER_BASE || (fixed && !address_space_in_bounds(hint, size))) {
        return STATUS_OVERFLOW;
    }
    *address = hint;
    if (hint != 0 && range_free(as, hint, size)) {
        return STATUS_OK;
    }
    if (fixed) {
        return STATUS_ALREADY_EXISTS;
    }
    *address = region_tree_gap(as->regions, as->next_hint, size);
    if (*address == 0) {
        *address = region_tree_gap(as->regions, USER_BASE, size);
    }
    return *address != 0 ? STATUS_OK : STATUS_MAPPINGS_EXHAUSTED;
}

/* Makes the region that `like` says, but for its start and end. */
static status_t map_region(struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                           const struct region *like, uint64_t *address)
{
    uint64_t start;
    status_t status = place(as, fixed, hint, size, &start);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t end = start + size, pages = size >> PAGE_SHIFT;
    struct address_space_cost cost = {.nodes = 1};
    cost.pages = like->charged ? pages : 0;
    cost.reserved = address_space_has_addresses(like->kind) ? pages : 0;
    cost.tables = like->kind != REGION_RESERVED ? address_space_tables_for(as, start, end) : 0;
    status = address_space_charge(as, &cost);
    if (status != STATUS_OK) {
        return status;
    }
    struct region *r = address_space_region_make(as, like);
    r->start = start;
    r->end = end;
    address_space_untouched(r);
    region_tree_insert(&as->regions, r);
    address_space_merge(as, start, end);
    if (as->spare_count != 0) { /* merged */
        address_space_give_back(as, &(struct address_space_cost){0});
    }
    *address = start;
    return STATUS_OK;
}

status_t address_space_map(struct address_space *as, uint64_t hint, bool fixed, uint64_t size,
                           enum protection p, uint64_t *address)
{
    if (p == PROTECTION_READ_EXECUTE) {
        return STATUS_WRONG_INTERFACE;
    }
    struct region like = {.kind = REGION_ANONYMOUS,
                          .protection = (uint8_t)p,
                          .sharing = SHARING_PRIVATE,
                          .charged = true};
    status_t status = map_region(as, fixed, hint, size, &like, address);
    if (status == STATUS_OK && ARCH_PREFERS_RUNS) {
        arch_map_ahead(as, *address, *address + size);
    }
    return status;
}

status_t address_space_reserve(struct address_space *as, uint64_t hint, uint64_t size,
                               uint64_t *address)
{
    struct region like = {
        .kind = REGION_RESERVED, .protection = PROTECTION_NONE, .sharing = SHARING_PRIVATE};
    return map_region(as, false, hint, size, &like, address);
}

status_t address_space_map_code(struct address_space *as, struct object *through, uint64_t size,
                                uint64_t *address)
{
    struct region like = {.kind = REGION_CODE,
                          .protection = PROTECTION_READ_EXECUTE,
                          .sharing = SHARING_PRIVATE,
                          .through = through,
                          .charged = true,
                          .may_execute = true};
    return map_region(as, false, 0, size, &like, address);
}

/* What the face of an object allows. */
static bool face_allows(const struct object *face, const struct memory_object *m, bool runnable,
                        enum protection p, enum sharing sharing)
{
    if (p == PROTECTION_READ_EXECUTE) {
        return runnable;
    }
    return p != PROTECTION_READ_WRITE || sharing == SHARING_PRIVATE
           || (face->class == &memory_object_class && !memory_object_sealed(m));
}

status_t address_space_map_object(struct address_space *as, struct object *face,
                                  struct object *through, bool may_run, uint64_t hint, bool fixed,
                                  uint64_t offset, uint64_t size, enum protection p,
                                  enum sharing sharing, uint64_t *address)
{
    struct memory_object *m = memory_object_of(face);
    bool runnable = may_run && face->class == &image_class;
    if (m == NULL || (uint32_t)p >= PROTECTION_COUNT || (uint32_t)sharing >= SHARING_COUNT
        || !face_allows(face, m, runnable, p, sharing)) {
        return STATUS_WRONG_INTERFACE;
    }
    if (!page_aligned(offset)) {
        return STATUS_BAD_STATE;
    }
    uint64_t whole = ALIGN_UP(memory_object_size(m), PAGE_SIZE);
    if (offset > whole || size > whole - offset) {
        return STATUS_OVERFLOW;
    }
    bool writable = p == PROTECTION_READ_WRITE;
    struct region like = {.kind = REGION_OBJECT,
                          .protection = (uint8_t)p,
                          .sharing = (uint8_t)sharing,
                          .object = m,
                          .offset = offset,
                          .through = through,
                          .charged = sharing == SHARING_PRIVATE && writable,
                          .may_write =
                              sharing == SHARING_SHARED && face->class == &memory_object_class,
                          .may_execute = runnable && !writable};
    return map_region(as, fixed, hint, size, &like, address);
}

/* A region of kernel pages that fork has left without them, at exactly this place. */
static struct region *waiting_region(const struct address_space *as, uint64_t start, uint64_t count,
                                     enum protection p)
{
    struct region *r = region_tree_find(as->regions, start);
    bool fits = r != NULL && r->kind == REGION_KERNEL && r->touched_end == 0 && r->start == start
                && region_pages(r) == count && r->protection == (uint8_t)p;
    return fits ? r : NULL;
}

status_t address_space_map_kernel_pages(struct address_space *as, uint64_t hint,
                                        const frame_t *frames, uint64_t count, enum protection p,
                                        uint64_t *address)
{
    KASSERT(count > 0 && count <= (USER_END >> PAGE_SHIFT));
    struct region *r = waiting_region(as, hint, count, p);
    bool made = r == NULL;
    if (made) {
        struct region like = {
            .kind = REGION_KERNEL, .protection = (uint8_t)p, .sharing = SHARING_SHARED};
        status_t status = map_region(as, false, hint, count << PAGE_SHIFT, &like, &hint);
        if (status != STATUS_OK) {
            return status;
        }
        r = region_tree_find(as->regions, hint); /* such do not merge */
    }
    status_t status = address_space_put_pages(as, r, r->start, frames, count, p);
    if (status == STATUS_OK) {
        *address = r->start;
    } else if (made) {
        address_space_cut(as, r->start, r->end);
    }
    return status;
}
