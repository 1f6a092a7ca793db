/* Runs of frames. See hosted.h. */
#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/frame_parts.h"
#include "kernel/core/kmem.h"
#include "kernel/core/tally.h"

#define RUN_LOOKS_MAX 64u   /* at freed runs, for one that is long enough */
#define RUN_ZEROED_MAX 256u /* frames of one: clearing them takes some 50 us under the lock */

/* Of a range that has so many left at its frontier, up to `most`. 0: there is none. */
static uint64_t run_at_frontier(uint64_t least, uint64_t most, frame_t *first)
{
    for (uint32_t i = 0; i < frame_range_count; i++) {
        struct frame_range *r = &frame_ranges[(frame_largest + i) % frame_range_count];
        uint64_t left = r->end - r->frontier, count = left < most ? left : most;
        if (count >= least) {
            *first = r->frontier;
            r->frontier += count;
            return count;
        }
    }
    return 0;
}

/* How many frames from f on follow each other in their list and in memory, downwards: that is
 * how they lie there when they were freed in order. *last: the lowest of them. */
static uint64_t run_length(frame_t f, uint64_t most, frame_t *last)
{
    uint64_t count = 1;
    while (count < most && (*frame_record(f) & ~RECORD_FREE) == f - 1 && f - 1 != FRAME_NONE) {
        f--;
        count++;
    }
    *last = f;
    return count;
}

/* Out of a list of freed frames, the first one that is long enough near its head. */
static uint64_t run_of_freed(frame_t *head, uint64_t least, uint64_t most, frame_t *first)
{
    frame_t before = FRAME_NONE, last;
    uint32_t looks = 0;
    for (frame_t f = *head; f != FRAME_NONE && looks < RUN_LOOKS_MAX; looks++) {
        uint64_t count = run_length(f, most, &last);
        frame_t after = *frame_record(last) & ~RECORD_FREE;
        if (count >= least) {
            if (before == FRAME_NONE) {
                *head = after;
            } else {
                *frame_record(before) = RECORD_FREE | (uint32_t)after;
            }
            *first = last;
            return count;
        }
        before = last;
        f = after;
    }
    return 0;
}

status_t frame_alloc_run(uint64_t least, uint64_t most, frame_t *first, uint64_t *count)
{
    KASSERT(least > 0 && least <= most);
    if (kmem_fail_now()) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    *count = run_at_frontier(least, most, first);
    bool zero = ARCH_FRESH_FRAMES_ARE_ZERO && *count != 0;
    if (*count == 0) {
        *count = run_of_freed(&frame_zeroed, least, most, first);
        zero = *count != 0;
    }
    if (*count == 0) {
        uint64_t bound = least > RUN_ZEROED_MAX ? least : RUN_ZEROED_MAX;
        *count = run_of_freed(&frame_freed, least, most < bound ? most : bound, first);
    }
    if (*count == 0) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    tally.frames_free -= *count;
    uint32_t *record = frame_record(*first);
    for (uint64_t i = 0; i < *count; i++) {
        record[i] = 1;
    }
    void *memory = arch_frame_address(*first);
    arch_memory_taken(memory, *count * PAGE_SIZE);
    if (!zero) {
        __builtin_memset(memory, 0, *count * PAGE_SIZE);
    }
    return STATUS_OK;
}

bool frame_clean(uint64_t least, uint64_t most, void (*clean)(frame_t first, uint64_t count))
{
    frame_t first;
    uint64_t count = run_of_freed(&frame_freed, least, most, &first);
    if (count == 0) {
        return false;
    }
    arch_memory_taken(arch_frame_address(first), count * PAGE_SIZE);
    clean(first, count);
    tally.frames_free -= count;
    uint32_t *record = frame_record(first);
    for (uint64_t i = 0; i < count; i++) {
        frame_give_to(&frame_zeroed, first + i, &record[i]);
    }
    return true;
}
