/* Kernel memory: sizes, charges, frames coming back, exhaustion. */
#include "kernel/core/kmem.h"

#include "kernel/core/frame.h"
#include "tests/lib/sim.h"

#define PIECES 600

static struct account *account;

static void begin(void)
{
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, NULL, &account));
}

static void end(void)
{
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_EQ(account->used[kind], 0);
    }
    account_put(account);
}

TEST(random_sizes_are_zeroed_apart_and_all_back)
{
    struct random r = {test_seed(1)};
    static struct {
        uint8_t *bytes;
        size_t size;
        uint8_t mark;
    } pieces[PIECES];
    begin();
    uint64_t frames = tally.frames_free, bytes = tally.kernel_bytes;
    for (int step = 0; step < 60000; step++) {
        uint64_t i = random_below(&r, PIECES);
        if (pieces[i].bytes == NULL) {
            void *memory;
            pieces[i].size = 1 + random_below(&r, random_chance(&r, 8) ? PAGE_SIZE : 300);
            CHECK_OK(kmem_alloc(account, pieces[i].size, &memory));
            pieces[i].bytes = memory;
            CHECK_EQ((uintptr_t)memory % 16, 0);
            for (size_t k = 0; k < pieces[i].size; k++) {
                CHECK_EQ(pieces[i].bytes[k], 0);
            }
            pieces[i].mark = (uint8_t)random_next(&r);
            memset(memory, pieces[i].mark, pieces[i].size);
            continue;
        }
        CHECK_EQ(pieces[i].bytes[0], pieces[i].mark);
        CHECK_EQ(pieces[i].bytes[pieces[i].size - 1], pieces[i].mark);
        kmem_free(account, pieces[i].bytes, pieces[i].size);
        pieces[i].bytes = NULL;
        CHECK_LE(account->used[LEDGER_KERNEL_BYTES], tally.kernel_frames * PAGE_SIZE);
    }
    for (int i = 0; i < PIECES; i++) {
        if (pieces[i].bytes != NULL) {
            kmem_free(account, pieces[i].bytes, pieces[i].size);
        }
    }
    CHECK_EQ(tally.frames_free, frames);
    CHECK_EQ(tally.kernel_bytes, bytes);
    end();
}

TEST(kernel_memory_never_takes_the_users_share)
{
    begin();
    uint64_t share = ledger_root.limit[LEDGER_KERNEL_BYTES] / PAGE_SIZE;
    CHECK_GE(tally.frames - share, ledger_root.limit[LEDGER_FRAMES]);
    static void *pages[8192];
    uint64_t count = 0;
    while (count < ARRAY_SIZE(pages)
           && kmem_alloc(account, PAGE_SIZE, &pages[count]) == STATUS_OK) {
        count++;
    }
    CHECK_LE(tally.kernel_frames, share);
    CHECK_GE(tally.kernel_frames + 1, share);
    CHECK_GE(tally.frames_free, ledger_root.limit[LEDGER_FRAMES]);
    void *more;
    CHECK_STATUS(kmem_alloc(account, 2000, &more), STATUS_BYTES_EXHAUSTED);
    while (count > 0) {
        kmem_free(account, pages[--count], PAGE_SIZE);
    }
    end();
}

TEST(a_limit_counts_size_classes)
{
    static const uint64_t limits[LEDGER_KINDS] = {[LEDGER_KERNEL_BYTES] = 200};
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, limits, &account));
    void *a, *b, *c;
    CHECK_OK(kmem_alloc(account, 90, &a));
    CHECK_OK(kmem_alloc(account, 96, &b));
    CHECK_EQ(account->used[LEDGER_KERNEL_BYTES], 192);
    CHECK_STATUS(kmem_alloc(account, 9, &c), STATUS_BYTES_EXHAUSTED);
    kmem_free(account, a, 90);
    CHECK_OK(kmem_alloc(account, 9, &c));
    kmem_free(account, b, 96);
    kmem_free(account, c, 9);
    end();
}

TEST(the_nth_allocation_fails_once)
{
    begin();
    void *memory;
    frame_t f;
    kmem_fail_after = 1;
    CHECK_OK(frame_alloc(&f));
    CHECK_STATUS(kmem_alloc(account, 64, &memory), STATUS_BYTES_EXHAUSTED);
    CHECK_EQ(account->used[LEDGER_KERNEL_BYTES], 0);
    CHECK_OK(kmem_alloc(account, 64, &memory));
    kmem_free(account, memory, 64);
    frame_put(f);
    end();
}
