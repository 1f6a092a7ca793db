/* Printing messages by their schema: for tracers and for tests. The tables are generated
 * (lib/wire/gen/names.h) or made at run time from a compiled schema.
 *
 * The text is that of Cap'n Proto's own tools, on one line: (name = "x", sizes = [1, 2]). Nothing
 * is allocated and nothing recurses; the work is bounded by the room for the text, and hostile
 * messages print as readers see them. About 5 KiB of stack. */
#pragma once

#include "lib/wire/wire.h"

/* In the order of the schema language's own types. */
enum wire_kind {
    WIRE_KIND_VOID,
    WIRE_KIND_BOOL,
    WIRE_KIND_INT8,
    WIRE_KIND_INT16,
    WIRE_KIND_INT32,
    WIRE_KIND_INT64,
    WIRE_KIND_UINT8,
    WIRE_KIND_UINT16,
    WIRE_KIND_UINT32,
    WIRE_KIND_UINT64,
    WIRE_KIND_FLOAT32,
    WIRE_KIND_FLOAT64,
    WIRE_KIND_TEXT,
    WIRE_KIND_DATA,
    WIRE_KIND_LIST, /* of a field: not used, see `lists` */
    WIRE_KIND_ENUM,
    WIRE_KIND_STRUCT,
    WIRE_KIND_CAPABILITY,
    WIRE_KIND_ANY_POINTER,
};

struct wire_enum_info {
    const char *name;
    const char *const *names; /* by value */
    uint32_t count;
};

#define WIRE_NO_DISCRIMINANT 0xffff

struct wire_field_info {
    const char *name;
    uint8_t kind;          /* enum wire_kind, of the innermost elements if it is a list */
    uint8_t lists;         /* how many List( ) are around the kind */
    bool is_group;         /* kind is WIRE_KIND_STRUCT; lies in the same sections */
    uint16_t discriminant; /* or WIRE_NO_DISCRIMINANT */
    uint32_t offset;       /* in units of the value's size */
    uint64_t mask;         /* the default value's bits */
    const struct wire_struct_info *structure; /* of a struct or group */
    const struct wire_enum_info *enumeration;
};

struct wire_struct_info {
    const char *name;
    const struct wire_field_info *fields;
    uint16_t field_count;
    bool has_union;
    uint32_t discriminant_offset;
};

struct wire_method_info {
    const char *name;
    const struct wire_struct_info *params;
    const struct wire_struct_info *results;
};

struct wire_interface_info {
    uint64_t id;
    const char *name;
    const struct wire_method_info *methods;
    uint32_t method_count;
};

#define WIRE_FLOAT_TEXT_SIZE 40

struct wire_printer {
    char *buffer;
    size_t size;
    size_t length;     /* of the text so far, without its NUL */
    bool truncated;    /* the text ends with "..." */
    uint32_t data_max; /* bytes of one Data or Text that are printed; 0: all */
    uint32_t list_max; /* elements of one list that are printed; 0: all */
    /* Writes a float's text; NULL: its bits are printed. */
    void (*float_text)(char text[WIRE_FLOAT_TEXT_SIZE], uint64_t bits, bool is_double);
};

/* size is at least 8. */
void wire_printer_init(struct wire_printer *printer, char *buffer, size_t size);
void wire_print_text(struct wire_printer *printer, const char *text);
void wire_print_unsigned(struct wire_printer *printer, uint64_t value);
void wire_print_struct(struct wire_printer *printer, const struct wire_struct_info *info,
                       struct wire_reader reader);
