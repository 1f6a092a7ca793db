/* What frame.c is made of: for it and for kernel/arch/hosted/frame_run.c. */
#pragma once

#include "kernel/core/frame.h"

#define RECORD_FREE 0x80000000u

struct frame_range {
    frame_t first, end; /* without the frames of its records */
    frame_t frontier;   /* never handed out from here on */
    uint32_t *records;  /* of `first` and up */
};

extern struct frame_range frame_ranges[FRAME_RANGES_MAX];
extern uint32_t frame_range_count;
extern uint32_t frame_largest; /* of the ranges */
/* Freed frames, FRAME_NONE: none. Of the second list it is known that they are all zero. */
extern frame_t frame_freed, frame_zeroed;

/* NULL: a foreign frame. Every fault, fork and exit comes here for each page, nearly always for one
 * of the largest range. */
uint32_t *frame_record_elsewhere(frame_t f);
static inline uint32_t *frame_record(frame_t f)
{
    const struct frame_range *r = &frame_ranges[frame_largest];
    uint64_t offset = f - r->first;
    return offset < r->frontier - r->first ? &r->records[offset] : frame_record_elsewhere(f);
}

/* Into a list; it is free. */
void frame_give_to(frame_t *list, frame_t f, uint32_t *record);
