/* Kernel memory for objects. See kmem.h.
 *
 * A slab is a frame with a header and equal pieces. Pieces that were never used lie above `fresh`,
 * freed ones hang in a list through their first word, so making a slab costs the same whatever its
 * pieces are. Slabs with a free piece are in their class's list; an empty one is given back at
 * once, so that memory in use and frames in use come back together. */
#include "kernel/core/kmem.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"

/* Steps of at most a half; above 256 chosen so that a whole number of pieces fills a slab. */
static const uint16_t class_sizes[] = {16,  32,  48,  64,  96,   128,  160,           192,
                                       256, 336, 496, 672, 1008, 1344, KMEM_PIECE_MAX};
#define CLASSES ARRAY_SIZE(class_sizes)
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
static uint64_t bytes_used, frames_used, frames_limit;

void kmem_init(uint64_t frames_max)
{
    bytes_used = frames_used = 0;
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
    KASSERT(size > 0 && size <= KMEM_PIECE_MAX);
    return class_by_step[(size + PIECE_STEP - 1) / PIECE_STEP];
}

static status_t take_frame(frame_t *out)
{
    if (frames_used >= frames_limit || frame_alloc(out) != STATUS_OK) {
        return STATUS_BYTES_EXHAUSTED;
    }
    frames_used++;
    return STATUS_OK;
}

static void give_frame(const void *memory)
{
    KASSERT(frames_used > 0);
    frames_used--;
    frame_put(frame_of_address(memory));
}

static status_t slab_create(uint32_t class, struct slab **out)
{
    frame_t f;
    status_t status = take_frame(&f);
    if (status != STATUS_OK) {
        return status;
    }
    struct slab *s = arch_frame_address(f);
    *s = (struct slab){.fresh = sizeof(*s), .class = (uint16_t)class};
    list_append(&partial[class], &s->link);
    arch_memory_freed(s + 1, PAGE_SIZE - sizeof(*s));
    *out = s;
    return STATUS_OK;
}

static bool slab_full(const struct slab *s)
{
    return s->freed == 0 && s->fresh + class_sizes[s->class] > PAGE_SIZE;
}

static void *slab_take(struct slab *s)
{
    KASSERT(!slab_full(s));
    uint16_t offset = s->freed;
    char *piece = (char *)s + (offset != 0 ? offset : s->fresh);
    arch_memory_taken(piece, class_sizes[s->class]);
    if (offset != 0) {
        s->freed = *(uint16_t *)(void *)piece;
    } else {
        s->fresh = (uint16_t)(s->fresh + class_sizes[s->class]);
    }
    s->used++;
    if (slab_full(s)) {
        list_remove(&s->link);
    }
    return piece;
}

static status_t piece_alloc(uint32_t class, void **out)
{
    struct list *l = &partial[class];
    struct slab *s;
    if (!list_empty(l)) {
        s = LIST_FIRST(l, struct slab, link);
    } else {
        status_t status = slab_create(class, &s);
        if (status != STATUS_OK) {
            return status;
        }
    }
    *out = slab_take(s);
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
    return size > KMEM_PIECE_MAX ? PAGE_SIZE : class_sizes[class_of(size)];
}

status_t kmem_take(size_t size, void **out)
{
    KASSERT(size > 0 && size <= PAGE_SIZE);
    if (kmem_fail_now()) {
        return STATUS_BYTES_EXHAUSTED;
    }
    uint64_t charge = kmem_charge(size);
    status_t status;
    if (charge == PAGE_SIZE) {
        frame_t f = FRAME_NONE;
        status = take_frame(&f);
        *out = status == STATUS_OK ? arch_frame_address(f) : NULL;
    } else {
        status = piece_alloc(class_of(size), out);
    }
    bytes_used += status == STATUS_OK ? charge : 0;
    return status;
}

void kmem_give(void *memory, size_t size)
{
    KASSERT(memory != NULL && size > 0 && size <= PAGE_SIZE);
    uint64_t charge = kmem_charge(size);
    KASSERT(bytes_used >= charge);
    bytes_used -= charge;
    if (charge == PAGE_SIZE) {
        KASSERT(((uintptr_t)memory & (PAGE_SIZE - 1)) == 0);
        give_frame(memory);
    } else {
        piece_free(class_of(size), memory);
    }
}

status_t kmem_alloc(struct account *a, size_t size, void **out)
{
    status_t status = ledger_charge(a, LEDGER_KERNEL_BYTES, kmem_charge(size));
    if (status == STATUS_OK) {
        status = kmem_take(size, out);
        if (status == STATUS_OK) {
            __builtin_memset(*out, 0, kmem_charge(size));
        } else {
            ledger_refund(a, LEDGER_KERNEL_BYTES, kmem_charge(size));
        }
    }
    return status;
}

void kmem_free(struct account *a, void *memory, size_t size)
{
    kmem_give(memory, size);
    ledger_refund(a, LEDGER_KERNEL_BYTES, kmem_charge(size));
}

uint64_t kmem_bytes(void)
{
    return bytes_used;
}

uint64_t kmem_frames(void)
{
    return frames_used;
}
