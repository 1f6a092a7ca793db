/* Address spaces, operation by operation: what each maps, charges and gives back. */
#include "kernel/arch/arch.h"
#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/address_space.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/core/region_tree.h"
#include "tests/lib/sim.h"

static struct account *account;
static struct address_space *space;

static void begin(void)
{
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, NULL, &account));
    CHECK_OK(address_space_create(account, &space));
}

/* Everything that the account was charged for must be back. */
static void end(void)
{
    address_space_destroy(space);
    sim_settle();
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_EQ(account->used[kind], 0);
    }
    account_put(account);
}

static void put(uint64_t address, uint8_t value)
{
    CHECK_OK(user_copy_out(space, address, &value, 1));
}

static uint8_t get(uint64_t address)
{
    uint8_t value = 0;
    CHECK_OK(user_copy_in(space, &value, address, 1));
    return value;
}

TEST(map_is_zeroed_and_charged)
{
    begin();
    uint64_t address, frames = account->used[LEDGER_FRAMES];
    CHECK_OK(address_space_map(space, 0, false, 16 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    CHECK_EQ(account->used[LEDGER_FRAMES] - frames, 16 + 3);
    CHECK_EQ(account->used[LEDGER_RESERVED_PAGES], 16);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 1);
    CHECK_EQ(get(address + 5 * PAGE_SIZE), 0);
    put(address + 5 * PAGE_SIZE, 7);
    CHECK_EQ(get(address + 5 * PAGE_SIZE), 7);
    CHECK_OK(address_space_unmap(space, address, 16 * PAGE_SIZE));
    CHECK_EQ(account->used[LEDGER_FRAMES], frames);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 0);
    end();
}

TEST(unmap_in_the_middle_splits)
{
    begin();
    uint64_t address;
    CHECK_OK(address_space_map(space, 0, false, 16 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    put(address, 1);
    put(address + 15 * PAGE_SIZE, 2);
    CHECK_OK(address_space_unmap(space, address + 4 * PAGE_SIZE, 8 * PAGE_SIZE));
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 2);
    CHECK_EQ(account->used[LEDGER_FRAMES], 1 + 8 + 3);
    CHECK_EQ(get(address), 1);
    CHECK_EQ(get(address + 15 * PAGE_SIZE), 2);
    uint8_t byte;
    CHECK_STATUS(user_copy_in(space, &byte, address + 4 * PAGE_SIZE, 1), STATUS_BAD_ADDRESS);
    end();
}

TEST(neighbours_merge)
{
    begin();
    uint64_t a, b;
    CHECK_OK(address_space_map(space, 0, false, PAGE_SIZE, PROTECTION_READ_WRITE, &a));
    CHECK_OK(address_space_map(space, a + PAGE_SIZE, false, PAGE_SIZE, PROTECTION_READ_WRITE, &b));
    CHECK_EQ(b, a + PAGE_SIZE);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 1);
    CHECK_OK(address_space_change(space, CHANGE_PROTECT, b, PAGE_SIZE, PROTECTION_READ));
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 2);
    CHECK_OK(address_space_change(space, CHANGE_PROTECT, b, PAGE_SIZE, PROTECTION_READ_WRITE));
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 1);
    end();
}

TEST(reservations_of_many_gigabytes_cost_nothing)
{
    begin();
    uint64_t address, kernel = account->used[LEDGER_KERNEL_BYTES];
    CHECK_OK(address_space_reserve(space, 0, 1ull << 40, &address));
    CHECK_EQ(account->used[LEDGER_FRAMES], 1);
    CHECK_LE(account->used[LEDGER_KERNEL_BYTES] - kernel, 128);
    CHECK_OK(address_space_change(space, CHANGE_COMMIT, address + (1ull << 39), PAGE_SIZE,
                                  PROTECTION_READ_WRITE));
    CHECK_EQ(account->used[LEDGER_FRAMES], 1 + 1 + 3);
    put(address + (1ull << 39), 3);
    CHECK_OK(address_space_change(space, CHANGE_DECOMMIT, address, 1ull << 40, PROTECTION_NONE));
    CHECK_EQ(account->used[LEDGER_FRAMES], 1);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], 1);
    end();
}

TEST(fork_copies_on_write)
{
    begin();
    uint64_t address;
    CHECK_OK(address_space_map(space, 0, false, 4 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    put(address, 1);
    put(address + PAGE_SIZE, 2);
    uint64_t before = tally.frames_free;
    struct address_space *child, *parent = space;
    CHECK_OK(address_space_create(account, &child));
    CHECK_OK(address_space_fork(parent, child));
    CHECK_EQ(child->charged_pages, 4);
    CHECK_EQ(before - tally.frames_free, 4); /* the tables only */
    space = child;
    CHECK_EQ(get(address), 1);
    put(address, 9);
    put(address + 2 * PAGE_SIZE, 8);
    space = parent;
    CHECK_EQ(get(address), 1);
    CHECK_EQ(get(address + 2 * PAGE_SIZE), 0);
    put(address + PAGE_SIZE, 5);
    space = child;
    CHECK_EQ(get(address), 9);
    CHECK_EQ(get(address + PAGE_SIZE), 2);
    space = parent;
    address_space_destroy(child);
    uint64_t free = tally.frames_free;
    put(address, 4); /* alone again: made writable, not copied */
    CHECK_EQ(tally.frames_free, free);
    end();
}

TEST(objects_are_shared_or_private)
{
    begin();
    struct object *o;
    uint64_t shared, private;
    CHECK_OK(memory_object_create(account, 4 * PAGE_SIZE, &o));
    CHECK_OK(address_space_map_object(space, o, NULL, true, 0, false, 0, 4 * PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &shared));
    CHECK_OK(address_space_map_object(space, o, NULL, true, 0, false, PAGE_SIZE, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_PRIVATE, &private));
    put(shared + PAGE_SIZE, 1);
    CHECK_EQ(get(private), 1);
    put(private, 2);
    CHECK_EQ(get(shared + PAGE_SIZE), 1);
    struct object *image;
    CHECK_STATUS(memory_object_make_image(o, account, &image), STATUS_BAD_STATE);
    CHECK_OK(address_space_unmap(space, shared, 4 * PAGE_SIZE));
    CHECK_OK(memory_object_make_image(o, account, &image));
    uint64_t code;
    CHECK_OK(address_space_map_object(space, image, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_EXECUTE, SHARING_SHARED, &code));
    object_put(o);
    object_put(image);
    end();
}

/* Every operation once; each may fail for lack of memory, and then the next ones find what is
 * there. */
static void use_everything(void)
{
    struct account *a;
    struct address_space *as, *child;
    struct object *o;
    uint64_t reserved, address = 0;
    if (account_create(&ledger_root, NULL, &a) != STATUS_OK) {
        return;
    }
    if (address_space_create(a, &as) == STATUS_OK) {
        if (address_space_reserve(as, 0, 64 * PAGE_SIZE, &reserved) == STATUS_OK) {
            (void)!address_space_change(as, CHANGE_COMMIT, reserved + PAGE_SIZE, 8 * PAGE_SIZE,
                                        PROTECTION_READ_WRITE);
            (void)!user_copy_out(as, reserved + PAGE_SIZE, "x", 1);
            (void)!address_space_change(as, CHANGE_PROTECT, reserved + 2 * PAGE_SIZE, PAGE_SIZE,
                                        PROTECTION_READ);
            (void)!address_space_unmap(as, reserved + 4 * PAGE_SIZE, PAGE_SIZE);
            (void)!address_space_change(as, CHANGE_DECOMMIT, reserved + 6 * PAGE_SIZE, PAGE_SIZE,
                                        PROTECTION_NONE);
        }
        if (memory_object_create(a, 3 * PAGE_SIZE, &o) == STATUS_OK) {
            (void)!address_space_map_object(as, o, NULL, true, 0, false, 0, 3 * PAGE_SIZE,
                                            PROTECTION_READ_WRITE, SHARING_SHARED, &address);
            (void)!user_copy_out(as, address, "x", 1);
            object_put(o);
        }
        if (address_space_map_code(as, NULL, PAGE_SIZE, &address) == STATUS_OK) {
            (void)!address_space_write_code(as, address, "x", 1);
        }
        if (address_space_create(a, &child) == STATUS_OK) {
            if (address_space_fork(as, child) != STATUS_OK) {
                CHECK(child->regions == NULL && child->tables == 0 && child->charged_pages == 0);
            }
            address_space_destroy(child);
        }
        address_space_destroy(as);
    }
    object_reap();
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_EQ(a->used[kind], 0);
    }
    account_put(a);
}

TEST(no_allocation_failure_loses_anything)
{
    sim_boot(NULL);
    for_each_allocation_failure(NULL, use_everything);
    sim_machine.prefers_runs = true;
    for_each_allocation_failure(NULL, use_everything);
}

static frame_t frame_at(uint64_t address)
{
    frame_t f = FRAME_NONE;
    enum protection p;
    return arch_lookup(&space->arch, address, &f, &p) ? f : FRAME_NONE;
}

TEST(committed_memory_is_mapped_in_one_run)
{
    begin();
    sim_machine.prefers_runs = true;
    uint64_t address, free = tally.frames_free;
    CHECK_OK(address_space_map(space, 0, false, 40 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    CHECK_LE(40, free - tally.frames_free);
    for (uint64_t i = 0; i < 40; i++) {
        CHECK_EQ(frame_at(address + i * PAGE_SIZE), frame_at(address) + i);
    }
    put(address + 7 * PAGE_SIZE, 1);
    CHECK_OK(address_space_change(space, CHANGE_DECOMMIT, address, 40 * PAGE_SIZE,
                                  PROTECTION_NONE));
    CHECK_EQ(frame_at(address), FRAME_NONE);
    CHECK_OK(address_space_change(space, CHANGE_COMMIT, address, 20 * PAGE_SIZE,
                                  PROTECTION_READ_WRITE));
    CHECK_EQ(frame_at(address + 19 * PAGE_SIZE), frame_at(address) + 19);
    CHECK_EQ(get(address + 7 * PAGE_SIZE), 0);
    CHECK_OK(address_space_change(space, CHANGE_COMMIT, address + 20 * PAGE_SIZE, PAGE_SIZE,
                                  PROTECTION_NONE));
    CHECK_EQ(frame_at(address + 20 * PAGE_SIZE), FRAME_NONE); /* nobody can touch it */
    end();
}

/* Writes to that page of a space that shares it with others: how many are copied. */
static uint64_t copied_by_write(uint64_t address, uint64_t page)
{
    uint64_t free = tally.frames_free;
    put(address + page * PAGE_SIZE, 200);
    return free - tally.frames_free;
}

TEST(who_goes_on_writing_after_a_fork_gets_runs)
{
    begin();
    sim_machine.prefers_runs = true;
    uint64_t address;
    CHECK_OK(address_space_map(space, 0, false, 64 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    for (uint64_t i = 0; i < 64; i++) {
        put(address + i * PAGE_SIZE, (uint8_t)i);
    }
    struct address_space *child, *parent = space;
    CHECK_OK(address_space_create(account, &child));
    CHECK_OK(address_space_fork(parent, child));
    space = child;
    CHECK_EQ(copied_by_write(address, 0), 1); /* nobody knows that it goes on */
    CHECK_EQ(copied_by_write(address, 1), 2);
    CHECK_EQ(copied_by_write(address, 3), 4);
    CHECK_EQ(copied_by_write(address, 7), 8);
    CHECK_EQ(copied_by_write(address, 17), 16); /* 15 and 16 were left out */
    CHECK_EQ(copied_by_write(address, 15), 1); /* backwards, and there it has all */
    CHECK_EQ(copied_by_write(address, 60), 1); /* somewhere else */
    CHECK_EQ(copied_by_write(address, 56), 2); /* and backwards */
    CHECK_EQ(copied_by_write(address, 52), 4);
    CHECK_EQ(copied_by_write(address, 63), 1);
    for (uint64_t i = 0; i < 64; i++) { /* copied with what is in them */
        uint8_t byte = get(address + i * PAGE_SIZE);
        CHECK(byte == i || byte == 200);
    }
    for (uint64_t i = 1; i < 4; i++) {
        CHECK_EQ(frame_at(address + (52 - i) * PAGE_SIZE), frame_at(address + 52 * PAGE_SIZE) - i);
    }
    space = parent;
    for (uint64_t i = 0; i < 64; i++) {
        CHECK_EQ(get(address + i * PAGE_SIZE), i);
    }
    address_space_destroy(child);
    uint64_t free = tally.frames_free;
    for (uint64_t i = 0; i < 64; i++) {
        put(address + i * PAGE_SIZE, 1); /* alone again: made writable, not copied */
    }
    CHECK_EQ(tally.frames_free, free);
    end();
}

TEST(committed_memory_without_a_run_comes_with_its_faults)
{
    begin();
    static frame_t taken[1 << 16];
    uint64_t address, count = 0;
    while (count < ARRAY_SIZE(taken) && tally.frames_free > 300) {
        CHECK_OK(frame_alloc(&taken[count++]));
    }
    CHECK_LT(count, ARRAY_SIZE(taken));
    frame_t rest;
    uint64_t run;
    CHECK_OK(frame_alloc_run(250, 250, &rest, &run)); /* what is at the frontier, but for a few */
    for (uint64_t i = 0; i < count; i += 2) {
        frame_put(taken[i]);
    }
    sim_machine.prefers_runs = true;
    CHECK_OK(address_space_map(space, 0, false, 100 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    CHECK_EQ(frame_at(address + 99 * PAGE_SIZE), FRAME_NONE);
    for (uint64_t i = 0; i < 100; i++) {
        put(address + i * PAGE_SIZE, (uint8_t)i);
        CHECK_EQ(get(address + i * PAGE_SIZE), i);
    }
    for (uint64_t i = 1; i < count; i += 2) {
        frame_put(taken[i]);
    }
    while (run > 0) {
        frame_put(rest + --run);
    }
    end();
}

TEST(kernel_pages_of_a_fork_wait_for_the_childs_own)
{
    begin();
    frame_t frames[3];
    uint64_t ring, gate, other, got;
    for (int i = 0; i < 3; i++) {
        CHECK_OK(frame_alloc_zeroed(&frames[i]));
    }
    CHECK_OK(address_space_map_kernel_pages(space, 0, frames, 1, PROTECTION_READ_WRITE, &ring));
    CHECK_OK(address_space_map_kernel_pages(space, 0, frames, 1, PROTECTION_READ, &gate));
    CHECK_OK(address_space_map_kernel_pages(space, 0, frames, 1, PROTECTION_READ_WRITE, &other));
    struct address_space *child;
    CHECK_OK(address_space_create(account, &child));
    CHECK_OK(address_space_fork(space, child));
    uint64_t mappings = account->used[LEDGER_MAPPINGS];
    CHECK_STATUS(address_space_fault(child, ring, UPCALL_ACCESS_READ), STATUS_BAD_ADDRESS);
    CHECK_OK(
        address_space_map_kernel_pages(child, ring, &frames[1], 1, PROTECTION_READ_WRITE, &got));
    CHECK_EQ(got, ring);
    CHECK_OK(address_space_map_kernel_pages(child, gate, &frames[2], 1, PROTECTION_READ, &got));
    CHECK_EQ(got, gate);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], mappings);
    address_space_fork_end(child);
    CHECK_EQ(account->used[LEDGER_MAPPINGS], mappings - 1);
    CHECK(region_tree_find(child->regions, other) == NULL);
    CHECK(region_tree_find(child->regions, ring) != NULL);
    CHECK_OK(address_space_map_kernel_pages(child, gate, frames, 1, PROTECTION_READ, &got));
    CHECK_NE(got, gate); /* it is taken now, as for everybody */
    address_space_destroy(child);
    for (int i = 0; i < 3; i++) {
        frame_put(frames[i]);
    }
    end();
}
