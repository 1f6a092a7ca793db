/* Page frames. See frame.h.
 *
 * Each range begins with its records, one 32-bit word a frame. A record is the frame's count while
 * it is in use; while it is free, RECORD_FREE and the number of the next free frame. Frames above a
 * range's frontier have no record yet and are taken in order, so that neither a frame nor its
 * record is touched before it is needed: starting a machine costs the same whatever memory it has.
 * Freed frames are used again first, while they are still in the cache. */
#include "kernel/core/frame_parts.h"

#include "kernel/arch/arch.h"
#include "kernel/core/kmem.h"
#include "kernel/core/tally.h"

#define RECORDS_PER_FRAME (PAGE_SIZE / sizeof(uint32_t))

struct frame_range frame_ranges[FRAME_RANGES_MAX];
uint32_t frame_range_count, frame_largest;
frame_t frame_freed, frame_zeroed;
struct tally tally;

uint32_t *frame_record_elsewhere(frame_t f)
{
    for (uint32_t i = 0; i < frame_range_count; i++) {
        const struct frame_range *r = &frame_ranges[i];
        if (f < r->end && f >= r->first) {
            KASSERT(f < r->frontier);
            return &r->records[f - r->first];
        }
    }
    return NULL;
}

void frame_init(frame_t first, frame_t end)
{
    KASSERT(first <= end && end < RECORD_FREE);
    KASSERT(frame_range_count == 0 || first >= frame_ranges[frame_range_count - 1].end);
    if (first == FRAME_NONE) {
        first++;
    }
    /* The last frames need no records of the records' own, hence one more in the divisor. */
    uint64_t frames = end > first ? end - first : 0;
    uint64_t for_records = (frames + RECORDS_PER_FRAME) / (RECORDS_PER_FRAME + 1);
    if (frames < for_records + 1 || frame_range_count == FRAME_RANGES_MAX) {
        return;
    }
    struct frame_range *r = &frame_ranges[frame_range_count];
    r->records = arch_frame_address(first);
    r->first = first + for_records;
    r->end = end;
    r->frontier = r->first;
    KASSERT((r->end - r->first) <= for_records * RECORDS_PER_FRAME);
    const struct frame_range *largest = &frame_ranges[frame_largest];
    if (r->end - r->first > largest->end - largest->first) {
        frame_largest = frame_range_count;
    }
    frame_range_count++;
    tally.frames_free += r->end - r->first;
    tally.frames += r->end - r->first;
}

/* From the largest range first: its records are found fastest. */
static frame_t take_at_frontier(void)
{
    struct frame_range *r = &frame_ranges[frame_largest];
    for (uint32_t i = 0; i < frame_range_count && r->frontier == r->end; i++) {
        r = &frame_ranges[i];
    }
    if (r->frontier == r->end) {
        return FRAME_NONE;
    }
    r->records[r->frontier - r->first] = 1;
    return r->frontier++;
}

static frame_t take_from(frame_t *head)
{
    frame_t f = *head;
    if (f != FRAME_NONE) {
        uint32_t *record = frame_record(f);
        KASSERT(record != NULL && (*record & RECORD_FREE) != 0);
        *head = *record & ~RECORD_FREE;
        *record = 1;
    }
    return f;
}

static inline status_t give_out(frame_t f, frame_t *out)
{
    if (f == FRAME_NONE) {
        KASSERT(tally.frames_free == 0);
        return STATUS_FRAMES_EXHAUSTED;
    }
    tally.frames_free--;
    arch_memory_taken(arch_frame_address(f), PAGE_SIZE);
    *out = f;
    return STATUS_OK;
}

status_t frame_alloc(frame_t *out)
{
    if (kmem_fail_now()) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    frame_t f = take_from(&frame_freed);
    f = f != FRAME_NONE ? f : take_at_frontier();
    return give_out(f != FRAME_NONE ? f : take_from(&frame_zeroed), out);
}

status_t frame_alloc_zeroed(frame_t *out)
{
    if (frame_zeroed != FRAME_NONE) {
        return kmem_fail_now() ? STATUS_FRAMES_EXHAUSTED : give_out(take_from(&frame_zeroed), out);
    }
    bool fresh = frame_freed == FRAME_NONE; /* then it comes from a frontier */
    status_t status = frame_alloc(out);
    if (status == STATUS_OK && !(ARCH_FRESH_FRAMES_ARE_ZERO && fresh)) {
        __builtin_memset(arch_frame_address(*out), 0, PAGE_SIZE);
    }
    return status;
}

void frame_get(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    uint32_t *record = frame_record(f);
    if (record != NULL) {
        KASSERT(*record != 0 && (*record & RECORD_FREE) == 0);
        if (*record < FRAME_COUNT_MANY) {
            (*record)++;
        }
    }
}

void frame_give_to(frame_t *head, frame_t f, uint32_t *record)
{
    *record = RECORD_FREE | (uint32_t)*head;
    *head = f;
    tally.frames_free++;
    arch_memory_freed(arch_frame_address(f), PAGE_SIZE);
}

void frame_put(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    uint32_t *record = frame_record(f);
    if (record == NULL) {
        return;
    }
    KASSERT(*record != 0 && (*record & RECORD_FREE) == 0);
    if (*record == FRAME_COUNT_MANY) {
        return; /* nobody knows any more how many there are: it is never free again */
    }
    if (--*record == 0) {
        frame_give_to(&frame_freed, f, record);
    }
}

void frame_put_zeroed(frame_t f)
{
    const uint64_t *words = arch_frame_address(f);
    uint32_t *record = frame_record(f);
    KASSERT(record != NULL && *record == 1);
    KASSERT(words[0] == 0 && words[PAGE_SIZE / sizeof(uint64_t) - 1] == 0);
    frame_give_to(&frame_zeroed, f, record);
}

uint32_t frame_count(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    const uint32_t *record = frame_record(f);
    if (record == NULL) {
        return FRAME_COUNT_MANY;
    }
    KASSERT((*record & RECORD_FREE) == 0);
    return *record;
}

void frame_reset(void)
{
    frame_range_count = frame_largest = 0;
    frame_ranges[0] = (struct frame_range){0};
    frame_freed = frame_zeroed = FRAME_NONE;
    tally = (struct tally){0};
}
