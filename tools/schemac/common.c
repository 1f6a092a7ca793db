/* See common.h. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/common.h"
#include "tools/schemac/text.h"

const char *c_type(const struct type *type)
{
    static const char *const names[] = {
        [TYPE_VOID] = "void",
        [TYPE_BOOL] = "bool",
        [TYPE_INT8] = "int8_t",
        [TYPE_INT16] = "int16_t",
        [TYPE_INT32] = "int32_t",
        [TYPE_INT64] = "int64_t",
        [TYPE_UINT8] = "uint8_t",
        [TYPE_UINT16] = "uint16_t",
        [TYPE_UINT32] = "uint32_t",
        [TYPE_UINT64] = "uint64_t",
        [TYPE_FLOAT32] = "uint32_t", /* the bits: see lib/wire/float.h */
        [TYPE_FLOAT64] = "uint64_t",
        [TYPE_TEXT] = "struct wire_span",
        [TYPE_DATA] = "struct wire_span",
        [TYPE_LIST] = "struct wire_list",
        [TYPE_STRUCT] = "struct wire_reader",
        [TYPE_INTERFACE] = "uint32_t",
        [TYPE_ANY_POINTER] = "struct wire_reader",
    };
    if (type->kind == TYPE_ENUM) {
        return format("enum %s", type->node->stem);
    }
    return type->is_capability ? "uint32_t" : names[type->kind];
}

const char *width_name(const struct type *type)
{
    switch (type->kind) {
    case TYPE_BOOL:
        return "bool";
    case TYPE_INT8:
    case TYPE_UINT8:
        return "u8";
    case TYPE_INT16:
    case TYPE_UINT16:
    case TYPE_ENUM:
        return "u16";
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_FLOAT32:
        return "u32";
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return "u64";
    default:
        return NULL;
    }
}

const char *element_code(const struct type *element)
{
    switch (element->kind) {
    case TYPE_VOID:
        return "WIRE_VOID";
    case TYPE_BOOL:
        return "WIRE_BIT";
    case TYPE_INT8:
    case TYPE_UINT8:
        return "WIRE_BYTE";
    case TYPE_INT16:
    case TYPE_UINT16:
    case TYPE_ENUM:
        return "WIRE_TWO_BYTES";
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_FLOAT32:
        return "WIRE_FOUR_BYTES";
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return "WIRE_EIGHT_BYTES";
    case TYPE_STRUCT:
        return "WIRE_COMPOSITE";
    default:
        return "WIRE_POINTER";
    }
}

const char *schema_type(const struct type *type)
{
    static const char *const names[] = {
        [TYPE_VOID] = "Void",     [TYPE_BOOL] = "Bool",       [TYPE_INT8] = "Int8",
        [TYPE_INT16] = "Int16",   [TYPE_INT32] = "Int32",     [TYPE_INT64] = "Int64",
        [TYPE_UINT8] = "UInt8",   [TYPE_UINT16] = "UInt16",   [TYPE_UINT32] = "UInt32",
        [TYPE_UINT64] = "UInt64", [TYPE_FLOAT32] = "Float32", [TYPE_FLOAT64] = "Float64",
        [TYPE_TEXT] = "Text",     [TYPE_DATA] = "Data",       [TYPE_ANY_POINTER] = "AnyPointer",
    };
    switch (type->kind) {
    case TYPE_LIST:
        return format("List(%s)", schema_type(type->element));
    case TYPE_ENUM:
    case TYPE_STRUCT:
    case TYPE_INTERFACE:
        return type->node->title;
    default:
        return type->is_capability ? "Capability" : names[type->kind];
    }
}

const char *c_constant(const struct type *type, const struct value *value)
{
    switch (type->kind) {
    case TYPE_BOOL:
        return value->bits != 0 ? "true" : "false";
    case TYPE_INT8:
        return format("%d", (int8_t)value->bits);
    case TYPE_INT16:
        return format("%d", (int16_t)value->bits);
    case TYPE_INT32:
        return (int32_t)value->bits == INT32_MIN ? "INT32_MIN"
                                                 : format("%" PRId32, (int32_t)value->bits);
    case TYPE_INT64:
        return (int64_t)value->bits == INT64_MIN ? "INT64_MIN"
                                                 : format("%" PRId64 "LL", (int64_t)value->bits);
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return format("%" PRIu64 "ull", value->bits);
    case TYPE_TEXT:
        return format("\"%s\"", escaped(value->bytes));
    case TYPE_ENUM:
        if (value->bits < type->node->enumerant_count) {
            return format("%s_%s", type->node->upper, type->node->enumerants[value->bits].upper);
        }
        return format("%" PRIu64 "u", value->bits);
    default:
        return format("%" PRIu64 "u", value->bits);
    }
}

uint64_t bound_of(const struct field *field)
{
    const struct annotation *bound = annotation_find(field->annotations, "bound");
    if (bound == NULL) {
        return 0;
    }
    char *unit;
    uint64_t n = strtoull(text_of(bound->value.bytes), &unit, 10);
    if (n == 0 || (*unit != 0 && strcmp(unit, " KiB") != 0)) {
        die("$bound(%s) is neither a number nor one of KiB", text_of(bound->value.bytes));
    }
    return *unit != 0 ? n * 1024 : n;
}

const char *bound_name(const struct node *interface, const struct method *method,
                       const struct field *field)
{
    return format("%s_%s_%s_BOUND", interface->upper, method->upper, field->upper);
}
