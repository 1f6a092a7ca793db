/* Entries of page tables, as the Intel SDM has them, and what we keep in the bits that the
 * processor ignores:
 *
 * - bits 52 to 61 of an entry that points to a table: how many of that table's entries are in
 *   use;
 * - an entry of the last level that is not zero but not present is a page with Protection.none: its
 *   frame's number is kept inverted, so that a processor that speculates past the missing present
 *   bit (L1TF) finds no memory there. */
#pragma once

#include "kernel/core/types.h"

#define TABLE_ENTRIES 512ull
#define X86_DIRECT_INDEX 256 /* of X86_DIRECT_MAP in the top table */
#define X86_IMAGE_INDEX 511  /* of KERNEL_BASE and MMIO_BASE */

#define ENTRY_PRESENT (1ull << 0)
#define ENTRY_WRITE (1ull << 1)
#define ENTRY_USER (1ull << 2)
#define ENTRY_UNCACHED (3ull << 3)
#define ENTRY_ACCESSED (1ull << 5)
#define ENTRY_DIRTY (1ull << 6)
#define ENTRY_LARGE (1ull << 7)
#define ENTRY_GLOBAL (1ull << 8)
#define ENTRY_HELD (1ull << 9) /* software: a page with Protection.none */
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define ENTRY_COUNT_ONE (1ull << 52)
#define ENTRY_COUNT_MASK (0x3ffull << 52)

/* shootdown.c: makes translations of an address space invalid on every CPU. More of them than this
 * are not looked at: emptying the whole TLB is cheaper. */
#define INVALIDATE_MAX 32u
struct arch_address_space;
void x86_invalidate(struct arch_address_space *as, const uint64_t *addresses, uint32_t count);
