/* What machines share whose kernel is a process of a host's, linux and sim: copies from and to
 * users go through the tables, which software walks; and where a fault is dear (ARCH_PREFERS_RUNS)
 * pages come in runs: several at a time, in frames that follow each other. Kernel lock held. */
#pragma once

#include "kernel/arch/arch.h"

/* *first, *first + 1, ...: *count frames that follow each other, all zero, count 1 each; at least
 * `least`, at most `most` and perhaps fewer than could be had. framesExhausted: no such run is at
 * hand, though there may be as many frames. */
status_t frame_alloc_run(uint64_t least, uint64_t most, frame_t *first, uint64_t *count) MUST_CHECK;
/* Has `clean` make freed frames zero that follow each other, from `least` to `most` of them: who
 * asks for zeroed ones gets these first. False: there were none. */
bool frame_clean(uint64_t least, uint64_t most, void (*clean)(frame_t first, uint64_t count));

/* arch_map() with frames that follow each other and that nobody will touch soon: first, first + 1,
 * ... */
status_t arch_map_run(struct arch_address_space *as, uint64_t address, frame_t first,
                      uint64_t pages, enum protection p) MUST_CHECK;
/* arch_remap() for several pages, by frames that follow each other. */
void arch_remap_run(struct arch_address_space *as, uint64_t address, frame_t first, uint64_t pages,
                    enum protection p);

/* What is in `count` frames goes into first, first + 1, ...: in a way that is cheaper than page by
 * page. False: there is none. */
#define HOSTED_COPY_PAGES 16u
bool arch_copy_frames(frame_t first, const frame_t *from, uint64_t count);

/* For copy.c: where the kernel sees bytes of one page of the current space; NULL: the page is not
 * there, or does not allow it. On sim another thread of the user may act before. */
uint8_t *arch_reach(uint64_t address, size_t size, enum upcall_access access);
