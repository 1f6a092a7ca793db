/* The ledger: who pays for what.
 *
 * Every finite resource is charged to an account before any side effect and given back on every
 * path. A charge counts at each level from the account to the root, and fails without effect if one
 * level would go over its limit. An account lives as long as something is charged to it or refers
 * to it, so it outlives its process, and what is charged to it needs no reference of its own.
 * Kernel lock held. */
#pragma once

#include "kernel/core/types.h"

enum ledger_kind {
    LEDGER_FRAMES,         /* pages committed, page tables, kernel pages made for a process */
    LEDGER_RESERVED_PAGES, /* address space set aside */
    LEDGER_MAPPINGS,       /* regions; on linux also mappings of the host */
    LEDGER_SLOTS,
    LEDGER_THREADS,
    LEDGER_CALLS,        /* call records in flight */
    LEDGER_QUEUED_BYTES, /* pipes */
    LEDGER_KERNEL_BYTES, /* objects of kmem */
    LEDGER_KINDS
};

struct account {
    uint32_t references;
    uint32_t depth;
    struct account *parent;
    uint64_t used[LEDGER_KINDS];
    uint64_t limit[LEDGER_KINDS]; /* UINT64_MAX: none of its own */
};

extern struct account ledger_root;

void ledger_init(uint64_t frames); /* the root's limits follow from the memory there is */
/* The record itself is charged to the parent's kernel bytes. limits: LEDGER_KINDS words, 0 = none
 * of its own; may be NULL. Errors: bytesExhausted, badState (nesting deeper than
 * ACCOUNT_DEPTH_MAX). */
status_t account_create(struct account *parent, const uint64_t *limits,
                        struct account **out) MUST_CHECK;
struct account *account_get(struct account *a);
void account_put(struct account *a);

/* Errors: the exhausted status of that kind (framesExhausted, slotsExhausted, ...). */
status_t ledger_charge(struct account *a, enum ledger_kind kind, uint64_t amount) MUST_CHECK;
void ledger_refund(struct account *a, enum ledger_kind kind, uint64_t amount);
