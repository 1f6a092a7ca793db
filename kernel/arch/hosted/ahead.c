/* Pages that come before they are asked for, several at a time. See arch.h. Kernel lock held. */
#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/address_space_region.h"
#include "kernel/core/frame.h"

#define NEAR_PAGES 4u /* more between two faults, and what is in between is not copied along */
#define COMMIT_RUN_LEAST 16u /* pages; in smaller runs they had better come when they are touched */
#define COMMIT_RUNS_MAX 16u  /* each may have to be cleared */

/* Who goes through anonymous memory gets many pages at a time. */
uint64_t arch_fault_end(const struct address_space *as, const struct region *r, uint64_t page)
{
    frame_t f;
    enum protection p;
    bool in_order = arch_lookup(&as->arch, page - PAGE_SIZE, &f, &p);
    uint64_t pages = in_order ? ARCH_FAULT_AHEAD_PAGES : (ARCH_FAULT_AHEAD_PAGES + 7) / 8;
    return arch_next_present(&as->arch, page, MIN(page + pages * PAGE_SIZE, r->end));
}

/* How many pages at a time, at this fault: each time twice as many for who goes on beside what was
 * broken last, one for who comes from far away. */
static uint32_t widen(struct hosted_breaks *b, uint64_t page)
{
    bool near = page + NEAR_PAGES * PAGE_SIZE >= b->start &&
                page < b->end + NEAR_PAGES * PAGE_SIZE;
    b->pages = near ? MIN(2 * b->pages, HOSTED_COPY_PAGES) : 1;
    return b->pages;
}

/* The pages that are shared as this one is, from it on in that direction: with others, or with
 * nobody any more (*alone). In the order of their addresses. */
static uint64_t find_shared(const struct address_space *as, const struct region *r, uint64_t page,
                            bool back, uint64_t most, frame_t *frames, bool *alone)
{
    uint64_t count = 0, at = page;
    for (; count < most && at >= r->start && at < r->end; at += back ? -PAGE_SIZE : PAGE_SIZE) {
        frame_t f;
        enum protection p;
        if (!arch_lookup(&as->arch, at, &f, &p) || p == PROTECTION_READ_WRITE ||
            (count > 0 && (frame_count(f) == 1) != *alone)) {
            break;
        }
        *alone = frame_count(f) == 1;
        frames[count++] = f;
    }
    if (back) {
        frames_reverse(frames, count);
    }
    return count;
}

/* Who writes to anonymous memory after a fork, and not just once, gets several pages at a time, in
 * the direction in which he goes: copies, or those that nobody else has any more. False: nothing
 * was done. */
bool arch_break_sharing_ahead(struct address_space *as, const struct region *r, uint64_t page)
{
    frame_t frames[HOSTED_COPY_PAGES], first;
    if (r->kind != REGION_ANONYMOUS) {
        return false;
    }
    struct hosted_breaks *b = &as->arch.breaks;
    bool back = page < b->start, alone = false;
    uint64_t there = find_shared(as, r, page, back, widen(b, page), frames, &alone), count = there;
    b->start = page;
    b->end = page + PAGE_SIZE;
    if (count < 2 || (!alone && frame_alloc_run(2, count, &first, &count) != STATUS_OK)) {
        return false;
    }
    b->start = back ? b->end - count * PAGE_SIZE : page;
    b->end = b->start + count * PAGE_SIZE;
    user_view_forget(as);
    if (alone) {
        arch_protect(&as->arch, b->start, count, PROTECTION_READ_WRITE);
        return true;
    }
    const frame_t *shared = back ? frames + (there - count) : frames;
    for (uint64_t i = arch_copy_frames(first, shared, count) ? count : 0; i < count; i++) {
        __builtin_memcpy(arch_frame_address(first + i), arch_frame_address(shared[i]), PAGE_SIZE);
    }
    arch_remap_run(&as->arch, b->start, first, count, PROTECTION_READ_WRITE);
    while (count > 0) {
        frame_put(shared[--count]);
    }
    return true;
}

void arch_map_ahead(struct address_space *as, uint64_t start, uint64_t end)
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
