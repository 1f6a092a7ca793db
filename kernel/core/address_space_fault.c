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

#define BREAK_AHEAD_PAGES 16u

/* Who writes to anonymous memory in order, after a fork, gets several pages at a time: copies, or
 * those that nobody else has any more. False: nothing was done. */
static bool break_sharing_ahead(struct address_space *as, const struct region *r, uint64_t page)
{
    frame_t frames[BREAK_AHEAD_PAGES], first;
    enum protection p;
    bool in_order = arch_lookup(&as->arch, page - PAGE_SIZE, &first, &p);
    if (!in_order || p != PROTECTION_READ_WRITE || r->kind != REGION_ANONYMOUS) {
        return false;
    }
    uint64_t end = MIN(page + BREAK_AHEAD_PAGES * PAGE_SIZE, r->end);
    uint64_t there = arch_present_run(&as->arch, page, end, frames, BREAK_AHEAD_PAGES), count = 1;
    bool alone = frame_count(frames[0]) == 1;
    while (count < there && (frame_count(frames[count]) == 1) == alone) {
        count++;
    }
    if (alone) {
        user_view_forget(as);
        arch_protect(&as->arch, page, count, PROTECTION_READ_WRITE);
        return true;
    }
    if (count == 1 || frame_alloc_run(2, count, &first, &count) != STATUS_OK) {
        return false;
    }
    for (uint64_t i = 0; i < count; i++) {
        __builtin_memcpy(arch_frame_address(first + i), arch_frame_address(frames[i]), PAGE_SIZE);
    }
    user_view_forget(as);
    arch_remap_run(&as->arch, page, first, count, PROTECTION_READ_WRITE);
    while (count > 0) {
        frame_put(frames[--count]);
    }
    return true;
}

static status_t break_sharing(struct address_space *as, struct region *r, uint64_t page, frame_t f)
{
    KASSERT(r->sharing == SHARING_PRIVATE && r->charged);
    frame_t mine = f;
    if (ARCH_PREFERS_RUNS && break_sharing_ahead(as, r, page)) {
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

/* How many pages of anonymous memory a fault brings in: who goes through it gets many at a time. */
static uint64_t pages_ahead(const struct address_space *as, uint64_t page)
{
    frame_t f;
    enum protection p;
    bool in_order = arch_lookup(&as->arch, page - PAGE_SIZE, &f, &p);
    return in_order ? ARCH_FAULT_AHEAD_PAGES : (ARCH_FAULT_AHEAD_PAGES + 7) / 8;
}

/* A private page, which is charged: a copy of the source, or zeroed, and then with as many after it
 * as arch wants at a time. */
static status_t fault_private(struct address_space *as, struct region *r, uint64_t page,
                              frame_t source)
{
    frame_t frames[ARCH_FAULT_AHEAD_PAGES];
    uint64_t end = page + PAGE_SIZE, count = 0;
    if (ARCH_FAULT_AHEAD_PAGES > 1 && r->kind != REGION_OBJECT) {
        end = MIN(page + pages_ahead(as, page) * PAGE_SIZE, r->end);
        end = arch_next_present(&as->arch, page, end);
    }
    status_t status;
    do {
        status = copy_frame(source, &frames[count]);
    } while (status == STATUS_OK && page + ++count * PAGE_SIZE < end);
    if (count == 0) {
        return status;
    }
    if (frames[0] > frames[count - 1]) { /* freed in order, they come in reverse */
        for (uint64_t i = 0; i < count / 2; i++) {
            frame_t f = frames[i];
            frames[i] = frames[count - 1 - i];
            frames[count - 1 - i] = f;
        }
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

#define COMMIT_RUN_LEAST 16u /* pages; in smaller runs they had better come when they are touched */
#define COMMIT_RUNS_MAX 16u  /* each may have to be cleared */

void address_space_map_ahead(struct address_space *as, uint64_t start, uint64_t end)
{
    struct region *r = region_tree_find(as->regions, start);
    KASSERT(r != NULL && r->kind == REGION_ANONYMOUS && r->charged && r->end >= end);
    bool wanted = ARCH_PREFERS_RUNS && r->protection != PROTECTION_NONE;
    for (uint32_t i = 0; wanted && start < end && i < COMMIT_RUNS_MAX; i++) {
        frame_t first;
        uint64_t pages = (end - start) >> PAGE_SHIFT, count;
        if (frame_alloc_run(MIN(pages, COMMIT_RUN_LEAST), pages, &first, &count) != STATUS_OK) {
            return;
        }
        status_t status =
            arch_map_run(&as->arch, start, first, count, (enum protection)r->protection);
        if (status != STATUS_OK) {
            while (count > 0) {
                frame_put(first + --count);
            }
            return;
        }
        address_space_touched(r, start, start + (count << PAGE_SHIFT));
        start += count << PAGE_SHIFT;
    }
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
