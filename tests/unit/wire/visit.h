/* Reads everything that can be reached in a message, without a schema: each struct and list as what
 * its pointer says. For tests that must show that nothing in a message leads astray. */
#pragma once

#include "lib/wire/wire.h"

struct visit {
    uint64_t values;     /* scalars and elements read */
    uint64_t objects;    /* structs and lists */
    uint64_t sum;        /* of what was read, so that reading is not optimised away */
    uint64_t values_max; /* stops there; 0: never */
};

static inline void visit_struct(struct visit *v, struct wire_reader reader);

static inline bool visit_full(const struct visit *v)
{
    return v->values_max != 0 && v->values > v->values_max;
}

static inline void visit_list(struct visit *v, struct wire_list list)
{
    v->objects++;
    for (uint32_t i = 0; i < list.count && !visit_full(v); i++) {
        v->values++;
        v->sum += wire_list_get_bool(list, i) + wire_list_get_u8(list, i);
        v->sum += wire_list_get_u64(list, i);
        visit_struct(v, wire_list_get_struct(list, i));
    }
}

static inline void visit_pointer(struct visit *v, struct wire_reader reader, uint32_t index)
{
    struct wire_object object = wire_get_object(reader, index);
    bool bytes = object.kind == WIRE_OBJECT_LIST && object.list.element == WIRE_BYTE;
    struct wire_span none = {NULL, 0};
    struct wire_span text = bytes ? wire_get_text(reader, index) : none;
    struct wire_span data = bytes ? wire_get_data(reader, index) : none;
    for (size_t i = 0; i < text.size + (text.data != NULL) && !visit_full(v);
         i++) { /* and its NUL */
        v->values++;
        v->sum += ((const uint8_t *)text.data)[i];
    }
    for (size_t i = 0; i < data.size && !visit_full(v); i++) {
        v->values++;
        v->sum += ((const uint8_t *)data.data)[i];
    }
    switch (object.kind) {
    case WIRE_OBJECT_STRUCT:
        v->objects++;
        visit_struct(v, wire_list_get_struct(object.list, 0));
        break;
    case WIRE_OBJECT_LIST:
        visit_list(v, object.list);
        break;
    default:
        v->sum += object.capability + wire_get_capability(reader, index);
    }
}

static inline void visit_struct(struct visit *v, struct wire_reader reader)
{
    for (uint32_t i = 0; i * 64 < reader.data_bits && !visit_full(v); i++) {
        v->values++;
        v->sum +=
            wire_get_u64(reader, i) + wire_get_u32(reader, 2 * i) + wire_get_u16(reader, 4 * i);
        v->sum += wire_get_u8(reader, 8 * i) + wire_get_bool(reader, 64 * i);
    }
    for (uint32_t i = 0; i < reader.pointer_count && !visit_full(v); i++) {
        visit_pointer(v, reader, i);
    }
}
