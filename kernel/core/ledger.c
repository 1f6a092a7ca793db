/* The ledger. See ledger.h.
 *
 * The root's limits are what makes a promise to a user hold. Of the F frames that are free when the
 * ledger starts, K = F / 8 (at least KERNEL_FRAMES_LEAST) are kernel memory's, and F - K may be
 * charged as LEDGER_FRAMES:
 *
 *   - Whatever takes a frame for a user's sake charges LEDGER_FRAMES before it promises anything:
 *     pages of private memory when they are committed, pages of MemoryObjects when they are
 *     created, the worst case of page tables with the mapping, rings, roots of address spaces.
 *     Each charged frame is taken at most once, so at most F - K frames are ever taken this way,
 *     and a fault in committed memory finds one.
 *   - All other memory of the kernel comes from kmem, which charges LEDGER_KERNEL_BYTES by size
 *     class and, because pieces of freed classes may leave frames partly empty, never holds more
 *     than K frames whatever is charged. So the two shares cannot touch each other.
 *   - What arch takes without a charge, it takes before ledger_init() counts F.
 *
 * A page that is shared by copy-on-write is charged to each of its owners though it is one frame:
 * that is the price of no overcommit. The other kinds (slots, threads, calls, queued bytes,
 * mappings) are made of kernel bytes or frames that are charged besides, so at the root they have
 * no limit of their own; limits of children bound them. Reserved pages cost no memory at all.
 *
 * An account goes when nothing refers to it and nothing is charged to it, whichever comes last. A
 * child holds a reference to its parent, so going up is a loop. */
#include "kernel/core/ledger.h"

#include "kernel/core/kmem.h"

#define KERNEL_SHARE 8         /* one frame in so many is kernel memory's */
#define KERNEL_FRAMES_LEAST 64 /* enough for init and a handful of children */

struct account ledger_root;

void ledger_init(uint64_t frames)
{
    uint64_t kernel = MIN(MAX(frames / KERNEL_SHARE, KERNEL_FRAMES_LEAST), frames);
    ledger_root = (struct account){.references = 1};
    for (uint32_t kind = 0; kind < LEDGER_KINDS; kind++) {
        ledger_root.limit[kind] = UINT64_MAX;
    }
    ledger_root.limit[LEDGER_FRAMES] = frames - kernel;
    ledger_root.limit[LEDGER_KERNEL_BYTES] = kernel * PAGE_SIZE;
    kmem_init(kernel);
}

static const uint16_t exhausted[LEDGER_KINDS] = {
    [LEDGER_FRAMES] = STATUS_FRAMES_EXHAUSTED,
    [LEDGER_RESERVED_PAGES] = STATUS_FRAMES_EXHAUSTED,
    [LEDGER_MAPPINGS] = STATUS_MAPPINGS_EXHAUSTED,
    [LEDGER_SLOTS] = STATUS_SLOTS_EXHAUSTED,
    [LEDGER_THREADS] = STATUS_THREADS_EXHAUSTED,
    [LEDGER_CALLS] = STATUS_CALLS_EXHAUSTED,
    [LEDGER_QUEUED_BYTES] = STATUS_BYTES_EXHAUSTED,
    [LEDGER_KERNEL_BYTES] = STATUS_BYTES_EXHAUSTED,
};

status_t ledger_charge(struct account *a, enum ledger_kind kind, uint64_t amount)
{
    KASSERT(a != NULL && kind < LEDGER_KINDS);
    for (struct account *level = a; level != NULL; level = level->parent) {
        uint64_t used = level->used[kind] + amount;
        if (used > level->limit[kind] || used < amount) {
            for (; a != level; a = a->parent) {
                a->used[kind] -= amount;
            }
            return (status_t)exhausted[kind];
        }
        level->used[kind] = used;
    }
    return STATUS_OK;
}

static bool idle(const struct account *a)
{
    if (a->references != 0) {
        return false;
    }
    for (uint32_t kind = 0; kind < LEDGER_KINDS; kind++) {
        if (a->used[kind] != 0) {
            return false;
        }
    }
    return true;
}

/* Frees `a` and each ancestor that only its child still held. */
static void reap(struct account *a)
{
    while (idle(a)) {
        struct account *parent = a->parent;
        KASSERT(parent != NULL && parent->references > 0);
        kmem_free(parent, a, sizeof(*a));
        parent->references--;
        a = parent;
    }
}

void ledger_refund(struct account *a, enum ledger_kind kind, uint64_t amount)
{
    KASSERT(a != NULL && kind < LEDGER_KINDS);
    for (struct account *level = a; level != NULL; level = level->parent) {
        KASSERT(level->used[kind] >= amount);
        level->used[kind] -= amount;
    }
    if (a->references == 0) {
        reap(a);
    }
}

status_t account_create(struct account *parent, const uint64_t *limits, struct account **out)
{
    KASSERT(parent != NULL && parent->references > 0);
    if (parent->depth + 1 >= ACCOUNT_DEPTH_MAX) {
        return STATUS_BAD_STATE;
    }
    void *memory;
    status_t status = kmem_alloc(parent, sizeof(struct account), &memory);
    if (status != STATUS_OK) {
        return status;
    }
    struct account *a = memory;
    a->references = 1;
    a->depth = parent->depth + 1;
    a->parent = account_get(parent);
    for (uint32_t kind = 0; kind < LEDGER_KINDS; kind++) {
        bool limited = limits != NULL && limits[kind] != 0;
        a->limit[kind] = limited ? limits[kind] : UINT64_MAX;
    }
    *out = a;
    return STATUS_OK;
}

struct account *account_get(struct account *a)
{
    KASSERT(a->references > 0 && a->references < UINT32_MAX);
    a->references++;
    return a;
}

void account_put(struct account *a)
{
    KASSERT(a->references > 0);
    a->references--;
    reap(a);
}
