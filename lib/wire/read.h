/* Reading a message. See lib/wire/wire.h for the rules; include that.
 *
 * Getters answer the default (zero; the generated code adds the schema's) where a struct is shorter
 * than its schema, as schemas grow, and where a pointer is null or bad. Who must tell a bad message
 * from an empty one looks at wire_message.error afterwards. */
#pragma once

struct wire_message {
    const wire_word *segment0;
    uint32_t segment0_words;
    const wire_word *table; /* the frame: segment count and sizes */
    size_t size; /* of the whole frame in bytes; what follows it in the buffer is somebody else's */
    uint64_t traversal_left; /* words; may be set by the caller after the message is opened */
    enum wire_error error;   /* the first one that was met */
};

/* A struct. One that is not there has message NULL or no sizes at all; every getter then gives the
 * default. */
struct wire_reader {
    struct wire_message *message;
    const uint8_t *data;
    const wire_word *pointers;
    uint32_t data_bits;
    uint32_t pointer_count;
    uint16_t segment;
    uint16_t depth; /* pointers that may still be followed */
};

/* A list. Its elements are seen as structs of data_bits and pointer_count, step_bits apart. */
struct wire_list {
    struct wire_message *message;
    const uint8_t *data;
    uint32_t count;
    uint32_t step_bits;
    uint32_t data_bits;
    uint16_t pointer_count;
    uint16_t segment;
    uint16_t depth;
    uint8_t element; /* enum wire_element, as encoded */
};

/* What a pointer turned out to be; a struct is a list of one. */
enum wire_object_kind {
    WIRE_OBJECT_NULL,
    WIRE_OBJECT_STRUCT,
    WIRE_OBJECT_LIST,
    WIRE_OBJECT_CAPABILITY
};

struct wire_object {
    enum wire_object_kind kind;
    uint32_t capability;
    struct wire_list list;
};

/* Checks the frame of `size` bytes at `data`; both may be anything. Bytes after the frame are
 * allowed. The wire_message is usable after an error too: everything in it is then the default. */
enum wire_error wire_message_open_slow(struct wire_message *message, const void *data, size_t size);

/* What the getters stand on: `pointer` is one of a struct in that segment. The arguments are those
 * of a reader one by one, so that they travel in registers. What is null or bad gives an object of
 * no size; if it is bad, the message's error is set. */
struct wire_object wire_read_object(struct wire_message *message, const wire_word *pointer,
                                    uint32_t segment, uint32_t depth);
struct wire_reader wire_read_struct(struct wire_message *message, const wire_word *pointer,
                                    uint32_t segment, uint32_t depth);
struct wire_list wire_read_list(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth, enum wire_element element);
struct wire_span wire_read_text(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth);
struct wire_span wire_read_data(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth);
uint32_t wire_read_bad_capability(struct wire_message *message);

const char *wire_error_name(enum wire_error error);

/* The common case, one segment, is inline: a kernel call has a budget of a few tens of instructions
 * for it. */
static inline enum wire_error wire_message_open(struct wire_message *message, const void *data,
                                                size_t size)
{
    const wire_word *words = data;
    if (((uintptr_t)data % WIRE_WORD_BYTES) != 0 || size < 2 * WIRE_WORD_BYTES) {
        return wire_message_open_slow(message, data, size);
    }
    uint64_t count = words[0] >> 32;
    uint64_t frame_size = (count + 1) * WIRE_WORD_BYTES;
    if ((uint32_t)words[0] != 0 || frame_size > size) {
        return wire_message_open_slow(message, data, size);
    }
    message->segment0 = words + 1;
    message->segment0_words = (uint32_t)count;
    message->table = words;
    message->size = (size_t)frame_size;
    message->traversal_left = count * WIRE_TRAVERSAL_FACTOR + WIRE_TRAVERSAL_EXTRA;
    message->error = WIRE_OK;
    return WIRE_OK;
}

/* The root itself costs nothing of the traversal limit: no message can make its reader ask for it
 * again and again. */
static inline struct wire_reader wire_message_root(struct wire_message *message)
{
    const wire_word *root = message->segment0; /* a word, even if the segment has none */
    uint32_t words = message->segment0_words;
    uint64_t pointer = root[0];
    uint32_t start = (uint32_t)pointer / 4; /* a struct pointer has zeros below its offset */
    uint32_t data_words = (uint16_t)(pointer >> 32);
    uint32_t pointer_count = (uint16_t)(pointer >> 48);
    uint32_t size = data_words + pointer_count;
    if (pointer % 4 == 0 && size < words && start < words - size) {
        const wire_word *data = root + 1 + start;
        return (struct wire_reader){.message = message,
                                    .data = (const uint8_t *)data,
                                    .pointers = data + data_words,
                                    .data_bits = data_words * 64,
                                    .pointer_count = pointer_count,
                                    .depth = WIRE_DEPTH_LIMIT - 1};
    }
    return words == 0 ? (struct wire_reader){.message = message}
                      : wire_read_struct(message, root, 0, WIRE_DEPTH_LIMIT);
}

/* The two at once. Nearly every message is one segment that begins with its root's pointer, which
 * points right behind itself: that one case is short. */
static inline enum wire_error wire_message_open_root(struct wire_message *message, const void *data,
                                                     size_t size, struct wire_reader *root)
{
    const wire_word *words = data;
    if (((uintptr_t)data % WIRE_WORD_BYTES) == 0 && size >= 2 * WIRE_WORD_BYTES) {
        uint64_t count = words[0] >> 32;
        uint64_t pointer = words[1];
        uint64_t data_words = (uint16_t)(pointer >> 32);
        uint64_t pointer_count = pointer >> 48;
        if (((uint32_t)words[0] | (uint32_t)pointer) == 0 && count < size / WIRE_WORD_BYTES
            && data_words + pointer_count < count) {
            message->segment0 = words + 1;
            message->segment0_words = (uint32_t)count;
            message->table = words;
            message->size = (count + 1) * WIRE_WORD_BYTES;
            message->traversal_left = count * WIRE_TRAVERSAL_FACTOR + WIRE_TRAVERSAL_EXTRA;
            message->error = WIRE_OK;
            root->message = message;
            root->data = (const uint8_t *)(words + 2);
            root->pointers = words + 2 + data_words;
            root->data_bits = (uint32_t)data_words * 64;
            root->pointer_count = (uint32_t)pointer_count;
            root->segment = 0;
            root->depth = WIRE_DEPTH_LIMIT - 1;
            return WIRE_OK;
        }
    }
    enum wire_error error = wire_message_open(message, data, size);
    *root = wire_message_root(message);
    return error;
}

static inline bool wire_get_bool(struct wire_reader reader, uint32_t bit)
{
    return bit < reader.data_bits && ((reader.data[bit / 8] >> (bit % 8)) & 1) != 0;
}

static inline uint8_t wire_get_u8(struct wire_reader reader, uint32_t index)
{
    return (uint64_t)index * 8 + 8 <= reader.data_bits ? reader.data[index] : 0;
}

static inline uint16_t wire_get_u16(struct wire_reader reader, uint32_t index)
{
    typedef uint16_t __attribute__((may_alias)) wire_u16;
    return (uint64_t)index * 16 + 16 <= reader.data_bits
               ? ((const wire_u16 *)(const void *)reader.data)[index]
               : 0;
}

static inline uint32_t wire_get_u32(struct wire_reader reader, uint32_t index)
{
    typedef uint32_t __attribute__((may_alias)) wire_u32;
    return (uint64_t)index * 32 + 32 <= reader.data_bits
               ? ((const wire_u32 *)(const void *)reader.data)[index]
               : 0;
}

static inline uint64_t wire_get_u64(struct wire_reader reader, uint32_t index)
{
    return (uint64_t)index * 64 + 64 <= reader.data_bits
               ? ((const wire_word *)(const void *)reader.data)[index]
               : 0;
}

static inline bool wire_has_pointer(struct wire_reader reader, uint32_t index)
{
    return index < reader.pointer_count && reader.pointers[index] != 0;
}

/* Follows one pointer of a struct, whatever it is. */
static inline struct wire_object wire_get_object(struct wire_reader reader, uint32_t index)
{
    if (!wire_has_pointer(reader, index)) {
        return (struct wire_object){.capability = WIRE_NO_CAPABILITY,
                                    .list = {.message = reader.message}};
    }
    return wire_read_object(reader.message, reader.pointers + index, reader.segment, reader.depth);
}

static inline struct wire_reader wire_get_struct(struct wire_reader reader, uint32_t index)
{
    if (!wire_has_pointer(reader, index)) {
        return (struct wire_reader){.message = reader.message};
    }
    return wire_read_struct(reader.message, reader.pointers + index, reader.segment, reader.depth);
}

static inline struct wire_list wire_get_list(struct wire_reader reader, uint32_t index,
                                             enum wire_element element)
{
    if (!wire_has_pointer(reader, index)) {
        return (struct wire_list){.message = reader.message};
    }
    return wire_read_list(reader.message, reader.pointers + index, reader.segment, reader.depth,
                          element);
}

static inline struct wire_span wire_get_text(struct wire_reader reader, uint32_t index)
{
    if (!wire_has_pointer(reader, index)) {
        return (struct wire_span){NULL, 0};
    }
    return wire_read_text(reader.message, reader.pointers + index, reader.segment, reader.depth);
}

static inline struct wire_span wire_get_data(struct wire_reader reader, uint32_t index)
{
    if (!wire_has_pointer(reader, index)) {
        return (struct wire_span){NULL, 0};
    }
    return wire_read_data(reader.message, reader.pointers + index, reader.segment, reader.depth);
}

static inline uint32_t wire_get_capability(struct wire_reader reader, uint32_t index)
{
    if (!wire_has_pointer(reader, index)) {
        return WIRE_NO_CAPABILITY;
    }
    uint64_t word = reader.pointers[index];
    return (uint32_t)word == 3 ? (uint32_t)(word >> 32) : wire_read_bad_capability(reader.message);
}

/* An element of a list as a struct, whatever it is encoded as; beyond the end: an empty struct. A
 * pointer of a list of pointers is pointer 0 of such a struct. */
static inline struct wire_reader wire_list_get_struct(struct wire_list list, uint32_t index)
{
    if (index >= list.count || list.element == WIRE_BIT) {
        return (struct wire_reader){.message = list.message};
    }
    const uint8_t *data = list.data + (uint64_t)index * (list.step_bits / 8);
    return (struct wire_reader){list.message,
                                data,
                                (const wire_word *)(const void *)(data + list.data_bits / 8),
                                list.data_bits,
                                list.pointer_count,
                                list.segment,
                                list.depth};
}

static inline bool wire_list_get_bool(struct wire_list list, uint32_t index)
{
    return list.element == WIRE_BIT && index < list.count
           && ((list.data[index / 8] >> (index % 8)) & 1) != 0;
}

static inline uint8_t wire_list_get_u8(struct wire_list list, uint32_t index)
{
    return wire_get_u8(wire_list_get_struct(list, index), 0);
}

static inline uint16_t wire_list_get_u16(struct wire_list list, uint32_t index)
{
    return wire_get_u16(wire_list_get_struct(list, index), 0);
}

static inline uint32_t wire_list_get_u32(struct wire_list list, uint32_t index)
{
    return wire_get_u32(wire_list_get_struct(list, index), 0);
}

static inline uint64_t wire_list_get_u64(struct wire_list list, uint32_t index)
{
    return wire_get_u64(wire_list_get_struct(list, index), 0);
}

static inline struct wire_span wire_list_get_text(struct wire_list list, uint32_t index)
{
    return wire_get_text(wire_list_get_struct(list, index), 0);
}

static inline struct wire_span wire_list_get_data(struct wire_list list, uint32_t index)
{
    return wire_get_data(wire_list_get_struct(list, index), 0);
}

static inline struct wire_list wire_list_get_list(struct wire_list list, uint32_t index,
                                                  enum wire_element element)
{
    return wire_get_list(wire_list_get_struct(list, index), 0, element);
}

static inline uint32_t wire_list_get_capability(struct wire_list list, uint32_t index)
{
    return wire_get_capability(wire_list_get_struct(list, index), 0);
}
