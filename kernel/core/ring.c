/* The ring's memory, its two queues, and the table of entries in flight. What an entry means is
 * in operation.c.
 *
 * Room for a completion is reserved by a count: an entry is accepted only while entries in
 * flight and completions that wait are fewer than the CQ has places. A completion turns one of
 * the former into one of the latter, so ring_post() always has a place. A thread that moves
 * cq_head at will can only spoil its own completions. */
#include "kernel/core/ring.h"

#include "kernel/arch/arch.h"
#include "kernel/core/address_space.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/random.h"
#include "kernel/core/sched.h"
#include "kernel/core/thread.h"

/* --- entries --- */

static const volatile uint64_t *entry_at(const struct ring *r, uint32_t index)
{
    uint32_t offset = (index & r->sq_mask) * (uint32_t)sizeof(struct ring_entry);
    return r->sq != NULL ? (const volatile uint64_t *)(const void *)(r->sq + offset)
                         : ring_place(r, r->sq_offset + offset);
}

/* The rest of an entry: each word once, whatever the thread does to it meanwhile. */
static void read_entry(const volatile uint64_t *from, uint64_t first, uint64_t *to)
{
    to[0] = first;
    to[1] = from[1];
    to[2] = from[2];
    to[3] = from[3];
    to[4] = from[4];
    to[5] = from[5];
    to[6] = from[6];
    to[7] = from[7];
}

#define NOP_WORD_MASK 0xffffull /* opcode and flags, in an entry's first word */
#define RESERVED_SHIFT 32       /* in its last */
_Static_assert(RING_OP_NOP == 0 && offsetof(struct ring_entry, flags) == 1
                   && offsetof(struct ring_entry, user_data) == 16
                   && offsetof(struct ring_entry, reserved) == 60,
               "a NOP is told by three words");

/* What there is to do for a good NOP, without a detour: half of what a batch costs is here. The
 * thread is running, so nobody waits for the completion. */
static bool drain_nop(struct ring *r, const volatile uint64_t *entry, uint64_t first)
{
    if ((first & NOP_WORD_MASK) != 0 || entry[7] >> RESERVED_SHIFT != 0) {
        return false;
    }
    ring_complete(r, entry[2], ring_outcome(STATUS_OK, 0), 0, 0);
    return true;
}

/* The entry ended this thread, or its program, and so the ring that its record lay ready with. */
static __attribute__((noinline, cold)) void drain_ended(struct ring *r, struct cpu *cpu)
{
    if (r->spare != NULL && r->spare == cpu->record && r->header == NULL) {
        call_free(r->spare);
        r->spare = NULL;
    }
    cpu->record = NULL;
}

/* Where an entry's record is made: where it can stay if it is kept, as most of a program's are that
 * are kept at all; else in the CPU's. No more of it is set than the entry. */
static inline struct call *record_begin(struct ring *r, struct cpu *cpu)
{
    struct call *call = &cpu->scratch;
    if (r->spare != NULL) {
        call = r->spare;
        arch_memory_taken(call, CALL_RECORD_SIZE);
    }
    cpu->record = call;
    return call;
}

static inline void record_end(struct ring *r, struct cpu *cpu)
{
    cpu->record = NULL;
    if (r->spare != NULL) {
        arch_memory_freed(r->spare, CALL_RECORD_SIZE);
    }
}

status_t ring_drain(struct thread *t, uint32_t *ready)
{
    struct ring *r = &t->ring;
    struct cpu *cpu = arch_cpu();
    arch_user_edge();
    /* acquire: pairs with the thread's release of its tail, so that we see the entries before it */
    uint32_t tail = __atomic_load_n(&r->header->sq_tail, __ATOMIC_ACQUIRE);
    uint32_t cq_head = __atomic_load_n(&r->header->cq_head, __ATOMIC_ACQUIRE);
    uint32_t waiting = r->cq_tail - cq_head;
    uint32_t count = tail - r->sq_head;
    if (count > r->sq_entries || waiting > r->cq_entries) {
        return STATUS_BAD_RING;
    }
    /* each accepted entry takes one place, in flight or completed */
    uint32_t taken = waiting + r->in_flight;
    uint32_t room = r->cq_entries > taken ? r->cq_entries - taken : 0;
    for (count = count < room ? count : room; count > 0; count--) {
        const volatile uint64_t *entry = entry_at(r, r->sq_head);
        arch_user_edge();
        uint64_t first = entry[0];
        r->sq_head++;
        if (drain_nop(r, entry, first)) {
            continue;
        }
        struct call *call = record_begin(r, cpu);
        read_entry(entry, first, call->words);
        operation_carry_out(t, call);
        if (t->state == THREAD_DEAD) {
            drain_ended(r, cpu);
            return STATUS_PENDING;
        }
        record_end(r, cpu);
    }
    __atomic_store_n(&r->header->sq_head, r->sq_head, __ATOMIC_RELEASE);
    *ready = r->cq_tail - cq_head;
    return STATUS_OK;
}

/* --- completions --- */

void ring_post(struct thread *t, const struct ring_completion *c)
{
    struct ring *r = &t->ring;
    const uint64_t *words = (const uint64_t *)(const void *)c;
    ring_complete(r, words[0], words[1], words[2], words[3]);
    if (t->state == THREAD_BLOCKED) {
        uint32_t waiting = ring_completions(r);
        if (waiting >= t->wait_min_complete) {
            thread_wake(t, waiting);
        }
    }
}

/* --- entries in flight --- */

static struct list *bucket_of(const struct ring *r, uint64_t user_data)
{
    uint32_t hash = (uint32_t)((user_data * r->bucket_key) >> 32);
    return &r->buckets[hash & (r->bucket_count - 1)];
}

void ring_track_more(struct ring *r, struct call *call)
{
    list_append(bucket_of(r, call->user_data), &call->in_flight);
}

void ring_untrack(struct thread *t, struct call *call)
{
    struct ring *r = &t->ring;
    KASSERT(r->in_flight > 0);
    r->in_flight--;
    if (r->alone == call) {
        r->alone = NULL;
    } else {
        list_remove(&call->in_flight);
    }
}

struct call *ring_find(struct thread *t, uint64_t user_data)
{
    struct call *alone = t->ring.alone; /* all others were accepted after it */
    if (alone != NULL && alone->user_data == user_data) {
        return alone;
    }
    struct list *bucket = bucket_of(&t->ring, user_data);
    for (struct list *at = bucket->next; at != bucket; at = at->next) {
        struct call *call = CONTAINER_OF(at, struct call, in_flight);
        if (call->user_data == user_data) {
            return call;
        }
    }
    return NULL;
}

static void abort_call(const struct thread *t, struct call *call)
{
    KASSERT(call->caller == t);
    call_drop(call);
}

void ring_abort(struct thread *t)
{
    struct ring *r = &t->ring;
    if (r->alone != NULL) {
        abort_call(t, r->alone);
    }
    for (uint32_t i = 0; r->in_flight > 0 && i < r->bucket_count; i++) {
        struct list *bucket = &r->buckets[i];
        while (!list_empty(bucket)) {
            abort_call(t, LIST_FIRST(bucket, struct call, in_flight));
        }
    }
    KASSERT(r->in_flight == 0);
}

/* --- memory --- */

/* Gives back what is there, with the charge for all of it; the mapping is gone already. */
static void memory_free(struct ring *r, struct account *a)
{
    if (r->buckets != NULL) {
        kmem_free(a, r->buckets, r->bucket_count * sizeof(struct list));
    }
    for (uint32_t i = 0; r->pages != NULL && i < r->page_count && r->pages[i] != FRAME_NONE; i++) {
        frame_put(r->pages[i]);
    }
    if (r->pages != NULL && r->pages != &r->first_page) {
        kmem_free(a, r->pages, r->page_count * sizeof(frame_t));
    }
    ledger_refund(a, LEDGER_FRAMES, r->page_count);
    *r = (struct ring){.spare = r->spare}; /* which may be the record of the entry that ends it */
}

static status_t pages_make(struct ring *r, struct account *a)
{
    void *memory = &r->first_page;
    status_t s = r->page_count == 1 ? STATUS_OK
                                    : kmem_alloc(a, r->page_count * sizeof(frame_t), &memory);
    if (s != STATUS_OK) {
        return s;
    }
    r->pages = memory;
    for (uint32_t i = 0; s == STATUS_OK && i < r->page_count; i++) {
        s = frame_alloc_zeroed(&r->pages[i]);
    }
    return s;
}

static status_t buckets_make(struct ring *r, struct account *a)
{
    void *memory;
    uint32_t count = r->cq_entries < 4 ? 1 : r->cq_entries / 4;
    r->bucket_count = count < RING_BUCKETS_MAX ? count : RING_BUCKETS_MAX;
    r->bucket_key = random_u64() | 1;
    status_t s = kmem_alloc(a, r->bucket_count * sizeof(struct list), &memory);
    if (s == STATUS_OK) {
        r->buckets = memory;
        for (uint32_t i = 0; i < r->bucket_count; i++) {
            list_init(&r->buckets[i]);
        }
    }
    return s;
}

/* All that the ring is made of, for the sizes that are set; on an error nothing is left. */
static status_t memory_make(struct ring *r, struct address_space *as, uint64_t hint)
{
    struct account *a = as->account;
    status_t s = ledger_charge(a, LEDGER_FRAMES, r->page_count);
    if (s != STATUS_OK) {
        return s;
    }
    s = pages_make(r, a);
    if (s == STATUS_OK) {
        s = buckets_make(r, a);
    }
    if (s == STATUS_OK) {
        s = address_space_map_kernel_pages(as, hint, r->pages, r->page_count,
                                           PROTECTION_READ_WRITE, &r->user_address);
    }
    if (s != STATUS_OK) {
        memory_free(r, a);
        return s;
    }
    r->header = arch_frame_address(r->pages[0]);
    r->sq = r->page_count == 1 ? (char *)r->header + r->sq_offset : NULL;
    r->cq = r->page_count == 1 ? (char *)r->header + r->cq_offset : NULL;
    return STATUS_OK;
}

static void set_sizes(struct ring *r, uint32_t sq_entries)
{
    r->sq_entries = sq_entries;
    r->cq_entries = sq_entries * 2;
    r->sq_mask = r->sq_entries - 1;
    r->cq_mask = r->cq_entries - 1;
    if (sq_entries <= RING_SQ_ENTRIES_DEFAULT) {
        r->sq_offset = RING_DEFAULT_SQ_OFFSET;
        r->cq_offset = RING_DEFAULT_CQ_OFFSET;
        r->page_count = 1;
        return;
    }
    uint32_t sq_pages = (uint32_t)PAGES(sq_entries * sizeof(struct ring_entry));
    uint32_t cq_pages = (uint32_t)PAGES(r->cq_entries * sizeof(struct ring_completion));
    r->sq_offset = (uint32_t)PAGE_SIZE;
    r->cq_offset = (1 + sq_pages) * (uint32_t)PAGE_SIZE;
    r->page_count = 1 + sq_pages + cq_pages;
}

static void tell_sizes(struct ring *r)
{
    r->header->sq_entries = r->sq_entries;
    r->header->cq_entries = r->cq_entries;
    r->header->sq_offset = r->sq_offset;
    r->header->cq_offset = r->cq_offset;
}

status_t ring_create(struct ring *r, struct address_space *as, uint32_t sq_entries)
{
    KASSERT(r->header == NULL && r->in_flight == 0);
    if (sq_entries == 0) {
        sq_entries = RING_SQ_ENTRIES_DEFAULT;
    }
    if (sq_entries > RING_ENTRIES_MAX || (sq_entries & (sq_entries - 1)) != 0) {
        return STATUS_BAD_ENTRY;
    }
    set_sizes(r, sq_entries);
    status_t s = memory_make(r, as, 0);
    if (s == STATUS_OK) {
        tell_sizes(r);
    }
    return s;
}

void ring_hand_over(struct ring *to, struct ring *from)
{
    KASSERT(to->header == NULL && from->header != NULL && from->in_flight == 0);
    bool own_storage = from->pages == &from->first_page;
    *to = *from;
    *from = (struct ring){0};
    if (own_storage) {
        to->pages = &to->first_page;
    }
    to->sq_head = to->cq_tail = 0;
    *to->header = (struct ring_header){0};
    tell_sizes(to);
}

status_t ring_fork(struct ring *child, const struct ring *parent, struct address_space *child_as)
{
    KASSERT(child->header == NULL && parent->header != NULL);
    set_sizes(child, parent->sq_entries);
    status_t s = memory_make(child, child_as, parent->user_address);
    if (s != STATUS_OK) {
        return s;
    }
    if (child->user_address != parent->user_address) {
        ring_destroy(child, child_as, child_as->account);
        return STATUS_ALREADY_EXISTS;
    }
    for (uint32_t i = 0; i < child->page_count; i++) {
        __builtin_memcpy(arch_frame_address(child->pages[i]), arch_frame_address(parent->pages[i]),
                         PAGE_SIZE);
    }
    /* what the kernel writes there is as the kernel has it, whatever the parent's threads wrote
     * over it */
    child->header->sq_head = child->sq_head = parent->sq_head;
    child->header->cq_tail = child->cq_tail = parent->cq_tail;
    return STATUS_OK;
}

void ring_destroy(struct ring *r, struct address_space *as, struct account *a)
{
    if (r->header == NULL) {
        return;
    }
    KASSERT(r->in_flight == 0);
    if (r->spare != NULL && r->spare != arch_cpu()->record) { /* else ring_drain() frees it */
        arch_memory_taken(r->spare, CALL_RECORD_SIZE);
        call_free(r->spare);
        r->spare = NULL;
    }
    if (as != NULL) {
        status_t s = address_space_unmap_kernel_pages(as, r->user_address, r->page_count);
        KASSERT(s == STATUS_OK);
    }
    memory_free(r, a);
}
