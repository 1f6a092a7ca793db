/* lib/wire/gen: for each struct its sizes, a function to make it a message's root, and for each
 * field a getter and setters. Each interface with its messages has a file; structs of the schema's
 * top level are in types.h; messages.h includes all. */
#include <inttypes.h>
#include <string.h>

#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

/* The struct whose discriminant says which of its members a union holds; where it is, in the data
 * section that a group shares with its owner. */
static void write_select(struct output *o, const struct node *node, const struct field *field)
{
    if (in_union(field)) {
        output(o, "    wire_set_u16(b, %" PRIu32 ", %s_WHICH_%s);\n", node->discriminant_offset,
               node->upper, field->upper);
    }
}

static void open_getter(struct output *o, const char *type, const struct node *node,
                        const struct field *field)
{
    output(o, "\nstatic inline %s %s_%s(struct wire_reader r)\n{\n", type, node->stem, field->stem);
}

static void open_setter(struct output *o, const struct node *node, const struct field *field,
                        const char *argument)
{
    output(o, "\nstatic inline void %s_set_%s(struct wire_builder b%s%s)\n{\n", node->stem,
           field->stem, argument[0] == 0 ? "" : ", ", argument);
    write_select(o, node, field);
}

/* The default as a number to combine with the bits on the wire, or "" if it is zero. */
static const char *mask_of(const struct field *field)
{
    if (field->initial.bits == 0) {
        return "";
    }
    switch (field->type.kind) {
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return format(" ^ 0x%" PRIx64 "ull", field->initial.bits);
    default:
        return format(" ^ 0x%" PRIx64 "u", field->initial.bits);
    }
}

static void write_bool(struct output *o, const struct node *node, const struct field *field)
{
    const char *invert = field->initial.bits != 0 ? "!" : "";
    open_getter(o, "bool", node, field);
    output(o, "    return %swire_get_bool(r, %u);\n}\n", invert, field->offset);
    open_setter(o, node, field, "bool value");
    output(o, "    wire_set_bool(b, %u, %svalue);\n}\n", field->offset, invert);
}

static void write_number(struct output *o, const struct node *node, const struct field *field)
{
    const char *type = c_type(&field->type);
    const char *width = width_name(&field->type);
    const char *on_wire = format("uint%s_t", width + 1);
    const char *mask = mask_of(field);
    const char *cast = strcmp(type, on_wire) == 0 ? "" : format("(%s)", type);
    const char *cast_back = cast[0] == 0 ? "" : format("(%s)", on_wire);
    open_getter(o, type, node, field);
    if (mask[0] == 0) {
        output(o, "    return %swire_get_%s(r, %u);\n}\n", cast, width, field->offset);
    } else {
        output(o, "    return (%s)(wire_get_%s(r, %u)%s);\n}\n", type, width, field->offset, mask);
    }
    open_setter(o, node, field, format("%s value", type));
    if (mask[0] == 0) {
        output(o, "    wire_set_%s(b, %u, %svalue);\n}\n", width, field->offset, cast_back);
    } else {
        output(o, "    wire_set_%s(b, %u, (%s)(%svalue%s));\n}\n", width, field->offset, on_wire,
               cast_back, mask);
    }
}

/* Text or data; a default that is not empty takes the place of a null pointer. */
static void write_bytes(struct output *o, const struct node *node, const struct field *field)
{
    const char *what = field->type.kind == TYPE_TEXT ? "text" : "data";
    open_getter(o, "struct wire_span", node, field);
    if (field->initial.bytes.size != 0) {
        output(o, "    if (!wire_has_pointer(r, %u)) {\n", field->offset);
        output(o, "        return (struct wire_span){\"%s\", %zu};\n    }\n",
               escaped(field->initial.bytes), field->initial.bytes.size);
    }
    output(o, "    return wire_get_%s(r, %u);\n}\n", what, field->offset);
    open_setter(o, node, field, "struct wire_span value");
    output(o, "    wire_set_%s(b, %u, value);\n}\n", what, field->offset);
    if (field->type.kind == TYPE_DATA) {
        output(o, "\nstatic inline void *%s_init_%s(struct wire_builder b, size_t size)\n{\n",
               node->stem, field->stem);
        write_select(o, node, field);
        output(o, "    return wire_init_data(b, %u, size);\n}\n", field->offset);
        output(o, "\nstatic inline void %s_truncate_%s(struct wire_builder b, size_t size)\n{\n",
               node->stem, field->stem);
        output(o, "    wire_truncate_data(b, %u, size);\n}\n", field->offset);
    }
}

static void write_list(struct output *o, const struct node *node, const struct field *field)
{
    const struct type *element = field->type.element;
    const char *code = element_code(element);
    output(o, "\n/* %s */", schema_type(&field->type));
    open_getter(o, "struct wire_list", node, field);
    output(o, "    return wire_get_list(r, %u, %s);\n}\n", field->offset, code);
    output(o,
           "\nstatic inline struct wire_list_builder %s_init_%s(struct wire_builder b, "
           "uint32_t count)\n{\n",
           node->stem, field->stem);
    write_select(o, node, field);
    if (element->kind == TYPE_STRUCT) {
        output(o,
               "    return wire_init_struct_list(b, %u, count, %s_DATA_WORDS, "
               "%s_POINTER_WORDS);\n}\n",
               field->offset, element->node->upper, element->node->upper);
    } else {
        output(o, "    return wire_init_list(b, %u, %s, count);\n}\n", field->offset, code);
    }
    open_setter(o, node, field, "struct wire_list value");
    output(o, "    wire_set_list(b, %u, value);\n}\n", field->offset);
}

static void write_struct_field(struct output *o, const struct node *node, const struct field *field)
{
    open_getter(o, "struct wire_reader", node, field);
    output(o, "    return wire_get_struct(r, %u);\n}\n", field->offset);
    if (field->type.kind == TYPE_STRUCT) {
        const struct node *type = field->type.node;
        output(o, "\nstatic inline struct wire_builder %s_init_%s(struct wire_builder b)\n{\n",
               node->stem, field->stem);
        write_select(o, node, field);
        output(o, "    return wire_init_struct(b, %u, %s_DATA_WORDS, %s_POINTER_WORDS);\n}\n",
               field->offset, type->upper, type->upper);
    }
    open_setter(o, node, field, "struct wire_reader value");
    output(o, "    wire_set_struct(b, %u, value);\n}\n", field->offset);
}

static void write_capability(struct output *o, const struct node *node, const struct field *field)
{
    output(o, "\n/* %s: an index into the transferred capabilities, or WIRE_NO_CAPABILITY */",
           schema_type(&field->type));
    open_getter(o, "uint32_t", node, field);
    output(o, "    return wire_get_capability(r, %u);\n}\n", field->offset);
    open_setter(o, node, field, "uint32_t index");
    output(o, "    wire_set_capability(b, %u, index);\n}\n", field->offset);
}

static void write_has(struct output *o, const struct node *node, const struct field *field)
{
    output(o, "\nstatic inline bool %s_has_%s(struct wire_reader r)\n{\n", node->stem, field->stem);
    output(o, "    return wire_has_pointer(r, %u);\n}\n", field->offset);
}

/* A group shares its owner's sections: its accessors take the owner's reader and builder. */
static void write_group(struct output *o, const struct node *node, const struct field *field)
{
    if (in_union(field)) {
        output(o, "\n/* Chooses the group; its members have what was there before until they are "
                  "set. */");
        open_setter(o, node, field, "");
        output(o, "}\n");
    }
}

static void write_field(struct output *o, const struct node *node, const struct field *field)
{
    if (field->group != NULL) {
        write_group(o, node, field);
        return;
    }
    switch (field->type.kind) {
    case TYPE_VOID:
        if (in_union(field)) {
            open_setter(o, node, field, "");
            output(o, "}\n");
        }
        return;
    case TYPE_TEXT:
    case TYPE_DATA:
        write_bytes(o, node, field);
        break;
    case TYPE_LIST:
        write_list(o, node, field);
        break;
    case TYPE_INTERFACE:
        write_capability(o, node, field);
        break;
    case TYPE_STRUCT:
        write_struct_field(o, node, field);
        break;
    case TYPE_ANY_POINTER:
        if (field->type.is_capability) {
            write_capability(o, node, field);
        } else {
            write_struct_field(o, node, field);
        }
        break;
    case TYPE_BOOL:
        write_bool(o, node, field);
        return;
    default:
        write_number(o, node, field);
        return;
    }
    write_has(o, node, field);
}

static void write_union(struct output *o, const struct node *node)
{
    output(o, "\nenum %s_which {\n", node->stem);
    for (uint32_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        if (in_union(field)) {
            output(o, "    %s_WHICH_%s = %u,\n", node->upper, field->upper, field->discriminant);
        }
    }
    output(o, "};\n\n");
    output(o, "/* May be none of them: the writer's schema can be newer than this one. */\n");
    output(o, "static inline enum %s_which %s_which(struct wire_reader r)\n{\n", node->stem,
           node->stem);
    output(o, "    return (enum %s_which)wire_get_u16(r, %u);\n}\n", node->stem,
           node->discriminant_offset);
}

static void write_struct(struct output *o, const struct node *node)
{
    output(o, "\n/* ---- %s ---- */\n\n", node->title);
    output_comment(o, 0, node->doc);
    if (!node->is_group) {
        output(o,
               "static inline struct wire_builder %s_init(struct wire_message_builder *message)\n"
               "{\n    return wire_message_init_root(message, %s_DATA_WORDS, "
               "%s_POINTER_WORDS);\n}\n",
               node->stem, node->upper, node->upper);
    }
    if (node->discriminant_count != 0) {
        write_union(o, node);
    }
    for (uint32_t i = 0; i < node->field_count; i++) {
        write_field(o, node, &node->fields[i]);
    }
}

static void write_node(void *context, const struct node *node)
{
    if (node->kind == NODE_STRUCT) {
        write_struct(context, node);
    }
}

static void write_size(void *context, const struct node *node)
{
    if (node->kind == NODE_STRUCT && !node->is_group) {
        output(context, "#define %s_DATA_WORDS %uu\n", node->upper, node->data_words);
        output(context, "#define %s_POINTER_WORDS %uu\n", node->upper, node->pointer_count);
    }
}

static void generate_sizes(const struct schema *schema)
{
    struct output *o = output_open("lib/wire/gen/sizes.h");
    output_banner(o, schema, "How many words of data and of pointers each struct has.");
    output(o, "#pragma once\n\n");
    model_visit(schema, write_size, o);
    output_close(o);
}

static struct output *open_header(const struct schema *schema, const char *stem,
                                  const char *purpose)
{
    struct output *o = output_open(format("lib/wire/gen/%s.h", stem));
    output_banner(o, schema, purpose);
    output(o, "#pragma once\n\n#include \"abi/gen/interfaces.h\"\n");
    output(o, "#include \"lib/wire/gen/sizes.h\"\n#include \"lib/wire/wire.h\"\n");
    return o;
}

void generate_messages(const struct schema *schema)
{
    generate_sizes(schema);
    struct output *all = output_open("lib/wire/gen/messages.h");
    output_banner(all, schema, "Readers and builders of every struct of the schema.");
    output(all, "#pragma once\n\n#include \"lib/wire/gen/types.h\"\n");
    struct output *types =
        open_header(schema, "types", "Readers and builders of the structs outside interfaces.");
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        const struct node *node = schema->file->nested[i];
        if (node->kind != NODE_INTERFACE) {
            model_visit_below(node, write_node, types);
            continue;
        }
        output(all, "#include \"lib/wire/gen/%s.h\"\n", node->stem);
        struct output *o = open_header(
            schema, node->stem, format("Readers and builders of the messages of %s.", node->title));
        model_visit_below(node, write_node, o);
        output_close(o);
    }
    output_close(types);
    output_close(all);
}
