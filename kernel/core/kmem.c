/* Kernel memory for objects. See kmem.h.
 *
 * A slab is a frame with a header and equal pieces. Pieces that were never used lie above `fresh`,
 * freed ones hang in a list through their first word, so making a slab costs the same whatever its
 * pieces are. Slabs with a free piece are in their class's list; an empty one is given back at
 * once, so that memory in use and frames in use come back together. */
#include "kernel/core/kmem.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/tally.h"

/* Steps of at most a half; above 256 chosen so that a whole number of pieces fills a slab. */
static const uint16_t class_sizes[] = {16,  32,  48,  64,  96,   128,  160,           192,
                                       256, 336, 496, 672, 1008, 1344, KMEM_PIECE_MAX, PAGE_SIZE};
#define CLASSES ARRAY_SIZE(class_sizes)
#define WHOLE_FRAME (CLASSES - 1) /* the class that has no slabs */
#define PIECE_STEP 16

struct slab {
    struct list link; /* in its class's list while a piece is free */
    uint16_t freed;   /* offset of the first freed piece; 0: none */
    uint16_t fresh;   /* offset of the first piece that was never used */
    uint16_t used;    /* pieces in use */
    uint16_t class;
    uint64_t reserved; /* keeps the pieces aligned to 16 */
};
_Static_assert(sizeof(struct slab) == 32, "KMEM_PIECE_MAX counts on it");

int64_t kmem_fail_after = -1;
static struct list partial[CLASSES];
static uint8_t class_by_step[KMEM_PIECE_MAX / PIECE_STEP + 1];
static uint64_t frames_limit;

void kmem_init(uint64_t frames_max)
{
    KASSERT(tally.kernel_bytes == 0 && tally.kernel_frames == 0);
    frames_limit = frames_max;
    uint8_t class = 0;
    for (uint32_t step = 0; step < ARRAY_SIZE(class_by_step); step++) {
        if (step * PIECE_STEP > class_sizes[class]) {
            class++;
        }
        class_by_step[step] = class;
    }
    for (class = 0; class < CLASSES; class++) {
        list_init(&partial[class]);
    }
}

static uint32_t class_of(size_t size)
{
    KASSERT(size > 0 && size <= PAGE_SIZE);
    return size > KMEM_PIECE_MAX ? (uint32_t)WHOLE_FRAME
                                 : class_by_step[(size + PIECE_STEP - 1) / PIECE_STEP];
}

static status_t take_frame(void **out)
{
    frame_t f;
    if (tally.kernel_frames >= frames_limit || frame_alloc(&f) != STATUS_OK) {
        return STATUS_BYTES_EXHAUSTED;
    }
    tally.kernel_frames++;
    *out = arch_frame_address(f);
    return STATUS_OK;
}

static void give_frame(const void *memory)
{
    uintptr_t offset = (uintptr_t)memory - (uintptr_t)arch_frame_address(0);
    KASSERT(tally.kernel_frames > 0 && page_aligned(offset));
    KASSERT(frame_count(offset >> PAGE_SHIFT) == 1);
    tally.kernel_frames--;
    frame_put(offset >> PAGE_SHIFT);
}

static bool slab_full(const struct slab *s)
{
    return s->freed == 0 && s->fresh + class_sizes[s->class] > PAGE_SIZE;
}

static status_t piece_alloc(uint32_t class, void **out)
{
    const uint16_t size = class_sizes[class];
    if (list_empty(&partial[class])) {
        void *memory;
        status_t status = take_frame(&memory);
        if (status != STATUS_OK) {
            return status;
        }
        struct slab *made = memory;
        *made = (struct slab){.fresh = sizeof(*made), .class = (uint16_t)class};
        list_append(&partial[class], &made->link);
        arch_memory_freed(made + 1, PAGE_SIZE - sizeof(*made));
    }
    struct slab *s = LIST_FIRST(&partial[class], struct slab, link);
    KASSERT(!slab_full(s));
    char *piece = (char *)s + (s->freed != 0 ? s->freed : s->fresh);
    arch_memory_taken(piece, size);
    if (s->freed != 0) {
        s->freed = *(uint16_t *)(void *)piece;
    } else {
        s->fresh = (uint16_t)(s->fresh + size);
    }
    s->used++;
    if (slab_full(s)) {
        list_remove(&s->link);
    }
    *out = piece;
    return STATUS_OK;
}

static void piece_free(uint32_t class, void *memory)
{
    struct slab *s = (struct slab *)((uintptr_t)memory & ~(uintptr_t)(PAGE_SIZE - 1));
    KASSERT(s->class == class && s->used > 0);
    KASSERT(((uintptr_t)memory - (uintptr_t)s - sizeof(*s)) % class_sizes[class] == 0);
    if (slab_full(s)) {
        list_append(&partial[class], &s->link);
    }
    s->used--;
    if (s->used == 0) {
        list_remove(&s->link);
        give_frame(s);
        return;
    }
    *(uint16_t *)memory = s->freed;
    s->freed = (uint16_t)((uintptr_t)memory - (uintptr_t)s);
    arch_memory_freed(memory, class_sizes[class]);
}

uint64_t kmem_charge(size_t size)
{
    return class_sizes[class_of(size)];
}

status_t kmem_take(size_t size, void **out)
{
    if (kmem_fail_now()) {
        return STATUS_BYTES_EXHAUSTED;
    }
    uint32_t class = class_of(size);
    status_t status = class == WHOLE_FRAME ? take_frame(out) : piece_alloc(class, out);
    tally.kernel_bytes += status == STATUS_OK ? class_sizes[class] : 0;
    return status;
}

void kmem_give(void *memory, size_t size)
{
    uint32_t class = class_of(size);
    KASSERT(memory != NULL && tally.kernel_bytes >= class_sizes[class]);
    tally.kernel_bytes -= class_sizes[class];
    if (class == WHOLE_FRAME) {
        give_frame(memory);
    } else {
        piece_free(class, memory);
    }
}

status_t kmem_alloc(struct account *a, size_t size, void **out)
{
    uint64_t charge = kmem_charge(size);
    status_t status = ledger_charge(a, LEDGER_KERNEL_BYTES, charge);
    if (status != STATUS_OK) {
        return status;
    }
    status = kmem_take(size, out);
    if (status == STATUS_OK) {
        __builtin_memset(*out, 0, charge);
    } else {
        ledger_refund(a, LEDGER_KERNEL_BYTES, charge);
    }
    return status;
}

void kmem_free(struct account *a, void *memory, size_t size)
{
    kmem_give(memory, size);
    ledger_refund(a, LEDGER_KERNEL_BYTES, kmem_charge(size));
}
