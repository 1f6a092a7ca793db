/* Frames: ranges, counts, the frontier, and what is foreign. */
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
    uint64_t total = frame_total(), count = 0;
    CHECK_EQ(total, 1478 + 1998); /* less the frames of the records: 1024 counts in each */
    CHECK_EQ(frame_free_count(), total);
    static bool seen[FRAMES];
    while (frame_alloc(&taken[count]) == STATUS_OK) {
        frame_t f = taken[count++];
        CHECK((f >= 20 && f < 1500) || (f >= 2000 && f < FRAMES));
        CHECK(!seen[f]);
        seen[f] = true;
        memset(arch_frame_address(f), 0xff, PAGE_SIZE);
    }
    CHECK_EQ(count, total);
    CHECK_EQ(frame_free_count(), 0);
    for (uint64_t i = 0; i < count; i++) {
        CHECK_EQ(frame_count(taken[i]), 1); /* nobody's record was overwritten */
        frame_put(taken[i]);
    }
    CHECK_EQ(frame_free_count(), total);
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
    uint64_t free = frame_free_count();
    frame_get(f);
    CHECK_EQ(frame_count(f), 2);
    frame_put(f);
    CHECK_EQ(frame_free_count(), free);
    frame_put(f);
    CHECK_EQ(frame_free_count(), free + 1);
    CHECK_EQ(frame_count(5), FRAME_COUNT_MANY); /* in no range */
    frame_get(5);
    frame_put(5);
    CHECK_EQ(frame_free_count(), free + 1);
    CHECK_EQ(frame_of_address((char *)arch_frame_address(f) + 77), f);
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

TEST(ranges_too_small_for_anything_are_left_out)
{
    start();
    frame_init(0, 1); /* frame 0 is nobody's */
    frame_init(1, 2); /* its one frame would be its record's */
    CHECK_EQ(frame_total(), 0);
    frame_init(2, 4);
    CHECK_EQ(frame_total(), 1);
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
    CHECK_EQ(frame_free_count(), 2);
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
