/* Building a message of one segment in the caller's buffer. See lib/wire/wire.h for the rules;
 * include that.
 *
 * What does not fit makes the message fail as a whole: the error is sticky, builders made after it
 * take every setter and do nothing, and wire_message_finish answers 0. So callers check once, at
 * the end. A pointer that is set twice leaves its first object behind as unused words. */
#pragma once

struct wire_message_builder {
    wire_word *segment; /* after the frame */
    uint32_t capacity;  /* words of the segment */
    uint32_t used;
    enum wire_error error;
};

/* A struct; one that did not fit has no data and no pointers. */
struct wire_builder {
    struct wire_message_builder *message;
    wire_word *data; /* the pointers follow it */
    uint32_t data_words;
    uint32_t pointer_count;
};

/* A list; one that did not fit has a count of 0. */
struct wire_list_builder {
    struct wire_message_builder *message;
    wire_word *data;
    uint32_t count;
    uint32_t step_bits;
    uint32_t data_words; /* of each element, if they are structs */
    uint32_t pointer_count;
};

/* Takes zeroed words; NULL when there is no room, with the error set. */
wire_word *wire_message_take(struct wire_message_builder *message, uint64_t words);

/* What setters stand on: `pointer` is where the pointer goes, or NULL. */
void *wire_put_bytes(struct wire_message_builder *message, wire_word *pointer, size_t size);
void wire_put_text(struct wire_message_builder *message, wire_word *pointer, const void *text,
                   size_t size);
void wire_put_data(struct wire_message_builder *message, wire_word *pointer, const void *data,
                   size_t size);

struct wire_builder wire_init_struct(struct wire_builder builder, uint32_t index,
                                     uint32_t data_words, uint32_t pointer_count);
/* Lists of anything but structs. */
struct wire_list_builder wire_init_list(struct wire_builder builder, uint32_t index,
                                        enum wire_element element, uint32_t count);
struct wire_list_builder wire_init_struct_list(struct wire_builder builder, uint32_t index,
                                               uint32_t count, uint32_t data_words,
                                               uint32_t pointer_count);
/* Shortens data; the room it gives up is used again if nothing was added since. A size above the
 * present one is ignored. */
void wire_truncate_data(struct wire_builder builder, uint32_t index, size_t size);

/* Deep copies out of another message, null where the source is null. Capabilities keep their index.
 * A source that turns out bad sets the error of its own message, and what was reached is copied. */
void wire_set_struct(struct wire_builder builder, uint32_t index, struct wire_reader source);
void wire_set_list(struct wire_builder builder, uint32_t index, struct wire_list source);

static inline void wire_message_begin(struct wire_message_builder *message, void *buffer,
                                      size_t size)
{
    size_t words = ((uintptr_t)buffer % WIRE_WORD_BYTES) == 0 ? size / WIRE_WORD_BYTES : 0;
    message->segment = (wire_word *)buffer + 1;
    message->capacity = words == 0              ? 0
                        : words > INT32_MAX / 4 ? INT32_MAX / 4
                                                : (uint32_t)words - 1;
    message->used = 0;
    message->error = WIRE_OK;
}

/* Bytes of the framed message in the buffer, or 0 after an error. */
static inline size_t wire_message_finish(struct wire_message_builder *message)
{
    if (message->error != WIRE_OK) {
        return 0;
    }
    if (message->used == 0 && wire_message_take(message, 1) == NULL) { /* no root: a null one */
        return 0;
    }
    message->segment[-1] = (uint64_t)message->used << 32;
    return ((size_t)message->used + 1) * WIRE_WORD_BYTES;
}

/* The first thing in a message. */
static inline struct wire_builder wire_message_init_root(struct wire_message_builder *message,
                                                         uint32_t data_words,
                                                         uint32_t pointer_count)
{
    uint32_t words = data_words + pointer_count;
    if (message->used != 0 || words >= message->capacity) {
        message->error = WIRE_ERROR_SPACE;
        return (struct wire_builder){message, NULL, 0, 0};
    }
    wire_word *data = message->segment + 1;
    message->segment[0] = (uint64_t)data_words << 32 | (uint64_t)pointer_count << 48;
    message->used = words + 1;
    for (uint32_t i = 0; i < words; i++) {
        data[i] = 0;
    }
    return (struct wire_builder){message, data, data_words, pointer_count};
}

/* Makes a deep copy the root of an empty message. */
void wire_message_set_root(struct wire_message_builder *message, struct wire_reader source);

/* NULL: the builder is one that did not fit, or has no such pointer. */
static inline wire_word *wire_pointer_at(struct wire_builder builder, uint32_t index)
{
    return index < builder.pointer_count ? builder.data + builder.data_words + index : NULL;
}

static inline void wire_set_text(struct wire_builder builder, uint32_t index, struct wire_span text)
{
    wire_put_text(builder.message, wire_pointer_at(builder, index), text.data, text.size);
}

static inline void wire_set_data(struct wire_builder builder, uint32_t index, struct wire_span data)
{
    wire_put_data(builder.message, wire_pointer_at(builder, index), data.data, data.size);
}

/* Room for `size` bytes which the caller must fill: they hold whatever was in the buffer. NULL when
 * there is no room. */
static inline void *wire_init_data(struct wire_builder builder, uint32_t index, size_t size)
{
    return wire_put_bytes(builder.message, wire_pointer_at(builder, index), size);
}

static inline void wire_set_capability(struct wire_builder builder, uint32_t index,
                                       uint32_t capability)
{
    wire_word *pointer = wire_pointer_at(builder, index);
    if (pointer != NULL) {
        *pointer = capability == WIRE_NO_CAPABILITY ? 0 : (uint64_t)capability << 32 | 3;
    }
}

static inline void wire_set_bool(struct wire_builder builder, uint32_t bit, bool value)
{
    if (bit / 64 < builder.data_words) {
        uint64_t mask = (uint64_t)1 << (bit % 64);
        builder.data[bit / 64] = (builder.data[bit / 64] & ~mask) | (value ? mask : 0);
    }
}

static inline void wire_set_u8(struct wire_builder builder, uint32_t index, uint8_t value)
{
    if (index / 8 < builder.data_words) {
        ((uint8_t *)builder.data)[index] = value;
    }
}

static inline void wire_set_u16(struct wire_builder builder, uint32_t index, uint16_t value)
{
    typedef uint16_t __attribute__((may_alias)) wire_u16;
    if (index / 4 < builder.data_words) {
        ((wire_u16 *)(void *)builder.data)[index] = value;
    }
}

static inline void wire_set_u32(struct wire_builder builder, uint32_t index, uint32_t value)
{
    typedef uint32_t __attribute__((may_alias)) wire_u32;
    if (index / 2 < builder.data_words) {
        ((wire_u32 *)(void *)builder.data)[index] = value;
    }
}

static inline void wire_set_u64(struct wire_builder builder, uint32_t index, uint64_t value)
{
    if (index < builder.data_words) {
        builder.data[index] = value;
    }
}

/* An element of a list of structs; beyond the end: one that takes no data. */
static inline struct wire_builder wire_list_at(struct wire_list_builder list, uint32_t index)
{
    if (index >= list.count) {
        return (struct wire_builder){list.message, NULL, 0, 0};
    }
    return (struct wire_builder){list.message, list.data + (uint64_t)index * (list.step_bits / 64),
                                 list.data_words, list.pointer_count};
}

/* All elements of a list of numbers as one run of data, or of pointers as one run of pointers. */
static inline struct wire_builder wire_list_elements(struct wire_list_builder list)
{
    uint64_t bits = (uint64_t)list.count * list.step_bits;
    return list.pointer_count != 0
               ? (struct wire_builder){list.message, list.data, 0, list.count}
               : (struct wire_builder){list.message, list.data, (uint32_t)((bits + 63) / 64), 0};
}

static inline void wire_list_set_bool(struct wire_list_builder list, uint32_t index, bool value)
{
    if (index < list.count && list.step_bits == 1) {
        wire_set_bool(wire_list_elements(list), index, value);
    }
}

static inline void wire_list_set_u8(struct wire_list_builder list, uint32_t index, uint8_t value)
{
    if (index < list.count && list.step_bits == 8) {
        wire_set_u8(wire_list_elements(list), index, value);
    }
}

static inline void wire_list_set_u16(struct wire_list_builder list, uint32_t index, uint16_t value)
{
    if (index < list.count && list.step_bits == 16) {
        wire_set_u16(wire_list_elements(list), index, value);
    }
}

static inline void wire_list_set_u32(struct wire_list_builder list, uint32_t index, uint32_t value)
{
    if (index < list.count && list.step_bits == 32) {
        wire_set_u32(wire_list_elements(list), index, value);
    }
}

static inline void wire_list_set_u64(struct wire_list_builder list, uint32_t index, uint64_t value)
{
    if (index < list.count && list.step_bits == 64 && list.pointer_count == 0) {
        wire_set_u64(wire_list_elements(list), index, value);
    }
}

/* Elements of lists of pointers. */
static inline void wire_list_set_text(struct wire_list_builder list, uint32_t index,
                                      struct wire_span text)
{
    wire_set_text(wire_list_elements(list), index, text);
}

static inline void wire_list_set_data(struct wire_list_builder list, uint32_t index,
                                      struct wire_span data)
{
    wire_set_data(wire_list_elements(list), index, data);
}

static inline void wire_list_set_capability(struct wire_list_builder list, uint32_t index,
                                            uint32_t capability)
{
    wire_set_capability(wire_list_elements(list), index, capability);
}

static inline struct wire_list_builder wire_list_init_list(struct wire_list_builder list,
                                                           uint32_t index,
                                                           enum wire_element element,
                                                           uint32_t count)
{
    return wire_init_list(wire_list_elements(list), index, element, count);
}

static inline struct wire_list_builder wire_list_init_struct_list(struct wire_list_builder list,
                                                                  uint32_t index, uint32_t count,
                                                                  uint32_t data_words,
                                                                  uint32_t pointer_count)
{
    return wire_init_struct_list(wire_list_elements(list), index, count, data_words, pointer_count);
}
