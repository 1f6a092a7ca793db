/* lib/wire/gen/names.h and .c: interfaces, methods, structs and enums by name, as tables for
 * lib/wire/describe.h. */
#include <inttypes.h>

#include "lib/wire/describe.h"
#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

static const char *kind_name(const struct type *type)
{
    static const char *const names[] = {
        [TYPE_VOID] = "VOID",
        [TYPE_BOOL] = "BOOL",
        [TYPE_INT8] = "INT8",
        [TYPE_INT16] = "INT16",
        [TYPE_INT32] = "INT32",
        [TYPE_INT64] = "INT64",
        [TYPE_UINT8] = "UINT8",
        [TYPE_UINT16] = "UINT16",
        [TYPE_UINT32] = "UINT32",
        [TYPE_UINT64] = "UINT64",
        [TYPE_FLOAT32] = "FLOAT32",
        [TYPE_FLOAT64] = "FLOAT64",
        [TYPE_TEXT] = "TEXT",
        [TYPE_DATA] = "DATA",
        [TYPE_LIST] = "LIST",
        [TYPE_ENUM] = "ENUM",
        [TYPE_STRUCT] = "STRUCT",
        [TYPE_INTERFACE] = "CAPABILITY",
        [TYPE_ANY_POINTER] = "ANY_POINTER",
    };
    return format("WIRE_KIND_%s", type->is_capability ? "CAPABILITY" : names[type->kind]);
}

static void declare(void *context, const struct node *node)
{
    if (node->kind == NODE_ENUM) {
        output(context, "extern const struct wire_enum_info wire_enum_%s;\n", node->stem);
    } else if (node->kind == NODE_STRUCT) {
        output(context, "extern const struct wire_struct_info wire_struct_%s;\n", node->stem);
    }
}

static void define_enum(struct output *o, const struct node *node)
{
    output(o, "\nconst struct wire_enum_info wire_enum_%s = {\n    \"%s\",\n", node->stem,
           node->title);
    output(o, "    (const char *const[]){\n");
    for (uint32_t i = 0; i < node->enumerant_count; i++) {
        output(o, "        \"%s\",\n", node->enumerants[i].name);
    }
    output(o, "    },\n    %u,\n};\n", node->enumerant_count);
}

static void define_field(struct output *o, const struct field *field)
{
    const struct type *type = &field->type;
    unsigned lists = 0;
    for (; field->group == NULL && type->kind == TYPE_LIST; type = type->element) {
        lists++;
    }
    output(o, "    {.name = \"%s\"", field->name);
    if (field->group != NULL) {
        output(o, ", .kind = WIRE_KIND_STRUCT, .is_group = true");
        output(o, ", .structure = &wire_struct_%s", field->group->stem);
    } else {
        output(o, ", .kind = %s, .offset = %u", kind_name(type), field->offset);
    }
    if (lists != 0) {
        output(o, ", .lists = %u", lists);
    }
    if (field->group == NULL && type->kind == TYPE_STRUCT) {
        output(o, ", .structure = &wire_struct_%s", type->node->stem);
    }
    if (field->group == NULL && type->kind == TYPE_ENUM) {
        output(o, ", .enumeration = &wire_enum_%s", type->node->stem);
    }
    if (field->initial.bits != 0) {
        output(o, ", .mask = 0x%" PRIx64 "ull", field->initial.bits);
    }
    output(o,
           in_union(field) ? ", .discriminant = %u},\n"
                           : ", .discriminant = WIRE_NO_DISCRIMINANT},\n",
           field->discriminant);
}

static void define_struct(struct output *o, const struct node *node)
{
    output(o, "\n");
    if (node->field_count != 0) {
        output(o, "static const struct wire_field_info %s_fields[] = {\n", node->stem);
        for (uint32_t i = 0; i < node->field_count; i++) {
            define_field(o, &node->fields[i]);
        }
        output(o, "};\n");
    }
    output(o, "const struct wire_struct_info wire_struct_%s = {\n", node->stem);
    output(o, "    .name = \"%s\",\n", node->title);
    if (node->field_count != 0) {
        output(o, "    .fields = %s_fields,\n    .field_count = %u,\n", node->stem,
               node->field_count);
    }
    if (node->discriminant_count != 0) {
        output(o, "    .has_union = true,\n    .discriminant_offset = %u,\n",
               node->discriminant_offset);
    }
    output(o, "};\n");
}

static void define_methods(struct output *o, const struct node *node)
{
    if (node->method_count == 0) {
        return;
    }
    output(o, "\nstatic const struct wire_method_info %s_methods[] = {\n", node->stem);
    for (uint32_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        output(o, "    {\"%s\", &wire_struct_%s, &wire_struct_%s},\n", method->name,
               method->params->stem, method->results->stem);
    }
    output(o, "};\n");
}

static void define(void *context, const struct node *node)
{
    if (node->kind == NODE_ENUM) {
        define_enum(context, node);
    } else if (node->kind == NODE_STRUCT) {
        define_struct(context, node);
    } else if (node->kind == NODE_INTERFACE) {
        define_methods(context, node);
    }
}

static void find_interface(void *context, const struct node *node)
{
    if (node->kind == NODE_INTERFACE) {
        output(context, "    case 0x%016" PRIx64 "ull: {\n", node->id);
        output(context, "        static const struct wire_interface_info info = {\n");
        output(context, "            0x%016" PRIx64 "ull, \"%s\", %s, %u};\n", node->id,
               node->title, node->method_count == 0 ? "NULL" : format("%s_methods", node->stem),
               node->method_count);
        output(context, "        return &info;\n    }\n");
    }
}

void generate_names(const struct schema *schema)
{
    struct output *header = output_open("lib/wire/gen/names.h");
    struct output *source = output_open("lib/wire/gen/names.c");
    output_banner(header, schema,
                  "Interfaces, methods, structs and enums by name, for printing calls with their "
                  "arguments (lib/wire/describe.h).");
    output(header, "#pragma once\n\n#include \"lib/wire/describe.h\"\n\n"
                   "/* NULL: the schema has no such interface. */\n"
                   "const struct wire_interface_info *wire_interface_find(uint64_t id);\n\n");
    model_visit(schema, declare, header);
    output_banner(source, schema, "Names and layouts by table; see names.h.");
    output(source, "#include \"lib/wire/gen/names.h\"\n");
    model_visit(schema, define, source);
    output(source, "\nconst struct wire_interface_info *wire_interface_find(uint64_t id)\n{\n"
                   "    switch (id) {\n");
    model_visit(schema, find_interface, source);
    output(source, "    default:\n        return NULL;\n    }\n}\n");
    output_close(header);
    output_close(source);
}
