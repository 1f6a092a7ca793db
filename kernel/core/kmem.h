/* Kernel memory for objects: size classes cut from frames.
 *
 * Charged to an account's LEDGER_KERNEL_BYTES by size class. kmem_free names the same account and size. Memory comes
 * zeroed. A frame whose pieces are all free goes back to the frame allocator. In tests a switch fails the n-th allocation
 * (kmem_fail_after). Kernel lock held. */
#pragma once

#include "kernel/core/ledger.h"

status_t kmem_alloc(struct account *a, size_t size, void **out) MUST_CHECK; /* size <= PAGE_SIZE; bytesExhausted */
void kmem_free(struct account *a, void *memory, size_t size);
uint64_t kmem_bytes(void); /* in use, for the check that all counts are back */
extern int64_t kmem_fail_after; /* < 0: never; n: the allocation after n more (frames and kmem alike) fails, once */
bool kmem_fail_now(void);       /* shared by frame_alloc and kmem_alloc */
