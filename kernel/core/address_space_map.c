/* Mapping: every way a range of addresses comes into use. See address_space.h and
 * address_space_plan.h. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_plan.h"
#include "kernel/core/frame.h"

/* At the hint if `fixed` or if that is free, else where there is room. */
static status_t place(const struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                      uint64_t *address)
{
    if (size == 0 || !page_aligned(size) || !page_aligned(hint)) {
        return STATUS_BAD_STATE;
    }
    if (size > USER_END - USER_BASE) {
        return STATUS_OVERFLOW;
    }
    if (fixed) {
        status_t status = address_space_check_range(hint, size);
        *address = hint;
        return status != STATUS_OK || address_space_range_free(as, hint, size)
                   ? status
                   : STATUS_ALREADY_EXISTS;
    }
    *address = hint;
    if (hint != 0 && address_space_range_free(as, hint, size)) {
        return STATUS_OK;
    }
    *address = region_tree_gap(as->regions, as->next_hint, size);
    if (*address == 0) {
        *address = region_tree_gap(as->regions, USER_BASE, size);
    }
    return *address != 0 ? STATUS_OK : STATUS_MAPPINGS_EXHAUSTED;
}

/* Finds the place, charges, and makes the region `like` says (its start and end are set here). On
 * success the caller inserts it; *plan still holds the charges, in case it cannot. */
static status_t prepare(struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                        const struct region *like, struct address_space_plan *plan,
                        struct region **out)
{
    uint64_t address;
    status_t status = place(as, fixed, hint, size, &address);
    if (status != STATUS_OK) {
        return status;
    }
    uint64_t pages = size >> PAGE_SHIFT;
    *plan = (struct address_space_plan){.nodes = 1};
    plan->frames = like->charged ? pages : 0;
    plan->reserved = address_space_has_addresses(like->kind) ? pages : 0;
    plan->tables =
        like->kind != REGION_RESERVED ? address_space_tables_for(as, address, address + size) : 0;
    status = address_space_plan_reserve(as, plan);
    if (status != STATUS_OK) {
        return status;
    }
    struct region *r = plan->spare[0];
    *r = *like;
    r->start = address;
    r->end = address + size;
    address_space_untouched(r);
    *out = r;
    return STATUS_OK;
}

static void insert(struct address_space *as, struct address_space_plan *plan, uint64_t *address)
{
    struct region *r = address_space_plan_take(plan);
    uint64_t start = r->start, end = r->end;
    address_space_hold(as, r);
    region_tree_insert(&as->regions, r);
    address_space_merge(as, start, end);
    *address = start;
}

static status_t map_private(struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                            const struct region *like, uint64_t *address)
{
    struct address_space_plan plan;
    struct region *r;
    status_t status = prepare(as, fixed, hint, size, like, &plan, &r);
    if (status == STATUS_OK) {
        insert(as, &plan, address);
    }
    return status;
}

static status_t map_anonymous(struct address_space *as, bool fixed, uint64_t hint, uint64_t size,
                              enum protection p, uint64_t *address)
{
    if (p == PROTECTION_READ_EXECUTE) {
        return STATUS_WRONG_INTERFACE;
    }
    struct region like = {.kind = REGION_ANONYMOUS,
                          .protection = (uint8_t)p,
                          .sharing = SHARING_PRIVATE,
                          .charged = true};
    return map_private(as, fixed, hint, size, &like, address);
}

status_t address_space_map(struct address_space *as, uint64_t hint, uint64_t size,
                           enum protection p, uint64_t *address)
{
    return map_anonymous(as, false, hint, size, p, address);
}

status_t address_space_map_fixed(struct address_space *as, uint64_t address, uint64_t size,
                                 enum protection p)
{
    uint64_t got;
    return map_anonymous(as, true, address, size, p, &got);
}

status_t address_space_reserve(struct address_space *as, uint64_t hint, uint64_t size,
                               uint64_t *address)
{
    struct region like = {
        .kind = REGION_RESERVED, .protection = PROTECTION_NONE, .sharing = SHARING_PRIVATE};
    return map_private(as, false, hint, size, &like, address);
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
    return map_private(as, false, 0, size, &like, address);
}

/* What the face of an object allows. */
static status_t check_face(const struct object *face, const struct memory_object *m, bool runnable,
                           enum protection p, enum sharing sharing)
{
    switch (p) {
    case PROTECTION_NONE:
    case PROTECTION_READ:
        return STATUS_OK;
    case PROTECTION_READ_WRITE:
        if (sharing == SHARING_PRIVATE) {
            return STATUS_OK;
        }
        return face->class == &memory_object_class && !memory_object_sealed(m)
                   ? STATUS_OK
                   : STATUS_WRONG_INTERFACE;
    case PROTECTION_READ_EXECUTE:
        break;
    }
    return runnable ? STATUS_OK : STATUS_WRONG_INTERFACE;
}

static status_t map_object(struct address_space *as, struct object *face, struct object *through,
                           bool runnable, uint64_t hint, bool fixed, uint64_t offset,
                           uint64_t size, enum protection p, enum sharing sharing,
                           uint64_t *address)
{
    struct memory_object *m = memory_object_of(face);
    if (m == NULL || (uint32_t)p >= PROTECTION_COUNT || (uint32_t)sharing >= SHARING_COUNT) {
        return STATUS_WRONG_INTERFACE;
    }
    status_t status = check_face(face, m, runnable, p, sharing);
    if (status != STATUS_OK) {
        return status;
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
    return map_private(as, fixed, hint, size, &like, address);
}

status_t address_space_map_object(struct address_space *as, struct object *face, uint64_t hint,
                                  bool fixed, uint64_t offset, uint64_t size, enum protection p,
                                  enum sharing sharing, uint64_t *address)
{
    bool runnable = face->class == &image_class;
    return map_object(as, face, NULL, runnable, hint, fixed, offset, size, p, sharing, address);
}

status_t address_space_map_through(struct address_space *as, struct object *face,
                                   struct object *through, uint64_t hint, uint64_t offset,
                                   uint64_t size, enum protection p, enum sharing sharing,
                                   uint64_t *address)
{
    bool runnable = face->class == &image_class && memory_object_packaged(memory_object_of(face));
    return map_object(as, face, through, runnable, hint, false, offset, size, p, sharing, address);
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

static status_t put_kernel_pages(struct address_space *as, struct region *r, const frame_t *frames)
{
    status_t status =
        arch_map(&as->arch, r->start, frames, region_pages(r), (enum protection)r->protection);
    if (status == STATUS_OK) {
        for (uint64_t i = 0; i < region_pages(r); i++) {
            frame_get(frames[i]);
        }
        address_space_touched(r, r->start, r->end);
    }
    return status;
}

status_t address_space_map_kernel_pages(struct address_space *as, uint64_t hint,
                                        const frame_t *frames, uint64_t count, enum protection p,
                                        uint64_t *address)
{
    KASSERT(count > 0 && count <= (USER_END >> PAGE_SHIFT));
    struct region *r = waiting_region(as, hint, count, p);
    if (r != NULL) {
        *address = hint;
        return put_kernel_pages(as, r, frames);
    }
    struct region like = {
        .kind = REGION_KERNEL, .protection = (uint8_t)p, .sharing = SHARING_SHARED};
    struct address_space_plan plan;
    status_t status = prepare(as, false, hint, count << PAGE_SHIFT, &like, &plan, &r);
    if (status != STATUS_OK) {
        return status;
    }
    status = put_kernel_pages(as, r, frames);
    if (status != STATUS_OK) {
        address_space_plan_undo(as, &plan);
        return status;
    }
    insert(as, &plan, address);
    return STATUS_OK;
}
