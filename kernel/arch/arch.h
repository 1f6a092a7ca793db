/* What the portable kernel asks of a machine. Each architecture implements all of it; its
 * arch_types.h declares struct arch_cpu, arch_thread, arch_process and arch_address_space, and
 * its arch_inline.h defines the functions marked static inline. Both are found by include path:
 * -Ikernel/arch/<architecture>/include, where they lie in kernel/arch/.
 *
 * arch_inline.h also says what suits a fault here: ARCH_FAULT_AHEAD_PAGES, how many pages of
 * anonymous memory one brings in at most (1: the touched one); ARCH_FAULT_AROUND_PAGES, how many of
 * an object's that are there already, a power of two; ARCH_FRESH_FRAMES_ARE_ZERO, whether frames
 * that were never handed out are zero; ARCH_PREFERS_RUNS, whether a fault is so
 * dear that committed memory is mapped before it is touched, where there are runs of frames for it,
 * and that copy-on-write is made for several pages at a time.
 *
 * All are called under the kernel lock unless they say otherwise. */
#pragma once

#include "abi/time_page.h"
#include "abi/upcall.h"
#include "kernel/arch/arch_types.h"
#include "kernel/core/types.h"

struct address_space;
struct cpu;
struct process;
struct region;
struct thread;

/* --- CPUs --- */
static inline struct cpu *arch_cpu(void);    /* this one; any context */
uint32_t arch_cpu_count(void);
struct cpu *arch_cpu_by_number(uint32_t n);
void arch_cpu_poke(uint32_t n);              /* make another CPU look at its queue */
/* Another CPU leaves user mode: on return the registers of its current thread are saved, and it
 * waits for the kernel lock. */
void arch_cpu_stop(uint32_t n);
_Noreturn void arch_machine_exit(int code);  /* orderly; the host link has been acknowledged */
/* prints, with registers and backtrace; distinct exit of the machine. No lock */
_Noreturn void arch_panic(const char *text);

/* --- time: monotonic nanoseconds since the start of the machine --- */
uint64_t arch_now_ns(void);                  /* any context */
uint64_t arch_tick(void);                    /* time-stamp counter */
void arch_timer_arm(uint64_t deadline_ns);   /* this CPU; UINT64_MAX: off. kernel_tick() follows */
void arch_time_page(struct time_page *out);
/* opens the time-stamp counter for it, from its next resume on, at once if current */
void arch_time_open(struct process *p);

/* --- frames and address spaces --- */
static inline void *arch_frame_address(frame_t f); /* where the kernel sees it */
status_t arch_address_space_create(struct arch_address_space *as) MUST_CHECK; /* framesExhausted */
/* tables only; no page is mapped any more */
void arch_address_space_destroy(struct arch_address_space *as);
/* Upper bound of page tables that mapping the range may need, for the ledger. */
uint64_t arch_tables_needed(uint64_t address, uint64_t pages);
/* Maps pages[i] at address + i pages, over nothing. Tables come from frame_alloc.
 * framesExhausted: nothing was mapped. */
status_t arch_map(struct arch_address_space *as, uint64_t address, const frame_t *frames,
                  uint64_t pages, enum protection p) MUST_CHECK;
/* Unmaps what is there; calls gone(context, frame) for each page after the translation is
 * invalid everywhere. Frees tables that became empty. Cheap for big empty ranges. */
void arch_unmap(struct arch_address_space *as, uint64_t address, uint64_t pages,
                void (*gone)(void *context, frame_t f), void *context);
/* Sets the protection of the pages that are present; invalidates translations when it takes
 * away. */
void arch_protect(struct arch_address_space *as, uint64_t address, uint64_t pages,
                  enum protection p);
/* Replaces one present page (copy-on-write). */
void arch_remap(struct arch_address_space *as, uint64_t address, frame_t f, enum protection p);
/* Only where ARCH_PREFERS_RUNS can be true (kernel/arch/hosted): maps what a program has just
 * committed, in runs of frames, as far as such are at hand; needs nothing that was not charged. And
 * ends the sharing of several pages of a region at a time; false: nothing was done. */
void arch_map_ahead(struct address_space *as, uint64_t start, uint64_t end);
bool arch_break_sharing_ahead(struct address_space *as, const struct region *r, uint64_t page);
/* The end of the absent pages that a fault in anonymous memory brings in; likewise, where
 * ARCH_FAULT_AHEAD_PAGES is more than 1. */
uint64_t arch_fault_end(const struct address_space *as, const struct region *r, uint64_t page);
bool arch_lookup(const struct arch_address_space *as, uint64_t address, frame_t *f,
                 enum protection *p);
/* The first present page in [address, end), or end. Skips empty tables. */
uint64_t arch_next_present(const struct arch_address_space *as, uint64_t address, uint64_t end);
/* The frames of the pages that are present one after the other from `address` on, below `end`
 * and at most `max`. Returns how many; may stop early, but not before the first. */
uint64_t arch_present_run(const struct arch_address_space *as, uint64_t address, uint64_t end,
                          frame_t *frames, uint64_t max);
static inline bool arch_is_current(const struct arch_address_space *as); /* on this CPU */

/* --- copies from and to the current address space; false: the range leaves the user's half, or a
 * fault could not be resolved. Of no bytes: true, whatever the address --- */
bool arch_copy_in(void *to, uint64_t from, size_t size);
bool arch_copy_out(uint64_t to, const void *from, size_t size);

/* --- threads --- */
/* memory for extended state, charged to its account; destroy: also after a failed init */
status_t arch_thread_init(struct thread *t) MUST_CHECK;
void arch_thread_destroy(struct thread *t);
/* Registers as abi/start.h says. */
void arch_thread_start(struct thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint64_t ring, uint64_t extra, uint64_t fs_base);
/* The child's registers and extended state are the parent's. The parent may be the current
 * thread. */
void arch_thread_fork(struct thread *child, struct thread *parent);
/* what its cap_enter returns */
static inline void arch_thread_set_result(struct thread *t, int64_t result);
void arch_thread_registers(struct thread *t, struct user_registers *out);
/* made harmless: user segments, IF set */
void arch_thread_set_registers(struct thread *t, const struct user_registers *in);
void arch_thread_set_bases(struct thread *t, uint64_t fs, uint64_t gs); /* nothing else */
uint32_t arch_extended_size(void);                              /* of XSAVE's standard format */
void arch_thread_extended(struct thread *t, void *out);         /* saves it there */
/* A CPU stops running this thread: it died. Its extended state may be in the processor. */
void arch_thread_forget(struct thread *t);

/* --- the gate: a page of code with the entry to the kernel, which every address space has from the
 * start --- */
uint64_t arch_gate_address(void);

/* --- the rest --- */
void arch_entropy(void *out, size_t size);
void arch_log(const char *text, size_t size);                   /* the serial port; any context */
/* The transport of the host link: bytes taken or given, never waits. */
size_t arch_link_write(const void *bytes, size_t size);
size_t arch_link_read(void *bytes, size_t size);

/* --- for the tests: nothing but on sim --- */
/* Memory that nobody may touch until arch_memory_taken: frame_put and kmem_free say so of what
 * became free, frame_alloc and kmem_alloc of what they hand out, whole. On sim an access in
 * between ends the test. */
static inline void arch_memory_freed(void *memory, size_t size);
static inline void arch_memory_taken(void *memory, size_t size);
/* Another thread of the user may write to what is read next (ring words): on sim it does. ring.c
 * calls it before each such read. */
static inline void arch_user_edge(void);

#include "kernel/arch/arch_inline.h"
