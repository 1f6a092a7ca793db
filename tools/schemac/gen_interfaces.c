/* abi/gen/interfaces.h: the numbers and enums of the schema, for C on both sides of the ring. */
#include <inttypes.h>

#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

static void write_enum(struct output *o, const struct node *node)
{
    output(o, "\n");
    output_comment(o, 0, node->doc);
    output(o, "enum %s {\n", node->stem);
    for (uint32_t i = 0; i < node->enumerant_count; i++) {
        output_comment(o, 4, node->enumerants[i].doc);
        output(o, "    %s_%s = %u,\n", node->upper, node->enumerants[i].upper, i);
    }
    output(o, "};\n#define %s_COUNT %u\n", node->upper, node->enumerant_count);
}

static void write_const(struct output *o, const struct node *node)
{
    if (node->const_type.kind == TYPE_LIST || node->const_type.kind == TYPE_STRUCT
        || node->const_type.kind == TYPE_DATA) {
        die("%s: a constant that is a struct, list or data is not supported", node->title);
    }
    output(o, "\n");
    output_comment(o, 0, node->doc);
    output(o, "#define %s %s\n", node->upper, c_constant(&node->const_type, &node->const_value));
}

static void write_bound(struct output *o, const struct node *node, const struct method *method,
                        const struct field *field)
{
    uint64_t bound = bound_of(field);
    if (bound != 0) {
        output(o, "#define %s %" PRIu64 "\n", bound_name(node, method, field), bound);
    }
}

static void write_interface(struct output *o, const struct node *node)
{
    output(o, "\n/* %s */\n", node->title);
    output(o, "#define %s_INTERFACE_ID 0x%016" PRIx64 "ull\n", node->upper, node->id);
    output(o, "enum %s_method {\n", node->stem);
    for (uint32_t i = 0; i < node->method_count; i++) {
        output(o, "    %s_METHOD_%s = %u,\n", node->upper, node->methods[i].upper, i);
    }
    output(o, "    %s_METHOD_COUNT = %u,\n};\n", node->upper, node->method_count);
    for (uint32_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        for (uint32_t j = 0; j < method->params->field_count; j++) {
            write_bound(o, node, method, &method->params->fields[j]);
        }
    }
}

static void write_node(void *context, const struct node *node)
{
    if (node->kind == NODE_ENUM) {
        write_enum(context, node);
    } else if (node->kind == NODE_CONST) {
        write_const(context, node);
    } else if (node->kind == NODE_INTERFACE) {
        write_interface(context, node);
    }
}

void generate_interfaces(const struct schema *schema)
{
    struct output *o = output_open("abi/gen/interfaces.h");
    output_banner(o, schema,
                  "Ids of the interfaces, numbers of their methods and bounds of their parameters, "
                  "enums and constants.");
    output(o, "#pragma once\n\n#include <stdbool.h>\n#include <stdint.h>\n");
    model_visit(schema, write_node, o);
    output_close(o);
}
