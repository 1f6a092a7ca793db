/*
 * heap.c: the malloc family. Every block has a header of one word in front of it, blocks are
 * aligned to 16 bytes, and one lock guards all of it.
 *
 *   small   up to SMALL_MAX with the header: a stack of free blocks for each size, refilled by
 *           cutting a run that is itself a block of the next kind. They are never joined again.
 *   large   up to MAPPED_MIN: free blocks lie in bins by size, two levels deep, found with two bit
 *           searches, split on allocation and joined with their neighbours when freed (M. Masmano
 *           and others, "TLSF", ECRTS 2004).
 *   mapped  larger: pages of their own, which go back at once when freed.
 *
 * A header is the block's size with four flags and a 24-bit check over these, the header's address
 * and a secret of the process. So free() tells what it is given: a block in use, one already free,
 * or something else, and ends the process with a message in the last two cases. Whatever is taken
 * from a free list is checked the same way, which catches most writes to freed memory and beyond a
 * block's end.
 *
 *   header     | check 24 | size 36 (units of 16 bytes) | flags 4 |
 *   large free | header | next | previous | ... | size |   by the last, the block behind finds this
 *   region     | next region | size | unused | header, block, ... | header of an end mark |
 *   mapped     | ... | start of the pages | their size | header | block
 */
#include "lib/capos/libc/heap.h"
#include "lib/capos/libc/platform.h"
#include <stdlib.h>
#include <string.h>

#define UNIT 16ul
#define HEADER_BYTES 8ul
#define CHUNK_MIN 32ul /* a large free block's header, two links and size */
#define SMALL_MAX 1024ul
#define MAPPED_MIN (256ul * 1024)
#define REQUEST_MAX (1ul << 39)
#define RUN_BYTES 8192ul
#define REGION_MIN (64ul * 1024)
#define REGION_MAX (1024ul * 1024)
#define REGION_OVERHEAD 32ul /* two words, one unused, the end mark's header */
#define PAGE 4096ul

#define IN_USE 1ul
#define PREVIOUS_FREE 2ul
#define SMALL 4ul
#define MAPPED 8ul
#define FLAGS 15ul
#define SIZE_MASK ((1ul << 40) - 1 - FLAGS)
#define CHECK_SHIFT 40

#define LEVELS 17 /* sizes below 2^(5 + LEVELS) */
#define LEVEL_FIRST 5
#define BINS 16
#define BIN_BITS 4

struct chunk {
    uint64_t header;
    struct chunk *next; /* both only while free; small blocks have no previous */
    struct chunk *previous;
};

struct region {
    struct region *next;
    size_t size_bytes;
};

static struct {
    uint32_t lock;
    uint64_t secret;
    struct chunk *small[SMALL_MAX / UNIT + 1];
    char *run; /* what is left of the run that small blocks are cut from */
    size_t run_left;
    uint32_t levels_filled;
    uint32_t bins_filled[LEVELS];
    struct chunk *bins[LEVELS][BINS];
    struct region *regions;
    size_t region_next_bytes;
} heap;

static uint64_t check_of(const struct chunk *chunk, uint64_t content)
{
    uint64_t mixed = (content ^ (uintptr_t)chunk ^ heap.secret) * UINT64_C(0x9e3779b97f4a7c15);
    return mixed >> CHECK_SHIFT << CHECK_SHIFT;
}

static void set_header(struct chunk *chunk, uint64_t content)
{
    chunk->header = content | check_of(chunk, content);
}

static bool header_intact(const struct chunk *chunk)
{
    uint64_t content = chunk->header & (SIZE_MASK | FLAGS);
    return chunk->header == (content | check_of(chunk, content));
}

static size_t size_of(const struct chunk *chunk)
{
    return chunk->header & SIZE_MASK;
}

static void *block_of(struct chunk *chunk)
{
    return (char *)chunk + HEADER_BYTES;
}

static struct chunk *behind(struct chunk *chunk, size_t size_bytes)
{
    return (struct chunk *)((char *)chunk + size_bytes);
}

static void must_be_intact(const struct chunk *chunk)
{
    if (!header_intact(chunk)) {
        platform_panic("heap: a block's header was overwritten");
    }
}

/* The chunk of a block that the program hands back. */
static struct chunk *chunk_in_use(void *block)
{
    struct chunk *chunk = (struct chunk *)((char *)block - HEADER_BYTES);
    if ((uintptr_t)block % UNIT != 0 || !header_intact(chunk)) {
        platform_panic("heap: not a block of the heap, or its header was overwritten");
    }
    if ((chunk->header & IN_USE) == 0) {
        platform_panic("heap: a block was freed twice, or used after it was freed");
    }
    return chunk;
}

/* Large blocks. */

struct bin {
    unsigned level;
    unsigned index;
};

static struct bin bin_of(size_t size_bytes)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzll(size_bytes);
    return (struct bin){log2 - LEVEL_FIRST,
                        (unsigned)(size_bytes >> (log2 - BIN_BITS)) & (BINS - 1)};
}

static void bin_insert(struct chunk *chunk, size_t size_bytes)
{
    struct bin bin = bin_of(size_bytes);
    struct chunk *head = heap.bins[bin.level][bin.index];
    chunk->next = head;
    chunk->previous = NULL;
    if (head != NULL) {
        head->previous = chunk;
    }
    heap.bins[bin.level][bin.index] = chunk;
    heap.bins_filled[bin.level] |= 1u << bin.index;
    heap.levels_filled |= 1u << bin.level;
}

static void bin_remove(struct chunk *chunk)
{
    struct bin bin = bin_of(size_of(chunk));
    if (chunk->next != NULL) {
        chunk->next->previous = chunk->previous;
    }
    if (chunk->previous != NULL) {
        chunk->previous->next = chunk->next;
        return;
    }
    heap.bins[bin.level][bin.index] = chunk->next;
    if (chunk->next == NULL) {
        heap.bins_filled[bin.level] &= ~(1u << bin.index);
        if (heap.bins_filled[bin.level] == 0) {
            heap.levels_filled &= ~(1u << bin.level);
        }
    }
}

/* A free chunk of at least size_bytes, still in its bin, or NULL. */
static struct chunk *bin_find(size_t size_bytes)
{
    unsigned log2 = 63 - (unsigned)__builtin_clzll(size_bytes);
    struct bin bin = bin_of(size_bytes + (1ul << (log2 - BIN_BITS)) - 1);
    uint32_t bins = heap.bins_filled[bin.level] & (~0u << bin.index);
    if (bins == 0) {
        uint32_t levels = heap.levels_filled & (~1u << bin.level);
        if (levels == 0) {
            return NULL;
        }
        bin.level = (unsigned)__builtin_ctz(levels);
        bins = heap.bins_filled[bin.level];
    }
    struct chunk *chunk = heap.bins[bin.level][__builtin_ctz(bins)];
    must_be_intact(chunk);
    return chunk;
}

/* Make [chunk, chunk + size_bytes) free; both neighbours are in use. */
static void put_free(struct chunk *chunk, size_t size_bytes)
{
    struct chunk *next = behind(chunk, size_bytes);
    set_header(chunk, size_bytes);
    *(uint64_t *)((char *)next - sizeof(uint64_t)) = size_bytes;
    must_be_intact(next);
    set_header(next, (next->header & (SIZE_MASK | FLAGS)) | PREVIOUS_FREE);
    bin_insert(chunk, size_bytes);
}

/* Make a chunk that is out of its bin one in use of size_bytes, and what is left over free. */
static void put_in_use(struct chunk *chunk, size_t chunk_bytes, size_t size_bytes, uint64_t flags)
{
    if (chunk_bytes - size_bytes >= CHUNK_MIN) {
        set_header(chunk, size_bytes | IN_USE | flags);
        put_free(behind(chunk, size_bytes), chunk_bytes - size_bytes);
        return;
    }
    struct chunk *next = behind(chunk, chunk_bytes);
    set_header(chunk, chunk_bytes | IN_USE | flags);
    must_be_intact(next);
    set_header(next, next->header & (SIZE_MASK | FLAGS) & ~PREVIOUS_FREE);
}

/* Before the first header is written. Where the stack and the image lie differs from process to
 * process. */
static void choose_secret(void)
{
    if (heap.region_next_bytes == 0) {
        heap.region_next_bytes = REGION_MIN;
        heap.secret = ((uintptr_t)__builtin_frame_address(0) ^ (uintptr_t)&heap << 20) *
                      UINT64_C(0xd6e8feb86659fd93);
    }
}

static bool grow(size_t size_bytes)
{
    choose_secret();
    size_t region_bytes = (size_bytes + REGION_OVERHEAD + PAGE - 1) / PAGE * PAGE;
    region_bytes = region_bytes > heap.region_next_bytes ? region_bytes : heap.region_next_bytes;
    struct region *region = capos_heap_grow(region_bytes);
    if (region == NULL) {
        return false;
    }
    if (heap.region_next_bytes < REGION_MAX) {
        heap.region_next_bytes *= 2;
    }
    region->next = heap.regions;
    region->size_bytes = region_bytes;
    heap.regions = region;
    struct chunk *first = (struct chunk *)((char *)region + REGION_OVERHEAD - HEADER_BYTES);
    size_t first_bytes = region_bytes - REGION_OVERHEAD;
    set_header(behind(first, first_bytes), IN_USE);
    put_free(first, first_bytes);
    return true;
}

static struct chunk *take_large(size_t size_bytes)
{
    struct chunk *chunk = bin_find(size_bytes);
    if (chunk == NULL) {
        /* room for the rounding up that bin_find does */
        if (!grow(size_bytes + size_bytes / BINS)) {
            return NULL;
        }
        chunk = bin_find(size_bytes);
    }
    bin_remove(chunk);
    put_in_use(chunk, size_of(chunk), size_bytes, 0);
    return chunk;
}

static void free_large(struct chunk *chunk)
{
    size_t size_bytes = size_of(chunk);
    struct chunk *next = behind(chunk, size_bytes);
    must_be_intact(next);
    if ((next->header & IN_USE) == 0) {
        bin_remove(next);
        size_bytes += size_of(next);
    }
    if ((chunk->header & PREVIOUS_FREE) != 0) {
        size_t previous_bytes = *(uint64_t *)((char *)chunk - sizeof(uint64_t));
        struct chunk *previous = (struct chunk *)((char *)chunk - previous_bytes);
        if (previous_bytes > SIZE_MASK || !header_intact(previous) ||
            size_of(previous) != previous_bytes) {
            platform_panic("heap: a free block was overwritten");
        }
        set_header(chunk, size_of(chunk)); /* so that freeing it again is still told as that */
        bin_remove(previous);
        size_bytes += previous_bytes;
        chunk = previous;
    }
    put_free(chunk, size_bytes);
}

/* Small blocks. */

static struct chunk *take_small(size_t size_bytes)
{
    struct chunk *chunk = heap.small[size_bytes / UNIT];
    if (chunk != NULL) {
        if (!header_intact(chunk) || (chunk->header & IN_USE) != 0) {
            platform_panic("heap: a freed block was written to");
        }
        heap.small[size_bytes / UNIT] = chunk->next;
    } else {
        if (heap.run_left < size_bytes) {
            if (heap.run_left >= CHUNK_MIN) {
                struct chunk *rest = (struct chunk *)heap.run;
                set_header(rest, heap.run_left | SMALL);
                rest->next = heap.small[heap.run_left / UNIT];
                heap.small[heap.run_left / UNIT] = rest;
            }
            heap.run_left = 0;
            struct chunk *run = take_large(RUN_BYTES);
            if (run == NULL) {
                return NULL;
            }
            /* the run's own block is where the first header belongs, less what alignment takes */
            heap.run = (char *)run + UNIT;
            heap.run_left = (size_of(run) - UNIT) / UNIT * UNIT;
        }
        chunk = (struct chunk *)heap.run;
        heap.run += size_bytes;
        heap.run_left -= size_bytes;
    }
    set_header(chunk, size_bytes | SMALL | IN_USE);
    return chunk;
}

static void free_small(struct chunk *chunk)
{
    size_t size_bytes = size_of(chunk);
    set_header(chunk, size_bytes | SMALL);
    chunk->next = heap.small[size_bytes / UNIT];
    heap.small[size_bytes / UNIT] = chunk;
}

/* Mapped blocks: the two words before the header say which pages they have. */

static struct chunk *take_mapped(size_t size_bytes, size_t alignment)
{
    size_t total = (size_bytes + alignment + 2 * UNIT + PAGE - 1) / PAGE * PAGE;
    choose_secret();
    char *start = capos_heap_grow(total);
    if (start == NULL) {
        return NULL;
    }
    uintptr_t block = ((uintptr_t)start + 2 * UNIT + alignment - 1) & ~(alignment - 1);
    struct chunk *chunk = (struct chunk *)(block - HEADER_BYTES);
    ((uint64_t *)block)[-3] = (uintptr_t)start;
    ((uint64_t *)block)[-2] = total;
    set_header(chunk,
               ((uintptr_t)start + total - (uintptr_t)chunk) / UNIT * UNIT | MAPPED | IN_USE);
    return chunk;
}

static void free_mapped(struct chunk *chunk)
{
    uint64_t *block = block_of(chunk);
    capos_heap_shrink((void *)block[-3], block[-2]);
}

/* The public functions. */

static size_t chunk_bytes_for(size_t request_bytes)
{
    size_t size_bytes = (request_bytes + HEADER_BYTES + UNIT - 1) / UNIT * UNIT;
    return size_bytes < CHUNK_MIN ? CHUNK_MIN : size_bytes;
}

/* lock held */
static struct chunk *take(size_t size_bytes)
{
    return size_bytes <= SMALL_MAX   ? take_small(size_bytes)
           : size_bytes < MAPPED_MIN ? take_large(size_bytes)
                                     : take_mapped(size_bytes, UNIT);
}

void *malloc(size_t size_bytes)
{
    if (size_bytes > REQUEST_MAX) {
        return NULL;
    }
    platform_lock(&heap.lock);
    struct chunk *chunk = take(chunk_bytes_for(size_bytes));
    platform_unlock(&heap.lock);
    return chunk != NULL ? block_of(chunk) : NULL;
}

void *calloc(size_t count, size_t size_bytes)
{
    size_t total;
    if (__builtin_mul_overflow(count, size_bytes, &total)) {
        return NULL;
    }
    void *block = malloc(total);
    if (block != NULL && chunk_bytes_for(total) < MAPPED_MIN) { /* fresh pages are zero */
        memset(block, 0, total);
    }
    return block;
}

void free(void *block)
{
    if (block == NULL) {
        return;
    }
    platform_lock(&heap.lock);
    struct chunk *chunk = chunk_in_use(block);
    if ((chunk->header & SMALL) != 0) {
        free_small(chunk);
    } else if ((chunk->header & MAPPED) != 0) {
        free_mapped(chunk);
    } else {
        free_large(chunk);
    }
    platform_unlock(&heap.lock);
}

/* lock held. Give back the end of a large block, or take the free block behind it in; true if it
 * now has size_bytes. */
static bool resize_large(struct chunk *chunk, size_t size_bytes)
{
    size_t have = size_of(chunk);
    uint64_t flags = chunk->header & PREVIOUS_FREE;
    struct chunk *next = behind(chunk, have);
    must_be_intact(next);
    if ((next->header & IN_USE) == 0) {
        if (have + size_of(next) < size_bytes) {
            return false;
        }
        bin_remove(next);
        have += size_of(next);
    } else if (have < size_bytes) {
        return false;
    }
    put_in_use(chunk, have, size_bytes, flags);
    return true;
}

/* lock held */
static bool resize_in_place(struct chunk *chunk, size_t size_bytes)
{
    size_t have = size_of(chunk);
    if ((chunk->header & (SMALL | MAPPED)) != 0) {
        return size_bytes <= have && size_bytes >= have / 2;
    }
    return size_bytes > SMALL_MAX && size_bytes < MAPPED_MIN && resize_large(chunk, size_bytes);
}

void *realloc(void *block, size_t size_bytes)
{
    if (block == NULL) {
        return malloc(size_bytes);
    }
    if (size_bytes > REQUEST_MAX) {
        return NULL;
    }
    platform_lock(&heap.lock);
    struct chunk *chunk = chunk_in_use(block);
    size_t have = size_of(chunk) - HEADER_BYTES;
    bool resized = resize_in_place(chunk, chunk_bytes_for(size_bytes));
    platform_unlock(&heap.lock);
    if (resized) {
        return block;
    }
    void *moved = malloc(size_bytes);
    if (moved != NULL) {
        memcpy(moved, block, have < size_bytes ? have : size_bytes);
        free(block);
    }
    return moved;
}

/* lock held. A large block with room before it; what lies before the aligned address becomes a
 * free block of its own. */
static struct chunk *take_aligned(size_t size_bytes, size_t alignment)
{
    struct chunk *chunk = take_large(size_bytes + alignment + CHUNK_MIN);
    if (chunk == NULL) {
        return NULL;
    }
    size_t have = size_of(chunk);
    uintptr_t block = (uintptr_t)block_of(chunk);
    uintptr_t aligned = (block + alignment - 1) & ~(alignment - 1);
    if (aligned != block && aligned - block < CHUNK_MIN) {
        aligned += alignment;
    }
    size_t before = aligned - block;
    struct chunk *result = behind(chunk, before);
    put_in_use(result, have - before, have - before, 0);
    if (before != 0) {
        put_free(chunk, before);
    }
    resize_large(result, size_bytes);
    return result;
}

void *aligned_alloc(size_t alignment, size_t size_bytes)
{
    if (alignment == 0 || (alignment & (alignment - 1)) != 0 || alignment > REQUEST_MAX ||
        size_bytes > REQUEST_MAX) {
        return NULL;
    }
    if (alignment <= UNIT) {
        return malloc(size_bytes);
    }
    size_t needed = chunk_bytes_for(size_bytes);
    platform_lock(&heap.lock);
    struct chunk *chunk = needed + alignment + CHUNK_MIN < MAPPED_MIN
                              ? take_aligned(needed, alignment)
                              : take_mapped(needed, alignment);
    platform_unlock(&heap.lock);
    return chunk != NULL ? block_of(chunk) : NULL;
}

/* lock held */
static bool region_intact(struct region *region)
{
    struct chunk *chunk = (struct chunk *)((char *)region + REGION_OVERHEAD - HEADER_BYTES);
    struct chunk *end = (struct chunk *)((char *)region + region->size_bytes - HEADER_BYTES);
    bool previous_free = false;
    while (chunk < end) {
        bool says_previous_free = (chunk->header & PREVIOUS_FREE) != 0;
        bool is_free = (chunk->header & IN_USE) == 0;
        if (!header_intact(chunk) || says_previous_free != previous_free ||
            (is_free && previous_free) || size_of(chunk) < CHUNK_MIN) {
            return false;
        }
        previous_free = is_free;
        chunk = behind(chunk, size_of(chunk));
    }
    return chunk == end && header_intact(chunk);
}

bool heap_intact(void)
{
    platform_lock(&heap.lock);
    bool intact = true;
    for (struct region *region = heap.regions; region != NULL; region = region->next) {
        intact = intact && region_intact(region);
    }
    for (size_t i = 0; i <= SMALL_MAX / UNIT; i++) {
        for (struct chunk *chunk = heap.small[i]; chunk != NULL; chunk = chunk->next) {
            intact = intact && header_intact(chunk) && (chunk->header & IN_USE) == 0;
        }
    }
    platform_unlock(&heap.lock);
    return intact;
}
