/* The ledger: levels, limits, and accounts that outlive who made them. */
#include "kernel/core/ledger.h"

#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"

TEST(charges_count_at_every_level_or_at_none)
{
    static const uint64_t limits[LEDGER_KINDS] = {[LEDGER_FRAMES] = 10, [LEDGER_SLOTS] = 3};
    struct account *parent, *child;
    sim_boot(NULL);
    uint64_t before = ledger_root.used[LEDGER_FRAMES];
    CHECK_OK(account_create(&ledger_root, limits, &parent));
    CHECK_OK(account_create(parent, NULL, &child));
    CHECK_OK(ledger_charge(child, LEDGER_FRAMES, 10));
    CHECK_STATUS(ledger_charge(child, LEDGER_FRAMES, 1), STATUS_FRAMES_EXHAUSTED);
    CHECK_STATUS(ledger_charge(child, LEDGER_FRAMES, UINT64_MAX), STATUS_FRAMES_EXHAUSTED);
    CHECK_EQ(child->used[LEDGER_FRAMES], 10);
    CHECK_EQ(parent->used[LEDGER_FRAMES], 10);
    CHECK_EQ(ledger_root.used[LEDGER_FRAMES], before + 10);
    CHECK_STATUS(ledger_charge(child, LEDGER_SLOTS, 4), STATUS_SLOTS_EXHAUSTED);
    ledger_refund(child, LEDGER_FRAMES, 10);
    CHECK_EQ(ledger_root.used[LEDGER_FRAMES], before);
    account_put(child);
    account_put(parent);
}

TEST(each_kind_has_its_status)
{
    static const uint64_t limits[LEDGER_KINDS] = {1, 1, 1, 1, 1, 1, 1, 1};
    static const enum status expected[LEDGER_KINDS] = {
        [LEDGER_FRAMES] = STATUS_FRAMES_EXHAUSTED,
        [LEDGER_RESERVED_PAGES] = STATUS_FRAMES_EXHAUSTED,
        [LEDGER_MAPPINGS] = STATUS_MAPPINGS_EXHAUSTED,
        [LEDGER_SLOTS] = STATUS_SLOTS_EXHAUSTED,
        [LEDGER_THREADS] = STATUS_THREADS_EXHAUSTED,
        [LEDGER_CALLS] = STATUS_CALLS_EXHAUSTED,
        [LEDGER_QUEUED_BYTES] = STATUS_BYTES_EXHAUSTED,
        [LEDGER_KERNEL_BYTES] = STATUS_BYTES_EXHAUSTED,
    };
    struct account *a;
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, limits, &a));
    for (enum ledger_kind kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_STATUS(ledger_charge(a, kind, 2), expected[kind]);
    }
    account_put(a);
}

TEST(an_account_lives_as_long_as_something_is_charged)
{
    struct account *parent, *child;
    sim_boot(NULL);
    uint64_t bytes = tally.kernel_bytes;
    CHECK_OK(account_create(&ledger_root, NULL, &parent));
    CHECK_OK(account_create(parent, NULL, &child));
    CHECK_OK(ledger_charge(child, LEDGER_FRAMES, 5));
    account_put(child);
    account_put(parent);
    CHECK_NE(tally.kernel_bytes, bytes);
    CHECK_EQ(child->used[LEDGER_FRAMES], 5); /* still there: the address sanitizer would say */
    ledger_refund(child, LEDGER_FRAMES, 5);
    CHECK_EQ(tally.kernel_bytes, bytes); /* and its parent with it */
}

TEST(nesting_has_a_limit)
{
    struct account *chain[ACCOUNT_DEPTH_MAX] = {&ledger_root};
    sim_boot(NULL);
    uint64_t bytes = tally.kernel_bytes;
    int depth = 1;
    while (depth < ACCOUNT_DEPTH_MAX
           && account_create(chain[depth - 1], NULL, &chain[depth]) == STATUS_OK) {
        depth++;
    }
    CHECK_EQ(depth, ACCOUNT_DEPTH_MAX);
    struct account *deeper;
    CHECK_STATUS(account_create(chain[depth - 1], NULL, &deeper), STATUS_BAD_STATE);
    for (int i = 1; i < depth; i++) {
        account_put(chain[i]); /* from the top: each is held by its child */
    }
    CHECK_EQ(tally.kernel_bytes, bytes);
}

/* Whatever is charged as frames can be had: the promise at the head of ledger.c. */
TEST(charged_frames_can_always_be_taken)
{
    struct sim_options small = {.pages = 1024};
    sim_boot(&small);
    struct account *a;
    CHECK_OK(account_create(&ledger_root, NULL, &a));
    struct address_space *as;
    CHECK_OK(address_space_create(a, &as));
    uint64_t pages = 0, address;
    while (address_space_map(as, 0, false, PAGE_SIZE, PROTECTION_READ_WRITE,
                             &address) == STATUS_OK) {
        pages++;
    }
    CHECK_GT(pages, 600);
    void *memory[400];
    int taken = 0;
    while (taken < 400 && kmem_alloc(a, PAGE_SIZE, &memory[taken]) == STATUS_OK) {
        taken++; /* all of the kernel's share is gone, too */
    }
    for (uint64_t i = 0; i < pages; i++) {
        CHECK_OK(address_space_fault(as, as->next_hint + i * PAGE_SIZE, UPCALL_ACCESS_WRITE));
    }
    while (taken > 0) {
        kmem_free(a, memory[--taken], PAGE_SIZE);
    }
    address_space_destroy(as);
    account_put(a);
}
