/*
 * pages.c: whole pages of the process's own memory, for the heap, for threads and for programs.
 */
#include "abi/limits.h"
#include "lib/capos/include/capos.h"
#include "lib/capos/libc/platform.h"

static uint64_t whole_pages(size_t size_bytes)
{
    return (size_bytes + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1);
}

void *capos_pages_map(size_t size_bytes)
{
    struct capos_virtual_memory_map_results results;
    if (capos_virtual_memory_map(CAPOS_MEMORY, 0, whole_pages(size_bytes), PROTECTION_READ_WRITE,
                                 &results)
        != STATUS_OK) {
        return NULL;
    }
    return (void *)results.address;
}

void capos_pages_unmap(void *start, size_t size_bytes)
{
    if (capos_virtual_memory_unmap(CAPOS_MEMORY, (uintptr_t)start, whole_pages(size_bytes))
        != STATUS_OK) {
        capos_panic("pages were given back that could not be unmapped");
    }
}

void *capos_heap_grow(size_t size_bytes)
{
    return capos_pages_map(size_bytes);
}

void capos_heap_shrink(void *start, size_t size_bytes)
{
    capos_pages_unmap(start, size_bytes);
}
