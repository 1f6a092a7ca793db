/* See time_page.h. The frame is the kernel's own, charged to nobody; mappings of it are counted as
 * all frames are. */
#include "kernel/core/time_page.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"

static frame_t page;

void time_page_bring_up(void)
{
    page = FRAME_NONE;
}

status_t time_page_frame(frame_t *out)
{
    if (page == FRAME_NONE) {
        frame_t made;
        status_t status = frame_alloc_zeroed(&made);
        if (status != STATUS_OK) {
            return status;
        }
        arch_time_page(arch_frame_address(made));
        page = made;
    }
    *out = page;
    return STATUS_OK;
}

void time_page_drop(void)
{
    if (page != FRAME_NONE) {
        frame_put(page);
        page = FRAME_NONE;
    }
}
