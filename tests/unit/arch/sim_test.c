/* The simulated machine itself: its page tables against a plain array, its clock, its link. */
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"

#define SPACE_PAGES 3000
#define STEPS 4000

static const uint64_t bases[] = {0x10000, 0x3ffff000, USER_END - SPACE_PAGES / 3 * PAGE_SIZE};

static uint64_t page_address(uint32_t page) /* three places, far from each other */
{
    return bases[page / (SPACE_PAGES / 3)] + page % (SPACE_PAGES / 3) * PAGE_SIZE;
}

static void page_gone(void *context, frame_t f)
{
    (void)context;
    frame_put(f);
}

static void check_page(const struct arch_address_space *as, uint64_t address, frame_t expected)
{
    frame_t f;
    enum protection p;
    CHECK_EQ(arch_lookup(as, address, &f, &p), expected != FRAME_NONE);
    if (expected != FRAME_NONE) {
        CHECK_EQ(f, expected);
    }
}

TEST(tables_agree_with_an_array)
{
    sim_boot(NULL);
    static frame_t model[SPACE_PAGES];
    struct random r = {test_seed(1)};
    struct arch_address_space as = {0};
    CHECK_OK(arch_address_space_create(&as));
    for (int step = 0; step < STEPS; step++) {
        uint32_t page = (uint32_t)random_below(&r, SPACE_PAGES);
        if (random_chance(&r, 2)) {
            uint32_t count = (uint32_t)random_below(&r, 20);
            uint32_t room = SPACE_PAGES / 3 - page % (SPACE_PAGES / 3);
            count = count < room ? count : room;
            arch_unmap(&as, page_address(page), count, page_gone, NULL);
            memset(model + page, 0, count * sizeof(*model));
        } else if (model[page] == FRAME_NONE) {
            CHECK_OK(frame_alloc(&model[page]));
            CHECK_OK(arch_map(&as, page_address(page), &model[page], 1, PROTECTION_READ));
        }
        page = (uint32_t)random_below(&r, SPACE_PAGES);
        check_page(&as, page_address(page), model[page]);
    }
    for (uint32_t page = 0; page < SPACE_PAGES; page++) {
        check_page(&as, page_address(page), model[page]);
    }
    arch_unmap(&as, USER_BASE, (USER_END - USER_BASE) >> PAGE_SHIFT, page_gone, NULL);
    CHECK_EQ(sim_table_count(&as), 1);
    arch_address_space_destroy(&as);
}

TEST(map_fails_without_a_trace)
{
    sim_boot(NULL);
    struct arch_address_space as = {0};
    frame_t pages[600];
    CHECK_OK(arch_address_space_create(&as));
    for (int i = 0; i < 600; i++) {
        CHECK_OK(frame_alloc(&pages[i]));
    }
    uint64_t before = tally.frames_free;
    uint64_t address =
        0x40000000 - 300 * PAGE_SIZE; /* over the border of two tables of each lower level */
    uint64_t needed = arch_tables_needed(address, 600);
    int failures = 0;
    for (kmem_fail_after = 0;; failures++) {
        kmem_fail_after = failures;
        if (arch_map(&as, address, pages, 600, PROTECTION_READ_WRITE) == STATUS_OK) {
            break;
        }
        CHECK_EQ(tally.frames_free, before);
        CHECK_EQ(sim_table_count(&as), 1);
    }
    kmem_fail_after = -1;
    CHECK_EQ(failures, 5); /* one table of level 2, two each of levels 1 and 0 */
    CHECK_EQ(before - tally.frames_free, 5);
    CHECK_GE(needed, 5);
    arch_unmap(&as, address, 600, page_gone, NULL);
    arch_address_space_destroy(&as);
}

TEST(unmapping_a_huge_hole_is_cheap)
{
    sim_boot(NULL);
    struct arch_address_space as = {0};
    CHECK_OK(arch_address_space_create(&as));
    for (int i = 0; i < 1000; i++) { /* word by word this would take for ever */
        arch_unmap(&as, USER_BASE, (USER_END - USER_BASE) >> PAGE_SHIFT, page_gone, NULL);
    }
    arch_address_space_destroy(&as);
}

TEST(bytes_keep_their_order_and_limit)
{
    static struct sim_bytes q;
    uint8_t bytes[100];
    uint8_t next_in = 0;
    uint8_t next_out = 0;
    struct random r = {test_seed(2)};
    q.limit = 150;
    for (int step = 0; step < 100000; step++) {
        size_t size = random_below(&r, sizeof(bytes));
        if (random_chance(&r, 2)) {
            for (size_t i = 0; i < size; i++) {
                bytes[i] = (uint8_t)(next_in + i);
            }
            next_in = (uint8_t)(next_in + sim_bytes_put(&q, bytes, size));
            CHECK_LE(q.count, 150);
        } else {
            size_t got = sim_bytes_get(&q, bytes, size);
            for (size_t i = 0; i < got; i++) {
                CHECK_EQ(bytes[i], next_out);
                next_out++;
            }
        }
    }
}
