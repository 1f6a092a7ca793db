/* Deep copies out of one message into another. Depth first, with the path from the root on a stack
 * of our own: it is as long as the depth limit of readers, so it cannot overflow and nothing
 * recurses. The work is bounded by the traversal limit of the source and by the room of the target.
 */
#include "lib/wire/wire.h"

/* Elements whose pointers are being copied. */
struct level {
    struct wire_list source;
    wire_word *target;
    uint32_t element;
    uint32_t pointer;
};

struct copy {
    struct wire_message_builder *message;
    uint32_t depth;
    struct level levels[WIRE_DEPTH_LIMIT + 1];
};

static uint32_t data_words(const struct wire_list *list)
{
    return (list->data_bits + 63) / 64;
}

static void copy_bytes(wire_word *to, const uint8_t *from, uint64_t size)
{
    if (size != 0) {
        __builtin_memcpy(to, from, size);
    }
}

/* Copies the data of all elements and leaves their pointers to the walk. */
static void enter(struct copy *copy, struct wire_list source, wire_word *target)
{
    uint64_t step = data_words(&source) + source.pointer_count;
    for (uint32_t i = 0; i < source.count && source.data_bits != 0; i++) {
        copy_bytes(target + i * step, source.data + (uint64_t)i * source.step_bits / 8,
                   source.data_bits / 8);
    }
    if (source.count != 0 && source.pointer_count != 0 && copy->depth <= WIRE_DEPTH_LIMIT) {
        copy->levels[copy->depth++] = (struct level){source, target, 0, 0};
    }
}

/* `holder` is a builder whose pointer `index` shall lead to the copy. */
static void copy_struct(struct copy *copy, struct wire_builder holder, uint32_t index,
                        struct wire_list source)
{
    struct wire_builder target =
        wire_init_struct(holder, index, data_words(&source), source.pointer_count);
    if (copy->message->error == WIRE_OK && target.data != NULL) {
        enter(copy, source, target.data);
    }
}

static void copy_list(struct copy *copy, struct wire_builder holder, uint32_t index,
                      struct wire_list source)
{
    struct wire_list_builder target;
    if (source.element == WIRE_COMPOSITE) {
        target = wire_init_struct_list(holder, index, source.count, data_words(&source),
                                       source.pointer_count);
    } else {
        target = wire_init_list(holder, index, source.element, source.count);
    }
    if (target.count == 0) {
        return;
    }
    if (source.element == WIRE_COMPOSITE || source.element == WIRE_POINTER) {
        enter(copy, source, target.data);
    } else {
        uint64_t bits = (uint64_t)source.count * source.step_bits;
        copy_bytes(target.data, source.data, (bits + 7) / 8);
        if (source.element == WIRE_BIT
            && bits % 64 != 0) { /* the padding is zero, whatever the source had there */
            target.data[bits / 64] &= ((uint64_t)1 << bits % 64) - 1;
        }
    }
}

static void copy_object(struct copy *copy, struct wire_builder holder, uint32_t index,
                        struct wire_object object)
{
    switch (object.kind) {
    case WIRE_OBJECT_NULL:
        break;
    case WIRE_OBJECT_STRUCT:
        copy_struct(copy, holder, index, object.list);
        break;
    case WIRE_OBJECT_LIST:
        copy_list(copy, holder, index, object.list);
        break;
    case WIRE_OBJECT_CAPABILITY:
        wire_set_capability(holder, index, object.capability);
        break;
    }
}

static void walk(struct copy *copy)
{
    while (copy->depth != 0 && copy->message->error == WIRE_OK) {
        struct level *level = &copy->levels[copy->depth - 1];
        if (level->element == level->source.count) {
            copy->depth--;
            continue;
        }
        uint32_t words = data_words(&level->source);
        uint32_t pointers = level->source.pointer_count;
        struct wire_reader from = wire_list_get_struct(level->source, level->element);
        struct wire_builder to = {copy->message,
                                  level->target + (uint64_t)level->element * (words + pointers),
                                  words, pointers};
        uint32_t index = level->pointer++;
        if (level->pointer == pointers) {
            level->pointer = 0;
            level->element++;
        }
        copy_object(
            copy, to, index,
            wire_get_object(from, index)); /* may add a level: `level` is not used after it */
    }
}

void wire_set_struct(struct wire_builder builder, uint32_t index, struct wire_reader source)
{
    struct copy copy = {.message = builder.message, .depth = 0};
    struct wire_list list = {source.message,
                             source.data,
                             1,
                             0,
                             source.data_bits,
                             (uint16_t)source.pointer_count,
                             source.segment,
                             source.depth,
                             WIRE_COMPOSITE};
    if (source.message == NULL || (source.data == NULL && source.pointers == NULL)) {
        return;
    }
    copy_struct(&copy, builder, index, list);
    walk(&copy);
}

void wire_set_list(struct wire_builder builder, uint32_t index, struct wire_list source)
{
    struct copy copy = {.message = builder.message, .depth = 0};
    if (source.data == NULL) {
        return;
    }
    copy_list(&copy, builder, index, source);
    walk(&copy);
}

void wire_message_set_root(struct wire_message_builder *message, struct wire_reader source)
{
    wire_word *root = message->used == 0 ? wire_message_take(message, 1) : NULL;
    if (root == NULL) {
        message->error = WIRE_ERROR_SPACE;
        return;
    }
    wire_set_struct((struct wire_builder){message, root, 0, 1}, 0, source);
}
