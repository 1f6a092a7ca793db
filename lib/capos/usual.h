/*
 * usual.h: editing a thread's ring, and the short way of an entry that is alone in it. For ring.c
 * and serve.c; ring.c says what the rules are.
 */
#pragma once

#include "lib/capos/thread_self.h"

#define LOAD_ACQUIRE(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

#define OWNER_WAIT 1ul /* user_data: the address of a struct capos_wait, not of a call */

/* An interrupt came while it was masked: hand it to the handler now. */
void capos_deliver_pending(void);

static inline void edit_begin(struct ring_header *ring)
{
    __atomic_store_n(&ring->upcall_mask, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void edit_end(struct ring_header *ring)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&ring->upcall_mask, 0, __ATOMIC_RELAXED);
    if (__builtin_expect(__atomic_load_n(&ring->upcall_pending, __ATOMIC_RELAXED) != 0, 0)) {
        capos_deliver_pending();
    }
}

static inline void entry_publish(struct ring_header *ring)
{
    STORE_RELEASE(ring->sq_tail, ring->sq_tail + 1); /* pairs with the kernel's acquire */
}

/*
 * The usual call is alone: nothing is queued before it, and after the kernel was entered its
 * completion is the one that is there. Everything else leaves this path. begin_usual begins to
 * edit and answers the place of the entry, or NULL. enter_usual enters with the entry in its place;
 * answers the completion, which take_usual gives back, or NULL. The count of upcalls is read, as
 * the tail is, while no handler can run that uses the ring as well.
 */
static inline struct ring_entry *begin_usual(struct capos_thread_self *self,
                                             struct ring_header *ring)
{
    edit_begin(ring);
    uint32_t tail = ring->sq_tail;
    if (__builtin_expect(tail != LOAD_ACQUIRE(ring->sq_head), 0)) {
        edit_end(ring);
        return NULL;
    }
    return &self->entries[tail & self->entry_mask];
}

static inline const struct ring_completion *enter_usual(struct capos_thread_self *self,
                                                        const void *owner)
{
    struct ring_header *ring = self->ring;
    uint32_t seen = LOAD_ACQUIRE(ring->upcalls);
    entry_publish(ring);
    edit_end(ring);
    (void)capos_cap_enter(1, CAP_ENTER_FOREVER, seen);
    ring = self->ring;
    edit_begin(ring);
    uint32_t head = ring->cq_head;
    const struct ring_completion *completion = &self->completions[head & self->completion_mask];
    if (__builtin_expect(LOAD_ACQUIRE(ring->cq_tail) - head != 1 || /* pairs with the release */
                             completion->user_data != (uintptr_t)owner,
                         0)) {
        edit_end(ring);
        return NULL;
    }
    return completion;
}

static inline void take_usual(struct ring_header *ring)
{
    STORE_RELEASE(ring->cq_head, ring->cq_head + 1); /* pairs with the kernel's acquire */
    edit_end(ring);
}

/* capos_do_entry(), for whom that is the whole work. */
static inline __attribute__((always_inline)) void do_entry(const struct ring_entry *entry,
                                                           struct capos_wait *wait)
{
    struct capos_thread_self *self = capos_self();
    void *owner = (char *)wait + OWNER_WAIT;
    struct ring_entry *place = begin_usual(self, self->ring);
    if (__builtin_expect(place == NULL, 0)) {
        capos_submit_entry(entry, wait);
        (void)!capos_await_entry(wait);
        return;
    }
    wait->done = false;
    *place = *entry;
    place->user_data = (uintptr_t)owner;
    const struct ring_completion *completion = enter_usual(self, owner);
    if (__builtin_expect(completion == NULL, 0)) {
        (void)!capos_await_entry(wait);
        return;
    }
    wait->completion = *completion;
    take_usual(self->ring);
}
