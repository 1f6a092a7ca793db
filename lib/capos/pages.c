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

/* A call with a record of its own: getting memory, as malloc does, leaves the answer alone that the
 * thread got last. */
struct own_call {
    struct capos_call call;
    uint64_t request[16], reply[32];
};

static struct capos_call *own_call_begin(struct own_call *own)
{
    capos_call_init(&own->call, own->request, sizeof own->request, own->reply, sizeof own->reply);
    return &own->call;
}

void *capos_pages_map(size_t size_bytes)
{
    struct own_call own;
    struct capos_call *call = own_call_begin(&own);
    struct capos_virtual_memory_map_results results;
    status_t status = capos_virtual_memory_map_submit(
        call, CAPOS_MEMORY, 0, whole_pages(size_bytes), PROTECTION_READ_WRITE);
    if (status == STATUS_OK) {
        status = capos_virtual_memory_map_await(call, &results);
    }
    return status == STATUS_OK ? (void *)results.address : NULL;
}

void capos_pages_unmap(void *start, size_t size_bytes)
{
    struct own_call own;
    struct capos_call *call = own_call_begin(&own);
    status_t status = capos_virtual_memory_unmap_submit(call, CAPOS_MEMORY, (uintptr_t)start,
                                                        whole_pages(size_bytes));
    if (status == STATUS_OK) {
        status = capos_virtual_memory_unmap_await(call);
    }
    if (status != STATUS_OK) {
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
