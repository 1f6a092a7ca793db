/* Building messages: everything that takes room from the segment. Objects lie behind each other in
 * the order in which they were made, so a pointer's offset is never negative. */
#include "lib/wire/wire.h"

/* A list pointer counts its elements (for structs: their words) in 29 bits. */
#define LIST_COUNT_MAX ((1u << 29) - 1)

static inline wire_word *take(struct wire_message_builder *message, uint64_t words)
{
    if (message->error != WIRE_OK || words > message->capacity - message->used) {
        message->error = WIRE_ERROR_SPACE;
        return NULL;
    }
    wire_word *start = message->segment + message->used;
    message->used += (uint32_t)words;
    return start;
}

wire_word *wire_message_take(struct wire_message_builder *message, uint64_t words)
{
    wire_word *start = take(message, words);
    for (uint64_t i = 0; start != NULL && i < words; i++) {
        start[i] = 0;
    }
    return start;
}

static uint64_t struct_pointer(const wire_word *pointer, const wire_word *start,
                               uint32_t data_words, uint32_t pointer_count)
{
    uint32_t offset = (uint32_t)(start - (pointer + 1));
    return (uint64_t)offset << 2 | (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
}

static uint64_t list_pointer(const wire_word *pointer, const wire_word *start,
                             enum wire_element element, uint32_t count)
{
    uint32_t offset = (uint32_t)(start - (pointer + 1));
    return (uint64_t)offset << 2 | 1 | (uint64_t)element << 32 | (uint64_t)count << 35;
}

struct wire_builder wire_init_struct(struct wire_builder builder, uint32_t index,
                                     uint32_t data_words, uint32_t pointer_count)
{
    wire_word *pointer = wire_pointer_at(builder, index);
    wire_word *start =
        pointer == NULL ? NULL : wire_message_take(builder.message, data_words + pointer_count);
    if (start == NULL) {
        return (struct wire_builder){builder.message, NULL, 0, 0};
    }
    /* A struct of no size has nowhere to be; pointing at the pointer itself tells it from null. */
    *pointer = data_words + pointer_count == 0
                   ? 0xfffffffcu
                   : struct_pointer(pointer, start, data_words, pointer_count);
    return (struct wire_builder){builder.message, start, data_words, pointer_count};
}

struct wire_list_builder wire_init_list(struct wire_builder builder, uint32_t index,
                                        enum wire_element element, uint32_t count)
{
    static const uint8_t element_bits[] = {0, 1, 8, 16, 32, 64, 64};
    struct wire_list_builder none = {.message = builder.message};
    wire_word *pointer = wire_pointer_at(builder, index);
    if (pointer == NULL || element >= WIRE_COMPOSITE) {
        return none;
    }
    uint64_t bits = (uint64_t)count * element_bits[element];
    wire_word *start =
        wire_message_take(builder.message, count > LIST_COUNT_MAX ? UINT64_MAX : (bits + 63) / 64);
    if (start == NULL) {
        return none;
    }
    *pointer = list_pointer(pointer, start, element, count);
    return (struct wire_list_builder){builder.message,       start, count,
                                      element_bits[element], 0,     element == WIRE_POINTER};
}

struct wire_list_builder wire_init_struct_list(struct wire_builder builder, uint32_t index,
                                               uint32_t count, uint32_t data_words,
                                               uint32_t pointer_count)
{
    uint32_t step = data_words + pointer_count;
    uint64_t words = (uint64_t)count * step;
    wire_word *pointer = wire_pointer_at(builder, index);
    bool fits = count <= LIST_COUNT_MAX && words <= LIST_COUNT_MAX;
    wire_word *tag =
        pointer == NULL ? NULL : wire_message_take(builder.message, fits ? words + 1 : UINT64_MAX);
    if (tag == NULL) {
        return (struct wire_list_builder){.message = builder.message};
    }
    *pointer = list_pointer(pointer, tag, WIRE_COMPOSITE, (uint32_t)words);
    *tag = (uint64_t)count << 2 | (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
    return (struct wire_list_builder){builder.message, tag + 1,    count,
                                      step * 64,       data_words, pointer_count};
}

/* A list of bytes whose content is the caller's to fill; the padding is zero. */
static inline wire_word *put_bytes(struct wire_message_builder *message, wire_word *pointer,
                                   size_t size)
{
    if (pointer == NULL) {
        return NULL;
    }
    uint64_t words = ((uint64_t)size + 7) / 8;
    wire_word *start = take(message, size > LIST_COUNT_MAX ? UINT64_MAX : words);
    if (start == NULL) {
        return NULL;
    }
    if (words != 0) {
        start[words - 1] = 0;
    }
    *pointer = list_pointer(pointer, start, WIRE_BYTE, (uint32_t)size);
    return start;
}

void *wire_put_bytes(struct wire_message_builder *message, wire_word *pointer, size_t size)
{
    return put_bytes(message, pointer, size);
}

void wire_put_data(struct wire_message_builder *message, wire_word *pointer, const void *data,
                   size_t size)
{
    wire_word *start = put_bytes(message, pointer, size);
    if (start != NULL && size != 0) {
        __builtin_memcpy(start, data, size);
    }
}

void wire_put_text(struct wire_message_builder *message, wire_word *pointer, const void *text,
                   size_t size)
{
    size_t with_nul = size < LIST_COUNT_MAX ? size + 1 : SIZE_MAX;
    wire_word *start = put_bytes(message, pointer, with_nul);
    if (start != NULL && size != 0) {
        __builtin_memcpy(start, text, size); /* its NUL is of the last word, which is zero */
    }
}

void wire_truncate_data(struct wire_builder builder, uint32_t index, size_t size)
{
    wire_word *pointer = wire_pointer_at(builder, index);
    if (pointer == NULL || (*pointer & 3) != 1 || size >= *pointer >> 35) {
        return;
    }
    struct wire_message_builder *message = builder.message;
    wire_word *start = pointer + 1 + ((uint32_t)*pointer >> 2);
    wire_word *old_end = start + ((*pointer >> 35) + 7) / 8;
    wire_word *end = start + (size + 7) / 8;
    if (old_end == message->segment + message->used) {
        message->used = (uint32_t)(end - message->segment);
    }
    if (size % 8 != 0) {
        end[-1] &= ((uint64_t)1 << (size % 8 * 8)) - 1;
    }
    *pointer = list_pointer(pointer, start, WIRE_BYTE, (uint32_t)size);
}
