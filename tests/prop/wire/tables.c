/* See tables.h. */
#include "tests/prop/wire/tables.h"

#include "tools/schemac/text.h"

struct known {
    const struct node *node;
    struct wire_struct_info info;
    struct known *next;
};

static struct known *all;

static const struct wire_enum_info *enum_of(const struct node *node)
{
    struct wire_enum_info *info = allocate(1, sizeof(*info));
    const char **names = allocate(node->enumerant_count, sizeof(*names));
    for (uint32_t i = 0; i < node->enumerant_count; i++) {
        names[i] = node->enumerants[i].name;
    }
    *info = (struct wire_enum_info){node->name, names, node->enumerant_count};
    return info;
}

static void fill(struct wire_field_info *info, const struct field *field)
{
    const struct type *type = &field->type;
    info->name = field->name;
    info->discriminant = field->discriminant;
    if (field->group != NULL) {
        info->kind = WIRE_KIND_STRUCT;
        info->is_group = true;
        info->structure = table_of(field->group);
        return;
    }
    for (; type->kind == TYPE_LIST; type = type->element) {
        info->lists++;
    }
    info->kind = (uint8_t)type->kind; /* the same order */
    info->offset = field->offset;
    info->mask = field->initial.bits;
    if (type->kind == TYPE_STRUCT) {
        info->structure = table_of(type->node);
    } else if (type->kind == TYPE_ENUM) {
        info->enumeration = enum_of(type->node);
    }
}

const struct wire_struct_info *table_of(const struct node *node)
{
    for (struct known *known = all; known != NULL; known = known->next) {
        if (known->node == node) {
            return &known->info;
        }
    }
    struct known *known = allocate(1, sizeof(*known));
    struct wire_field_info *fields = allocate(node->field_count, sizeof(*fields));
    *known = (struct known){node, {node->name, fields, (uint16_t)node->field_count, false, 0}, all};
    known->info.has_union = node->discriminant_count != 0;
    known->info.discriminant_offset = node->discriminant_offset;
    all = known; /* before the fields: one may be of this struct */
    for (uint32_t i = 0; i < node->field_count; i++) {
        fill(&fields[i], &node->fields[i]);
    }
    return &known->info;
}
