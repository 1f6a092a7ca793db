/* The compiled schema as the generators see it: nodes with their C names, fields with their types.
 *
 * The model is built once, never changed after, and never freed: the program runs for milliseconds.
 * Whatever is wrong with the input ends it with a message. */
#pragma once

#include <stdio.h>

#include "tools/schemac/request.h"

struct node;

struct type {
    enum type_kind kind;
    bool is_capability;         /* an interface, or an AnyPointer declared as Capability */
    const struct type *element; /* of a list */
    const struct node *node;    /* of an enum, struct or interface */
};

struct value {
    uint64_t bits;
    struct wire_span bytes;     /* text or data */
    struct wire_reader pointed; /* a struct */
};

struct annotation {
    uint64_t id;
    const char *name; /* as declared: "kernel", "grant" … */
    struct value value;
};

struct annotations {
    const struct annotation *items;
    uint32_t count;
};

struct field {
    const char *name;  /* camelCase */
    const char *stem;  /* snake_case */
    const char *upper; /* SNAKE_CASE */
    const char *doc;   /* "" if there is none */
    struct annotations annotations;
    uint16_t discriminant; /* FIELD_NO_DISCRIMINANT if it is not in a union */
    uint32_t offset;       /* in units of its size; of a pointer: its index */
    struct type type;
    bool has_default;         /* one that the schema states */
    struct value initial;     /* the default value */
    const struct node *group; /* or NULL */
};

struct method {
    const char *name;
    const char *stem;
    const char *upper;
    const char *doc;
    struct annotations annotations;
    const struct node *params;
    const struct node *results;
};

struct enumerant {
    const char *name;
    const char *upper;
    const char *doc;
};

struct node {
    uint64_t id;
    uint64_t scope;
    enum node_kind kind;
    const char *name;  /* as declared */
    const char *title; /* as one would say it: "Timer.now results" */
    const char *stem;  /* the C name, with those of its parents */
    const char *upper;
    const char *doc;
    struct annotations annotations;
    struct wire_reader raw;

    struct node **nested;
    uint32_t nested_count;

    struct field *fields;
    uint32_t field_count;
    uint16_t data_words, pointer_count;
    uint16_t discriminant_count;
    uint32_t discriminant_offset;
    bool is_group;

    struct method *methods;
    uint32_t method_count;

    struct enumerant *enumerants;
    uint32_t enumerant_count;

    struct type const_type;
    struct value const_value;
};

struct schema {
    struct node *nodes;
    uint32_t node_count;
    const struct node *file; /* the one that is generated for */
    const char *source;      /* its path, for the headers of the output */
};

/* Reads a whole CodeGeneratorRequest. */
const struct schema *model_load(FILE *input, const char *source);

/* The annotation of this name, or NULL. */
const struct annotation *annotation_find(struct annotations annotations, const char *name);
bool has_annotation(struct annotations annotations, const char *name);

/* Whether a value of the type lies in the pointer section. */
bool type_is_pointer(const struct type *type);

/* All declarations of the schema in their order, parents before their children: calls `visit` for
 * each node below the file. Param and result structs of methods and groups come after their owner.
 */
void model_visit(const struct schema *schema, void (*visit)(void *context, const struct node *node),
                 void *context);

/* The same for one declaration and what is in it. */
void model_visit_below(const struct node *node,
                       void (*visit)(void *context, const struct node *node), void *context);

/* A field of a struct value by name, for annotations that are structs. */
struct wire_span struct_text(const struct node *type, struct wire_reader value, const char *name);
bool struct_bool(const struct node *type, struct wire_reader value, const char *name);
const struct node *node_by_name(const struct schema *schema, const char *name);
