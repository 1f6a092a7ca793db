/* See model.h. Two passes over the nodes of the request: first all nodes with what they say of
 * themselves, then names and references, which may lead to any other node. */
#include <stdlib.h>
#include <string.h>

#include "tools/schemac/model.h"
#include "tools/schemac/text.h"

#define REQUEST_MAX (64 * 1024 * 1024)

static struct node *find_node(const struct schema *schema, uint64_t id)
{
    for (uint32_t i = 0; i < schema->node_count; i++) {
        if (schema->nodes[i].id == id) {
            return &schema->nodes[i];
        }
    }
    return NULL;
}

static const struct node *need_node(const struct schema *schema, uint64_t id)
{
    const struct node *node = find_node(schema, id);
    if (node == NULL) {
        die("the request refers to a node 0x%llx that it does not have", (unsigned long long)id);
    }
    return node;
}

/* The comment on node `id` itself (member -1) or on one of its members, in declaration order of
 * their ordinals. */
static const char *find_doc(struct wire_list infos, uint64_t id, int member)
{
    for (uint32_t i = 0; i < infos.count; i++) {
        struct wire_reader info = wire_list_get_struct(infos, i);
        if (request_id(info) != id) {
            continue;
        }
        if (member < 0) {
            return text_of(wire_get_text(info, SOURCE_INFO_DOC));
        }
        struct wire_list members = wire_get_list(info, SOURCE_INFO_MEMBERS, WIRE_COMPOSITE);
        return text_of(wire_get_text(wire_list_get_struct(members, (uint32_t)member), 0));
    }
    return "";
}

static struct type load_type(const struct schema *schema, struct wire_reader raw)
{
    struct type type = {.kind = type_which(raw)};
    switch (type.kind) {
    case TYPE_LIST: {
        struct type *element = allocate(1, sizeof(*element));
        *element = load_type(schema, wire_get_struct(raw, TYPE_ELEMENT));
        type.element = element;
        break;
    }
    case TYPE_INTERFACE:
        type.is_capability = true;
        type.node = need_node(schema, type_id(raw));
        break;
    case TYPE_ENUM:
    case TYPE_STRUCT:
        type.node = need_node(schema, type_id(raw));
        break;
    case TYPE_ANY_POINTER:
        if (type_is_parameter(raw)) {
            die("generic types are not supported");
        }
        type.is_capability = type_is_capability(raw);
        break;
    default:
        if (type.kind > TYPE_ANY_POINTER) {
            die("a type of unknown kind %d", type.kind);
        }
    }
    return type;
}

static struct value load_value(struct wire_reader raw)
{
    struct value value = {.bits = value_bits(raw)};
    switch (type_which(raw)) {
    case TYPE_TEXT:
        value.bytes = wire_get_text(raw, VALUE_POINTER);
        break;
    case TYPE_DATA:
        value.bytes = wire_get_data(raw, VALUE_POINTER);
        break;
    case TYPE_STRUCT:
        value.pointed = wire_get_struct(raw, VALUE_POINTER);
        break;
    default:
        break;
    }
    return value;
}

static struct annotations load_annotations(const struct schema *schema, struct wire_list raw)
{
    struct annotation *items = allocate(raw.count, sizeof(*items));
    for (uint32_t i = 0; i < raw.count; i++) {
        struct wire_reader item = wire_list_get_struct(raw, i);
        items[i].id = request_id(item);
        items[i].name = need_node(schema, items[i].id)->name;
        items[i].value = load_value(wire_get_struct(item, ANNOTATION_VALUE));
    }
    return (struct annotations){items, raw.count};
}

static void check_default(const struct node *node, const struct field *field)
{
    bool simple = !type_is_pointer(&field->type) || field->type.kind == TYPE_TEXT
                  || field->type.kind == TYPE_DATA;
    if (!simple && field->has_default) {
        die("%s.%s: a default for a struct or list is not supported", node->title, field->name);
    }
}

static void load_field(const struct schema *schema, const struct node *node, struct field *field,
                       struct wire_reader raw, const char *doc)
{
    field->name = text_of(wire_get_text(raw, FIELD_NAME));
    field->stem = snake_case(field->name);
    field->upper = upper_case(field->stem);
    field->doc = doc;
    field->annotations =
        load_annotations(schema, wire_get_list(raw, FIELD_ANNOTATIONS, WIRE_COMPOSITE));
    field->discriminant = field_discriminant(raw);
    if (field_is_group(raw)) {
        field->group = need_node(schema, field_group_id(raw));
    } else {
        field->offset = field_offset(raw);
        field->type = load_type(schema, wire_get_struct(raw, FIELD_TYPE));
        field->has_default = field_has_default(raw);
        field->initial = load_value(wire_get_struct(raw, FIELD_DEFAULT));
        check_default(node, field);
    }
}

static void load_struct(const struct schema *schema, struct node *node, struct wire_list infos)
{
    struct wire_list fields = wire_get_list(node->raw, NODE_FIELDS, WIRE_COMPOSITE);
    node->data_words = node_data_words(node->raw);
    node->pointer_count = node_pointer_count(node->raw);
    node->discriminant_count = node_discriminant_count(node->raw);
    node->discriminant_offset = node_discriminant_offset(node->raw);
    node->is_group = node_is_group(node->raw);
    node->field_count = fields.count;
    node->fields = allocate(fields.count, sizeof(*node->fields));
    for (uint32_t i = 0; i < fields.count; i++) {
        load_field(schema, node, &node->fields[i], wire_list_get_struct(fields, i),
                   find_doc(infos, node->id, (int)i));
    }
}

static void load_interface(const struct schema *schema, struct node *node, struct wire_list infos)
{
    struct wire_list methods = wire_get_list(node->raw, NODE_METHODS, WIRE_COMPOSITE);
    if (wire_get_list(node->raw, NODE_SUPERCLASSES, WIRE_COMPOSITE).count != 0) {
        die("%s: an interface that extends another is not supported", node->title);
    }
    node->method_count = methods.count;
    node->methods = allocate(methods.count, sizeof(*node->methods));
    for (uint32_t i = 0; i < methods.count; i++) {
        struct wire_reader raw = wire_list_get_struct(methods, i);
        struct method *method = &node->methods[i];
        method->name = text_of(wire_get_text(raw, FIELD_NAME));
        method->stem = snake_case(method->name);
        method->upper = upper_case(method->stem);
        method->doc = find_doc(infos, node->id, (int)i);
        method->annotations =
            load_annotations(schema, wire_get_list(raw, FIELD_ANNOTATIONS, WIRE_COMPOSITE));
        method->params = need_node(schema, method_params_id(raw));
        method->results = need_node(schema, method_results_id(raw));
    }
}

static void load_enum(struct node *node, struct wire_list infos)
{
    struct wire_list raw = wire_get_list(node->raw, NODE_ENUMERANTS, WIRE_COMPOSITE);
    node->enumerant_count = raw.count;
    node->enumerants = allocate(raw.count, sizeof(*node->enumerants));
    for (uint32_t i = 0; i < raw.count; i++) {
        struct enumerant *enumerant = &node->enumerants[i];
        enumerant->name = text_of(wire_get_text(wire_list_get_struct(raw, i), FIELD_NAME));
        enumerant->upper = upper_case(snake_case(enumerant->name));
        enumerant->doc = find_doc(infos, node->id, (int)i);
    }
}

static void name_node(struct node *node, const char *prefix, const char *stem, const char *title)
{
    node->stem = prefix[0] == 0 ? stem : format("%s_%s", prefix, stem);
    node->upper = upper_case(node->stem);
    node->title = title;
}

static const char *join_title(const struct node *parent, const char *name)
{
    return parent->kind == NODE_FILE ? name : format("%s.%s", parent->title, name);
}

/* Names what lies in `parent`, which has its own name already. */
static void name_children(const struct schema *schema, struct node *parent)
{
    struct wire_list nested = wire_get_list(parent->raw, NODE_NESTED, WIRE_COMPOSITE);
    parent->nested = allocate(nested.count, sizeof(struct node *));
    for (uint32_t i = 0; i < nested.count; i++) {
        struct node *child = find_node(schema, request_id(wire_list_get_struct(nested, i)));
        if (child == NULL) {
            continue; /* of an imported file, not used */
        }
        parent->nested[parent->nested_count++] = child;
        name_node(child, parent->stem, snake_case(child->name), join_title(parent, child->name));
        name_children(schema, child);
    }
}

/* Groups and the anonymous structs of methods are in nobody's list of nested nodes. */
static void name_groups(const struct schema *schema, struct node *node)
{
    for (uint32_t i = 0; i < node->field_count; i++) {
        const struct field *field = &node->fields[i];
        if (field->group != NULL) {
            struct node *group = find_node(schema, field->group->id);
            name_node(group, node->stem, field->stem, join_title(node, field->name));
            name_groups(schema, group);
        }
    }
}

static void name_message(const struct schema *schema, const struct node *interface,
                         const struct method *method, const struct node *message, const char *what)
{
    if (message->scope != 0) {
        return; /* a declared struct, with a name of its own */
    }
    struct node *node = find_node(schema, message->id);
    name_node(node, interface->stem, format("%s_%s", method->stem, what),
              format("%s.%s %s", interface->title, method->name, what));
    name_children(schema, node);
    name_groups(schema, node);
}

static void load_all(struct schema *schema, struct wire_list infos)
{
    for (uint32_t i = 0; i < schema->node_count; i++) {
        struct node *node = &schema->nodes[i];
        node->doc = find_doc(infos, node->id, -1);
        node->annotations =
            load_annotations(schema, wire_get_list(node->raw, NODE_ANNOTATIONS, WIRE_COMPOSITE));
        if (node->kind == NODE_STRUCT) {
            load_struct(schema, node, infos);
        } else if (node->kind == NODE_INTERFACE) {
            load_interface(schema, node, infos);
        } else if (node->kind == NODE_ENUM) {
            load_enum(node, infos);
        } else if (node->kind == NODE_CONST) {
            node->const_type = load_type(schema, wire_get_struct(node->raw, NODE_TYPE));
            node->const_value = load_value(wire_get_struct(node->raw, NODE_VALUE));
        }
    }
}

static void name_all(struct schema *schema)
{
    for (uint32_t i = 0; i < schema->node_count; i++) {
        if (schema->nodes[i].kind == NODE_FILE) {
            name_node(&schema->nodes[i], "", "", "");
            name_children(schema, &schema->nodes[i]);
        }
    }
    for (uint32_t i = 0; i < schema->node_count; i++) {
        struct node *node = &schema->nodes[i];
        if (node->kind == NODE_STRUCT && !node->is_group && node->stem != NULL) {
            name_groups(schema, node);
        }
        for (uint32_t k = 0; k < node->method_count; k++) {
            name_message(schema, node, &node->methods[k], node->methods[k].params, "params");
            name_message(schema, node, &node->methods[k], node->methods[k].results, "results");
        }
    }
}

static void load_nodes(struct schema *schema, struct wire_list nodes)
{
    schema->node_count = nodes.count;
    schema->nodes = allocate(nodes.count, sizeof(struct node));
    for (uint32_t i = 0; i < nodes.count; i++) {
        struct wire_reader raw = wire_list_get_struct(nodes, i);
        struct node *node = &schema->nodes[i];
        const char *display = text_of(wire_get_text(raw, NODE_DISPLAY_NAME));
        uint32_t prefix = node_prefix_length(raw);
        node->raw = raw;
        node->id = request_id(raw);
        node->scope = node_scope(raw);
        node->kind = node_which(raw);
        node->name = prefix <= strlen(display) ? display + prefix : display;
        node->title = node->name; /* until the whole is known */
        if (node_is_generic(raw)) {
            die("%s: generic types are not supported", display);
        }
    }
}

/* The bytes stay: texts and values of the model point into them. */
static struct wire_reader read_request(FILE *input)
{
    size_t room = 64 * 1024;
    size_t size = 0;
    char *bytes = malloc(room);
    struct wire_message *message = allocate(1, sizeof(*message));
    while (bytes != NULL && (size += fread(bytes + size, 1, room - size, input)) == room) {
        room *= 2;
        bytes = room > REQUEST_MAX ? NULL : realloc(bytes, room);
    }
    if (bytes == NULL || ferror(input)) {
        die("cannot read the request, or it is larger than %d bytes", REQUEST_MAX);
    }
    enum wire_error error = wire_message_open(message, bytes, size);
    if (error != WIRE_OK) {
        die("the input is not a CodeGeneratorRequest: %s", wire_error_name(error));
    }
    message->traversal_left = UINT64_MAX; /* find_doc walks the same list again and again */
    return wire_message_root(message);
}

const struct schema *model_load(FILE *input, const char *source)
{
    struct schema *schema = allocate(1, sizeof(*schema));
    struct wire_reader request = read_request(input);
    struct wire_list files = wire_get_list(request, REQUEST_FILES, WIRE_COMPOSITE);
    if (files.count != 1) {
        die("the request is for %u files instead of one", files.count);
    }
    load_nodes(schema, wire_get_list(request, REQUEST_NODES, WIRE_COMPOSITE));
    load_all(schema, wire_get_list(request, REQUEST_SOURCE_INFO, WIRE_COMPOSITE));
    name_all(schema);
    schema->file = need_node(schema, request_id(wire_list_get_struct(files, 0)));
    schema->source = source;
    if (request.message->error != WIRE_OK) {
        die("the request is damaged: %s", wire_error_name(request.message->error));
    }
    return schema;
}

const struct annotation *annotation_find(struct annotations annotations, const char *name)
{
    for (uint32_t i = 0; i < annotations.count; i++) {
        if (strcmp(annotations.items[i].name, name) == 0) {
            return &annotations.items[i];
        }
    }
    return NULL;
}

bool has_annotation(struct annotations annotations, const char *name)
{
    return annotation_find(annotations, name) != NULL;
}

bool type_is_pointer(const struct type *type)
{
    switch (type->kind) {
    case TYPE_TEXT:
    case TYPE_DATA:
    case TYPE_LIST:
    case TYPE_STRUCT:
    case TYPE_INTERFACE:
    case TYPE_ANY_POINTER:
        return true;
    default:
        return false;
    }
}

struct visitor {
    void (*visit)(void *context, const struct node *node);
    void *context;
};

static void visit_node(const struct visitor *visitor, const struct node *node)
{
    if (node->kind != NODE_FILE) {
        visitor->visit(visitor->context, node);
    }
    for (uint32_t i = 0; i < node->field_count; i++) {
        if (node->fields[i].group != NULL) {
            visit_node(visitor, node->fields[i].group);
        }
    }
    for (uint32_t i = 0; i < node->nested_count; i++) {
        visit_node(visitor, node->nested[i]);
    }
    for (uint32_t i = 0; i < node->method_count; i++) {
        if (node->methods[i].params->scope == 0) {
            visit_node(visitor, node->methods[i].params);
        }
        if (node->methods[i].results->scope == 0) {
            visit_node(visitor, node->methods[i].results);
        }
    }
}

void model_visit_below(const struct node *node,
                       void (*visit)(void *context, const struct node *node), void *context)
{
    visit_node(&(struct visitor){visit, context}, node);
}

void model_visit(const struct schema *schema, void (*visit)(void *context, const struct node *node),
                 void *context)
{
    visit_node(&(struct visitor){visit, context}, schema->file);
}

const struct node *node_by_name(const struct schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        if (strcmp(schema->file->nested[i]->name, name) == 0) {
            return schema->file->nested[i];
        }
    }
    die("the schema has no %s", name);
}

static const struct field *need_field(const struct node *type, const char *name)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        if (strcmp(type->fields[i].name, name) == 0) {
            return &type->fields[i];
        }
    }
    die("%s has no field %s", type->title, name);
}

struct wire_span struct_text(const struct node *type, struct wire_reader value, const char *name)
{
    return wire_get_text(value, need_field(type, name)->offset);
}

bool struct_bool(const struct node *type, struct wire_reader value, const char *name)
{
    return wire_get_bool(value, need_field(type, name)->offset);
}
