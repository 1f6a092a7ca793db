/* Pages that come before they are asked for, several at a time. See arch.h. Kernel lock held. */
#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/address_space_region.h"
#include "kernel/core/frame.h"

#define BREAK_AHEAD_PAGES 16u
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

/* Who writes to anonymous memory in order, after a fork, gets several pages at a time: copies, or
 * those that nobody else has any more. False: nothing was done. */
bool arch_break_sharing_ahead(struct address_space *as, const struct region *r, uint64_t page)
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
