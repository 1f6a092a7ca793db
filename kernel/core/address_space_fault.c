/* Faults: pages come into the tables when they are first touched, and private ones are copied when
 * they are first written. See address_space.h.
 *
 * A present page of private memory is writable in the tables only if its frame is this space's
 * alone (count 1). So a write to one that is not writable either copies the frame or, when the
 * others are gone, just makes it writable. This path is short on purpose: one look-up in the tree
 * of regions, one in the page tables, one entry made. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_region.h"
#include "kernel/core/frame.h"

static bool allows(enum protection p, enum upcall_access access)
{
    return access == UPCALL_ACCESS_READ    ? p != PROTECTION_NONE
           : access == UPCALL_ACCESS_WRITE ? p == PROTECTION_READ_WRITE
                                           : p == PROTECTION_READ_EXECUTE;
}

/* A frame with what is in another, or with zeroes if that is FRAME_NONE. */
static status_t copy_frame(frame_t from, frame_t *out)
{
    if (from == FRAME_NONE) {
        return frame_alloc_zeroed(out);
    }
    status_t status = frame_alloc(out);
    if (status == STATUS_OK) {
        __builtin_memcpy(arch_frame_address(*out), arch_frame_address(from), PAGE_SIZE);
    }
    return status;
}

static status_t break_sharing(struct address_space *as, struct region *r, uint64_t page, frame_t f)
{
    KASSERT(r->sharing == SHARING_PRIVATE && r->charged);
    frame_t mine = f;
    if (ARCH_PREFERS_RUNS && arch_break_sharing_ahead(as, r, page)) {
        return STATUS_OK;
    }
    if (frame_count(f) != 1) {
        status_t status = copy_frame(f, &mine);
        if (status != STATUS_OK) {
            return status;
        }
    }
    user_view_forget(as);
    arch_remap(&as->arch, page, mine, (enum protection)r->protection);
    if (mine != f) {
        frame_put(f);
    }
    return STATUS_OK;
}

static bool is_there(struct memory_object *m, uint64_t index, frame_t *out)
{
    *out = memory_object_frame(m, index, false);
    return *out != FRAME_NONE;
}

/* Maps the object's own page, and with it those around it that are there and not mapped yet. */
static status_t fault_shared(struct address_space *as, struct region *r, uint64_t page,
                             uint64_t index)
{
    const uint64_t window = ARCH_FAULT_AROUND_PAGES * PAGE_SIZE;
    uint64_t start = MAX(page & ~(window - 1), r->start);
    uint64_t end = MIN((page & ~(window - 1)) + window, r->end);
    end = arch_next_present(&as->arch, page, end);
    if (start < page && arch_next_present(&as->arch, start, page) < page) {
        start = page;
    }
    KASSERT(start <= page && page < end);
    frame_t frames[ARCH_FAULT_AROUND_PAGES];
    uint64_t own = (page - start) >> PAGE_SHIFT, limit = (end - start) >> PAGE_SHIFT;
    frames[own] = memory_object_frame(r->object, index, true);
    if (frames[own] == FRAME_NONE) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    uint64_t first = own, last = own; /* of those to map, in `frames` */
    while (first > 0 && is_there(r->object, index - own + first - 1, &frames[first - 1])) {
        first--;
    }
    while (last + 1 < limit && is_there(r->object, index - own + last + 1, &frames[last + 1])) {
        last++;
    }
    return address_space_put_pages(as, r, start + (first << PAGE_SHIFT), &frames[first],
                                   last - first + 1, address_space_shared_protection(r));
}

/* A private page, which is charged: a copy of the source, or zeroed, and then with as many after it
 * as arch wants at a time. */
static status_t fault_private(struct address_space *as, struct region *r, uint64_t page,
                              frame_t source)
{
    frame_t frames[ARCH_FAULT_AHEAD_PAGES];
    bool ahead = ARCH_FAULT_AHEAD_PAGES > 1 && r->kind != REGION_OBJECT;
    uint64_t end = ahead ? arch_fault_end(as, r, page) : page + PAGE_SIZE, count = 0;
    status_t status;
    do {
        status = copy_frame(source, &frames[count]);
    } while (status == STATUS_OK && page + ++count * PAGE_SIZE < end);
    if (count == 0) {
        return status;
    }
    if (frames[0] > frames[count - 1]) { /* freed in order, they come in reverse */
        frames_reverse(frames, count);
    }
    status = arch_map(&as->arch, page, frames, count, (enum protection)r->protection);
    if (status == STATUS_OK) {
        address_space_touched(r, page, page + count * PAGE_SIZE);
    }
    while (status != STATUS_OK && count > 0) {
        frame_put(frames[--count]);
    }
    return status;
}

static status_t fault_absent(struct address_space *as, struct region *r, uint64_t page, bool write)
{
    if (r->kind == REGION_KERNEL) {
        return STATUS_BAD_ADDRESS; /* mapped from the beginning, or waiting for a fork's end */
    }
    frame_t source = FRAME_NONE;
    if (r->kind == REGION_OBJECT) {
        uint64_t index = (r->offset + (page - r->start)) >> PAGE_SHIFT;
        if (!write || r->sharing == SHARING_SHARED) {
            return fault_shared(as, r, page, index);
        }
        source = memory_object_frame(r->object, index, false); /* and is copied at once */
    }
    KASSERT(r->charged && r->kind != REGION_RESERVED);
    return fault_private(as, r, page, source);
}

status_t address_space_fault(struct address_space *as, uint64_t address, enum upcall_access access)
{
    struct region *r = region_tree_find(as->regions, address);
    if (r == NULL || r->kind == REGION_RESERVED
        || !allows((enum protection)r->protection, access)) {
        return STATUS_BAD_ADDRESS;
    }
    uint64_t page = address & ~(PAGE_SIZE - 1);
    frame_t f;
    enum protection p;
    bool never = page < r->touched_start || page >= r->touched_end;
    if (never || !arch_lookup(&as->arch, page, &f, &p)) {
        return fault_absent(as, r, page, access == UPCALL_ACCESS_WRITE);
    }
    if (allows(p, access)) {
        return STATUS_OK; /* another thread was faster, or the processor remembered too long */
    }
    KASSERT(access == UPCALL_ACCESS_WRITE);
    return break_sharing(as, r, page, f);
}

status_t address_space_frame(struct address_space *as, uint64_t address, enum upcall_access access,
                             frame_t *out)
{
    if (address < USER_BASE || address >= USER_END) {
        return STATUS_BAD_ADDRESS;
    }
    enum protection p;
    if (arch_lookup(&as->arch, address & ~(PAGE_SIZE - 1), out, &p) && allows(p, access)) {
        return STATUS_OK;
    }
    status_t status = address_space_fault(as, address, access);
    if (status == STATUS_OK) {
        bool present = arch_lookup(&as->arch, address & ~(PAGE_SIZE - 1), out, &p);
        KASSERT(present && allows(p, access));
    }
    return status;
}

/* --- CodeMemory --- */

/* A frame of a code page that only this space has, there or not before. */
static status_t code_frame(struct address_space *as, uint64_t page, frame_t *out)
{
    struct region *r = region_tree_find(as->regions, page);
    KASSERT(r != NULL && r->kind == REGION_CODE);
    enum protection p;
    status_t status = STATUS_OK;
    if (!arch_lookup(&as->arch, page, out, &p)) {
        status = fault_absent(as, r, page, false);
    } else if (frame_count(*out) != 1) {
        status = break_sharing(as, r, page, *out);
    }
    if (status == STATUS_OK) {
        bool present = arch_lookup(&as->arch, page, out, &p);
        KASSERT(present && frame_count(*out) == 1);
    }
    return status;
}

status_t address_space_write_code(struct address_space *as, uint64_t address, const void *bytes,
                                  size_t size)
{
    if (!address_space_in_bounds(address, size)) {
        return STATUS_OVERFLOW;
    }
    uint64_t end = address + size;
    if (size != 0 && !address_space_is_all(as, address, end, REGION_CODE, NULL)) {
        return STATUS_BAD_STATE;
    }
    while (address < end) {
        uint64_t in_page = address & (PAGE_SIZE - 1);
        uint64_t chunk = MIN(PAGE_SIZE - in_page, end - address);
        frame_t f;
        status_t status = code_frame(as, address - in_page, &f);
        if (status != STATUS_OK) {
            return status;
        }
        __builtin_memcpy((char *)arch_frame_address(f) + in_page, bytes, chunk);
        bytes = (const char *)bytes + chunk;
        address += chunk;
    }
    return STATUS_OK;
}
