/* Following pointers of a message that nobody has checked. Every rule that keeps a hostile message
 * harmless is here:
 *
 *   bounds     every object is compared with the size of its segment before a reader to it exists;
 * sums are 64 bits wide; depth      each reader carries how many pointers may still be followed;
 *   traversal  each object that is followed is paid for with its words, and elements of no size
 * with their count, so that loops, shared objects and huge lists of nothing end.
 *
 * The inline fast path of wire_message_root (lib/wire/read.h) keeps the same rules. */
#include "lib/wire/wire.h"

/* Where a pointer leads, after far pointers: `pointer` describes the object at `start`, `room`
 * words end the segment. */
struct target {
    uint64_t pointer;
    const wire_word *start;
    uint32_t room;
    uint16_t segment;
};

struct segment {
    const wire_word *words;
    uint32_t count;
};

static void fail(struct wire_message *message, enum wire_error error)
{
    if (message != NULL && message->error == WIRE_OK) {
        message->error = error;
    }
}

static bool pay(struct wire_message *message, uint64_t words)
{
    if (words > message->traversal_left) {
        fail(message, WIRE_ERROR_TRAVERSAL);
        return false;
    }
    message->traversal_left -= words;
    return true;
}

static uint32_t segment_size(const wire_word *table, uint32_t index)
{
    uint32_t half = index + 1; /* the table is of 32 bits: count - 1, then the sizes */
    return (uint32_t)(table[half / 2] >> (half % 2 * 32));
}

enum wire_error wire_message_open_slow(struct wire_message *message, const void *data, size_t size)
{
    static const wire_word nothing = 0;
    *message =
        (struct wire_message){.segment0 = &nothing, .table = &nothing, .error = WIRE_ERROR_FRAME};
    if (((uintptr_t)data % WIRE_WORD_BYTES) != 0 || size < WIRE_WORD_BYTES) {
        return WIRE_ERROR_FRAME;
    }
    const wire_word *table = data;
    uint64_t total = size / WIRE_WORD_BYTES;
    uint32_t last = (uint32_t)table[0];
    if (last >= WIRE_SEGMENTS_MAX || last / 2 + 1 > total) {
        return WIRE_ERROR_FRAME;
    }
    uint32_t table_words = (last + 1) / 2 + 1;
    if (table_words > total) {
        return WIRE_ERROR_FRAME;
    }
    uint64_t words = 0;
    for (uint32_t i = 0; i <= last; i++) {
        words += segment_size(table, i);
    }
    if (words > total - table_words) {
        return WIRE_ERROR_FRAME;
    }
    message->segment0_words = segment_size(table, 0);
    message->segment0 = words == 0 ? &nothing : table + table_words;
    message->table = table;
    message->size = (size_t)(table_words + words) * WIRE_WORD_BYTES;
    message->traversal_left = words * WIRE_TRAVERSAL_FACTOR + WIRE_TRAVERSAL_EXTRA;
    message->error = WIRE_OK;
    return WIRE_OK;
}

static bool find_segment(struct wire_message *message, uint32_t index, struct segment *out)
{
    if (index == 0) {
        *out = (struct segment){message->segment0, message->segment0_words};
        return true;
    }
    if (index > (uint32_t)message->table[0]) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    uint64_t before = 0;
    for (uint32_t i = 0; i < index; i++) {
        before += segment_size(message->table, i);
    }
    *out = (struct segment){message->segment0 + before, segment_size(message->table, index)};
    return pay(message, 1 + index / 8);
}

/* A struct or list pointer `word` whose offset counts from `origin` words into the segment. */
static bool resolve_near(struct wire_message *message, const struct segment *segment,
                         uint32_t index, uint64_t origin, uint64_t word, struct target *out)
{
    int64_t start = (int64_t)origin + ((int32_t)(uint32_t)word >> 2);
    if (start < 0 || start > (int64_t)segment->count) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    *out = (struct target){word, segment->words + start, segment->count - (uint32_t)start,
                           (uint16_t)index};
    return true;
}

static bool resolve_far(struct wire_message *message, uint64_t far, struct target *out)
{
    uint32_t index = (uint32_t)(far >> 32);
    uint32_t offset = (uint32_t)far >> 3;
    uint32_t pad_words = (far & 4) != 0 ? 2 : 1;
    struct segment segment;
    if (!find_segment(message, index, &segment)) {
        return false;
    }
    if (offset > segment.count || segment.count - offset < pad_words) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    uint64_t pad = segment.words[offset];
    if (pad_words == 1) {
        if ((pad & 2) != 0) { /* far to far is not a thing */
            fail(message, WIRE_ERROR_TYPE);
            return false;
        }
        return resolve_near(message, &segment, index, (uint64_t)offset + 1, pad, out);
    }
    uint64_t tag =
        segment.words[offset + 1]; /* says what it is; the first word of the pad, where */
    if ((pad & 7) != 2 || (tag & 2) != 0) {
        fail(message, WIRE_ERROR_TYPE);
        return false;
    }
    index = (uint32_t)(pad >> 32);
    if (!find_segment(message, index, &segment)) {
        return false;
    }
    uint32_t start = (uint32_t)pad >> 3;
    if (start > segment.count) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    *out = (struct target){tag, segment.words + start, segment.count - start, (uint16_t)index};
    return true;
}

static bool resolve(struct wire_message *message, const wire_word *pointer, uint32_t index,
                    uint64_t word, struct target *out)
{
    if ((word & 2) != 0) {
        return resolve_far(message, word, out);
    }
    struct segment segment;
    if (!find_segment(message, index, &segment)) {
        return false;
    }
    return resolve_near(message, &segment, index, (uint64_t)(pointer - segment.words) + 1, word,
                        out);
}

static bool read_struct(struct wire_message *message, const struct target *target,
                        struct wire_list *out)
{
    uint32_t data_words = (uint16_t)(target->pointer >> 32);
    uint32_t pointer_count = (uint16_t)(target->pointer >> 48);
    if (data_words + pointer_count > target->room) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    out->data = (const uint8_t *)target->start;
    out->count = 1;
    out->element = WIRE_COMPOSITE;
    out->data_bits = data_words * 64;
    out->pointer_count = (uint16_t)pointer_count;
    out->step_bits = (data_words + pointer_count) * 64;
    return pay(message, data_words + pointer_count);
}

static bool read_composite_list(struct wire_message *message, const struct target *target,
                                struct wire_list *out)
{
    uint64_t words = target->pointer >> 35; /* of the elements, without the tag */
    if (words + 1 > target->room) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    uint64_t tag = target->start[0];
    if ((tag & 3) != 0) {
        fail(message, WIRE_ERROR_TYPE);
        return false;
    }
    uint32_t count = (uint32_t)tag >> 2;
    uint32_t data_words = (uint16_t)(tag >> 32);
    uint32_t pointer_count = (uint16_t)(tag >> 48);
    uint64_t step = data_words + pointer_count;
    if (count * step > words) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    out->data = (const uint8_t *)(target->start + 1);
    out->count = count;
    out->element = WIRE_COMPOSITE;
    out->data_bits = data_words * 64;
    out->pointer_count = (uint16_t)pointer_count;
    out->step_bits = (uint32_t)step * 64;
    return pay(message, step == 0 ? count : words + 1);
}

static bool read_list(struct wire_message *message, const struct target *target,
                      struct wire_list *out)
{
    static const uint8_t element_bits[] = {0, 1, 8, 16, 32, 64, 64};
    uint32_t element = (uint32_t)(target->pointer >> 32) & 7;
    if (element == WIRE_COMPOSITE) {
        return read_composite_list(message, target, out);
    }
    uint32_t count = (uint32_t)(target->pointer >> 35);
    uint64_t words = ((uint64_t)count * element_bits[element] + 63) / 64;
    if (words > target->room) {
        fail(message, WIRE_ERROR_BOUNDS);
        return false;
    }
    out->data = (const uint8_t *)target->start;
    out->count = count;
    out->element = (uint8_t)element;
    out->step_bits = element_bits[element];
    out->data_bits = element == WIRE_POINTER ? 0 : element_bits[element];
    out->pointer_count = element == WIRE_POINTER;
    return pay(message, element == WIRE_VOID ? count : words);
}

/* Follows a pointer that is not null. What is bad stays WIRE_OBJECT_NULL. */
static void follow(struct wire_message *message, const wire_word *pointer, uint32_t segment,
                   uint32_t depth, struct wire_object *out)
{
    uint64_t word = *pointer;
    struct target target;
    if ((word & 3) == 3) {
        if ((uint32_t)word != 3) {
            fail(message, WIRE_ERROR_TYPE);
            return;
        }
        out->capability = (uint32_t)(word >> 32);
        out->kind = WIRE_OBJECT_CAPABILITY;
        return;
    }
    if (depth == 0) {
        fail(message, WIRE_ERROR_DEPTH);
        return;
    }
    if (!resolve(message, pointer, segment, word, &target)) {
        return;
    }
    out->list.segment = target.segment;
    out->list.depth = (uint16_t)(depth - 1);
    if ((target.pointer & 3) == 1) {
        out->kind = read_list(message, &target, &out->list) ? WIRE_OBJECT_LIST : WIRE_OBJECT_NULL;
    } else {
        out->kind =
            read_struct(message, &target, &out->list) ? WIRE_OBJECT_STRUCT : WIRE_OBJECT_NULL;
    }
}

struct wire_object wire_read_object(struct wire_message *message, const wire_word *pointer,
                                    uint32_t segment, uint32_t depth)
{
    struct wire_object object = {
        .kind = WIRE_OBJECT_NULL, .capability = WIRE_NO_CAPABILITY, .list = {.message = message}};
    if (*pointer != 0) {
        follow(message, pointer, segment, depth, &object);
    }
    return object;
}

/* An object of this kind or none. */
static struct wire_list read_expected(struct wire_message *message, const wire_word *pointer,
                                      uint32_t segment, uint32_t depth, enum wire_object_kind kind)
{
    struct wire_object object = wire_read_object(message, pointer, segment, depth);
    if (object.kind == kind) {
        return object.list;
    }
    if (object.kind != WIRE_OBJECT_NULL) {
        fail(message, WIRE_ERROR_TYPE);
    }
    return (struct wire_list){.message = message};
}

struct wire_reader wire_read_struct(struct wire_message *message, const wire_word *pointer,
                                    uint32_t segment, uint32_t depth)
{
    return wire_list_get_struct(read_expected(message, pointer, segment, depth, WIRE_OBJECT_STRUCT),
                                0);
}

/* A list of structs may have been a list of one of their fields when it was written, and the other
 * way round; only lists of bits are always lists of bits. */
static bool element_fits(const struct wire_list *list, enum wire_element element)
{
    static const uint8_t needed_bits[] = {0, 1, 8, 16, 32, 64, 0, 0};
    if (element == WIRE_BIT || list->element == WIRE_BIT) {
        return list->element == element || element == WIRE_VOID;
    }
    return list->data_bits >= needed_bits[element]
           && (element != WIRE_POINTER || list->pointer_count > 0);
}

struct wire_list wire_read_list(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth, enum wire_element element)
{
    struct wire_list list = read_expected(message, pointer, segment, depth, WIRE_OBJECT_LIST);
    if (list.count != 0 && !element_fits(&list, element)) {
        fail(message, WIRE_ERROR_TYPE);
        return (struct wire_list){.message = message};
    }
    return list;
}

struct wire_span wire_read_data(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth)
{
    const uint64_t near_bytes = (uint64_t)WIRE_BYTE << 32 | 1;
    uint64_t word = *pointer;
    if (segment == 0 && depth != 0 && (word & 0x700000003) == near_bytes) {
        uint64_t size = word >> 35;
        uint64_t words = (size + 7) / 8;
        int64_t offset = (int32_t)(uint32_t)word >> 2;
        uint64_t start = (uint64_t)(pointer + 1 - message->segment0) + (uint64_t)offset;
        uint64_t all = message->segment0_words; /* a negative start is beyond it as well */
        if (start <= all && words <= all - start && words <= message->traversal_left) {
            message->traversal_left -= words;
            return (struct wire_span){message->segment0 + start, size};
        }
    }
    struct wire_list list = read_expected(message, pointer, segment, depth, WIRE_OBJECT_LIST);
    if (list.data != NULL && list.element != WIRE_BYTE) {
        fail(message, WIRE_ERROR_TYPE);
        return (struct wire_span){NULL, 0};
    }
    return (struct wire_span){list.data, list.count};
}

struct wire_span wire_read_text(struct wire_message *message, const wire_word *pointer,
                                uint32_t segment, uint32_t depth)
{
    struct wire_span bytes = wire_read_data(message, pointer, segment, depth);
    if (bytes.data == NULL) {
        return bytes;
    }
    const uint8_t *end = (const uint8_t *)bytes.data + bytes.size;
    if (bytes.size == 0 || end[-1] != 0) { /* the NUL is part of the format */
        fail(message, WIRE_ERROR_TYPE);
        return (struct wire_span){NULL, 0};
    }
    return (struct wire_span){bytes.data, bytes.size - 1};
}

uint32_t wire_read_bad_capability(struct wire_message *message)
{
    fail(message, WIRE_ERROR_TYPE);
    return WIRE_NO_CAPABILITY;
}

const char *wire_error_name(enum wire_error error)
{
    static const char *const names[] = {
        "no error",        "bad frame",       "pointer out of bounds", "pointer of another type",
        "nested too deep", "traversal limit", "buffer too small",
    };
    return (size_t)error < sizeof(names) / sizeof(names[0]) ? names[error] : "unknown error";
}
