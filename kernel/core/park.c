/* Parking. See park.h.
 *
 * A waiter hangs in a bucket of one hash table by its key, in order of arrival, and in the list of
 * its address space, by which unmapping finds it. The comparison and the queueing happen under
 * one hold of the kernel lock, and so does a wake, so none is lost: a waker that wrote the word
 * before is either seen by the comparison or sees the waiter.
 *
 * A key's MemoryObject stays as long as it is mapped, and unmapping wakes. Kernel lock held. */
#include "kernel/core/park.h"

#include "kernel/arch/arch.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/tally.h"

#define BUCKETS 256u /* about two waiters in a bucket with 500 parked threads; a table of 4 KiB */

static struct list buckets[BUCKETS];

void park_bring_up(void)
{
    for (size_t i = 0; i < BUCKETS; i++) {
        list_init(&buckets[i]);
    }
}

static struct list *bucket_of(const struct park_key *k)
{
    /* Fibonacci hashing: words lie 4 apart, owners at least 64. */
    uint64_t h = ((uint64_t)(uintptr_t)k->owner + k->offset) * 0x9e3779b97f4a7c15ull;
    return &buckets[h >> 56];
}

static struct park_key key_of(struct address_space *as, uint64_t address)
{
    struct park_key k;
    k.owner = address_space_identity(as, address, &k.offset);
    return k;
}

static void give(struct call *call, struct park_waiter *w)
{
    w->call = NULL;
    if (w != &call->caller->park) {
        kmem_free(call_account(call), w, sizeof *w);
    }
}

/* Takes the waiter away; its call is the caller's to finish. */
static struct call *detach(struct park_waiter *w)
{
    struct call *call = w->call;
    KASSERT(tally.parked > 0 && call->context == w);
    timer_stop(&w->timer);
    list_remove(&w->bucket);
    list_remove(&w->of_space);
    tally.parked--;
    give(call, w);
    return call;
}

static void cancelled(struct call *call)
{
    (void)detach(call->context);
}

struct call *park_end(struct timer *timer)
{
    return detach(CONTAINER_OF(timer, struct park_waiter, timer));
}

static void timed_out(struct timer *timer)
{
    call_finish(park_end(timer), STATUS_TIMED_OUT);
}

/* Keeps the call with a waiter, which is in no list yet. */
static inline status_t keep(struct call *call, struct park_waiter **out)
{
    struct park_waiter *w = &call->caller->park;
    if (w->call != NULL) {
        void *memory;
        status_t status = kmem_alloc(call_account(call), sizeof *w, &memory);
        if (status != STATUS_OK) {
            return status;
        }
        w = memory;
    }
    status_t status = call_keep(call, cancelled, &w->call);
    if (status != STATUS_OK) {
        give(call, w);
        return status;
    }
    w->call->context = w;
    list_init(&w->bucket);
    list_init(&w->of_space);
    tally.parked++;
    *out = w;
    return STATUS_OK;
}

status_t park_until(struct call *call, uint64_t deadline_ns, void (*fire)(struct timer *timer))
{
    struct park_waiter *w;
    status_t status = keep(call, &w);
    if (status != STATUS_OK) {
        return status;
    }
    timer_start(&w->timer, deadline_ns, fire);
    return STATUS_PENDING;
}

/* All that can be answered without waiting. STATUS_PENDING: the word has the value. */
static status_t check(struct call *call, uint64_t address, uint32_t expected, uint64_t timeout_ns)
{
    uint32_t word;
    if (timeout_ns != 0 && timeout_ns != UINT64_MAX && !process_time_granted(call->process)) {
        return STATUS_TIME_NOT_GRANTED;
    }
    if (address % sizeof(word) != 0) {
        return STATUS_BAD_ADDRESS;
    }
    status_t status = user_copy_in(call->process->space, &word, address, sizeof word);
    if (status != STATUS_OK) {
        return status;
    }
    if (word != expected) {
        return STATUS_VALUE_CHANGED;
    }
    return timeout_ns == 0 ? STATUS_TIMED_OUT : STATUS_PENDING;
}

status_t park_wait(struct call *call, uint64_t address, uint32_t expected, uint64_t timeout_ns)
{
    struct address_space *as = call->process->space;
    status_t status = check(call, address, expected, timeout_ns);
    if (status != STATUS_PENDING) {
        return status;
    }
    struct park_waiter *w;
    status = keep(call, &w);
    if (status != STATUS_OK) {
        return status;
    }
    w->address = address;
    w->key = key_of(as, address);
    list_append(bucket_of(&w->key), &w->bucket);
    list_append(&as->parked, &w->of_space);
    if (timeout_ns != UINT64_MAX) {
        timer_start_after(&w->timer, timeout_ns, timed_out);
    }
    return STATUS_PENDING;
}

status_t park_wake(struct thread *t, uint64_t address, uint32_t count, uint32_t *woken)
{
    *woken = 0;
    if (address % sizeof(uint32_t) != 0 || address < USER_BASE || address >= USER_END) {
        return STATUS_BAD_ADDRESS;
    }
    struct park_key k = key_of(t->process->space, address);
    struct list *bucket = bucket_of(&k), *next;
    for (struct list *at = bucket->next; at != bucket && *woken < count; at = next) {
        next = at->next;
        struct park_waiter *w = CONTAINER_OF(at, struct park_waiter, bucket);
        if (w->key.owner == k.owner && w->key.offset == k.offset) {
            call_finish(detach(w), STATUS_OK); /* wakes a thread at most: no other waiter goes */
            ++*woken;
        }
    }
    return STATUS_OK;
}

void park_unmapped(struct address_space *as, uint64_t address, uint64_t size)
{
    struct list *next;
    for (struct list *at = as->parked.next; at != &as->parked; at = next) {
        next = at->next;
        struct park_waiter *w = CONTAINER_OF(at, struct park_waiter, of_space);
        if (w->address >= address && w->address - address < size) {
            call_finish(detach(w), STATUS_OK);
        }
    }
}
