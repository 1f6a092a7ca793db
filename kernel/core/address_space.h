/* Address spaces: sets of regions over an architecture's page tables.
 *
 * Private memory (anonymous, or copied from a MemoryObject) lives in the page tables only; shared
 * memory lives in its MemoryObject. Budget is charged when memory is committed (its page tables
 * included), so a fault in committed memory does not fail for lack of it. Nothing is both writable
 * and executable; only an Image or CodeMemory maps executable. All sizes are in bytes and
 * page-aligned; errors for those that are not: invalid ranges answer STATUS_OVERFLOW or
 * STATUS_BAD_STATE, and have no effect. Kernel lock held; nothing here blocks. */
#pragma once

#include "abi/upcall.h"
#include "kernel/arch/arch_types.h"
#include "kernel/core/ledger.h"
#include "kernel/core/memory_object.h"

struct region; /* one node of the tree of regions, ordered by address */

struct address_space {
    struct arch_address_space arch;
    struct account *account; /* that pays for all of it */
    struct region *regions;  /* root of the tree: kernel/core/region_tree.h */
    struct region *spare;    /* charged and not in the tree; none between operations */
    uint64_t spare_count;
    uint64_t region_count;   /* what is charged: LEDGER_MAPPINGS, */
    uint64_t charged_pages;  /* LEDGER_FRAMES for pages, */
    uint64_t tables;         /* LEDGER_FRAMES for page tables, the root excluded, */
    uint64_t reserved_pages; /* LEDGER_RESERVED_PAGES */
    uint64_t revocable;      /* regions that were mapped through a forwarder */
    uint64_t next_hint;      /* where the search for a free range starts */
    struct list parked;      /* waiters on private words of this space: kernel/core/park.c */
    /* user_view: the page that was looked at last, where the kernel sees it, and its bytes or 0 */
    uint64_t view_page;
    char *view;
    uint64_t view_size;
};

/* Whether the range lies in user space. */
static inline bool address_space_in_bounds(uint64_t address, uint64_t size)
{
    return address >= USER_BASE && address <= USER_END && size <= USER_END - address;
}

status_t address_space_create(struct account *a, struct address_space **out) MUST_CHECK;
void address_space_destroy(struct address_space *as);

/* fixed: at the hint exactly, or alreadyExists. */
status_t address_space_map(struct address_space *as, uint64_t hint, bool fixed, uint64_t size,
                           enum protection p, uint64_t *address) MUST_CHECK;
/* A face's rights bound `p` and `sharing`: ReadOnlyMemory and Image map read-only or privately,
 * executable only from an Image, and only if `may_run`: programs may not run in their own space an
 * Image that a program made, since that is CodeMemory's authority. through: a forwarder or NULL;
 * when it is cut, address_space_revoke unmaps the range. Errors: wrongInterface (the face does not
 * allow it), overflow, the ledger's. */
status_t address_space_map_object(struct address_space *as, struct object *face,
                                  struct object *through, bool may_run, uint64_t hint, bool fixed,
                                  uint64_t offset, uint64_t size, enum protection p,
                                  enum sharing sharing, uint64_t *address) MUST_CHECK;
void address_space_revoke(struct address_space *as, const struct object *through);
/* A page of the kernel's (a ring, the gate, the time page): shared, pinned, never to be protected
 * or decommitted by the user; the frames' counts go up by one for the mapping. kernel_only_unmap:
 * VirtualMemory.unmap refuses the range. */
status_t address_space_map_kernel_pages(struct address_space *as, uint64_t hint,
                                        const frame_t *frames, uint64_t count, enum protection p,
                                        uint64_t *address) MUST_CHECK;
status_t address_space_unmap_kernel_pages(struct address_space *as, uint64_t address,
                                          uint64_t count) MUST_CHECK;
status_t address_space_unmap(struct address_space *as, uint64_t address, uint64_t size) MUST_CHECK;
status_t address_space_reserve(struct address_space *as, uint64_t hint, uint64_t size,
                               uint64_t *address) MUST_CHECK;
/* Changes each region of a range without holes. DECOMMIT ignores p. */
enum address_space_change { CHANGE_PROTECT, CHANGE_COMMIT, CHANGE_DECOMMIT };
status_t address_space_change(struct address_space *as, enum address_space_change change,
                              uint64_t address, uint64_t size, enum protection p) MUST_CHECK;

/* CodeMemory: pages the process can run and only the kernel writes. `through` is the forwarder by
 * whose cut they go, or NULL. */
status_t address_space_map_code(struct address_space *as, struct object *through, uint64_t size,
                                uint64_t *address) MUST_CHECK;
status_t address_space_write_code(struct address_space *as, uint64_t address, const void *bytes,
                                  size_t size) MUST_CHECK;
status_t address_space_unmap_code(struct address_space *as, uint64_t address,
                                  uint64_t size) MUST_CHECK;

/* Resolves a fault of the user's (or of a copy for the user). badAddress: nothing there allows the
 * access. */
status_t address_space_fault(struct address_space *as, uint64_t address,
                             enum upcall_access access) MUST_CHECK;
/* The frame behind a user address, faulted in for the access. The frame stays the mapping's own:
 * take a reference to keep. */
status_t address_space_frame(struct address_space *as, uint64_t address, enum upcall_access access,
                             frame_t *out) MUST_CHECK;
/* Whether the range is mapped throughout, and all of it from this object. */
bool address_space_maps_object(const struct address_space *as, const struct memory_object *m,
                               uint64_t address, uint64_t size);
/* What a park key is made of: the memory object and *offset in it for shared memory, else the
 * address space and the address. */
const void *address_space_identity(const struct address_space *as, uint64_t address,
                                   uint64_t *offset);

/* A copy of the parent's regions into an empty child: private memory copy-on-write, shared memory
 * shared. The child's account is charged for each private writable page at once. Kernel pages are
 * not copied. Errors: the ledger's; the child is empty then. */
status_t address_space_fork(struct address_space *parent, struct address_space *child) MUST_CHECK;
/* Ends a fork, once the child's own kernel pages are mapped at the addresses that the parent's
 * have: the places of all others are free again. */
void address_space_fork_end(struct address_space *child);
/* Empties the space (exec, and destroy). */
void address_space_clear(struct address_space *as);

/* The one pair of functions that copies between user memory and the kernel. `as` may be any address
 * space; the current one is copied through the processor's own translation, others through their
 * page tables. May fail at any byte; what was copied before that stays copied. Error: badAddress;
 * framesExhausted when the machine has no frame for a page of a space that is not the current one.
 */
status_t user_copy_in(struct address_space *as, void *to, uint64_t from, size_t size) MUST_CHECK;
status_t user_copy_out(struct address_space *as, uint64_t to, const void *from,
                       size_t size) MUST_CHECK;
/* From one process's memory to another's; the first bad byte says whose fault it is. */
enum user_copied { USER_COPIED, USER_SOURCE_BAD, USER_TARGET_BAD };
enum user_copied user_copy_across(struct address_space *to_as, uint64_t to,
                                  struct address_space *from_as, uint64_t from,
                                  size_t size) MUST_CHECK;
/* Where the kernel sees bytes that the user may write; NULL: they are not in one page, or cannot be
 * had. Good until something is unmapped or protected: nothing may happen in between but a copy. */
char *user_view_fresh(struct address_space *as, uint64_t address, size_t size) MUST_CHECK;
static inline char *user_view(struct address_space *as, uint64_t address, size_t size)
{
    uint64_t in_page = address - as->view_page;
    return in_page < as->view_size && size <= as->view_size - in_page
               ? as->view + in_page
               : user_view_fresh(as, address, size);
}
/* A translation of the space goes, or allows less. */
static inline void user_view_forget(struct address_space *as)
{
    as->view_size = 0;
}
