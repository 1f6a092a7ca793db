/* Threads, parking, upcalls. */
#include "smoke.h"

#define THREADS 4
#define ROUNDS 200

static struct capos_mutex mutex;
static uint64_t counter;

static uint64_t count(void *argument)
{
    for (int i = 0; i < ROUNDS; i++) {
        capos_mutex_lock(&mutex);
        counter += (uintptr_t)argument;
        capos_mutex_unlock(&mutex);
    }
    return (uintptr_t)argument * 2;
}

bool smoke_threads(void)
{
    struct capos_thread *threads[THREADS];
    uint64_t result;
    counter = 0;
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_spawn(count, (void *)(i + 1), NULL, &threads[i]));
    }
    for (uint64_t i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_join(threads[i], &result));
        CHECK(result == (i + 1) * 2);
    }
    CHECK(counter == ROUNDS * (1 + 2 + 3 + 4));
    return true;
}

static _Thread_local uint64_t local = 5;

static uint64_t use_local(void *argument)
{
    uint64_t before = local;
    local = (uintptr_t)argument;
    status_t status = capos_timer_sleep(smoke_timer, 100000); /* let the others write theirs */
    return status == STATUS_OK && before == 5 && local == (uintptr_t)argument;
}

bool smoke_thread_local(void)
{
    struct capos_thread *threads[THREADS];
    uint64_t result;
    local = 99;
    for (uintptr_t i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_spawn(use_local, (void *)(i + 10), NULL, &threads[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_OK(capos_thread_join(threads[i], &result));
        CHECK(result == 1);
    }
    CHECK(local == 99);
    return true;
}

static uint32_t word;

static uint64_t parks(void *argument)
{
    (void)argument;
    status_t status = capos_park(&word, 0, CAP_ENTER_FOREVER);
    return status == STATUS_OK || status == STATUS_VALUE_CHANGED;
}

bool smoke_park(void)
{
    struct capos_thread *threads[3];
    uint64_t result;
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    CHECK_STATUS(capos_park(&word, 0, CAP_ENTER_FOREVER), STATUS_VALUE_CHANGED);
    CHECK_STATUS(capos_park(&word, 1, 0), STATUS_TIMED_OUT);
    CHECK_STATUS(capos_park(&word, 1, 500000), STATUS_TIMED_OUT);
    CHECK_STATUS(capos_park((const uint32_t *)0x1000, 1, 0), STATUS_BAD_ADDRESS);
    CHECK(capos_unpark(&word, 5) == 0);
    __atomic_store_n(&word, 0, __ATOMIC_RELEASE);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(capos_thread_spawn(parks, NULL, NULL, &threads[i]));
    }
    uint32_t woken = 0;
    while (woken < 2) { /* they may not have come yet */
        woken += capos_unpark(&word, 2 - woken);
        CHECK_OK(capos_timer_sleep(smoke_timer, 100000));
    }
    __atomic_store_n(&word, 1, __ATOMIC_RELEASE);
    (void)capos_unpark(&word, 1); /* none is lost: the third sees the word, or is woken */
    for (int i = 0; i < 3; i++) {
        CHECK_OK(capos_thread_join(threads[i], &result));
        CHECK(result == 1);
    }
    return true;
}

static uint64_t batch(void *argument)
{
    (void)argument;
    static struct capos_wait waits[512];
    for (int i = 0; i < 512; i++) {
        struct ring_entry nop = {.opcode = RING_OP_NOP};
        capos_submit_entry(&nop, &waits[i]);
    }
    for (int i = 511; i >= 0; i--) {
        if (capos_await_entry(&waits[i]) != STATUS_OK) {
            return 0;
        }
    }
    return 1;
}

bool smoke_large_ring(void)
{
    struct capos_thread *thread;
    uint64_t result = 0;
    const struct capos_thread_options options = {.ring_entries = 512};
    CHECK_OK(capos_thread_spawn(batch, NULL, &options, &thread));
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1);
    CHECK(batch(NULL) == 1); /* in the usual ring it takes several entries to the kernel */
    return true;
}

/* --- upcalls --- */

static uint8_t upcall_stack[64 * 1024];
static struct upcall_frame seen;
static volatile int upcalls, depth, deepest;

static void note(struct upcall_frame *frame)
{
    if (frame != NULL) {
        seen = *frame;
    }
    upcalls++;
}

/* Maps what is missing, through a call of its own, and goes on: a page fault in user space. A fault
 * of the handler's nests. */
static volatile uint8_t *nested;

static void repair(void *context, struct upcall_frame *frame)
{
    (void)context;
    note(frame);
    depth++;
    deepest = depth > deepest ? depth : deepest;
    if (depth == 1 && nested != NULL) {
        *nested = 1;
    }
    static _Alignas(8) uint8_t request[2][128], reply[2][128];
    static struct capos_call calls[2];
    struct capos_call *call = &calls[depth - 1];
    capos_call_init(call, request[depth - 1], 128, reply[depth - 1], 128);
    status_t status = capos_virtual_memory_commit_submit(
        call, CAPOS_MEMORY, frame->address & ~4095ull, 4096, PROTECTION_READ_WRITE);
    if (status == STATUS_OK) {
        status = capos_await(call);
    }
    depth--;
    (void)status; /* seen by what goes on: the fault would come again */
}

bool smoke_upcall_fault(void)
{
    struct capos_virtual_memory_reserve_results area;
    CHECK_OK(capos_virtual_memory_reserve(CAPOS_MEMORY, 0, 1 << 20, &area));
    CHECK_OK(capos_upcall_set(repair, NULL, upcall_stack, sizeof upcall_stack));
    volatile uint8_t *bytes = (volatile uint8_t *)area.address;
    upcalls = 0;
    bytes[5] = 42;
    CHECK(upcalls == 1 && bytes[5] == 42 && bytes[4] == 0);
    CHECK(seen.cause == UPCALL_PAGE_FAULT && seen.access == UPCALL_ACCESS_WRITE);
    CHECK(seen.address == area.address + 5);
    nested = bytes + 8192;
    double sum = 1.5; /* the extended state survives */
    for (int i = 1; i < 8; i++) {
        sum = sum * 3 + bytes[16384 + 4096 * i];
    }
    CHECK(sum == 1.5 * 2187);
    CHECK(deepest == 2 && *nested == 1);
    nested = NULL;
    CHECK_OK(capos_upcall_set(NULL, NULL, NULL, 0));
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, area.address, 1 << 20));
    return true;
}

/* Answers another system's calls: adds what it is given. */
static void emulate(void *context, struct upcall_frame *frame)
{
    (void)context;
    note(frame);
    frame->registers.rax = frame->registers.rdi + frame->registers.rsi;
}

bool smoke_upcall_foreign(void)
{
    CHECK_OK(capos_upcall_set(emulate, NULL, upcall_stack, sizeof upcall_stack));
    upcalls = 0;
    uint64_t result;
    register uint64_t kept __asm__("r12") = 0x1234;
    __asm__ volatile("syscall"
                     : "=a"(result), "+r"(kept)
                     : "a"(39), "D"(40), "S"(2)
                     : "rcx", "r11", "memory");
    CHECK(result == 42 && kept == 0x1234);
    CHECK(upcalls == 1 && seen.cause == UPCALL_FOREIGN_SYSCALL && seen.registers.rax == 39);
    CHECK_OK(capos_upcall_set(NULL, NULL, NULL, 0));
    return true;
}

static volatile bool blocked, interrupted;
static status_t waited;

static void set_flag(void *context, struct upcall_frame *frame)
{
    (void)context;
    note(frame);
    interrupted = true;
}

static uint64_t waits_for_interrupt(void *argument)
{
    (void)argument;
    static uint8_t stack[32 * 1024];
    if (capos_upcall_set(set_flag, NULL, stack, sizeof stack) != STATUS_OK) {
        return 0;
    }
    blocked = true;
    do {
        waited = capos_wait_any(CAP_ENTER_FOREVER);
    } while (waited == STATUS_OK);
    return interrupted;
}

bool smoke_upcall_interrupt(void)
{
    struct capos_thread *thread;
    uint64_t result = 0;
    CHECK_OK(capos_thread_spawn(waits_for_interrupt, NULL, NULL, &thread));
    while (!blocked) {
        CHECK_OK(capos_timer_sleep(smoke_timer, 100000));
    }
    CHECK_OK(capos_timer_sleep(smoke_timer, 1000000)); /* now it waits */
    CHECK(!interrupted);
    CHECK_OK(capos_thread_control_interrupt(CAPOS_THREAD, capos_thread_handle(thread)));
    CHECK_OK(capos_thread_join(thread, &result));
    CHECK(result == 1 && waited == STATUS_INTERRUPTED);
    CHECK(seen.cause == UPCALL_INTERRUPT && (int64_t)seen.result == -STATUS_INTERRUPTED);
    return true;
}
