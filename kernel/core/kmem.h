/* Kernel memory for objects: size classes cut from frames.
 *
 * Charged to an account's LEDGER_KERNEL_BYTES by size class. kmem_free names the same account and
 * size. Memory comes zeroed, aligned to 16 (to a page above KMEM_PIECE_MAX bytes). A frame whose
 * pieces are all free goes back to the frame allocator. In tests a switch fails the n-th allocation
 * (kmem_fail_after). Kernel lock held. */
#pragma once

#include "kernel/core/ledger.h"

/* Two in a frame with its header; what is larger gets a frame of its own. */
#define KMEM_PIECE_MAX 2032

/* size <= PAGE_SIZE. Error: bytesExhausted. */
status_t kmem_alloc(struct account *a, size_t size, void **out) MUST_CHECK;
void kmem_free(struct account *a, void *memory, size_t size);
/* What kmem_alloc charges for a size; and the two without the charge, for who makes or frees many
 * of a kind and has charged or refunds them at once. What kmem_take gives is not zeroed. */
uint64_t kmem_charge(size_t size);
status_t kmem_take(size_t size, void **out) MUST_CHECK;
void kmem_give(void *memory, size_t size);
/* By ledger_init: nothing in use, and the most frames that kmem may ever hold. */
void kmem_init(uint64_t frames_max);
/* < 0: never; n: the allocation after n more (frames and kmem alike) fails, once. */
extern int64_t kmem_fail_after;

/* Shared by frame_alloc and kmem_alloc. Inline: it is on the path of every page fault. */
static inline bool kmem_fail_now(void)
{
    return kmem_fail_after >= 0 && kmem_fail_after-- == 0;
}
