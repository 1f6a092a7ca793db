/* Entries that cost the kernel little, so that the way into it and out of it shows; calls to a
 * kernel object; parking. */
#include "bench.h"

#define BATCH 16u

/* The NOP rows fill and reap the ring themselves, in the simplest way there is: the row is the
 * ring's cost, not the runtime's. Nobody else uses this thread's ring meanwhile. */
static struct ring_header *ring(void)
{
    /* lib/capos/thread_self.h: the second word at the thread's FS base */
    struct ring_header *header;
    __asm__("mov %%fs:8, %0" : "=r"(header));
    return header;
}

extern int64_t capos_cap_enter(uint64_t wanted, uint64_t timeout_ns, uint64_t upcalls_seen);

static inline int64_t enter(uint64_t wanted, uint32_t seen)
{
    return capos_cap_enter(wanted, CAP_ENTER_FOREVER, seen);
}

/* `n` NOPs in one entry to the kernel. */
static bool nops(struct ring_header *header, uint32_t n)
{
    char *base = (char *)header;
    struct ring_entry *entries = (struct ring_entry *)(void *)(base + header->sq_offset);
    struct ring_completion *completions =
        (struct ring_completion *)(void *)(base + header->cq_offset);
    uint32_t tail = header->sq_tail, head = header->cq_head;
    for (uint32_t i = 0; i < n; i++, tail++) {
        entries[tail % BATCH] = (struct ring_entry){.opcode = RING_OP_NOP, .user_data = tail};
    }
    __atomic_store_n(&header->sq_tail, tail, __ATOMIC_RELEASE);
    if (enter(n, header->upcalls) != n) {
        return false;
    }
    bool ok = true;
    for (uint32_t i = 0; i < n; i++, head++) {
        const struct ring_completion *c = &completions[head % (2 * BATCH)];
        ok = ok && c->status == 0 && c->user_data == tail - n + i;
    }
    __atomic_store_n(&header->cq_head, head, __ATOMIC_RELEASE);
    return ok;
}

bool bench_ring_nop(uint32_t count)
{
    struct ring_header *header = ring();
    struct ring_entry *entries = (void *)((char *)header + header->sq_offset);
    const struct ring_completion *completions = (void *)((char *)header + header->cq_offset);
    capos_flush();
    uint32_t tail = header->sq_tail, head = header->cq_head;
    bool ok = true;
    for (uint32_t i = 0; i < count; i++) {
        entries[tail++ % BATCH] = (struct ring_entry){.opcode = RING_OP_NOP, .user_data = i};
        __atomic_store_n(&header->sq_tail, tail, __ATOMIC_RELEASE);
        ok = ok && enter(1, header->upcalls) == 1;
        const struct ring_completion *c = &completions[head++ % (2 * BATCH)];
        ok = ok && c->status == 0 && c->user_data == i;
        __atomic_store_n(&header->cq_head, head, __ATOMIC_RELEASE);
    }
    return ok;
}

static uint64_t batch_cost(uint32_t n, uint32_t count)
{
    struct ring_header *header = ring();
    uint64_t start = bench_tick();
    for (uint32_t i = 0; i < count; i++) {
        if (!nops(header, n)) {
            bench_fail("ring_nop_batch16");
        }
    }
    return bench_tick() - start;
}

/* What each more in a batch costs: (T16 - T1) / 15. */
void bench_ring_batch(const char *name)
{
    uint64_t costs[BENCH_ROUNDS];
    const uint32_t count = 200;
    capos_flush();
    (void)batch_cost(BATCH, count);
    for (int i = 0; i < BENCH_ROUNDS; i++) {
        uint64_t one = batch_cost(1, count);
        costs[i] = (batch_cost(BATCH, count) - one) / (BATCH - 1) / count;
    }
    bench_print(name, costs);
}

/* One integer in, one boolean out. */
bool bench_object_call(uint32_t count)
{
    struct capos_std_io_is_terminal_results results;
    for (uint32_t i = 0; i < count; i++) {
        if (capos_std_io_is_terminal(bench_stdio, 1, &results) != STATUS_OK ||
            results.is_terminal) {
            return false;
        }
    }
    return true;
}

/* --- two threads that wake each other in turn --- */

static struct {
    struct capos_thread *thread;
    uint32_t turn; /* even: ours; odd: the other's */
    bool stop;
} park;

static void hand_over(uint32_t turn)
{
    __atomic_store_n(&park.turn, turn, __ATOMIC_RELEASE);
    (void)capos_unpark(&park.turn, 1);
}

static void wait_while(uint32_t turn)
{
    while (__atomic_load_n(&park.turn, __ATOMIC_ACQUIRE) == turn) {
        status_t status = capos_park(&park.turn, turn, CAP_ENTER_FOREVER);
        (void)status; /* woken, or changed already */
    }
}

static uint64_t answer(void *unused)
{
    (void)unused;
    for (uint32_t turn = 0;; turn += 2) {
        wait_while(turn);
        if (__atomic_load_n(&park.stop, __ATOMIC_ACQUIRE)) {
            return turn;
        }
        hand_over(turn + 2);
    }
}

bool bench_park(uint32_t count)
{
    if (park.thread == NULL && capos_thread_spawn(answer, NULL, NULL, &park.thread) != STATUS_OK) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t turn = park.turn;
        hand_over(turn + 1);
        wait_while(turn + 1);
        if (park.turn != turn + 2) {
            return false;
        }
    }
    return true;
}

void bench_park_end(void)
{
    __atomic_store_n(&park.stop, true, __ATOMIC_RELEASE);
    hand_over(park.turn + 1);
    if (capos_thread_join(park.thread, NULL) != STATUS_OK) {
        bench_fail("park_rtt: join");
    }
}
