/* What there is in the machine at this moment: for the checks that all counts are back. */
#pragma once

#include <stdint.h>

struct tally {
    uint64_t frames, frames_free;         /* of physical memory that frame.c hands out */
    uint64_t kernel_bytes, kernel_frames; /* of kmem, in use, and the frames that they lie in */
    uint64_t processes, threads;          /* process structs, also of ended ones; threads */
    uint64_t timers, parked;              /* timers armed; entries that are parked */
};

/* All zero from frame_reset() on. */
extern struct tally tally;
