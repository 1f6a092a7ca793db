/* Faults: pages come into the tables when they are first touched, and private ones are copied when
 * they are first written. See address_space.h.
 *
 * A present page of private memory is writable in the tables only if its frame is this space's
 * alone (count 1). So a write to one that is not writable either copies the frame or, when the
 * others are gone, just makes it writable. This path is short on purpose: one look-up in the tree
 * of regions, one in the page tables, one entry made. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space_plan.h"
#include "kernel/core/frame.h"

static bool allows(enum protection p, enum upcall_access access)
{
    switch (access) {
    case UPCALL_ACCESS_READ:
        return p != PROTECTION_NONE;
    case UPCALL_ACCESS_WRITE:
        return p == PROTECTION_READ_WRITE;
    case UPCALL_ACCESS_EXECUTE:
        return p == PROTECTION_READ_EXECUTE;
    }
    return false;
}

static status_t map_page(struct address_space *as, struct region *r, uint64_t page, frame_t f)
{
    status_t status = arch_map(&as->arch, page, &f, 1, (enum protection)r->protection);
    if (status == STATUS_OK) {
        address_space_touched(r, page, page + PAGE_SIZE);
    } else {
        frame_put(f);
    }
    return status;
}

static status_t copy_frame(frame_t from, frame_t *out)
{
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

/* A private page of an object, about to be written: a copy at once. */
static status_t fault_private_write(struct address_space *as, struct region *r, uint64_t page,
                                    uint64_t index)
{
    KASSERT(r->charged);
    frame_t source, copy = FRAME_NONE;
    status_t status = memory_object_frame(r->object, index, false, &source);
    if (status == STATUS_OK) {
        status = source == FRAME_NONE ? frame_alloc_zeroed(&copy) : copy_frame(source, &copy);
    }
    return status == STATUS_OK ? map_page(as, r, page, copy) : status;
}

/* Maps the object's own page, and with it those around it that are there and not mapped yet. */
static status_t fault_shared(struct address_space *as, struct region *r, uint64_t page,
                             uint64_t index)
{
    frame_t frames[ARCH_FAULT_AROUND_PAGES];
    const uint64_t window = ARCH_FAULT_AROUND_PAGES * PAGE_SIZE;
    uint64_t start = page & ~(window - 1), end = start + window;
    start = start > r->start ? start : r->start;
    end = arch_next_present(&as->arch, page, end < r->end ? end : r->end);
    if (start < page && arch_next_present(&as->arch, start, page) < page) {
        start = page;
    }
    KASSERT(start <= page && page < end);
    uint64_t count = 0;
    for (uint64_t at = start; at < end; at += PAGE_SIZE, count++) {
        uint64_t wanted = index + (at >> PAGE_SHIFT) - (page >> PAGE_SHIFT);
        status_t status = memory_object_frame(r->object, wanted, at == page, &frames[count]);
        if (status != STATUS_OK) {
            return status;
        }
        if (frames[count] == FRAME_NONE) {
            if (at > page) {
                break;
            }
            start = at + PAGE_SIZE; /* a hole before the page: what came so far is left out */
            count = UINT64_MAX;     /* and the next is the first */
        }
    }
    status_t status = arch_map(&as->arch, start, frames, count, address_space_shared_protection(r));
    if (status == STATUS_OK) {
        address_space_touched(r, start, start + (count << PAGE_SHIFT));
        for (uint64_t i = 0; i < count; i++) {
            frame_get(frames[i]);
        }
    }
    return status;
}

/* How many pages of anonymous memory a fault brings in: who goes through it gets many at a time. */
static uint64_t pages_ahead(const struct address_space *as, uint64_t page)
{
    frame_t f;
    enum protection p;
    bool in_order = arch_lookup(&as->arch, page - PAGE_SIZE, &f, &p);
    return in_order ? ARCH_FAULT_AHEAD_PAGES : (ARCH_FAULT_AHEAD_PAGES + 7) / 8;
}

/* Zeroed pages from the touched one on, as many as arch wants at a time. They are charged. */
static status_t fault_anonymous(struct address_space *as, struct region *r, uint64_t page)
{
    frame_t frames[ARCH_FAULT_AHEAD_PAGES];
    uint64_t end = page + PAGE_SIZE, count = 0;
    if (ARCH_FAULT_AHEAD_PAGES > 1) {
        uint64_t most = page + pages_ahead(as, page) * PAGE_SIZE;
        end = arch_next_present(&as->arch, end, most < r->end ? most : r->end);
    }
    status_t status;
    do {
        status = frame_alloc_zeroed(&frames[count]);
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

static status_t fault_absent(struct address_space *as, struct region *r, uint64_t page, bool write)
{
    if (r->kind == REGION_OBJECT) {
        uint64_t index = (r->offset + (page - r->start)) >> PAGE_SHIFT;
        if (write && r->sharing == SHARING_PRIVATE) {
            return fault_private_write(as, r, page, index);
        }
        return fault_shared(as, r, page, index);
    }
    if (r->kind == REGION_KERNEL) {
        return STATUS_BAD_ADDRESS; /* they are mapped from the beginning, or wait for a fork's end
                                    */
    }
    KASSERT(r->kind == REGION_ANONYMOUS || r->kind == REGION_CODE);
    return fault_anonymous(as, r, page);
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
static status_t code_frame(struct address_space *as, struct region *r, uint64_t page, frame_t *out)
{
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
    if (address < USER_BASE || address > USER_END || size > USER_END - address) {
        return STATUS_OVERFLOW;
    }
    uint64_t end = address + size;
    uint64_t checked = address;
    while (checked < end) {
        struct region *r = region_tree_find(as->regions, checked);
        if (r == NULL || r->kind != REGION_CODE) {
            return STATUS_BAD_STATE;
        }
        checked = r->end;
    }
    while (address < end) {
        struct region *r = region_tree_find(as->regions, address);
        KASSERT(r != NULL && r->kind == REGION_CODE);
        uint64_t in_page = address & (PAGE_SIZE - 1);
        uint64_t chunk = PAGE_SIZE - in_page < end - address ? PAGE_SIZE - in_page : end - address;
        frame_t f;
        status_t status = code_frame(as, r, address - in_page, &f);
        if (status != STATUS_OK) {
            return status;
        }
        __builtin_memcpy((char *)arch_frame_address(f) + in_page, bytes, chunk);
        bytes = (const char *)bytes + chunk;
        address += chunk;
    }
    return STATUS_OK;
}
