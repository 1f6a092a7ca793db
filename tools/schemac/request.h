/* Where the fields of a CodeGeneratorRequest lie: the part of Cap'n Proto's own schema language
 * that this generator needs. It cannot generate these for itself, and they never change: the
 * language only ever adds fields. Indices count from the start of the struct in units of the
 * field's size. */
#pragma once

#include "lib/wire/wire.h"

enum request_pointer { REQUEST_NODES = 0, REQUEST_FILES = 1, REQUEST_SOURCE_INFO = 3 };
enum request_file_pointer { REQUEST_FILE_NAME = 0 };
enum source_info_pointer { SOURCE_INFO_DOC = 0, SOURCE_INFO_MEMBERS = 1 };

enum node_kind {
    NODE_FILE = 0,
    NODE_STRUCT = 1,
    NODE_ENUM = 2,
    NODE_INTERFACE = 3,
    NODE_CONST = 4,
    NODE_ANNOTATION = 5,
};

enum node_pointer {
    NODE_DISPLAY_NAME = 0,
    NODE_NESTED = 1,
    NODE_ANNOTATIONS = 2,
    NODE_FIELDS = 3,     /* of a struct */
    NODE_ENUMERANTS = 3, /* of an enum */
    NODE_METHODS = 3,    /* of an interface */
    NODE_SUPERCLASSES = 4,
    NODE_TYPE = 3, /* of a constant */
    NODE_VALUE = 4,
};

static inline uint64_t request_id(struct wire_reader any) /* of a node, a file, source info … */
{
    return wire_get_u64(any, 0);
}

static inline uint32_t node_prefix_length(struct wire_reader node)
{
    return wire_get_u32(node, 2);
}

static inline uint64_t node_scope(struct wire_reader node)
{
    return wire_get_u64(node, 2);
}

static inline enum node_kind node_which(struct wire_reader node)
{
    return (enum node_kind)wire_get_u16(node, 6);
}

static inline uint16_t node_data_words(struct wire_reader node)
{
    return wire_get_u16(node, 7);
}

static inline uint16_t node_pointer_count(struct wire_reader node)
{
    return wire_get_u16(node, 12);
}

static inline bool node_is_group(struct wire_reader node)
{
    return wire_get_bool(node, 224);
}

static inline uint16_t node_discriminant_count(struct wire_reader node)
{
    return wire_get_u16(node, 15);
}

static inline uint32_t node_discriminant_offset(struct wire_reader node)
{
    return wire_get_u32(node, 8);
}

static inline bool node_is_generic(struct wire_reader node)
{
    return wire_get_bool(node, 288);
}

#define FIELD_NO_DISCRIMINANT 0xffff

enum field_pointer {
    FIELD_NAME = 0, /* also of an enumerant and of a method */
    FIELD_ANNOTATIONS = 1,
    FIELD_TYPE = 2,
    FIELD_DEFAULT = 3,
};

static inline uint16_t field_discriminant(struct wire_reader field)
{
    return wire_get_u16(field, 1) ^ FIELD_NO_DISCRIMINANT;
}

static inline bool field_is_group(struct wire_reader field)
{
    return wire_get_u16(field, 4) == 1;
}

static inline bool field_has_default(struct wire_reader field)
{
    return wire_get_bool(field, 128);
}

static inline uint32_t field_offset(struct wire_reader field)
{
    return wire_get_u32(field, 1);
}

static inline uint64_t field_group_id(struct wire_reader field)
{
    return wire_get_u64(field, 2);
}

static inline uint64_t method_params_id(struct wire_reader method)
{
    return wire_get_u64(method, 1);
}

static inline uint64_t method_results_id(struct wire_reader method)
{
    return wire_get_u64(method, 2);
}

/* Kinds of types and of values, in the order of both. */
enum type_kind {
    TYPE_VOID,
    TYPE_BOOL,
    TYPE_INT8,
    TYPE_INT16,
    TYPE_INT32,
    TYPE_INT64,
    TYPE_UINT8,
    TYPE_UINT16,
    TYPE_UINT32,
    TYPE_UINT64,
    TYPE_FLOAT32,
    TYPE_FLOAT64,
    TYPE_TEXT,
    TYPE_DATA,
    TYPE_LIST,
    TYPE_ENUM,
    TYPE_STRUCT,
    TYPE_INTERFACE,
    TYPE_ANY_POINTER,
};

enum type_pointer { TYPE_ELEMENT = 0 };
enum value_pointer { VALUE_POINTER = 0 };
enum annotation_pointer { ANNOTATION_VALUE = 0 };

static inline enum type_kind type_which(struct wire_reader type)
{
    return (enum type_kind)wire_get_u16(type, 0);
}

static inline uint64_t type_id(struct wire_reader type)
{
    return wire_get_u64(type, 1);
}

/* An AnyPointer that is declared as Capability. */
static inline bool type_is_capability(struct wire_reader type)
{
    return wire_get_u16(type, 4) == 0 && wire_get_u16(type, 5) == 3;
}

static inline bool type_is_parameter(struct wire_reader type)
{
    return wire_get_u16(type, 4) != 0;
}

/* The bits of a value that is not a pointer. */
static inline uint64_t value_bits(struct wire_reader value)
{
    switch ((enum type_kind)wire_get_u16(value, 0)) {
    case TYPE_BOOL:
        return wire_get_bool(value, 16);
    case TYPE_INT8:
    case TYPE_UINT8:
        return wire_get_u8(value, 2);
    case TYPE_INT16:
    case TYPE_UINT16:
    case TYPE_ENUM:
        return wire_get_u16(value, 1);
    case TYPE_INT32:
    case TYPE_UINT32:
    case TYPE_FLOAT32:
        return wire_get_u32(value, 1);
    case TYPE_INT64:
    case TYPE_UINT64:
    case TYPE_FLOAT64:
        return wire_get_u64(value, 1);
    default:
        return 0;
    }
}
