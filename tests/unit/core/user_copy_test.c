/* Copies between user memory and the kernel, and between two processes: borders, faults in the
 * middle, sharing broken as by a user's own write, and every combination of who is current. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space.h"
#include "kernel/core/frame.h"
#include "kernel/core/sched.h"
#include "tests/lib/sim.h"

#define SIZE (3 * PAGE_SIZE)

static struct process *ours, *theirs;
static uint64_t our_memory, their_memory; /* SIZE bytes, then nothing */
static uint8_t pattern[SIZE];

static uint64_t map_alone(struct process *p)
{
    uint64_t address;
    CHECK_OK(address_space_reserve(p->space, 0, SIZE + PAGE_SIZE, &address));
    CHECK_OK(address_space_change(p->space, CHANGE_COMMIT, address, SIZE, PROTECTION_READ_WRITE));
    return address;
}

static void begin(void)
{
    sim_boot(NULL);
    ours = sim_process(NULL, 0);
    theirs = sim_process(NULL, 0);
    our_memory = map_alone(ours);
    their_memory = map_alone(theirs);
    for (size_t i = 0; i < SIZE; i++) {
        pattern[i] = (uint8_t)(i * 7 + i / 256);
    }
}

static void make_current(struct process *p)
{
    user_switch_to(user_of(p));
    CHECK(arch_is_current(&p->space->arch));
}

TEST(whoever_is_current_every_byte_arrives)
{
    begin();
    static uint8_t back[SIZE];
    for (int current = 0; current < 2; current++) {
        make_current(current == 0 ? ours : theirs);
        for (size_t offset = 1; offset < 5000; offset = offset * 3 + 1) {
            size_t size = SIZE - 2 * offset > SIZE ? 0 : SIZE - 2 * offset;
            memset(back, 0, sizeof(back));
            CHECK_OK(user_copy_out(ours->space, our_memory + offset, pattern, size));
            CHECK_EQ(user_copy_across(theirs->space, their_memory + offset / 2, ours->space,
                                      our_memory + offset, size),
                     USER_COPIED);
            CHECK_OK(user_copy_in(theirs->space, back, their_memory + offset / 2, size));
            CHECK_BYTES(back, pattern, size);
        }
    }
}

TEST(neither_need_be_current)
{
    begin();
    struct process *third = sim_process(NULL, 0);
    make_current(third);
    static uint8_t back[SIZE];
    CHECK_OK(user_copy_out(ours->space, our_memory, pattern, SIZE));
    CHECK_EQ(user_copy_across(theirs->space, their_memory + 9, ours->space, our_memory, SIZE - 9),
             USER_COPIED);
    CHECK_OK(user_copy_in(theirs->space, back, their_memory + 9, SIZE - 9));
    CHECK_BYTES(back, pattern, SIZE - 9);
    /* Within one space, and over itself. */
    CHECK_EQ(user_copy_across(ours->space, our_memory, ours->space, our_memory, SIZE), USER_COPIED);
    CHECK_OK(user_copy_in(ours->space, back, our_memory, SIZE));
    CHECK_BYTES(back, pattern, SIZE);
}

TEST(ranges_that_wrap_or_leave_user_space)
{
    begin();
    uint8_t byte = 0;
    static const struct {
        uint64_t address;
        size_t size;
    } bad[] = {{0, 1},
               {USER_BASE - 1, 1},
               {USER_END, 1},
               {USER_END - 1, 2},
               {UINT64_MAX, 1},
               {UINT64_MAX - 7, 16},
               {1ull << 63, 1},
               {USER_BASE, SIZE_MAX},
               {0xffffffff80000000ull, 8}};
    for (int current = 0; current < 2; current++) {
        make_current(current == 0 ? ours : theirs);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
            CHECK_STATUS(user_copy_in(ours->space, &byte, bad[i].address, bad[i].size),
                         STATUS_BAD_ADDRESS);
            CHECK_STATUS(user_copy_out(ours->space, bad[i].address, &byte, bad[i].size),
                         STATUS_BAD_ADDRESS);
            CHECK_EQ(user_copy_across(ours->space, bad[i].address, theirs->space, their_memory,
                                      bad[i].size),
                     USER_TARGET_BAD);
            CHECK_EQ(user_copy_across(ours->space, our_memory, theirs->space, bad[i].address,
                                      bad[i].size),
                     USER_SOURCE_BAD);
        }
        CHECK_OK(user_copy_in(ours->space, &byte, 0, 0)); /* nothing is nowhere */
        CHECK_OK(user_copy_out(ours->space, UINT64_MAX, &byte, 0));
    }
}

TEST(what_came_before_the_hole_stays_copied)
{
    begin();
    static uint8_t back[SIZE];
    for (int current = 0; current < 2; current++) {
        make_current(current == 0 ? ours : theirs);
        CHECK_STATUS(user_copy_out(ours->space, our_memory + PAGE_SIZE, pattern, SIZE),
                     STATUS_BAD_ADDRESS);
        CHECK_OK(user_copy_in(ours->space, back, our_memory + PAGE_SIZE, 2 * PAGE_SIZE));
        CHECK_BYTES(back, pattern, 2 * PAGE_SIZE);
        CHECK_EQ(user_copy_across(theirs->space, their_memory + PAGE_SIZE, ours->space,
                                  our_memory, SIZE),
                 USER_TARGET_BAD);
        CHECK_STATUS(user_copy_in(ours->space, back, our_memory + PAGE_SIZE, SIZE),
                     STATUS_BAD_ADDRESS);
    }
}

TEST(read_only_memory_is_not_written_for_anybody)
{
    begin();
    uint8_t byte = 1;
    CHECK_OK(address_space_change(ours->space, CHANGE_PROTECT, our_memory, SIZE, PROTECTION_READ));
    for (int current = 0; current < 2; current++) {
        make_current(current == 0 ? ours : theirs);
        CHECK_STATUS(user_copy_out(ours->space, our_memory, &byte, 1), STATUS_BAD_ADDRESS);
        CHECK_EQ(user_copy_across(ours->space, our_memory, theirs->space, their_memory, 1),
                 USER_TARGET_BAD);
        CHECK_OK(user_copy_in(ours->space, &byte, our_memory, 1));
    }
    CHECK_OK(address_space_change(ours->space, CHANGE_PROTECT, our_memory, SIZE, PROTECTION_NONE));
    CHECK_STATUS(user_copy_in(ours->space, &byte, our_memory, 1), STATUS_BAD_ADDRESS);
}

TEST(the_kernels_write_breaks_sharing_as_a_users_does)
{
    begin();
    CHECK_OK(user_copy_out(ours->space, our_memory, pattern, SIZE));
    struct address_space *child;
    CHECK_OK(address_space_create(&ledger_root, &child));
    CHECK_OK(address_space_fork(ours->space, child));
    for (int current = 0; current < 2; current++) {
        make_current(current == 0 ? ours : theirs);
        uint64_t page = our_memory + (current == 0 ? 0 : PAGE_SIZE);
        uint8_t mine = 0xa0, byte;
        CHECK_OK(user_copy_out(ours->space, page, &mine, 1));
        CHECK_OK(user_copy_in(child, &byte, page, 1));
        CHECK_EQ(byte, pattern[page - our_memory]);
        CHECK_EQ(user_copy_across(child, page + 1, ours->space, page, 1), USER_COPIED);
        CHECK_OK(user_copy_in(child, &byte, page + 1, 1));
        CHECK_EQ(byte, mine);
        CHECK_OK(user_copy_in(ours->space, &byte, page + 1, 1));
        CHECK_EQ(byte, pattern[page - our_memory + 1]);
    }
    address_space_destroy(child);
}
