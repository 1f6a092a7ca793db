/* Frames: ranges, counts, the frontier, and what is foreign. */
#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/frame.h"

#include "kernel/arch/arch.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"

#define FRAMES 4000

static frame_t taken[FRAMES];

/* A machine whose kernel has not been brought up. */
static void start(void)
{
    sim_machine_start(FRAMES, 1, 0);
    frame_reset();
}

TEST(every_frame_is_given_out_once)
{
    start();
    frame_init(20, 1500);
    frame_init(2000, FRAMES);
    uint64_t total = tally.frames, count = 0;
    CHECK_EQ(total, 1478 + 1998); /* less the frames of the records: 1024 counts in each */
    CHECK_EQ(tally.frames_free, total);
    static bool seen[FRAMES];
    while (frame_alloc(&taken[count]) == STATUS_OK) {
        frame_t f = taken[count++];
        CHECK((f >= 20 && f < 1500) || (f >= 2000 && f < FRAMES));
        CHECK(!seen[f]);
        seen[f] = true;
        memset(arch_frame_address(f), 0xff, PAGE_SIZE);
    }
    CHECK_EQ(count, total);
    CHECK_EQ(tally.frames_free, 0);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(frame_count(taken[i]), 1); /* nobody's record was overwritten */
        frame_put(taken[i]);
    }
    CHECK_EQ(tally.frames_free, total);
}

TEST(freed_frames_are_used_first)
{
    start();
    frame_init(20, 100);
    frame_t a, b, c;
    CHECK_OK(frame_alloc(&a));
    CHECK_OK(frame_alloc(&b));
    frame_put(a);
    CHECK_OK(frame_alloc(&c));
    CHECK_EQ(c, a);
    memset(arch_frame_address(b), 0xff, PAGE_SIZE);
    frame_put(b);
    CHECK_OK(frame_alloc_zeroed(&b));
    const uint8_t *bytes = arch_frame_address(b);
    for (uint64_t i = 0; i < PAGE_SIZE; i++) {
        CHECK_EQ(bytes[i], 0);
    }
}

TEST(counts_and_foreign_frames)
{
    start();
    frame_init(20, 100);
    frame_t f;
    CHECK_OK(frame_alloc(&f));
    uint64_t free = tally.frames_free;
    frame_get(f);
    CHECK_EQ(frame_count(f), 2);
    frame_put(f);
    CHECK_EQ(tally.frames_free, free);
    frame_put(f);
    CHECK_EQ(tally.frames_free, free + 1);
    CHECK_EQ(frame_count(5), FRAME_COUNT_MANY); /* in no range */
    frame_get(5);
    frame_put(5);
    CHECK_EQ(tally.frames_free, free + 1);
}

static void put_twice(void)
{
    frame_t f;
    CHECK_OK(frame_alloc(&f));
    frame_put(f);
    frame_put(f);
}

TEST(a_frame_that_is_free_cannot_be_put)
{
    sim_boot(NULL);
    CHECK(sim_panics(put_twice));
}

static void check_run(frame_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(frame_count(first + i), 1);
        const uint64_t *words = arch_frame_address(first + i);
        CHECK(words[0] == 0 && words[PAGE_SIZE / sizeof(*words) - 1] == 0);
        memset(arch_frame_address(first + i), 0xff, PAGE_SIZE);
    }
}

static void put_run(frame_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        frame_put(first + i);
    }
}

TEST(runs_come_from_a_frontier_then_from_what_was_freed)
{
    start();
    frame_init(20, 500);
    frame_init(600, 700);
    uint64_t total = tally.frames, count, second;
    frame_t first, other;
    CHECK_OK(frame_alloc_run(4, 100, &first, &count));
    CHECK_EQ(count, 100);
    check_run(first, count);
    CHECK_EQ(tally.frames_free, total - 100);
    CHECK_OK(frame_alloc_run(200, 4000, &other, &second)); /* the rest of the first range */
    CHECK_EQ(second, 500 - 21 - 100);
    check_run(other, second);
    CHECK_STATUS(frame_alloc_run(200, 4000, &other, &count), STATUS_FRAMES_EXHAUSTED);
    put_run(first, 100);
    CHECK_OK(frame_alloc_run(100, 100, &first, &count)); /* where they are too few at a frontier */
    CHECK_EQ(count, 100);
    check_run(first, count);
    CHECK_OK(frame_alloc_run(1, 4000, &other, &count));
    CHECK_EQ(other, 601);
    kmem_fail_after = 0;
    put_run(first, 100);
    uint64_t free = tally.frames_free;
    CHECK_STATUS(frame_alloc_run(1, 10, &first, &count), STATUS_FRAMES_EXHAUSTED);
    CHECK_EQ(tally.frames_free, free);
}

TEST(a_run_is_taken_out_of_the_middle_of_what_was_freed)
{
    start();
    frame_init(20, 120);
    frame_t first, run;
    uint64_t all, count;
    CHECK_OK(frame_alloc_run(1, 4000, &first, &all));
    CHECK_EQ(tally.frames_free, 0);
    frame_put(first);
    frame_put(first + 2);
    put_run(first + 10, 20);
    frame_put(first + 4);
    frame_put(first + 3); /* upwards in the list: no run */
    CHECK_STATUS(frame_alloc_run(21, 30, &run, &count), STATUS_FRAMES_EXHAUSTED);
    CHECK_OK(frame_alloc_run(5, 8, &run, &count));
    CHECK_EQ(run, first + 22);
    CHECK_EQ(count, 8);
    check_run(run, count);
    CHECK_OK(frame_alloc_run(9, 30, &run, &count));
    CHECK_EQ(run, first + 10);
    CHECK_EQ(count, 12);
    check_run(run, count);
    CHECK_EQ(tally.frames_free, 4);
    for (int i = 0; i < 4; i++) {
        CHECK_OK(frame_alloc(&run));
        CHECK(run == first || run == first + 2 || run == first + 3 || run == first + 4);
    }
    CHECK_STATUS(frame_alloc(&run), STATUS_FRAMES_EXHAUSTED);
}

static void clear(frame_t first, uint64_t count)
{
    memset(arch_frame_address(first), 0, count * PAGE_SIZE);
}

TEST(freed_frames_are_cleaned_in_runs)
{
    start();
    frame_init(20, 120);
    frame_t first, run;
    uint64_t all, count;
    CHECK_OK(frame_alloc_run(1, 4000, &first, &all));
    memset(arch_frame_address(first), 0xff, all * PAGE_SIZE);
    put_run(first, 20);
    put_run(first + 30, 10);
    CHECK(!frame_clean(21, 40, clear));
    CHECK(frame_clean(16, 18, clear));
    CHECK_EQ(tally.frames_free, 30);
    CHECK(!frame_clean(16, 18, clear));
    CHECK_OK(frame_alloc_run(18, 40, &run, &count));
    CHECK_EQ(run, first + 2);
    CHECK_EQ(count, 18);
    check_run(run, count);
    put_run(run, 5);
    CHECK(frame_clean(5, 5, clear));
    CHECK_OK(frame_alloc_zeroed(&run));
    check_run(run, 1);
    CHECK_EQ(tally.frames_free, 30 - 18 + 4);
}

TEST(ranges_too_small_for_anything_are_left_out)
{
    start();
    frame_init(0, 1); /* frame 0 is nobody's */
    frame_init(1, 2); /* its one frame would be its record's */
    CHECK_EQ(tally.frames, 0);
    frame_init(2, 4);
    CHECK_EQ(tally.frames, 1);
}

TEST(zeroed_frames_are_given_to_who_wants_them_zeroed)
{
    start();
    frame_init(20, 24);
    frame_t a, b, c, dirty;
    CHECK_OK(frame_alloc(&dirty));
    memset(arch_frame_address(dirty), 0xff, PAGE_SIZE);
    CHECK_OK(frame_alloc_zeroed(&a));
    CHECK_OK(frame_alloc_zeroed(&b));
    frame_put(dirty);
    frame_put_zeroed(a);
    CHECK_EQ(tally.frames_free, 2);
    CHECK_OK(frame_alloc(&c));
    CHECK_EQ(c, dirty); /* a zeroed one only when there is no other */
    CHECK_OK(frame_alloc(&c));
    CHECK_EQ(c, a);
    frame_put(dirty);
    frame_put_zeroed(b);
    CHECK_OK(frame_alloc_zeroed(&c));
    CHECK_EQ(c, b);
    CHECK_OK(frame_alloc_zeroed(&c));
    CHECK_EQ(c, dirty);
    const uint8_t *bytes = arch_frame_address(c);
    for (uint64_t i = 0; i < PAGE_SIZE; i++) {
        CHECK_EQ(bytes[i], 0);
    }
    CHECK_STATUS(frame_alloc_zeroed(&c), STATUS_FRAMES_EXHAUSTED);
    CHECK_STATUS(frame_alloc(&c), STATUS_FRAMES_EXHAUSTED);
}
