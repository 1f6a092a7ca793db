/* What the kernel's tables say, said to the Linux process of the space as commands for its manager:
 * one for each run of frames that follow each other in memory and in the process. A page with
 * Protection.none is not mapped there at all. The manager carries commands out in their order.
 *
 * For a debugger code is a private mapping, which it may write: its breakpoints are copies of pages
 * that this process alone has. */
#include "kernel/arch/linux/linux.h"

#include <linux/mman.h>
#include <asm/mman.h>

#define POPULATE_PAGES 64 /* filled in at once; larger runs as they are touched */

static uint64_t linux_protection(enum protection p)
{
    switch (p) {
    case PROTECTION_READ:
        return PROT_READ;
    case PROTECTION_READ_WRITE:
        return PROT_READ | PROT_WRITE;
    case PROTECTION_READ_EXECUTE:
        return PROT_READ | PROT_EXEC;
    case PROTECTION_NONE:
        break;
    }
    return PROT_NONE;
}

void linux_mirror_map_run(struct linux_process *p, uint64_t address, frame_t first, uint64_t pages,
                          enum protection protection, bool now)
{
    KASSERT(first + pages <= linux_frames && address < HELPER_BASE);
    uint64_t flags = MAP_SHARED | MAP_FIXED;
    if (linux_debugged && protection == PROTECTION_READ_EXECUTE) {
        flags = MAP_PRIVATE | MAP_FIXED;
    } else if (now && pages <= POPULATE_PAGES) {
        flags |= MAP_POPULATE;
    }
    linux_process_command(p, __NR_mmap, address, pages << PAGE_SHIFT, linux_protection(protection),
                          flags, MANAGER_MEMORY_FD, first << PAGE_SHIFT);
}

void linux_mirror_map(struct linux_process *p, uint64_t address, const frame_t *frames,
                      uint64_t pages, enum protection protection, bool now)
{
    if (protection == PROTECTION_NONE) {
        linux_mirror_unmap(p, address, address + (pages << PAGE_SHIFT));
        return;
    }
    for (uint64_t i = 0, run; i < pages; i += run) {
        for (run = 1; i + run < pages && frames[i + run] == frames[i] + run; run++) {
        }
        linux_mirror_map_run(p, address + (i << PAGE_SHIFT), frames[i], run, protection, now);
    }
}

void linux_mirror_unmap(struct linux_process *p, uint64_t address, uint64_t end)
{
    KASSERT(address < end && end <= HELPER_BASE);
    linux_process_command(p, __NR_munmap, address, end - address, 0, 0, 0, 0);
}

void linux_mirror_protect(struct linux_process *p, uint64_t address, uint64_t end,
                          enum protection protection)
{
    if (protection == PROTECTION_NONE) {
        linux_mirror_unmap(p, address, end);
    } else {
        KASSERT(address < end && end <= HELPER_BASE);
        linux_process_command(p, __NR_mprotect, address, end - address,
                              linux_protection(protection), 0, 0, 0);
    }
}
