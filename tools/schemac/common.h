/* How types of the schema are spelled in C: shared by the generators. */
#pragma once

#include "tools/schemac/model.h"

/* The C type of a getter's result or a setter's argument: "uint32_t", "struct wire_span" ... */
const char *c_type(const struct type *type);

/* The size code of a list's elements, as an enumerator of wire.h. */
const char *element_code(const struct type *element);

/* The part of getters' and setters' names that says how wide the value is: "u16", "bool" ...
 * NULL for types that have no bits of their own. */
const char *width_name(const struct type *type);

/* The type as the schema writes it: "List(Text)". */
const char *schema_type(const struct type *type);

/* A constant or default as a C expression. */
const char *c_constant(const struct type *type, const struct value *value);

/* In a union with the schema's own names: whether a field is one of its members. */
static inline bool in_union(const struct field *field)
{
    return field->discriminant != FIELD_NO_DISCRIMINANT;
}

/* What $bound says of a parameter: a number, or bytes; 0: nothing. abi/gen/interfaces.h has it
 * under the name. */
uint64_t bound_of(const struct field *field);
const char *bound_name(const struct node *interface, const struct method *method,
                       const struct field *field);
