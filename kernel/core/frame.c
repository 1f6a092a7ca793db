/* Page frames. See frame.h.
 *
 * Each range begins with its records, one 32-bit word a frame. A record is the frame's count while
 * it is in use; while it is free, RECORD_FREE and the number of the next free frame. Frames above a
 * range's frontier have no record yet and are taken in order, so that neither a frame nor its
 * record is touched before it is needed: starting a machine costs the same whatever memory it has.
 * Freed frames are used again first, while they are still in the cache. */
#include "kernel/core/frame.h"

#include "kernel/arch/arch.h"
#include "kernel/core/kmem.h"
#include "kernel/core/tally.h"

#define RECORD_FREE 0x80000000u
#define RECORDS_PER_FRAME (PAGE_SIZE / sizeof(uint32_t))
#define RUN_LOOKS_MAX 64u   /* at freed runs, for one that is long enough */
#define RUN_ZEROED_MAX 256u /* frames of one: clearing them takes some 50 us under the lock */

struct range {
    frame_t first, end; /* without the frames of its records */
    frame_t frontier;   /* never handed out from here on */
    uint32_t *records;  /* of `first` and up */
};

static struct range ranges[FRAME_RANGES_MAX];
static uint32_t range_count;
static uint32_t largest; /* of the ranges */
/* Freed frames, FRAME_NONE: none. Of the second list it is known that they are all zero. */
static frame_t free_head, zeroed_head;
struct tally tally;

static uint32_t *record_elsewhere(frame_t f)
{
    for (uint32_t i = 0; i < range_count; i++) {
        if (f < ranges[i].end && f >= ranges[i].first) {
            KASSERT(f < ranges[i].frontier);
            return &ranges[i].records[f - ranges[i].first];
        }
    }
    return NULL;
}

/* NULL: a foreign frame. Every fault, fork and exit comes here for each page, nearly always for one
 * of the largest range. */
static inline uint32_t *record_of(frame_t f)
{
    const struct range *r = &ranges[largest];
    uint64_t offset = f - r->first;
    return offset < r->frontier - r->first ? &r->records[offset] : record_elsewhere(f);
}

void frame_init(frame_t first, frame_t end)
{
    KASSERT(first <= end && end < RECORD_FREE);
    KASSERT(range_count == 0 || first >= ranges[range_count - 1].end);
    if (first == FRAME_NONE) {
        first++;
    }
    /* The last frames need no records of the records' own, hence one more in the divisor. */
    uint64_t frames = end > first ? end - first : 0;
    uint64_t for_records = (frames + RECORDS_PER_FRAME) / (RECORDS_PER_FRAME + 1);
    if (frames < for_records + 1 || range_count == FRAME_RANGES_MAX) {
        return;
    }
    struct range *r = &ranges[range_count];
    r->records = arch_frame_address(first);
    r->first = first + for_records;
    r->end = end;
    r->frontier = r->first;
    KASSERT((r->end - r->first) <= for_records * RECORDS_PER_FRAME);
    if (r->end - r->first > ranges[largest].end - ranges[largest].first) {
        largest = range_count;
    }
    range_count++;
    tally.frames_free += r->end - r->first;
    tally.frames += r->end - r->first;
}

/* From the largest range first: its records are found fastest. */
static frame_t take_at_frontier(void)
{
    struct range *r = &ranges[largest];
    for (uint32_t i = 0; i < range_count && r->frontier == r->end; i++) {
        r = &ranges[i];
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
        uint32_t *record = record_of(f);
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
    frame_t f = take_from(&free_head);
    f = f != FRAME_NONE ? f : take_at_frontier();
    return give_out(f != FRAME_NONE ? f : take_from(&zeroed_head), out);
}

status_t frame_alloc_zeroed(frame_t *out)
{
    if (zeroed_head != FRAME_NONE) {
        return kmem_fail_now() ? STATUS_FRAMES_EXHAUSTED : give_out(take_from(&zeroed_head), out);
    }
    bool fresh = free_head == FRAME_NONE; /* then it comes from a frontier */
    status_t status = frame_alloc(out);
    if (status == STATUS_OK && !(ARCH_FRESH_FRAMES_ARE_ZERO && fresh)) {
        __builtin_memset(arch_frame_address(*out), 0, PAGE_SIZE);
    }
    return status;
}

/* --- runs --- */

/* Of a range that has so many left at its frontier, up to `most`. 0: there is none. */
static uint64_t run_at_frontier(uint64_t least, uint64_t most, frame_t *first)
{
    for (uint32_t i = 0; i < range_count; i++) {
        struct range *r = &ranges[(largest + i) % range_count];
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
    while (count < most && (*record_of(f) & ~RECORD_FREE) == f - 1 && f - 1 != FRAME_NONE) {
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
        frame_t after = *record_of(last) & ~RECORD_FREE;
        if (count >= least) {
            if (before == FRAME_NONE) {
                *head = after;
            } else {
                *record_of(before) = RECORD_FREE | (uint32_t)after;
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
        *count = run_of_freed(&zeroed_head, least, most, first);
        zero = *count != 0;
    }
    if (*count == 0) {
        uint64_t bound = least > RUN_ZEROED_MAX ? least : RUN_ZEROED_MAX;
        *count = run_of_freed(&free_head, least, most < bound ? most : bound, first);
    }
    if (*count == 0) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    tally.frames_free -= *count;
    uint32_t *record = record_of(*first);
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

void frame_get(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    uint32_t *record = record_of(f);
    if (record != NULL) {
        KASSERT(*record != 0 && (*record & RECORD_FREE) == 0);
        if (*record < FRAME_COUNT_MANY) {
            (*record)++;
        }
    }
}

static void give_to(frame_t *head, frame_t f, uint32_t *record)
{
    *record = RECORD_FREE | (uint32_t)*head;
    *head = f;
    tally.frames_free++;
    arch_memory_freed(arch_frame_address(f), PAGE_SIZE);
}

void frame_put(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    uint32_t *record = record_of(f);
    if (record == NULL) {
        return;
    }
    KASSERT(*record != 0 && (*record & RECORD_FREE) == 0);
    if (*record == FRAME_COUNT_MANY) {
        return; /* nobody knows any more how many there are: it is never free again */
    }
    if (--*record == 0) {
        give_to(&free_head, f, record);
    }
}

void frame_put_zeroed(frame_t f)
{
    const uint64_t *words = arch_frame_address(f);
    uint32_t *record = record_of(f);
    KASSERT(record != NULL && *record == 1);
    KASSERT(words[0] == 0 && words[PAGE_SIZE / sizeof(uint64_t) - 1] == 0);
    give_to(&zeroed_head, f, record);
}

bool frame_clean(uint64_t least, uint64_t most, void (*clean)(frame_t first, uint64_t count))
{
    frame_t first;
    uint64_t count = run_of_freed(&free_head, least, most, &first);
    if (count == 0) {
        return false;
    }
    arch_memory_taken(arch_frame_address(first), count * PAGE_SIZE);
    clean(first, count);
    tally.frames_free -= count;
    uint32_t *record = record_of(first);
    for (uint64_t i = 0; i < count; i++) {
        give_to(&zeroed_head, first + i, &record[i]);
    }
    return true;
}

uint32_t frame_count(frame_t f)
{
    KASSERT(f != FRAME_NONE);
    const uint32_t *record = record_of(f);
    if (record == NULL) {
        return FRAME_COUNT_MANY;
    }
    KASSERT((*record & RECORD_FREE) == 0);
    return *record;
}

void frame_reset(void)
{
    range_count = largest = 0;
    ranges[0] = (struct range){0};
    free_head = zeroed_head = FRAME_NONE;
    tally = (struct tally){0};
}
