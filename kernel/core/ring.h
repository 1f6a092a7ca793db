/* The kernel's side of a ring: see abi/ring.h for the layout and the rules.
 *
 * The kernel reaches the pages through its own mapping of their frames, so posting a completion
 * never faults, whichever address space is current. It trusts nothing that it finds there, and
 * reads each word once. Kernel lock held. */
#pragma once

#include "abi/ring.h"
#include "kernel/arch/arch.h"
#include "kernel/core/call.h"
#include "kernel/core/ledger.h"

struct address_space;

#define RING_BUCKETS_MAX 256u /* a page of them */

struct ring {
    struct ring_header *header; /* in the kernel's mapping */
    uint64_t user_address;
    uint32_t sq_entries, cq_entries;
    uint32_t sq_mask, cq_mask;     /* one less */
    uint32_t sq_offset, cq_offset; /* bytes from the header; no entry crosses a page */
    char *sq, *cq; /* where the kernel sees the queues; NULL if they are not in one page */
    uint32_t sq_head, cq_tail;  /* the kernel's own */
    uint32_t in_flight; /* kept calls */
    struct call *spare; /* a record for the next entry that is kept: kernel/core/call.c */
    struct call *alone; /* the kept call that was accepted when there was no other; or NULL */
    uint32_t page_count;
    frame_t *pages;             /* header, SQ, CQ; the default ring has one */
    frame_t first_page;         /* storage for the default ring's pages[0] */
    struct list *buckets;       /* all other kept calls by user_data */
    uint32_t bucket_count;      /* a power of two: a quarter of cq_entries, but for big rings */
    uint64_t bucket_key;        /* random and odd: no program can aim at one list */
};

/* Where the kernel sees a byte of the ring. */
static inline void *ring_place(const struct ring *r, uint32_t offset)
{
    return (char *)arch_frame_address(r->pages[offset >> PAGE_SHIFT]) + (offset & (PAGE_SIZE - 1));
}

static inline struct ring_completion *ring_next_completion(const struct ring *r)
{
    uint32_t offset =
        (r->cq_tail & r->cq_mask) * (uint32_t)sizeof(struct ring_completion);
    return r->cq != NULL ? (struct ring_completion *)(void *)(r->cq + offset)
                         : ring_place(r, r->cq_offset + offset);
}

/* Allocates, charges and maps it. sq_entries: power of two up to RING_ENTRIES_MAX, or 0. *r is
 * zeroed, or destroyed. Errors: badEntry (the size), the ledger's. */
status_t ring_create(struct ring *r, struct address_space *as, uint32_t sq_entries) MUST_CHECK;
/* A private copy at the same address for a forked child (the mapping in the child included),
 * nothing in flight. */
status_t ring_fork(struct ring *child, const struct ring *parent,
                   struct address_space *child_as) MUST_CHECK;
/* Unmaps unless the address space is being cleared (as NULL). All calls must have been finished
 * or cancelled. */
void ring_destroy(struct ring *r, struct address_space *as, struct account *a);

/* A whole ring, mapping and all, goes from one owner to another, as new: `from` is then as
 * destroyed, `to` was. Nothing is in flight, and both belong to one address space. */
void ring_hand_over(struct ring *to, struct ring *from);

/* cap_enter's first half: takes entries and carries them out; *ready is how many completions wait
 * then. badRing if the indices are out of bounds; pending if an entry ended the thread or its
 * program: nothing of it is to be touched. */
status_t ring_drain(struct thread *t, uint32_t *ready) MUST_CHECK;
/* What it does with an entry: kernel/core/operation.c. It has completed when this returns, or a
 * kept record of it is in flight. The record holds the entry, the kernel's own copy, and nothing
 * else yet. It may end the thread, its process or its program; the thread is dead then. */
void operation_carry_out(struct thread *t, struct call *call);
/* waiting to be taken; a nonsense cq_head counts as full */
static inline uint32_t ring_completions(const struct ring *r)
{
    arch_user_edge();
    uint32_t waiting = r->cq_tail - __atomic_load_n(&r->header->cq_head, __ATOMIC_ACQUIRE);
    return waiting > r->cq_entries ? r->cq_entries : waiting;
}
/* A completion as whole words: the fields' own types would be stored one by one. */
static inline uint64_t ring_outcome(status_t status, uint32_t result_size)
{
    return (uint64_t)result_size << 32 | (uint32_t)-(int32_t)status;
}

/* in the word that begins with transfer_count */
#define RING_COMPLETION_SHORT                                                                      \
    ((uint64_t)RING_FLAG_SHORT << (8 * (offsetof(struct ring_completion, flags)                    \
                                        - offsetof(struct ring_completion, transfer_count))))

/* For a thread that runs; its place was reserved. */
static inline void ring_complete(struct ring *r, uint64_t user_data, uint64_t outcome,
                                 uint64_t counts, uint64_t value)
{
    uint64_t *words = (uint64_t *)(void *)ring_next_completion(r);
    words[0] = user_data;
    words[1] = outcome;
    words[2] = counts;
    words[3] = value;
    r->cq_tail++;
    /* release: pairs with the thread's acquire of the tail, so that it sees the completion
     * before it */
    __atomic_store_n(&r->header->cq_tail, r->cq_tail, __ATOMIC_RELEASE);
}
/* The same for any; wakes the thread if it waits. */
void ring_post(struct thread *t, const struct ring_completion *c);
/* The end of a thread: cancels every entry in flight. */
void ring_abort(struct thread *t);
/* The table of entries in flight: for call.c. */
void ring_track_more(struct ring *r, struct call *call);
static inline void ring_track(struct ring *r, struct call *call)
{
    KASSERT(r->in_flight < r->cq_entries);
    if (r->in_flight++ == 0) {
        r->alone = call;
    } else {
        ring_track_more(r, call);
    }
}
void ring_untrack(struct thread *t, struct call *call);
/* the one accepted first; NULL: none */
struct call *ring_find(struct thread *t, uint64_t user_data);
