/* Copies between the kernel and the current address space, page by page through its tables: the
 * kernel sees all memory. A page that is not there or does not allow the access is a fault, which
 * core resolves or not. */
#include "kernel/arch/hosted/hosted.h"

#include <string.h>

#include "kernel/core/entry.h"

/* One for demand zero, one for copy-on-write, and two to spare: more is a loop of core's. */
#define FAULTS_PER_PAGE_MAX 4

static uint8_t *reach(uint64_t address, size_t size, enum upcall_access access)
{
    for (int i = 0; i < FAULTS_PER_PAGE_MAX; i++) {
        uint8_t *bytes = arch_reach(address, size, access);
        if (bytes != NULL) {
            return bytes;
        }
        if (!kernel_copy_fault(address, access)) {
            return NULL;
        }
    }
    panic("the fault at %lx was resolved %d times and is still there", (unsigned long)address,
          FAULTS_PER_PAGE_MAX);
}

static size_t part_of_page(uint64_t address, size_t size)
{
    return MIN(size, (size_t)(PAGE_SIZE - (address & (PAGE_SIZE - 1))));
}

bool arch_copy_in(void *to, uint64_t from, size_t size)
{
    if (from > USER_END || size > USER_END - from) {
        return size == 0;
    }
    for (size_t done = 0; done < size;) {
        size_t part = part_of_page(from + done, size - done);
        const uint8_t *bytes = reach(from + done, part, UPCALL_ACCESS_READ);
        if (bytes == NULL) {
            return false;
        }
        memmove((uint8_t *)to + done, bytes, part); /* both may be frames of the same user */
        done += part;
    }
    return true;
}

bool arch_copy_out(uint64_t to, const void *from, size_t size)
{
    if (to > USER_END || size > USER_END - to) {
        return size == 0;
    }
    for (size_t done = 0; done < size;) {
        size_t part = part_of_page(to + done, size - done);
        uint8_t *bytes = reach(to + done, part, UPCALL_ACCESS_WRITE);
        if (bytes == NULL) {
            return false;
        }
        memmove(bytes, (const uint8_t *)from + done, part);
        done += part;
    }
    return true;
}
