/*
 * ring_test.c: the ring's client against a kernel that is played here: it takes entries when the
 * client enters, and completes them at once, later, in another order or not at all, as the test
 * says. The client's source is compiled into this file, with the thread's record of the test.
 */
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"
#include "tests/unit/libc/libc_test.h"
#include <stdlib.h>
#include <string.h>

static struct capos_thread_self the_thread;
#define capos_self() (&the_thread)
#include "lib/capos/ring.c"
#undef capos_self

#define SQ_ENTRIES RING_SQ_ENTRIES_DEFAULT
#define CQ_ENTRIES RING_CQ_ENTRIES_DEFAULT
#define HELD_MAX 64

/* Which entries the kernel keeps for later. */
enum keeping { KEEP_NOTHING, KEEP_CALLS };

static struct {
    enum keeping keeping;
    struct ring_entry held[HELD_MAX];
    unsigned held_count;
    unsigned accepted; /* in flight, or completed and not taken */
    unsigned enters;
    unsigned releases;
    uint64_t last_wanted;
    bool interrupt_next;    /* the next entry to the kernel is interrupted */
    void (*on_enter)(void); /* an upcall's handler, say */
    size_t answer_bytes;    /* of garbage instead of an answer; 0: an answer */
    bool answer_long;       /* short calls too get a message */
    char message[512];      /* of the last call */
    uint32_t message_size;
} kernel;

static _Alignas(4096) char ring_page[4096];
static _Alignas(8) char requests[HELD_MAX][256];
static _Alignas(8) char replies[HELD_MAX][256];
static _Alignas(8) char own_request[512];
static _Alignas(8) char own_reply[512];

static struct ring_header *ring_header(void)
{
    return (struct ring_header *)ring_page;
}

static struct ring_completion *next_completion(void)
{
    struct ring_completion *queue = (struct ring_completion *)(ring_page + RING_DEFAULT_CQ_OFFSET);
    return &queue[ring_header()->cq_tail % CQ_ENTRIES];
}

/* The answer to a short call is the sum of its words. */
static void complete_short(const struct ring_entry *entry)
{
    struct ring_completion completion = {.user_data = entry->user_data,
                                         .result_size = 8,
                                         .flags = RING_FLAG_SHORT,
                                         .value = entry->message + entry->transfers};
    if (entry->message_size != 16 || entry->transfer_count != 0 || entry->transfer_max != 0) {
        test_fail("a short call that is none");
    }
    if (kernel.answer_long) {
        struct wire_message_builder results;
        wire_message_begin(&results, (void *)entry->result, entry->result_size);
        timer_now_results_set_monotonic_ns(timer_now_results_init(&results), completion.value);
        completion.result_size = (uint32_t)wire_message_finish(&results);
        completion.flags = 0;
        completion.value = 0;
    }
    *next_completion() = completion;
    ring_header()->cq_tail++;
}

/* The answer says what was asked: Timer.now's time is the number that sleep's parameter was. */
static void complete(const struct ring_entry *entry, int32_t status)
{
    struct ring_completion completion = {.user_data = entry->user_data, .status = status};
    if ((entry->flags & RING_FLAG_SHORT) != 0 && status == 0) {
        complete_short(entry);
        return;
    }
    if (entry->opcode == RING_OP_CALL && status == 0) {
        struct wire_message params;
        struct wire_message_builder results;
        wire_message_open(&params, (void *)entry->message, entry->message_size);
        uint64_t asked = timer_sleep_params_ns(wire_message_root(&params));
        wire_message_begin(&results, (void *)entry->result, entry->result_size);
        timer_now_results_set_monotonic_ns(timer_now_results_init(&results), asked);
        completion.result_size = (uint32_t)wire_message_finish(&results);
        if (kernel.answer_bytes != 0) {
            memset((void *)entry->result, 0xff, kernel.answer_bytes);
            completion.result_size = (uint32_t)kernel.answer_bytes;
        }
        struct cap_transfer *transfers = (struct cap_transfer *)entry->transfers;
        for (uint16_t i = 0; i < entry->method; i++) { /* as many capabilities as the method says */
            transfers[i] = (struct cap_transfer){.cap = 1000u + i};
            completion.transfer_count++;
        }
    }
    *next_completion() = completion;
    ring_header()->cq_tail++;
}

static void complete_held(unsigned which)
{
    complete(&kernel.held[which], 0);
    kernel.held[which] = kernel.held[--kernel.held_count];
}

static void take_entry(const struct ring_entry *entry)
{
    kernel.releases += entry->opcode == RING_OP_RELEASE;
    if (entry->opcode == RING_OP_CALL && (entry->flags & RING_FLAG_SHORT) == 0 &&
        entry->message_size <= sizeof kernel.message) {
        kernel.message_size = entry->message_size;
        memcpy(kernel.message, (const void *)entry->message, entry->message_size);
    }
    if (entry->opcode == RING_OP_CANCEL) {
        for (unsigned i = 0; i < kernel.held_count; i++) {
            if (kernel.held[i].user_data == entry->interface_id) {
                complete(&kernel.held[i], -STATUS_CANCELLED);
                kernel.held[i] = kernel.held[--kernel.held_count];
                complete(entry, 0);
                return;
            }
        }
        complete(entry, -STATUS_NOT_FOUND);
    } else if (kernel.keeping == KEEP_CALLS && entry->opcode == RING_OP_CALL) {
        kernel.held[kernel.held_count++] = *entry;
    } else {
        complete(entry, 0);
    }
}

int64_t capos_cap_enter(uint64_t min_complete, uint64_t timeout_ns, uint64_t upcalls_seen)
{
    struct ring_header *ring = ring_header();
    struct ring_entry *queue = (struct ring_entry *)(ring_page + RING_DEFAULT_SQ_OFFSET);
    kernel.enters++;
    kernel.last_wanted = min_complete;
    if (ring->upcall_mask != 0) {
        test_fail("the kernel was entered with interrupts masked");
    }
    if (kernel.on_enter != NULL) {
        void (*handler)(void) = kernel.on_enter;
        kernel.on_enter = NULL;
        ring->upcalls++;
        handler();
        return -STATUS_INTERRUPTED;
    }
    if (kernel.interrupt_next || upcalls_seen != ring->upcalls) {
        kernel.interrupt_next = false;
        return -STATUS_INTERRUPTED;
    }
    if (ring->sq_tail - ring->sq_head > SQ_ENTRIES || ring->cq_tail - ring->cq_head > CQ_ENTRIES) {
        return -STATUS_BAD_RING;
    }
    while (ring->sq_head != ring->sq_tail &&
           kernel.held_count + (ring->cq_tail - ring->cq_head) < CQ_ENTRIES) {
        struct ring_entry entry = queue[ring->sq_head % SQ_ENTRIES];
        ring->sq_head++;
        take_entry(&entry);
    }
    while (ring->cq_tail - ring->cq_head < min_complete && timeout_ns != 0) {
        if (kernel.held_count == 0) {
            test_fail("a wait for %zu completions that never come", (size_t)min_complete);
            exit(1);
        }
        complete_held((unsigned)test_below(kernel.held_count)); /* time passes */
    }
    return ring->cq_tail - ring->cq_head;
}

void capos_panic(const char *text)
{
    platform_panic(text);
}

static void start(void)
{
    struct ring_header *ring = ring_header();
    memset(&kernel, 0, sizeof kernel);
    memset(ring_page, 0, sizeof ring_page);
    memset(&the_thread, 0, sizeof the_thread);
    ring->sq_entries = SQ_ENTRIES;
    ring->cq_entries = CQ_ENTRIES;
    ring->sq_offset = RING_DEFAULT_SQ_OFFSET;
    ring->cq_offset = RING_DEFAULT_CQ_OFFSET;
    ring->sq_head = ring->sq_tail = ring->cq_head = ring->cq_tail = UINT32_MAX - 20; /* they wrap */
    capos_self_init(&the_thread, ring, own_request, sizeof own_request, own_reply,
                    sizeof own_reply);
}

static void ask(struct capos_call *call, uint64_t number)
{
    timer_sleep_params_set_ns(timer_sleep_params_init(&call->message), number);
}

static void expect_answer(struct capos_call *call, status_t status, uint64_t number)
{
    if (status != STATUS_OK || timer_now_results_monotonic_ns(call->results) != number) {
        test_fail("call %zu: status %d, answer %zu", (size_t)number, (int)status,
                  (size_t)timer_now_results_monotonic_ns(call->results));
    }
}

static void test_synchronous(void)
{
    start();
    for (uint64_t i = 1; i < 100; i++) {
        struct capos_call *call = capos_call_begin();
        ask(call, i);
        expect_answer(call, capos_invoke(call, 7, TIMER_INTERFACE_ID, 0), i);
        if (kernel.enters != i) {
            test_fail("%u entries to the kernel for %zu calls", kernel.enters, (size_t)i);
        }
    }
    kernel.interrupt_next = true;
    struct capos_call *call = capos_call_begin();
    ask(call, 5);
    expect_answer(call, capos_invoke(call, 7, TIMER_INTERFACE_ID, 0), 5);
    test_done("libcapos/ring/synchronous calls");
}

/* A synchronous call while others are in flight, whose completions come first and are kept. */
static void test_out_of_order(void)
{
    static struct capos_call calls[CQ_ENTRIES - 2];
    const unsigned count = CQ_ENTRIES - 2;
    for (int round = 0; round < 200; round++) {
        start();
        kernel.keeping = KEEP_CALLS;
        for (unsigned i = 0; i < count; i++) {
            capos_call_init(&calls[i], requests[i], 256, replies[i], 256);
            ask(&calls[i], i + 100);
            if (capos_submit(&calls[i], 7, TIMER_INTERFACE_ID, 0) != STATUS_OK) {
                test_fail("submit");
            }
        }
        struct capos_call *own = capos_call_begin();
        ask(own, 99);
        expect_answer(own, capos_invoke(own, 7, TIMER_INTERFACE_ID, 0), 99);
        for (unsigned done = 0; done < count; done++) {
            unsigned i = (unsigned)test_below(count);
            while (calls[i].state == CAPOS_CALL_IDLE) {
                i = (i + 1) % count;
            }
            expect_answer(&calls[i], capos_await(&calls[i]), i + 100);
            calls[i].state = CAPOS_CALL_IDLE;
        }
    }
    test_done("libcapos/ring/completions out of order");
}

static void test_full_queue(void)
{
    static struct capos_wait waits[500];
    start();
    struct ring_entry nop = {.opcode = RING_OP_NOP};
    for (unsigned i = 0; i < 500; i++) {
        capos_submit_entry(&nop, &waits[i]);
    }
    for (unsigned i = 500; i-- > 0;) {
        if (capos_await_entry(&waits[i]) != STATUS_OK) {
            test_fail("entry %u", i);
        }
    }
    /* as many calls in flight as there is room for completions; the entries behind them wait */
    static struct capos_call calls[CQ_ENTRIES + 10];
    kernel.keeping = KEEP_CALLS;
    for (unsigned i = 0; i < CQ_ENTRIES + 10; i++) {
        capos_call_init(&calls[i], requests[i], 256, replies[i], 256);
        ask(&calls[i], i);
        if (capos_submit(&calls[i], 7, TIMER_INTERFACE_ID, 0) != STATUS_OK) {
            test_fail("submit");
        }
    }
    capos_release(5);
    for (unsigned i = 0; i < CQ_ENTRIES + 10; i++) {
        expect_answer(&calls[i], capos_await(&calls[i]), i);
    }
    capos_flush();
    if (kernel.releases != 1) {
        test_fail("the release behind many calls was lost");
    }
    test_done("libcapos/ring/full queues");
}

static void expect_sum(uint64_t first, uint64_t second)
{
    struct capos_call *call =
        capos_invoke_short(9, TIMER_INTERFACE_ID, CAPOS_SHORT(0, 2), first, second);
    if (call != &the_thread.call || call->status != 0 ||
        timer_now_results_monotonic_ns(call->results) != first + second) {
        test_fail("a short call's status %d or answer", call->status);
    }
}

static void handler_calls(void)
{
    struct capos_wait wait;
    struct ring_entry nop = {.opcode = RING_OP_NOP};
    capos_do_entry(&nop, &wait);
}

/* Short calls: alone, behind others, interrupted, with an answer of each kind, after one that
 * brought capabilities, and with a handler that makes calls of its own meanwhile. */
static void test_short(void)
{
    start();
    for (unsigned i = 0; i < 400; i++) {
        unsigned enters = kernel.enters;
        kernel.interrupt_next = test_below(3) == 0;
        bool interrupted = kernel.interrupt_next;
        kernel.answer_long = test_below(3) == 0;
        if (test_below(3) == 0) {
            capos_release(7);
        }
        expect_sum(i, test_below(1000));
        if (kernel.enters - enters != 1u + interrupted) {
            test_fail("%u entries to the kernel in round %u", kernel.enters - enters, i);
        }
        if (test_below(8) == 0) {
            ask(capos_call_begin(), i);
            (void)!capos_invoke(&the_thread.call, 9, TIMER_INTERFACE_ID, 2);
        }
        if (test_below(8) == 0) {
            kernel.on_enter = handler_calls;
            expect_sum(1, i);
        }
    }
    test_done("libcapos/ring/short calls");
}

/* A message that is built in one go has the bytes that the setters would have written, whatever was
 * in the buffer before, alone and behind others; what does not fit is refused. */
static void test_bytes(void)
{
    static char bytes[600];
    start();
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (char)test_below(256);
    }
    for (size_t size = 0; size <= sizeof own_request; size++) {
        _Alignas(8) static char expected[sizeof own_request];
        struct wire_message_builder message;
        struct wire_span span = {bytes, size};
        bool is_text = test_below(2) == 0;
        wire_message_begin(&message, expected, sizeof expected);
        struct wire_builder params = wire_message_init_root(&message, 0, 1);
        if (is_text) {
            wire_set_text(params, 0, span);
        } else {
            wire_set_data(params, 0, span);
        }
        size_t expected_size = wire_message_finish(&message);
        memset(own_request, 0xa5, sizeof own_request);
        if (test_below(3) == 0) {
            capos_release(7);
        }
        if (test_below(4) == 0) {
            ask(capos_call_begin(), size);
            (void)!capos_invoke(&the_thread.call, 9, TIMER_INTERFACE_ID, 2); /* two capabilities */
        }
        kernel.message_size = 0;
        kernel.interrupt_next = test_below(3) == 0;
        status_t status = capos_invoke_bytes(
            9, TIMER_INTERFACE_ID, is_text ? CAPOS_TEXT | CAPOS_NO_RESULTS : CAPOS_NO_RESULTS,
            bytes, size);
        if (expected_size == 0 ? status != STATUS_MESSAGE_TOO_LARGE || kernel.message_size != 0
                               : status != STATUS_OK || kernel.message_size != expected_size ||
                                     memcmp(kernel.message, expected, expected_size) != 0) {
            test_fail("%zu bytes: status %d, a message of %zu, not %zu", size, (int)status,
                      (size_t)kernel.message_size, expected_size);
        }
    }
    test_done("libcapos/ring/calls of bytes");
}

/* Entries that are waited for at once, alone, also behind others and interrupted. */
static void test_entries(void)
{
    start();
    struct ring_entry nop = {.opcode = RING_OP_NOP};
    struct capos_wait wait;
    for (unsigned i = 0; i < 200; i++) {
        unsigned enters = kernel.enters;
        bool behind = test_below(3) == 0;
        kernel.interrupt_next = test_below(3) == 0;
        bool interrupted = kernel.interrupt_next;
        if (behind) {
            capos_release(7);
        }
        wait.completion.user_data = 1;
        capos_do_entry(&nop, &wait);
        if (kernel.enters - enters != 1u + interrupted || wait.completion.user_data == 1) {
            test_fail("%u entries to the kernel in round %u", kernel.enters - enters, i);
        }
    }
    test_done("libcapos/ring/single entries");
}

/* A queued release costs no entry of its own, and the wait of the call behind it does not end with
 * the release's completion. */
static void test_releases(void)
{
    start();
    capos_release(CAP_ID_NONE);
    for (cap_t cap = 1; cap <= 5; cap++) {
        capos_release(cap);
    }
    if (kernel.enters != 0 || kernel.releases != 0) {
        test_fail("a release entered the kernel");
    }
    struct capos_call *call = capos_call_begin();
    ask(call, 1);
    expect_answer(call, capos_invoke(call, 7, TIMER_INTERFACE_ID, 3), 1);
    if (kernel.enters != 1 || kernel.releases != 5 || kernel.last_wanted != 6) {
        test_fail("%u entries, %u releases, waited for %zu", kernel.enters, kernel.releases,
                  (size_t)kernel.last_wanted);
    }
    /* of three capabilities received one is taken: the others go when the record is used again */
    if (capos_received(call, 1) != 1001 || capos_received(call, 1) != CAP_ID_NONE ||
        capos_received(call, 3) != CAP_ID_NONE) {
        test_fail("received capabilities");
    }
    call = capos_call_begin();
    ask(call, 2);
    expect_answer(call, capos_invoke(call, 7, TIMER_INTERFACE_ID, 0), 2);
    if (kernel.releases != 7) {
        test_fail("%u releases and not 7", kernel.releases);
    }
    test_done("libcapos/ring/releases");
}

static void test_bad_answers(void)
{
    start();
    kernel.answer_bytes = 24;
    struct capos_call *call = capos_call_begin();
    ask(call, 1);
    if (capos_invoke(call, 7, TIMER_INTERFACE_ID, 0) != STATUS_BAD_MESSAGE) {
        test_fail("garbage was taken for a message");
    }
    kernel.answer_bytes = 0;
    call = capos_call_begin();
    struct wire_builder params = std_io_write_params_init(&call->message);
    std_io_write_params_set_data(params, (struct wire_span){ring_page, 1000});
    unsigned enters = kernel.enters;
    if (capos_invoke(call, 7, STD_IO_INTERFACE_ID, 0) != STATUS_MESSAGE_TOO_LARGE ||
        kernel.enters != enters) {
        test_fail("a message that does not fit was sent");
    }
    call = capos_call_begin();
    ask(call, 3);
    expect_answer(call, capos_invoke(call, 7, TIMER_INTERFACE_ID, 0), 3);
    test_done("libcapos/ring/bad answers");
}

static struct capos_call interrupted_call;
static unsigned interrupts;

/* As an upcall's handler might: takes in the completion that the interrupted wait is for. */
static void handle_by_reaping(void)
{
    complete_held(0);
    reap(&the_thread);
}

static void count_interrupt(void *context, struct upcall_frame *frame)
{
    (void)context;
    interrupts += frame == NULL;
}

static void test_interrupts(void)
{
    start();
    kernel.keeping = KEEP_CALLS;
    capos_call_init(&interrupted_call, requests[0], 256, replies[0], 256);
    ask(&interrupted_call, 8);
    if (capos_submit(&interrupted_call, 7, TIMER_INTERFACE_ID, 0) != STATUS_OK) {
        test_fail("submit");
    }
    capos_flush();
    kernel.on_enter = handle_by_reaping;
    expect_answer(&interrupted_call, capos_await(&interrupted_call), 8);
    /* one that came while the ring was edited is handed to the handler afterwards, once */
    kernel.keeping = KEEP_NOTHING;
    the_thread.upcall_handler = count_interrupt;
    ring_header()->upcall_pending = RING_UPCALL_INTERRUPT;
    capos_release(3);
    capos_release(4);
    if (interrupts != 1 || ring_header()->upcall_pending != 0 || ring_header()->upcall_mask != 0) {
        test_fail("%u interrupts were delivered", interrupts);
    }
    test_done("libcapos/ring/interrupts");
}

static void test_cancel(void)
{
    static struct capos_call call;
    start();
    kernel.keeping = KEEP_CALLS;
    capos_call_init(&call, requests[0], 256, replies[0], 256);
    ask(&call, 8);
    if (capos_submit(&call, 7, TIMER_INTERFACE_ID, 0) != STATUS_OK || capos_is_complete(&call)) {
        test_fail("submit");
    }
    if (capos_cancel(&call) != STATUS_OK || capos_await(&call) != STATUS_CANCELLED) {
        test_fail("a call was not cancelled");
    }
    if (capos_cancel(&call) != STATUS_NOT_FOUND) {
        test_fail("a complete call was cancelled");
    }
    test_done("libcapos/ring/cancel");
}

static void use_submitted_record(void)
{
    static struct capos_call call;
    start();
    kernel.keeping = KEEP_CALLS;
    capos_call_init(&call, requests[0], 256, replies[0], 256);
    if (capos_submit(&call, 7, TIMER_INTERFACE_ID, 0) == STATUS_OK) {
        capos_call_reset(&call);
    }
}

static void await_idle_record(void)
{
    start();
    (void)!capos_await(capos_call_begin());
}

static void corrupt_ring(void)
{
    start();
    struct capos_call *call = capos_call_begin();
    ask(call, 1);
    ring_header()->cq_head += 5;
    (void)!capos_invoke(call, 7, TIMER_INTERFACE_ID, 0);
}

static void test_misuse(void)
{
    static const struct {
        void (*function)(void);
        const char *wanted;
    } misuses[] = {
        {use_submitted_record, "before the call was complete"},
        {await_idle_record, "was not submitted"},
        {corrupt_ring, "was overwritten"},
    };
    for (size_t i = 0; i < sizeof misuses / sizeof misuses[0]; i++) {
        const char *ending = test_ending(misuses[i].function);
        if (strncmp(ending, "panic: ", 7) != 0 || strstr(ending, misuses[i].wanted) == NULL) {
            test_fail("misuse %zu ended with '%s'", i, ending);
        }
    }
    test_done("libcapos/ring/misuse");
}

int main(void)
{
    test_synchronous();
    test_out_of_order();
    test_full_queue();
    test_entries();
    test_short();
    test_bytes();
    test_releases();
    test_bad_answers();
    test_interrupts();
    test_cancel();
    test_misuse();
    return test_status();
}
