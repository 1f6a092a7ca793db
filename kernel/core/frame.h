/* Page frames: physical memory, counted.
 *
 * A frame's count is above one while it is shared by copy-on-write or mapped from a MemoryObject in several places.
 * Above the frontier no frame was ever handed out and no record was ever written. Frames come unzeroed. The caller has
 * charged the ledger; this file knows no accounts. Kernel lock held. */
#pragma once

#include "kernel/core/types.h"

void frame_init(frame_t first, frame_t end); /* a range of memory; may be called for several, ascending */
status_t frame_alloc(frame_t *out) MUST_CHECK; /* count 1, content undefined. Error: framesExhausted */
status_t frame_alloc_zeroed(frame_t *out) MUST_CHECK;
void frame_get(frame_t f);
void frame_put(frame_t f);
uint32_t frame_count(frame_t f);
uint64_t frame_free_count(void);
uint64_t frame_total(void);
