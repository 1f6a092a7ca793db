/* See random_schema.h. */
#include "tests/prop/wire/random_schema.h"

#define STRUCTS_MAX 6

struct writer {
    struct random *r;
    FILE *out;
    bool defaults;
    unsigned struct_count;
    unsigned ordinal; /* of the struct that is being written */
    unsigned name;    /* makes names differ */
};

static const char *const scalars[] = {
    "Void",   "Bool",   "Int8",   "Int16",   "Int32",   "Int64",  "UInt8",
    "UInt16", "UInt32", "UInt64", "Float32", "Float64", "Colour", "Root.Inner",
};

static const char *const words[] = {
    "size", "dataValue", "int", "aB", "http", "xYZ", "return", "isOld", "default", "v6Address",
};

static void write_type(struct writer *w, unsigned depth)
{
    unsigned kind = (unsigned)random_below(w->r, depth < 3 ? 10 : 8);
    if (kind < 5) {
        fputs(scalars[random_below(w->r, sizeof(scalars) / sizeof(scalars[0]))], w->out);
    } else if (kind == 5) {
        fputs("Text", w->out);
    } else if (kind == 6) {
        fputs("Data", w->out);
    } else if (kind == 7) {
        unsigned i = (unsigned)random_below(w->r, w->struct_count);
        if (i == 0) {
            fputs("Root", w->out);
        } else {
            fprintf(w->out, "S%u", i);
        }
    } else {
        fputs("List(", w->out);
        write_type(w, depth + 1);
        fputs(")", w->out);
    }
}

/* A scalar or text with a default of its own. */
static void write_defaulted(struct writer *w)
{
    unsigned value = (unsigned)random_below(w->r, 128);
    switch (random_below(w->r, 9)) {
    case 0:
        fputs("Bool = true", w->out);
        break;
    case 1:
        fprintf(w->out, "Int8 = -%u", value);
        break;
    case 2:
        fprintf(w->out, "UInt16 = %u", value * 511);
        break;
    case 3:
        fprintf(w->out, "Int32 = -%u", value * 16777216);
        break;
    case 4:
        fprintf(w->out, "UInt64 = %llu", ~(unsigned long long)value);
        break;
    case 5:
        fprintf(w->out, "Float32 = -%u.25", value);
        break;
    case 6:
        fprintf(w->out, "Float64 = %u.5", value);
        break;
    case 7:
        fputs("Colour = paleBlue", w->out);
        break;
    default:
        fprintf(w->out, "Text = \"default \\\"%u\\\"\"", value);
    }
}

static const char *next_name(struct writer *w, char name[64])
{
    const char *word = words[random_below(w->r, sizeof(words) / sizeof(words[0]))];
    snprintf(name, 64, "%s%u", word, w->name++);
    return name;
}

static void write_field(struct writer *w, bool plain)
{
    char name[64];
    fprintf(w->out, "  %s @%u :", next_name(w, name), w->ordinal++);
    if (plain) {
        fputs(scalars[random_below(w->r, sizeof(scalars) / sizeof(scalars[0]))], w->out);
    } else if (w->defaults && random_chance(w->r, 3)) {
        write_defaulted(w);
    } else {
        write_type(w, 0);
    }
    fputs(";\n", w->out);
}

static void write_members(struct writer *w, unsigned depth);

static void write_union(struct writer *w, unsigned depth)
{
    char name[64];
    if (depth > 0 || random_chance(w->r, 2)) {
        fprintf(w->out, "  %s :union {\n", next_name(w, name));
    } else {
        fputs("  union {\n", w->out);
    }
    write_field(w, true);
    for (uint64_t i = random_below(w->r, 5) + 1; i > 0; i--) {
        if (depth < 2 && random_chance(w->r, 4)) {
            fprintf(w->out, "  %s :group {\n", next_name(w, name));
            write_members(w, depth + 1);
            fputs("  }\n", w->out);
        } else {
            write_field(w, false);
        }
    }
    fputs("  }\n", w->out);
}

/* At least one field; unions and groups among them. */
static void write_members(struct writer *w, unsigned depth)
{
    char name[64];
    bool has_union = false;
    write_field(w, false);
    for (uint64_t i = random_below(w->r, depth == 0 ? 12 : 4); i > 0; i--) {
        switch (random_below(w->r, depth < 2 ? 8 : 6)) {
        case 7:
            fprintf(w->out, "  %s :group {\n", next_name(w, name));
            write_members(w, depth + 1);
            fputs("  }\n", w->out);
            break;
        case 6:
            if (!has_union) {
                write_union(w, depth);
            }
            has_union = true; /* an unnamed one may be there once */
            break;
        default:
            write_field(w, false);
        }
    }
}

void random_schema(struct random *r, FILE *out, bool defaults)
{
    struct writer w = {r, out, defaults, (unsigned)random_below(r, STRUCTS_MAX) + 1, 0, 0};
    fprintf(out, "@0x%016llx;\n", (unsigned long long)(random_next(r) | 1ull << 63));
    fputs("enum Colour { red @0; green @1; paleBlue @2; }\n", out);
    for (unsigned i = 0; i < w.struct_count; i++) {
        w.ordinal = 0;
        if (i == 0) {
            fputs("struct Root {\n  enum Inner { one @0; twoThree @1; }\n", out);
        } else {
            fprintf(out, "struct S%u {\n", i);
        }
        if (i == 0 || !random_chance(r, 8)) { /* else it has no members at all */
            write_members(&w, 0);
        }
        fputs("}\n", out);
    }
}
