/* MemoryObject. See memory_object.h.
 *
 * The frames of an object hang in a radix tree of frames of 512 words, as high as its size needs; a
 * tree of height 0 is the one page itself. All nodes that the tree can have are charged with the
 * pages when the object is created, and both are allocated when first touched, so a touch never
 * fails for lack of budget. A boot image has no tree: its frames follow each other. */
#include "kernel/core/memory_object.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/gen/dispatch.h"

#define NODE_BITS 9
#define NODE_WORDS (1u << NODE_BITS)
#define HEIGHT_MAX 4 /* 2^36 pages: more than any address space */

struct memory_object {
    uint64_t references; /* faces and mappings */
    struct account *account;
    uint64_t size; /* bytes */
    uint64_t pages;
    uint64_t charged;   /* pages and nodes */
    frame_t root;       /* FRAME_NONE while nothing was touched */
    frame_t boot_first; /* of a boot image, else FRAME_NONE */
    uint32_t height;
    bool sealed;
    uint64_t writable_mappings;
};

struct memory_face {
    struct object object;
    struct memory_object *memory;
    struct account *account; /* that pays for this face */
};

static void face_destroy(struct object *o);

const struct object_class memory_object_class = {.interface = &memory_object_interface,
                                                 .destroy = face_destroy};
const struct object_class read_only_memory_class = {.interface = &read_only_memory_interface,
                                                    .destroy = face_destroy};
const struct object_class image_class = {.interface = &image_interface, .destroy = face_destroy};

static bool is_face(const struct object *o)
{
    return o->class == &memory_object_class || o->class == &read_only_memory_class
           || o->class == &image_class;
}

static struct memory_face *face_of(struct object *o)
{
    KASSERT(is_face(o));
    return CONTAINER_OF(o, struct memory_face, object);
}

/* --- the tree --- */

/* The nodes that a tree of so many pages can have, and its height. */
static uint64_t nodes_for(uint64_t pages, uint32_t *height)
{
    uint64_t nodes = 0;
    for (*height = 0; pages > 1; ++*height) {
        pages = (pages + NODE_WORDS - 1) / NODE_WORDS; /* of the level above */
        nodes += pages;
    }
    KASSERT(*height <= HEIGHT_MAX);
    return nodes;
}

frame_t memory_object_frame(struct memory_object *m, uint64_t index, bool allocate)
{
    KASSERT(index < m->pages);
    if (m->boot_first != FRAME_NONE) {
        return m->boot_first + index;
    }
    frame_t *slot = &m->root;
    for (uint32_t height = m->height;; height--) {
        if (*slot == FRAME_NONE && (!allocate || frame_alloc_zeroed(slot) != STATUS_OK)) {
            return FRAME_NONE;
        }
        if (height == 0) {
            return *slot;
        }
        frame_t *words = arch_frame_address(*slot);
        slot = &words[(index >> (NODE_BITS * (height - 1))) & (NODE_WORDS - 1)];
    }
}

/* Frees every page and node: a walk in order of the pages, in which a node goes with the last word
 * of its own. */
static void free_frames(struct memory_object *m)
{
    frame_t path[HEIGHT_MAX + 1] = {[0] = FRAME_NONE};
    uint32_t word[HEIGHT_MAX + 1] = {0};
    if (m->root == FRAME_NONE) {
        return;
    }
    uint32_t height = m->height;
    path[height] = m->root;
    for (;;) {
        if (height == 0 || word[height] == NODE_WORDS) {
            frame_put(path[height]);
            if (height++ == m->height) {
                break;
            }
            continue;
        }
        const frame_t *words = arch_frame_address(path[height]);
        frame_t below = words[word[height]++];
        if (below != FRAME_NONE) {
            height--;
            path[height] = below;
            word[height] = 0;
        }
    }
    m->root = FRAME_NONE;
}

/* --- life --- */

static void release(struct memory_object *m)
{
    KASSERT(m->references > 0);
    if (--m->references > 0) {
        return;
    }
    KASSERT(m->writable_mappings == 0);
    struct account *a = m->account;
    free_frames(m);
    ledger_refund(a, LEDGER_FRAMES, m->charged);
    kmem_free(a, m, sizeof(*m));
}

static void face_destroy(struct object *o)
{
    struct memory_face *face = face_of(o);
    struct memory_object *m = face->memory;
    kmem_free(face->account, face, sizeof(*face));
    release(m);
}

static status_t face_create(struct memory_object *m, struct account *a,
                            const struct object_class *class, struct object **out)
{
    void *memory;
    status_t status = kmem_alloc(a, sizeof(struct memory_face), &memory);
    if (status != STATUS_OK) {
        return status;
    }
    struct memory_face *face = memory;
    object_init(&face->object, class);
    face->memory = m;
    face->account = a;
    m->references++;
    *out = &face->object;
    return STATUS_OK;
}

/* An object without frames, with one face of the class. */
static status_t create(struct account *a, uint64_t size, frame_t boot_first,
                       const struct object_class *class, struct object **out)
{
    struct memory_object made = {.account = a, .size = size, .pages = PAGES(size)};
    uint64_t nodes = nodes_for(made.pages, &made.height);
    made.boot_first = boot_first;
    made.sealed = boot_first != FRAME_NONE;
    made.charged = boot_first == FRAME_NONE ? made.pages + nodes : 0;
    status_t status = ledger_charge(a, LEDGER_FRAMES, made.charged);
    if (status != STATUS_OK) {
        return status;
    }
    void *memory = NULL;
    status = kmem_alloc(a, sizeof(made), &memory);
    if (status == STATUS_OK) {
        *(struct memory_object *)memory = made;
        status = face_create(memory, a, class, out);
        if (status == STATUS_OK) {
            return STATUS_OK;
        }
        kmem_free(a, memory, sizeof(made));
    }
    ledger_refund(a, LEDGER_FRAMES, made.charged);
    return status;
}

status_t memory_object_create(struct account *a, uint64_t size, struct object **out)
{
    bool fits = size != 0 && size <= USER_END;
    return fits ? create(a, size, FRAME_NONE, &memory_object_class, out) : STATUS_OVERFLOW;
}

status_t memory_object_create_boot(frame_t first, uint64_t size, struct object **image)
{
    KASSERT(first != FRAME_NONE && size <= USER_END);
    return create(&ledger_root, size, first, &image_class, image);
}

struct memory_object *memory_object_of(struct object *o)
{
    return is_face(o) ? face_of(o)->memory : NULL;
}

uint64_t memory_object_size(const struct memory_object *m)
{
    return m->size;
}

bool memory_object_packaged(const struct memory_object *m)
{
    return m->boot_first != FRAME_NONE;
}

bool memory_object_sealed(const struct memory_object *m)
{
    return m->sealed;
}

status_t memory_object_make_read_only(struct memory_object *m, struct account *a,
                                      struct object **out)
{
    return face_create(m, a, &read_only_memory_class, out);
}

status_t memory_object_make_image(struct object *writable, struct account *a, struct object **out)
{
    KASSERT(writable->class == &memory_object_class);
    struct memory_object *m = face_of(writable)->memory;
    if (!m->sealed && (m->writable_mappings != 0 || writable->references != 1)) {
        return STATUS_BAD_STATE;
    }
    status_t status = face_create(m, a, &image_class, out);
    if (status == STATUS_OK) {
        m->sealed = true;
    }
    return status;
}

void memory_object_mapping_added(struct memory_object *m, bool writable)
{
    KASSERT(m->references > 0);
    KASSERT(!(writable && m->sealed));
    m->references++;
    m->writable_mappings += writable;
}

void memory_object_mapping_removed(struct memory_object *m, bool writable)
{
    KASSERT(m->writable_mappings >= writable);
    m->writable_mappings -= writable;
    release(m);
}

void memory_object_read(struct memory_object *m, uint64_t offset, void *out, size_t size)
{
    KASSERT(offset <= m->size && size <= m->size - offset);
    while (size > 0) {
        size_t in_page = offset & (PAGE_SIZE - 1);
        size_t chunk = PAGE_SIZE - in_page < size ? PAGE_SIZE - in_page : size;
        frame_t f = memory_object_frame(m, offset >> PAGE_SHIFT, false);
        if (f == FRAME_NONE) {
            __builtin_memset(out, 0, chunk);
        } else {
            __builtin_memcpy(out, (const char *)arch_frame_address(f) + in_page, chunk);
        }
        out = (char *)out + chunk;
        offset += chunk;
        size -= chunk;
    }
}
