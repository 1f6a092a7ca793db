/* See random_message.h. In the code, builders are b0, b1 ..., readers r0, r1 ... of the same
 * number. */
#include "tests/prop/wire/random_message.h"

#include <inttypes.h>
#include <stdarg.h>

#include "lib/wire/float.h"
#include "tools/schemac/common.h"

#define DEPTH_MAX 4 /* of structs and lists; beyond it pointers stay null */
#define LIST_MAX 5

__attribute__((format(printf, 2, 3))) static void build(struct random_message *m,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (m->build_code != NULL) {
        vfprintf(m->build_code, format, arguments);
    }
    va_end(arguments);
}

__attribute__((format(printf, 2, 3))) static void check(struct random_message *m,
                                                        const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (m->check_code != NULL) {
        vfprintf(m->check_code, format, arguments);
    }
    va_end(arguments);
}

/* Bits of a random value, often a special one. */
static uint64_t random_bits(struct random_message *m, const struct type *type)
{
    uint64_t bits = random_chance(m->r, 4) ? random_below(m->r, 3) - 1 : random_next(m->r);
    int32_t quarters = (int32_t)random_below(m->r, 2000) - 1000;
    switch (type->kind) {
    case TYPE_BOOL:
        return bits & 1;
    case TYPE_INT8:
    case TYPE_UINT8:
        return (uint8_t)bits;
    case TYPE_INT16:
    case TYPE_UINT16:
        return (uint16_t)bits;
    case TYPE_INT32:
    case TYPE_UINT32:
        return (uint32_t)bits;
    case TYPE_ENUM:
        return random_below(m->r, type->node->enumerant_count);
    case TYPE_FLOAT32: /* values with one short text */
        return wire_float_bits((float)quarters / 4);
    case TYPE_FLOAT64:
        return wire_double_bits((double)quarters / 4);
    default:
        return bits;
    }
}

static void print_number(FILE *out, const struct type *type, uint64_t bits)
{
    switch (type->kind) {
    case TYPE_BOOL:
        fputs(bits != 0 ? "true" : "false", out);
        break;
    case TYPE_INT8:
        fprintf(out, "%d", (int8_t)bits);
        break;
    case TYPE_INT16:
        fprintf(out, "%d", (int16_t)bits);
        break;
    case TYPE_INT32:
        fprintf(out, "%" PRId32, (int32_t)bits);
        break;
    case TYPE_INT64:
        fprintf(out, "%" PRId64, (int64_t)bits);
        break;
    case TYPE_FLOAT32:
        fprintf(out, "%g", (double)wire_float_from_bits((uint32_t)bits));
        break;
    case TYPE_FLOAT64:
        fprintf(out, "%g", wire_double_from_bits(bits));
        break;
    case TYPE_ENUM:
        fputs(type->node->enumerants[bits].name, out);
        break;
    case TYPE_VOID:
        fputs("void", out);
        break;
    default:
        fprintf(out, "%" PRIu64, bits);
    }
}

static void set_number(struct wire_builder b, const struct type *type, uint32_t offset,
                       uint64_t bits)
{
    const char *width = width_name(type);
    if (width == NULL) { /* Void */
        return;
    }
    switch (width[1]) {
    case '8':
        wire_set_u8(b, offset, (uint8_t)bits);
        break;
    case '1':
        wire_set_u16(b, offset, (uint16_t)bits);
        break;
    case '3':
        wire_set_u32(b, offset, (uint32_t)bits);
        break;
    case '6':
        wire_set_u64(b, offset, bits);
        break;
    default:
        wire_set_bool(b, offset, bits != 0);
    }
}

static void set_element(struct wire_list_builder list, const struct type *type, uint32_t i,
                        uint64_t bits)
{
    switch (width_name(type)[1]) {
    case '8':
        wire_list_set_u8(list, i, (uint8_t)bits);
        break;
    case '1':
        wire_list_set_u16(list, i, (uint16_t)bits);
        break;
    case '3':
        wire_list_set_u32(list, i, (uint32_t)bits);
        break;
    case '6':
        wire_list_set_u64(list, i, bits);
        break;
    default:
        wire_list_set_bool(list, i, bits != 0);
    }
}

/* Random text or data; `out` gets it as Cap'n Proto prints it, without quotes. */
static struct wire_span random_bytes(struct random_message *m, bool is_text, char bytes[64],
                                     FILE *out)
{
    size_t size = 0;
    for (uint64_t i = random_below(m->r, 20); i > 0; i--) {
        uint8_t byte = (uint8_t)random_next(m->r);
        if (is_text && byte >= 128) {
            memcpy(bytes + size, "\xc3\xa9", 2);
            fputs("\xc3\xa9", out);
            size += 2;
            continue;
        }
        if ((is_text && byte == 0) || (byte != 0 && strchr("()#", byte) != NULL)) {
            byte = 'z'; /* `capnp encode` finds its messages' ends by these, in strings too */
        }
        bytes[size++] = (char)byte;
        const char *special = byte == 0 ? NULL : strchr("\aa\bb\ff\nn\rr\tt\vv''\"\"\\\\", byte);
        if (byte >= ' ' && byte < 127 && byte != '\'' && byte != '"' && byte != '\\') {
            fputc(byte, out);
        } else if (special != NULL && (byte < ' ' || strchr("'\"\\", byte) != NULL)) {
            fprintf(out, "\\%c", special[1]);
        } else {
            fprintf(out, "\\%03o", byte);
        }
    }
    return (struct wire_span){bytes, size};
}

/* "\001\002" for code: every byte in octal. */
static void print_literal(FILE *out, struct wire_span span)
{
    for (size_t i = 0; i < span.size; i++) {
        fprintf(out, "\\%03o", ((const uint8_t *)span.data)[i]);
    }
}

static void fill_struct(struct random_message *m, const struct node *node, struct wire_builder b,
                        unsigned variable, unsigned depth);

static void bytes_code(struct random_message *m, const char *setter, const char *getter,
                       struct wire_span span)
{
    if (m->build_code == NULL) {
        return;
    }
    build(m, "    %s(struct wire_span){\"", setter);
    print_literal(m->build_code, span);
    build(m, "\", %zu});\n", span.size);
    check(m, "    CHECK_SPAN(%s, \"", getter);
    print_literal(m->check_code, span);
    check(m, "\", %zu);\n", span.size);
}

static void fill_list(struct random_message *m, const struct type *type,
                      struct wire_list_builder list, unsigned variable, unsigned depth);

static struct wire_list_builder init_list(const struct type *element, struct wire_builder holder,
                                          uint32_t index, uint32_t count)
{
    static const struct {
        const char *name;
        enum wire_element code;
    } codes[] = {
        {"WIRE_VOID", WIRE_VOID},
        {"WIRE_BIT", WIRE_BIT},
        {"WIRE_BYTE", WIRE_BYTE},
        {"WIRE_TWO_BYTES", WIRE_TWO_BYTES},
        {"WIRE_FOUR_BYTES", WIRE_FOUR_BYTES},
        {"WIRE_EIGHT_BYTES", WIRE_EIGHT_BYTES},
        {"WIRE_POINTER", WIRE_POINTER},
    };
    if (element->kind == TYPE_STRUCT) {
        return wire_init_struct_list(holder, index, count, element->node->data_words,
                                     element->node->pointer_count);
    }
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        if (strcmp(codes[i].name, element_code(element)) == 0) {
            return wire_init_list(holder, index, codes[i].code, count);
        }
    }
    FAIL("no such element: %s", element_code(element));
}

static void fill_list_element(struct random_message *m, const struct type *element,
                              struct wire_list_builder list, uint32_t i, unsigned variable,
                              unsigned depth)
{
    if (element->kind == TYPE_STRUCT) {
        unsigned inner = ++m->variables;
        build(m, "    struct wire_builder b%u = wire_list_at(b%u, %u);\n", inner, variable, i);
        check(m, "    struct wire_reader r%u = wire_list_get_struct(r%u, %u);\n", inner, variable,
              i);
        fill_struct(m, element->node, wire_list_at(list, i), inner, depth + 1);
    } else if (element->kind == TYPE_LIST) {
        uint32_t count = (uint32_t)random_below(m->r, depth < DEPTH_MAX ? LIST_MAX : 1);
        unsigned inner = ++m->variables;
        const struct type *type = element->element;
        if (type->kind == TYPE_STRUCT) {
            build(m,
                  "    struct wire_list_builder b%u = wire_list_init_struct_list(b%u, %u, %u, "
                  "%s_DATA_WORDS, %s_POINTER_WORDS);\n",
                  inner, variable, i, count, type->node->upper, type->node->upper);
        } else {
            build(m, "    struct wire_list_builder b%u = wire_list_init_list(b%u, %u, %s, %u);\n",
                  inner, variable, i, element_code(type), count);
        }
        check(m, "    struct wire_list r%u = wire_list_get_list(r%u, %u, %s);\n", inner, variable,
              i, element_code(type));
        fill_list(m, type, init_list(type, wire_list_elements(list), i, count), inner, depth + 1);
    } else if (element->kind == TYPE_TEXT || element->kind == TYPE_DATA) {
        char bytes[64];
        char setter[80];
        char getter[80];
        const char *what = element->kind == TYPE_TEXT ? "text" : "data";
        fputc('"', m->text);
        struct wire_span span = random_bytes(m, element->kind == TYPE_TEXT, bytes, m->text);
        fputc('"', m->text);
        snprintf(setter, sizeof(setter), "wire_list_set_%s(b%u, %u, ", what, variable, i);
        snprintf(getter, sizeof(getter), "wire_list_get_%s(r%u, %u)", what, variable, i);
        bytes_code(m, setter, getter, span);
        if (element->kind == TYPE_TEXT) {
            wire_list_set_text(list, i, span);
        } else {
            wire_list_set_data(list, i, span);
        }
    } else {
        uint64_t bits = random_bits(m, element);
        print_number(m->text, element, bits);
        if (element->kind != TYPE_VOID) {
            const char *width = width_name(element);
            set_element(list, element, i, bits);
            build(m, "    wire_list_set_%s(b%u, %u, 0x%" PRIx64 "u);\n", width, variable, i, bits);
            check(m, "    CHECK(wire_list_get_%s(r%u, %u) == 0x%" PRIx64 "u);\n", width, variable,
                  i, bits);
        }
    }
}

static void fill_list(struct random_message *m, const struct type *element,
                      struct wire_list_builder list, unsigned variable, unsigned depth)
{
    build(m, "    (void)b%u;\n", variable);
    check(m, "    CHECK(r%u.count == %u);\n", variable, list.count);
    fputc('[', m->text);
    for (uint32_t i = 0; i < list.count; i++) {
        fputs(i == 0 ? "" : ", ", m->text);
        fill_list_element(m, element, list, i, variable, depth);
    }
    fputc(']', m->text);
}

static void fill_number(struct random_message *m, const struct node *node,
                        const struct field *field, struct wire_builder b, unsigned variable)
{
    const struct type *type = &field->type;
    bool leave = random_chance(m->r, 4) && !in_union(field);
    uint64_t bits = leave ? field->initial.bits : random_bits(m, type);
    print_number(m->text, type, bits);
    if (type->kind == TYPE_VOID) {
        if (in_union(field)) {
            build(m, "    %s_set_%s(b%u);\n", node->stem, field->stem, variable);
        }
        return;
    }
    if (!leave) {
        set_number(b, type, field->offset, bits ^ field->initial.bits);
        build(m, "    %s_set_%s(b%u, (%s)0x%" PRIx64 "u);\n", node->stem, field->stem, variable,
              c_type(type), bits);
    }
    check(m, "    CHECK(%s_%s(r%u) == (%s)0x%" PRIx64 "u);\n", node->stem, field->stem, variable,
          c_type(type), bits);
}

static void fill_bytes(struct random_message *m, const struct node *node, const struct field *field,
                       struct wire_builder b, unsigned variable)
{
    char bytes[64];
    char setter[300];
    char getter[300];
    bool is_text = field->type.kind == TYPE_TEXT;
    fputc('"', m->text);
    struct wire_span span = random_bytes(m, is_text, bytes, m->text);
    fputc('"', m->text);
    snprintf(setter, sizeof(setter), "%s_set_%s(b%u, ", node->stem, field->stem, variable);
    snprintf(getter, sizeof(getter), "%s_%s(r%u)", node->stem, field->stem, variable);
    bytes_code(m, setter, getter, span);
    if (is_text) {
        wire_set_text(b, field->offset, span);
    } else {
        wire_set_data(b, field->offset, span);
    }
}

static void fill_list_field(struct random_message *m, const struct node *node,
                            const struct field *field, struct wire_builder b, unsigned variable,
                            unsigned depth)
{
    unsigned inner = ++m->variables;
    uint32_t count = (uint32_t)random_below(m->r, depth < DEPTH_MAX ? LIST_MAX : 1);
    build(m, "    struct wire_list_builder b%u = %s_init_%s(b%u, %u);\n", inner, node->stem,
          field->stem, variable, count);
    check(m, "    struct wire_list r%u = %s_%s(r%u);\n", inner, node->stem, field->stem, variable);
    fill_list(m, field->type.element, init_list(field->type.element, b, field->offset, count),
              inner, depth + 1);
}

static void fill_struct_field(struct random_message *m, const struct node *node,
                              const struct field *field, struct wire_builder b, unsigned variable,
                              unsigned depth)
{
    unsigned inner = ++m->variables;
    const struct node *type = field->type.node;
    build(m, "    struct wire_builder b%u = %s_init_%s(b%u);\n", inner, node->stem, field->stem,
          variable);
    check(m, "    struct wire_reader r%u = %s_%s(r%u);\n", inner, node->stem, field->stem,
          variable);
    fill_struct(m, type, wire_init_struct(b, field->offset, type->data_words, type->pointer_count),
                inner, depth + 1);
}

/* A group's members lie in its owner's sections. */
static void fill_group_field(struct random_message *m, const struct node *node,
                             const struct field *field, struct wire_builder b, unsigned variable,
                             unsigned depth)
{
    if (in_union(field)) {
        build(m, "    %s_set_%s(b%u);\n", node->stem, field->stem, variable);
    }
    fill_struct(m, field->group, b, variable, depth);
}

static void fill_field(struct random_message *m, const struct node *node, const struct field *field,
                       struct wire_builder b, unsigned variable, unsigned depth)
{
    fprintf(m->text, "%s = ", field->name);
    if (in_union(field)) {
        wire_set_u16(b, node->discriminant_offset, field->discriminant);
        check(m, "    CHECK(%s_which(r%u) == %s_WHICH_%s);\n", node->stem, variable, node->upper,
              field->upper);
    }
    if (field->group != NULL) {
        fill_group_field(m, node, field, b, variable, depth);
    } else if (field->type.kind == TYPE_TEXT || field->type.kind == TYPE_DATA) {
        fill_bytes(m, node, field, b, variable);
    } else if (field->type.kind == TYPE_LIST) {
        fill_list_field(m, node, field, b, variable, depth);
    } else if (field->type.kind == TYPE_STRUCT) {
        fill_struct_field(m, node, field, b, variable, depth);
    } else {
        fill_number(m, node, field, b, variable);
    }
}

/* Which member a union holds: one that does not nest, where it is deep enough. */
static uint16_t choose_member(struct random_message *m, const struct node *node, unsigned depth)
{
    if (depth >= DEPTH_MAX) {
        return 0; /* random_schema makes the first one plain */
    }
    return (uint16_t)random_below(m->r, node->discriminant_count);
}

/* A pointer that stays null is not in the text; the code checks that it reads as such. */
static bool leaves_null(struct random_message *m, const struct node *node,
                        const struct field *field, unsigned variable, unsigned depth)
{
    if (field->group != NULL || !type_is_pointer(&field->type) || in_union(field)) {
        return false;
    }
    bool nests = field->type.kind == TYPE_STRUCT || field->type.kind == TYPE_LIST;
    if (!random_chance(m->r, 3) && !(nests && depth >= DEPTH_MAX)) {
        return false;
    }
    check(m, "    CHECK(!%s_has_%s(r%u));\n", node->stem, field->stem, variable);
    if (field->type.kind == TYPE_TEXT) {
        check(m, "    CHECK(%s_%s(r%u).size == %zu);\n", node->stem, field->stem, variable,
              field->initial.bytes.size);
    }
    return true;
}

static void fill_struct(struct random_message *m, const struct node *node, struct wire_builder b,
                        unsigned variable, unsigned depth)
{
    uint16_t member = node->discriminant_count == 0 ? 0 : choose_member(m, node, depth);
    bool first = true;
    build(m, "    (void)b%u;\n", variable);
    check(m, "    (void)r%u;\n", variable);
    fputc('(', m->text);
    for (uint32_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        if ((in_union(field) && field->discriminant != member)
            || leaves_null(m, node, field, variable, depth)) {
            continue;
        }
        fputs(first ? "" : ", ", m->text);
        first = false;
        fill_field(m, node, field, b, variable, depth);
    }
    fputc(')', m->text);
}

void random_message(struct random_message *m, const struct node *root,
                    struct wire_message_builder *builder)
{
    m->variables = 0;
    build(m, "    struct wire_builder b0 = %s_init(&builder);\n", root->stem);
    check(m, "    struct wire_reader r0 = wire_message_root(&message);\n");
    fill_struct(m, root, wire_message_init_root(builder, root->data_words, root->pointer_count), 0,
                0);
}
