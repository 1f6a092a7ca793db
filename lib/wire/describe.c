/* Printing messages by their schema. The path from the root to the value that is printed is a stack
 * of frames of our own; each frame is a struct whose fields, or a list whose elements, come next.
 */
#include "lib/wire/describe.h"

#define FRAMES_MAX                                                                                 \
    40 /* structs, groups and lists around a value; what lies deeper prints as "..." */

struct frame {
    const struct wire_field_info *field; /* of a list: what it is the value of */
    const struct wire_struct_info *info; /* of a struct */
    union {
        struct wire_reader reader;
        struct wire_list list;
    };
    uint32_t next;  /* field or element */
    uint8_t lists;  /* of a list: how many List( ) it is, itself included; of a struct: 0 */
    bool separated; /* something was printed, so a comma comes first */
};

struct walk {
    struct wire_printer *printer;
    uint32_t depth;
    struct frame frames[FRAMES_MAX];
};

void wire_printer_init(struct wire_printer *printer, char *buffer, size_t size)
{
    *printer = (struct wire_printer){.buffer = buffer, .size = size};
    buffer[0] = 0;
}

static void print_char(struct wire_printer *p, char c)
{
    if (p->truncated) {
        return;
    }
    if (p->length + 1 >= p->size) {
        __builtin_memcpy(p->buffer + p->size - 4, "...", 4);
        p->truncated = true;
        return;
    }
    p->buffer[p->length++] = c;
    p->buffer[p->length] = 0;
}

void wire_print_text(struct wire_printer *p, const char *text)
{
    for (; *text != 0; text++) {
        print_char(p, *text);
    }
}

void wire_print_unsigned(struct wire_printer *p, uint64_t value)
{
    char digits[20];
    unsigned count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0) {
        print_char(p, digits[--count]);
    }
}

static void print_signed(struct wire_printer *p, int64_t value)
{
    if (value < 0) {
        print_char(p, '-');
    }
    wire_print_unsigned(p, value < 0 ? 0 - (uint64_t)value : (uint64_t)value);
}

static void print_escape(struct wire_printer *p, uint8_t byte)
{
    static const char from[] = "\a\b\f\n\r\t\v'\"\\";
    static const char to[] = "abfnrtv'\"\\";
    print_char(p, '\\');
    for (unsigned i = 0; from[i] != 0; i++) {
        if (byte == (uint8_t)from[i]) {
            print_char(p, to[i]);
            return;
        }
    }
    print_char(p, (char)('0' + (byte >> 6)));
    print_char(p, (char)('0' + (byte >> 3 & 7)));
    print_char(p, (char)('0' + (byte & 7)));
}

/* In text, bytes of UTF-8 stand for themselves; in data, everything that is not ASCII is escaped.
 */
static void print_bytes(struct wire_printer *p, struct wire_span span, bool is_text)
{
    const uint8_t *bytes = span.data;
    size_t shown = p->data_max != 0 && span.size > p->data_max ? p->data_max : span.size;
    print_char(p, '"');
    for (size_t i = 0; i < shown && !p->truncated; i++) {
        uint8_t byte = bytes[i];
        bool plain = byte >= ' ' && byte != 127 && byte != '\'' && byte != '"' && byte != '\\';
        if (plain && (is_text || byte < 128)) {
            print_char(p, (char)byte);
        } else {
            print_escape(p, byte);
        }
    }
    print_char(p, '"');
    if (shown != span.size) {
        wire_print_text(p, "... of ");
        wire_print_unsigned(p, span.size);
    }
}

static void print_float(struct wire_printer *p, uint64_t bits, bool is_double)
{
    char text[WIRE_FLOAT_TEXT_SIZE];
    if (p->float_text == NULL) {
        wire_print_text(p, "bits ");
        wire_print_unsigned(p, bits);
        return;
    }
    p->float_text(text, bits, is_double);
    wire_print_text(p, text);
}

static void print_enum(struct wire_printer *p, const struct wire_enum_info *info, uint32_t value)
{
    if (info != NULL && value < info->count) {
        wire_print_text(p, info->names[value]);
    } else {
        print_char(p, '(');
        wire_print_unsigned(p, value);
        print_char(p, ')');
    }
}

static void print_capability(struct wire_printer *p, uint32_t index)
{
    wire_print_text(p, "<capability ");
    wire_print_unsigned(p, index);
    print_char(p, '>');
}

/* A value that holds no others. */
static void print_simple(struct wire_printer *p, const struct wire_field_info *field,
                         struct wire_reader r, uint32_t offset, uint64_t mask)
{
    switch ((enum wire_kind)field->kind) {
    case WIRE_KIND_VOID:
        wire_print_text(p, "void");
        break;
    case WIRE_KIND_BOOL:
        wire_print_text(p, wire_get_bool(r, offset) != (mask != 0) ? "true" : "false");
        break;
    case WIRE_KIND_INT8:
        print_signed(p, (int8_t)(wire_get_u8(r, offset) ^ mask));
        break;
    case WIRE_KIND_INT16:
        print_signed(p, (int16_t)(wire_get_u16(r, offset) ^ mask));
        break;
    case WIRE_KIND_INT32:
        print_signed(p, (int32_t)(wire_get_u32(r, offset) ^ mask));
        break;
    case WIRE_KIND_INT64:
        print_signed(p, (int64_t)(wire_get_u64(r, offset) ^ mask));
        break;
    case WIRE_KIND_UINT8:
        wire_print_unsigned(p, wire_get_u8(r, offset) ^ mask);
        break;
    case WIRE_KIND_UINT16:
        wire_print_unsigned(p, wire_get_u16(r, offset) ^ mask);
        break;
    case WIRE_KIND_UINT32:
        wire_print_unsigned(p, wire_get_u32(r, offset) ^ mask);
        break;
    case WIRE_KIND_UINT64:
        wire_print_unsigned(p, wire_get_u64(r, offset) ^ mask);
        break;
    case WIRE_KIND_FLOAT32:
        print_float(p, wire_get_u32(r, offset) ^ mask, false);
        break;
    case WIRE_KIND_FLOAT64:
        print_float(p, wire_get_u64(r, offset) ^ mask, true);
        break;
    case WIRE_KIND_TEXT:
        print_bytes(p, wire_get_text(r, offset), true);
        break;
    case WIRE_KIND_DATA:
        print_bytes(p, wire_get_data(r, offset), false);
        break;
    case WIRE_KIND_ENUM:
        print_enum(p, field->enumeration, (uint32_t)(wire_get_u16(r, offset) ^ mask));
        break;
    case WIRE_KIND_CAPABILITY:
        print_capability(p, wire_get_capability(r, offset));
        break;
    default:
        wire_print_text(p, "<opaque pointer>");
    }
}

static enum wire_element element_of(const struct wire_field_info *field, unsigned lists)
{
    static const uint8_t elements[] = {
        [WIRE_KIND_VOID] = WIRE_VOID,           [WIRE_KIND_BOOL] = WIRE_BIT,
        [WIRE_KIND_INT8] = WIRE_BYTE,           [WIRE_KIND_UINT8] = WIRE_BYTE,
        [WIRE_KIND_INT16] = WIRE_TWO_BYTES,     [WIRE_KIND_UINT16] = WIRE_TWO_BYTES,
        [WIRE_KIND_ENUM] = WIRE_TWO_BYTES,      [WIRE_KIND_INT32] = WIRE_FOUR_BYTES,
        [WIRE_KIND_UINT32] = WIRE_FOUR_BYTES,   [WIRE_KIND_FLOAT32] = WIRE_FOUR_BYTES,
        [WIRE_KIND_INT64] = WIRE_EIGHT_BYTES,   [WIRE_KIND_UINT64] = WIRE_EIGHT_BYTES,
        [WIRE_KIND_FLOAT64] = WIRE_EIGHT_BYTES, [WIRE_KIND_TEXT] = WIRE_POINTER,
        [WIRE_KIND_DATA] = WIRE_POINTER,        [WIRE_KIND_LIST] = WIRE_POINTER,
        [WIRE_KIND_STRUCT] = WIRE_COMPOSITE,    [WIRE_KIND_CAPABILITY] = WIRE_POINTER,
        [WIRE_KIND_ANY_POINTER] = WIRE_POINTER,
    };
    return lists > 1 ? WIRE_POINTER : (enum wire_element)elements[field->kind];
}

static void enter(struct walk *walk, struct frame frame)
{
    if (walk->depth == FRAMES_MAX) {
        wire_print_text(walk->printer, frame.lists != 0 ? "[...]" : "(...)");
        return;
    }
    print_char(walk->printer, frame.lists != 0 ? '[' : '(');
    walk->frames[walk->depth++] = frame;
}

static void enter_struct(struct walk *walk, const struct wire_struct_info *info,
                         struct wire_reader reader)
{
    enter(walk, (struct frame){.info = info, .reader = reader});
}

static void enter_list(struct walk *walk, const struct wire_field_info *field, uint8_t lists,
                       struct wire_list list)
{
    enter(walk, (struct frame){.field = field, .list = list, .lists = lists});
}

static void step_list(struct walk *walk, struct frame *frame)
{
    struct wire_printer *p = walk->printer;
    const struct wire_field_info *field = frame->field;
    struct wire_list list = frame->list;
    if (frame->next == list.count || (p->list_max != 0 && frame->next == p->list_max)) {
        if (frame->next != list.count) {
            wire_print_text(p, ", ... of ");
            wire_print_unsigned(p, list.count);
        }
        print_char(p, ']');
        walk->depth--;
        return;
    }
    uint32_t i = frame->next++;
    uint8_t inner = (uint8_t)(frame->lists - 1);
    wire_print_text(p, i == 0 ? "" : ", ");
    if (inner != 0) {
        enter_list(walk, field, inner, wire_list_get_list(list, i, element_of(field, inner)));
    } else if (field->kind == WIRE_KIND_STRUCT) {
        enter_struct(walk, field->structure, wire_list_get_struct(list, i));
    } else if (field->kind == WIRE_KIND_BOOL) {
        wire_print_text(p, wire_list_get_bool(list, i) ? "true" : "false");
    } else {
        print_simple(p, field, wire_list_get_struct(list, i), 0, 0);
    }
}

static bool is_pointer(const struct wire_field_info *field)
{
    return field->lists != 0 || element_of(field, 1) == WIRE_POINTER
           || (field->kind == WIRE_KIND_STRUCT && !field->is_group);
}

/* Null pointers are left out, and so are the members that a union does not hold. */
static bool is_present(const struct frame *frame, const struct wire_field_info *field)
{
    if (field->discriminant != WIRE_NO_DISCRIMINANT) {
        return wire_get_u16(frame->reader, frame->info->discriminant_offset) == field->discriminant;
    }
    return !is_pointer(field) || wire_has_pointer(frame->reader, field->offset);
}

static void step_struct(struct walk *walk, struct frame *frame)
{
    struct wire_printer *p = walk->printer;
    if (frame->next == frame->info->field_count) {
        print_char(p, ')');
        walk->depth--;
        return;
    }
    const struct wire_field_info *field = &frame->info->fields[frame->next++];
    struct wire_reader reader = frame->reader;
    if (!is_present(frame, field)) {
        return;
    }
    wire_print_text(p, frame->separated ? ", " : "");
    frame->separated = true;
    wire_print_text(p, field->name);
    wire_print_text(p, " = ");
    if (field->lists != 0) {
        enter_list(walk, field, field->lists,
                   wire_get_list(reader, field->offset, element_of(field, field->lists)));
    } else if (field->is_group) {
        enter_struct(walk, field->structure, reader);
    } else if (field->kind == WIRE_KIND_STRUCT) {
        enter_struct(walk, field->structure, wire_get_struct(reader, field->offset));
    } else {
        print_simple(p, field, reader, field->offset, field->mask);
    }
}

void wire_print_struct(struct wire_printer *printer, const struct wire_struct_info *info,
                       struct wire_reader reader)
{
    struct walk walk;
    walk.printer = printer;
    walk.depth = 0;
    enter_struct(&walk, info, reader);
    while (walk.depth != 0 && !printer->truncated) {
        struct frame *frame = &walk.frames[walk.depth - 1];
        if (frame->lists != 0) {
            step_list(&walk, frame);
        } else {
            step_struct(&walk, frame);
        }
    }
}
