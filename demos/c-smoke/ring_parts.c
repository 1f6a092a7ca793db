/* The CapSet, the ring, and the two objects that are simplest: timer and entropy. Reaches below the
 * runtime (thread_self.h) where it is to be hostile. */
#include "lib/capos/thread_self.h"
#include "smoke.h"

bool smoke_capset(void)
{
    static const char *const names[] = {CAP_NAME_MEMORY, CAP_NAME_THREADS, CAP_NAME_THREAD,
                                        CAP_NAME_PARK,   "stdio",          "timer",
                                        "random",        "spawn"};
    CHECK(capos_grant_count() == sizeof names / sizeof names[0]);
    for (size_t i = 0; i < capos_grant_count(); i++) {
        const struct capos_grant *grant = capos_grant_at(i);
        CHECK(strcmp(grant->name, names[i]) == 0); /* in the manifest's order */
        CHECK(grant->cap == CAP_ID(i + 1, 1));
    }
    CHECK(capos_grant_at(capos_grant_count()) == NULL);
    cap_t cap;
    CHECK_OK(capos_find("timer", TIMER_INTERFACE_ID, &cap));
    CHECK(cap == smoke_timer);
    CHECK_STATUS(capos_find("timer", CONSOLE_INTERFACE_ID, &cap), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(capos_find("network", TIMER_INTERFACE_ID, &cap), STATUS_NOT_FOUND);
    return true;
}

static status_t call_now(cap_t cap, uint64_t interface_id, uint16_t method)
{
    struct capos_call *call = capos_call_begin();
    (void)timer_now_params_init(&call->message);
    return capos_invoke(call, cap, interface_id, method);
}

bool smoke_interface_check(void)
{
    CHECK_OK(call_now(smoke_timer, TIMER_INTERFACE_ID, TIMER_METHOD_NOW));
    CHECK_STATUS(call_now(smoke_timer, CONSOLE_INTERFACE_ID, 0), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(call_now(smoke_timer, 0, 0), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(call_now(smoke_timer, TIMER_INTERFACE_ID, TIMER_METHOD_COUNT),
                 STATUS_UNKNOWN_METHOD);
    CHECK_STATUS(call_now(smoke_timer, TIMER_INTERFACE_ID, UINT16_MAX), STATUS_UNKNOWN_METHOD);
    CHECK_STATUS(call_now(CAP_ID_NONE, TIMER_INTERFACE_ID, 0), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(call_now(CAP_ID(77777, 1), TIMER_INTERFACE_ID, 0),
                 STATUS_BAD_CAPABILITY); /* forged */
    CHECK_STATUS(call_now(smoke_timer + (1u << CAP_SLOT_BITS), TIMER_INTERFACE_ID, 0),
                 STATUS_BAD_CAPABILITY);
    CHECK_STATUS(call_now(UINT32_MAX, TIMER_INTERFACE_ID, 0), STATUS_BAD_CAPABILITY);
    return true;
}

struct slow_call {
    struct capos_call call;
    _Alignas(8) uint8_t request[64], reply[64];
};

static void init(struct slow_call *s)
{
    capos_call_init(&s->call, s->request, sizeof s->request, s->reply, sizeof s->reply);
}

bool smoke_out_of_order(void)
{
    static struct slow_call slow, slower, fast;
    init(&slow), init(&slower), init(&fast);
    CHECK_OK(capos_timer_sleep_submit(&slower.call, smoke_timer, 60000000));
    CHECK_OK(capos_timer_sleep_submit(&slow.call, smoke_timer, 1000000));
    CHECK_OK(capos_timer_now_submit(&fast.call, smoke_timer));
    struct capos_timer_now_results now;
    CHECK_OK(capos_timer_now_await(&fast.call, &now)); /* the last is the first */
    CHECK(!capos_is_complete(&slow.call) || !capos_is_complete(&slower.call));
    CHECK_OK(capos_await(&slow.call));
    CHECK(!capos_is_complete(&slower.call));
    CHECK_OK(capos_await(&slower.call));
    return true;
}

bool smoke_cancel(void)
{
    static struct slow_call slow;
    init(&slow);
    CHECK_OK(capos_timer_sleep_submit(&slow.call, smoke_timer, 3600000000000));
    CHECK_OK(capos_cancel(&slow.call));
    CHECK_STATUS(capos_await(&slow.call), STATUS_CANCELLED);
    CHECK_STATUS(capos_cancel(&slow.call), STATUS_NOT_FOUND); /* too late */
    return true;
}

bool smoke_release(void)
{
    struct capos_process_spawner_create_pipe_results first, second;
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &first));
    capos_release(first.reader);
    capos_release(first.writer);
    struct capos_pipe_writer_write_results written;
    CHECK_STATUS(capos_pipe_writer_write(first.writer, "x", 1, &written), STATUS_STALE_CAPABILITY);
    CHECK_OK(capos_process_spawner_create_pipe(smoke_spawner, &second));
    CHECK(second.reader != first.reader
          && second.reader != first.writer); /* an id never comes again */
    CHECK(second.writer != first.reader && second.writer != first.writer);
    struct ring_entry again = {.opcode = RING_OP_RELEASE, .cap = first.reader};
    CHECK(smoke_run(again).status == -STATUS_STALE_CAPABILITY);
    capos_release(second.reader);
    capos_release(second.writer);
    return true;
}

bool smoke_timer_works(void)
{
    struct capos_timer_now_results before, after;
    struct capos_timer_ready_results ready;
    CHECK_OK(capos_timer_now(smoke_timer, &before));
    CHECK_OK(capos_timer_sleep(smoke_timer, 2000000));
    CHECK_OK(capos_timer_now(smoke_timer, &after));
    CHECK(after.monotonic_ns >= before.monotonic_ns + 2000000);
    CHECK(after.tick > before.tick);
    CHECK_OK(capos_timer_ready(smoke_timer, after.monotonic_ns + 1000000, &ready));
    CHECK(ready.monotonic_ns >= after.monotonic_ns + 1000000);
    CHECK_OK(capos_timer_ready(smoke_timer, 0, &ready)); /* long past */
    CHECK_STATUS(capos_wait_any(1000000), STATUS_TIMED_OUT);
    uint64_t page_ns, later_ns;
    CHECK_OK(capos_clock(smoke_timer, &page_ns));
    CHECK_OK(capos_timer_now(smoke_timer, &after));
    CHECK_OK(capos_clock(smoke_timer, &later_ns));
    CHECK(page_ns <= after.monotonic_ns + 100000 && after.monotonic_ns <= later_ns + 100000);
    return true;
}

bool smoke_entropy(void)
{
    struct capos_entropy_source_fill_results results;
    uint8_t first[64];
    CHECK_OK(capos_entropy_source_fill(smoke_random, 64, &results));
    CHECK(results.data.size == 64);
    memcpy(first, results.data.data, 64);
    CHECK_OK(capos_entropy_source_fill(smoke_random, 64, &results));
    CHECK(memcmp(first, results.data.data, 64) != 0);
    CHECK_OK(capos_entropy_source_fill(smoke_random, 0, &results));
    CHECK(results.data.size == 0);
    CHECK_STATUS(capos_entropy_source_fill(smoke_random, 65, &results), STATUS_EXCEPTION);
    return true;
}

/* A call of Timer.now with one field of the entry changed. */
static struct ring_entry usual(void)
{
    static _Alignas(8) uint8_t reply[256];
    static _Alignas(8) uint64_t request[2] = {1ull << 32, 0};
    return (struct ring_entry){.opcode = RING_OP_CALL,
                               .cap = smoke_timer,
                               .interface_id = TIMER_INTERFACE_ID,
                               .method = TIMER_METHOD_NOW,
                               .message = (uintptr_t)request,
                               .message_size = sizeof request,
                               .result = (uintptr_t)reply,
                               .result_size = sizeof reply};
}

#define REFUSES(field, value, expected)                \
    do {                                               \
        struct ring_entry hostile = usual();           \
        hostile.field = (value);                       \
        struct ring_completion c = smoke_run(hostile); \
        CHECK_STATUS((status_t)-c.status, expected);   \
    } while (0)

bool smoke_hostile_entries(void)
{
    CHECK(smoke_run(usual()).status == 0);
    REFUSES(opcode, RING_OP_COUNT, STATUS_BAD_OPCODE);
    REFUSES(opcode, 255, STATUS_BAD_OPCODE);
    REFUSES(flags, 0x80, STATUS_BAD_ENTRY);
    REFUSES(reserved, 1, STATUS_BAD_ENTRY);
    REFUSES(transfer_max, RING_TRANSFERS_MAX + 1, STATUS_BAD_ENTRY);
    REFUSES(transfer_count, UINT16_MAX, STATUS_BAD_ENTRY);
    REFUSES(message, 0x1000, STATUS_BAD_ADDRESS);             /* unmapped */
    REFUSES(message, 0xffff800000000000, STATUS_BAD_ADDRESS); /* the kernel's range */
    REFUSES(message, UINT64_MAX - 7, STATUS_BAD_ADDRESS);     /* wraps */
    REFUSES(message, USER_END - 8, STATUS_BAD_ADDRESS);       /* runs out of user memory */
    REFUSES(message_size, MESSAGE_MAX + 1, STATUS_MESSAGE_TOO_LARGE);
    REFUSES(message_size, 12, STATUS_BAD_MESSAGE);
    REFUSES(result, 0x1000, STATUS_BAD_ADDRESS);
    REFUSES(result, (uintptr_t)&smoke_hostile_entries, STATUS_BAD_ADDRESS); /* read-only */
    REFUSES(result, 0xffffffff80000000, STATUS_BAD_ADDRESS);
    REFUSES(result_size, 8, STATUS_RESULT_TOO_SMALL);
    struct ring_entry sends = usual();
    sends.transfer_count = 1;
    sends.transfers = 0x1000;
    CHECK(smoke_run(sends).status == -STATUS_BAD_ADDRESS);
    static struct cap_transfer transfer = {.mode = 7};
    transfer.cap = smoke_timer;
    sends.transfers = (uintptr_t)&transfer;
    CHECK(smoke_run(sends).status == -STATUS_BAD_ENTRY);
    CHECK(smoke_run(usual()).status == 0);
    return true;
}

/* A thread that spoils its own ring: it hears of it, and nobody else is hurt. */
static uint64_t spoil(void *context)
{
    (void)context;
    struct ring_header *ring = capos_self()->ring;
    uint32_t tail = ring->sq_tail, head = ring->cq_head, taken = ring->sq_head;
    ring->sq_tail = tail + 1000; /* more than there is room for */
    int64_t first = capos_cap_enter(0, 0, ring->upcalls);
    ring->sq_tail = tail;
    ring->cq_head = head + 5; /* taken, though it never came */
    int64_t second = capos_cap_enter(0, 0, ring->upcalls);
    ring->cq_head = head;
    ring->sq_head = 12345; /* the kernel has its own */
    ring->cq_tail = head;
    ring->sq_entries = 0;
    ring->cq_offset = UINT32_MAX;
    int64_t third = capos_cap_enter(0, 0, ring->upcalls);
    ring->sq_head = taken;
    return first == -STATUS_BAD_RING && second == -STATUS_BAD_RING && third == 0;
}

bool smoke_hostile_ring(void)
{
    struct capos_thread *thread;
    uint64_t result = 0;
    CHECK_OK(capos_thread_spawn(spoil, NULL, NULL, &thread));
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1);
    return true;
}
