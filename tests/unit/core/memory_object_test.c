/* MemoryObjects: frames in a tree of any height, faces, sealing, and who keeps the memory. */
#include "kernel/core/memory_object.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"
#include "tests/unit/core/region_check.h"

static struct account *account;

static void begin(void)
{
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, NULL, &account));
}

static void end(void)
{
    sim_settle();
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_EQ(account->used[kind], 0);
    }
    account_put(account);
}

static frame_t page(struct object *o, uint64_t index, bool allocate)
{
    frame_t f = memory_object_frame(memory_object_of(o), index, allocate);
    CHECK(!allocate || f != FRAME_NONE);
    return f;
}

TEST(pages_of_trees_of_every_height)
{
    static const struct {
        uint64_t pages, nodes;
    } cases[] = {{1, 0}, {2, 1}, {512, 1}, {513, 3}, {5000, 11}};
    begin();
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        uint64_t pages = cases[i].pages, free = tally.frames_free;
        struct object *o;
        CHECK_OK(memory_object_create(account, pages * PAGE_SIZE, &o));
        CHECK_EQ(account->used[LEDGER_FRAMES], pages + cases[i].nodes);
        CHECK_LE(free - tally.frames_free, 2); /* kernel memory only: nothing is touched yet */
        uint64_t touched[] = {0, pages / 2, pages - 1, pages / 3};
        for (size_t k = 0; k < ARRAY_SIZE(touched); k++) {
            frame_t f = page(o, touched[k], true);
            CHECK(f != FRAME_NONE);
            CHECK_EQ(page(o, touched[k], true), f);
            CHECK_EQ(page(o, touched[k], false), f);
        }
        CHECK(pages < 600 || page(o, 5, false) == FRAME_NONE);
        CHECK_EQ(account->used[LEDGER_FRAMES], pages + cases[i].nodes);
        object_put(o);
        sim_settle();
        CHECK_EQ(tally.frames_free, free);
    }
    end();
}

TEST(every_page_can_be_touched_within_the_charge)
{
    begin();
    struct object *o;
    CHECK_OK(memory_object_create(account, 3000 * PAGE_SIZE, &o));
    uint64_t free = tally.frames_free;
    for (uint64_t i = 0; i < 3000; i++) {
        (void)page(o, i, true);
    }
    CHECK_EQ(free - tally.frames_free, account->used[LEDGER_FRAMES]);
    object_put(o);
    end();
}

TEST(sizes_without_sense_are_refused)
{
    begin();
    struct object *o;
    CHECK_STATUS(memory_object_create(account, 0, &o), STATUS_OVERFLOW);
    CHECK_STATUS(memory_object_create(account, UINT64_MAX, &o), STATUS_OVERFLOW);
    CHECK_STATUS(memory_object_create(account, 1ull << 40, &o), STATUS_FRAMES_EXHAUSTED);
    end();
}

TEST(content_is_read_over_page_borders_and_holes)
{
    begin();
    struct object *o;
    CHECK_OK(memory_object_create(account, 3 * PAGE_SIZE, &o));
    memset(arch_frame_address(page(o, 1, true)), 0xaa, PAGE_SIZE);
    uint8_t bytes[PAGE_SIZE + 20];
    memory_object_read(memory_object_of(o), PAGE_SIZE - 10, bytes, sizeof(bytes));
    for (size_t i = 0; i < sizeof(bytes); i++) {
        CHECK_EQ(bytes[i], i >= 10 && i < 10 + PAGE_SIZE ? 0xaa : 0);
    }
    object_put(o);
    end();
}

TEST(a_mapping_keeps_the_memory)
{
    begin();
    struct address_space *as;
    struct object *o;
    uint64_t address;
    uint8_t value = 7;
    CHECK_OK(address_space_create(account, &as));
    CHECK_OK(memory_object_create(account, PAGE_SIZE, &o));
    CHECK_OK(address_space_map_object(as, o, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &address));
    CHECK_OK(user_copy_out(as, address, &value, 1));
    object_put(o);
    sim_settle();
    CHECK_OK(address_space_change(as, CHANGE_PROTECT, address, PAGE_SIZE, PROTECTION_READ));
    CHECK_OK(address_space_change(as, CHANGE_PROTECT, address, PAGE_SIZE, PROTECTION_READ_WRITE));
    value = 0;
    CHECK_OK(user_copy_in(as, &value, address, 1));
    CHECK_EQ(value, 7);
    address_space_destroy(as);
    end();
}

TEST(sealing_waits_for_all_who_can_write)
{
    begin();
    struct address_space *as;
    struct object *o, *image, *reader;
    uint64_t address, private;
    CHECK_OK(address_space_create(account, &as));
    CHECK_OK(memory_object_create(account, PAGE_SIZE, &o));
    CHECK_OK(memory_object_make_read_only(memory_object_of(o), account, &reader));
    CHECK_OK(address_space_map_object(as, o, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &address));
    CHECK_OK(address_space_map_object(as, reader, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_PRIVATE, &private));
    CHECK_STATUS(memory_object_make_image(o, account, &image), STATUS_BAD_STATE);
    CHECK_OK(address_space_change(as, CHANGE_PROTECT, address, PAGE_SIZE,
                                  PROTECTION_READ)); /* not unmapped: read-only is enough */
    object_get(o);
    CHECK_STATUS(memory_object_make_image(o, account, &image), STATUS_BAD_STATE);
    object_put(o);
    CHECK_OK(memory_object_make_image(o, account, &image));
    CHECK(memory_object_sealed(memory_object_of(reader)));
    /* From now on nobody writes to it, by no way. */
    CHECK_STATUS(address_space_change(as, CHANGE_PROTECT, address, PAGE_SIZE,
                                      PROTECTION_READ_WRITE),
                 STATUS_WRONG_INTERFACE);
    CHECK_STATUS(address_space_map_object(as, o, NULL, true, 0, false, 0, PAGE_SIZE,
                                          PROTECTION_READ_WRITE, SHARING_SHARED, &address),
                 STATUS_WRONG_INTERFACE);
    CHECK_STATUS(address_space_map_object(as, reader, NULL, true, 0, false, 0, PAGE_SIZE,
                                          PROTECTION_READ_EXECUTE, SHARING_SHARED, &address),
                 STATUS_WRONG_INTERFACE);
    CHECK_OK(address_space_map_object(as, image, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_EXECUTE, SHARING_SHARED, &address));
    CHECK_STATUS(address_space_change(as, CHANGE_PROTECT, address, PAGE_SIZE,
                                      PROTECTION_READ_WRITE),
                 STATUS_WRONG_INTERFACE);
    object_put(o);
    object_put(image);
    object_put(reader);
    address_space_destroy(as);
    end();
}

TEST(what_was_written_never_runs)
{
    begin();
    struct address_space *as;
    struct object *o, *image;
    uint64_t code;
    CHECK_OK(address_space_create(account, &as));
    CHECK_OK(memory_object_create(account, 2 * PAGE_SIZE, &o));
    CHECK_OK(memory_object_make_image(o, account, &image));
    CHECK_OK(address_space_map_object(as, image, NULL, true, 0, false, 0, 2 * PAGE_SIZE,
                                      PROTECTION_READ_EXECUTE, SHARING_PRIVATE, &code));
    CHECK_OK(
        address_space_change(as, CHANGE_PROTECT, code, PAGE_SIZE,
                             PROTECTION_READ_WRITE)); /* private: a copy */
    CHECK_STATUS(address_space_fault(as, code, UPCALL_ACCESS_EXECUTE), STATUS_BAD_ADDRESS);
    CHECK_STATUS(address_space_change(as, CHANGE_PROTECT, code, 2 * PAGE_SIZE,
                                      PROTECTION_READ_EXECUTE),
                 STATUS_WRONG_INTERFACE);
    CHECK_OK(address_space_change(as, CHANGE_PROTECT, code, PAGE_SIZE, PROTECTION_READ));
    CHECK_STATUS(address_space_change(as, CHANGE_PROTECT, code, PAGE_SIZE, PROTECTION_READ_EXECUTE),
                 STATUS_WRONG_INTERFACE);
    CHECK_OK(address_space_fault(as, code + PAGE_SIZE, UPCALL_ACCESS_EXECUTE));
    object_put(o);
    object_put(image);
    address_space_destroy(as);
    end();
}

static void fill_and_seal(void)
{
    struct account *a;
    struct object *o, *image, *reader;
    if (account_create(&ledger_root, NULL, &a) != STATUS_OK) {
        return;
    }
    if (memory_object_create(a, 600 * PAGE_SIZE, &o) == STATUS_OK) {
        for (uint64_t i = 0; i < 600; i += 300) {
            (void)memory_object_frame(memory_object_of(o), i, true);
        }
        if (memory_object_make_read_only(memory_object_of(o), a, &reader) == STATUS_OK) {
            object_put(reader);
        }
        if (memory_object_make_image(o, a, &image) == STATUS_OK) {
            object_put(image);
        }
        object_put(o);
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
    for_each_allocation_failure(NULL, fill_and_seal);
}
