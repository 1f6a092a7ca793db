/* Page frames: physical memory, counted.
 *
 * A frame's count is above one while it is shared by copy-on-write or mapped from a MemoryObject in
 * several places. Above the frontier no frame was ever handed out and no record was ever written.
 * Frames come unzeroed. The caller has charged the ledger; this file knows no accounts. Frames that
 * were in no range given to frame_init (the boot package, a page of the kernel's image) are
 * foreign: they count as shared by many, and getting or putting one has no effect. Kernel lock
 * held. */
#pragma once

#include "kernel/core/types.h"

#define FRAME_RANGES_MAX 16 /* as many as struct boot_info can name */
/* The count of a foreign frame. A count that gets there stays there. */
#define FRAME_COUNT_MANY 0x7fffffffu

/* Before the first frame_init: a machine without memory. */
void frame_reset(void);
/* A range of memory; may be called for several, ascending. */
void frame_init(frame_t first, frame_t end);
/* Count 1, content undefined. Error: framesExhausted. */
status_t frame_alloc(frame_t *out) MUST_CHECK;
status_t frame_alloc_zeroed(frame_t *out) MUST_CHECK;
void frame_get(frame_t f);
void frame_put(frame_t f);
/* Puts the last reference to a frame that is all zero, such as a page table without entries: who
 * asks for a zeroed frame gets it as it is. */
void frame_put_zeroed(frame_t f);
uint32_t frame_count(frame_t f);

static inline void frames_reverse(frame_t *frames, uint64_t count)
{
    for (uint64_t i = 0; i < count / 2; i++) {
        frame_t f = frames[i];
        frames[i] = frames[count - 1 - i];
        frames[count - 1 - i] = f;
    }
}
