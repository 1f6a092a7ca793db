/* The machine's time page (abi/time_page.h): one frame, made when it is first asked for and kept
 * for good. */
#pragma once

#include "kernel/core/types.h"

status_t time_page_frame(frame_t *out) MUST_CHECK; /* framesExhausted */
void time_page_bring_up(void);                     /* once */
void time_page_drop(
    void); /* gives the frame back once nobody maps it; the next who asks has it made anew */
