/* kernel/gen/dispatch.h and .c: what the kernel needs to hand a call to an object's handler, for
 * the interfaces that the schema marks $kernel; hosted.h and .c the same for those marked $hosted.
 *
 * A method with parameters is reached through a function that reads them from the message, refuses
 * what the schema rules out (a bad pointer, more than the $bound, a value that is none of its enum,
 * a capability of another interface), and hands them to the handler as arguments. */
#include "tools/schemac/client.h"
#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

/* At most so many: of a union not all are there. */
static uint32_t capability_count(const struct node *message)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        count += field->group != NULL ? capability_count(field->group) : field->type.is_capability;
    }
    return count;
}

static const char *fork_policy(const struct schema *schema, const struct node *node)
{
    const struct annotation *fork = annotation_find(node->annotations, "fork");
    const struct node *policy = node_by_name(schema, "ForkPolicy");
    if (fork == NULL || fork->value.bits >= policy->enumerant_count) {
        die("%s is an interface of the kernel and does not say what fork does with it",
            node->title);
    }
    return format("%s_%s", policy->upper, policy->enumerants[fork->value.bits].upper);
}

/* An interface of the kernel's own: then a handler gets the object itself. */
static bool is_kernel_object(const struct type *type)
{
    return type->is_capability && type->node != NULL
           && (has_annotation(type->node->annotations, "kernel")
               || has_annotation(type->node->annotations, "hosted"));
}

/* The machine has one object of the interface, which init is handed as its grant. */
static bool is_root(const struct node *node)
{
    return has_annotation(node->annotations, "kernel")
           && has_annotation(node->annotations, "grant");
}

/* The next field from *i on that says something, or NULL. */
static const struct field *next_argument(const struct node *params, uint32_t *i)
{
    while (*i < params->field_count && params->fields[*i].type.kind == TYPE_VOID) {
        ++*i;
    }
    return *i < params->field_count ? &params->fields[(*i)++] : NULL;
}

static bool has_arguments(const struct method *method)
{
    uint32_t i = 0;
    return next_argument(method->params, &i) != NULL;
}

static const char *argument_type(const struct type *type)
{
    return type->is_capability ? "struct object *" : format("%s ", c_type(type));
}

static void write_header(struct output *o, const struct node *node)
{
    output(o, "\n/* %s */\n", node->title);
    output(o, "extern const struct interface %s_interface;\n", node->stem);
    if (is_root(node)) {
        output(o, "extern struct object %s_object;\n", node->stem);
    }
    for (uint32_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        const char *arguments = "";
        const struct field *field;
        for (uint32_t j = 0; (field = next_argument(method->params, &j)) != NULL;) {
            arguments = format("%s, %s%s", arguments, argument_type(&field->type),
                               argument_name(node, field->stem));
        }
        output(o, "status_t %s_%s(const struct invocation *in%s);\n", node->stem, method->stem,
               arguments);
    }
}

static void write_argument(struct output *o, const struct method *method, const struct field *field,
                           const char *name)
{
    const char *read = format("%s_%s(in->params)", method->params->stem, field->stem);
    const char *type = argument_type(&field->type);
    if (is_kernel_object(&field->type)) {
        output(o, "    %s%s = call_sent_as(in->call, %s, &%s_class);\n", type, name, read,
               field->type.node->stem);
    } else if (field->type.is_capability) {
        output(o, "    %s%s = call_sent(in->call, %s);\n", type, name, read);
    } else {
        output(o, "    %s%s = %s;\n", type, name, read);
    }
}

static void write_refusal(struct output *o, const char *condition, const struct field *field,
                          const char *reason)
{
    output(o, "    if (%s) {\n", condition);
    output(o, "        return call_bad_argument(in->call, \"%s\", \"%s\");\n    }\n", field->name,
           reason);
}

static void write_check(struct output *o, const struct node *node, const struct method *method,
                        const struct field *field)
{
    const struct annotation *bound = annotation_find(field->annotations, "bound");
    const struct type *type = &field->type;
    const char *name = argument_name(node, field->stem);
    if (bound != NULL) {
        bool bytes = type->kind == TYPE_TEXT || type->kind == TYPE_DATA;
        write_refusal(o,
                      format("%s%s > %s", name, bytes ? ".size" : "",
                             bound_name(node, method, field)),
                      field, format("more than %s in one call", escaped(bound->value.bytes)));
    }
    if (type->kind == TYPE_ENUM) {
        write_refusal(o, format("(uint32_t)%s >= %s_COUNT", name, type->node->upper), field,
                      format("there is no such %s", field->name));
    }
    if (type->is_capability) {
        const char *wanted = is_kernel_object(type) ? type->node->name : "capability";
        write_refusal(o, format("%s == NULL", name), field, format("no %s was sent", wanted));
    }
}

static void write_decoder(struct output *o, const struct node *node, const struct method *method)
{
    const struct node *params = method->params;
    const char *arguments = "";
    const struct field *field;
    bool pointers = false;
    output(o, "\n");
    for (uint32_t i = 0; (field = next_argument(params, &i)) != NULL;) {
        if (is_kernel_object(&field->type)) {
            output(o, "extern const struct object_class %s_class;\n", field->type.node->stem);
        }
    }
    output(o, "static status_t decode_%s_%s(const struct invocation *in)\n{\n", node->stem,
           method->stem);
    for (uint32_t i = 0; (field = next_argument(params, &i)) != NULL;) {
        const char *name = argument_name(node, field->stem);
        write_argument(o, method, field, name);
        arguments = format("%s, %s", arguments, name);
        pointers = pointers || type_is_pointer(&field->type);
    }
    if (pointers) {
        output(o, "    if (in->params.message->error != WIRE_OK) {\n"
                  "        return STATUS_BAD_MESSAGE;\n    }\n");
    }
    for (uint32_t i = 0; (field = next_argument(params, &i)) != NULL;) {
        write_check(o, node, method, field);
    }
    output(o, "    return %s_%s(in%s);\n}\n", node->stem, method->stem, arguments);
}

static void write_method(struct output *o, const struct node *node, const struct method *method)
{
    output(o, "    [%s_METHOD_%s] = {\n", node->upper, method->upper);
    output(o, "        .name = \"%s\",\n", method->name);
    output(o, "        .handler = %s%s_%s,\n", has_arguments(method) ? "decode_" : "", node->stem,
           method->stem);
    output(o, "        .results_data_words = %s_DATA_WORDS,\n", method->results->upper);
    output(o, "        .results_pointer_words = %s_POINTER_WORDS,\n", method->results->upper);
    output(o, "        .result_capabilities = %u,\n", capability_count(method->results));
    bool is_short = method->results->pointer_count == 0 && method->results->data_words <= 1;
    output(o, "        .short_answer = %s,\n    },\n", is_short ? "true" : "false");
}

static void write_source(struct output *o, const struct schema *schema, const struct node *node)
{
    for (uint32_t i = 0; i < node->method_count; i++) {
        if (has_arguments(&node->methods[i])) {
            write_decoder(o, node, &node->methods[i]);
        }
    }
    if (node->method_count != 0) {
        output(o, "\nstatic const struct method %s_methods[] = {\n", node->stem);
        for (uint32_t i = 0; i < node->method_count; i++) {
            write_method(o, node, &node->methods[i]);
        }
        output(o, "};\n");
    }
    output(o, "\nconst struct interface %s_interface = {\n", node->stem);
    output(o, "    .id = %s_INTERFACE_ID,\n    .name = \"%s\",\n", node->upper, node->name);
    output(o, "    .method_count = %s_METHOD_COUNT,\n", node->upper);
    output(o, "    .fork = %s,\n", fork_policy(schema, node));
    if (node->method_count != 0) {
        output(o, "    .methods = %s_methods,\n", node->stem);
    }
    output(o, "};\n");
    if (is_root(node)) {
        output(o, "\nstruct object %s_object = {\n    .class = &(const struct object_class){\n",
               node->stem);
        output(o, "        .interface = &%s_interface,\n", node->stem);
        output(o, "        .destroy = object_never_released,\n"
                  "        .rebind = object_same_for_all,\n    },\n    .references = 1,\n};\n");
    }
}

/* Denial records name the grant that would have allowed what was refused. */
static void write_grants(struct output *header, struct output *source, const struct schema *schema)
{
    const struct node *type = node_by_name(schema, "Grant");
    output(header, "\n/* The --grant that hands out the interface; NULL: none does. */\n"
                   "const char *interface_grant(uint64_t interface_id);\n");
    output(source, "\nconst char *interface_grant(uint64_t interface_id)\n{\n"
                   "    switch (interface_id) {\n");
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        const struct node *node = schema->file->nested[i];
        const struct annotation *grant = annotation_find(node->annotations, "grant");
        if (grant != NULL) {
            output(source, "    case %s_INTERFACE_ID:\n        return \"%s\";\n", node->upper,
                   escaped(struct_text(type, grant->value.pointed, "name")));
        }
    }
    output(source, "    default:\n        return NULL;\n    }\n}\n");
}

static void write_interfaces(struct output *header, struct output *source, const char *stem,
                             const struct schema *schema, const char *mark)
{
    output(header, "#pragma once\n\n#include \"kernel/core/object.h\"\n");
    output(source, "#include \"kernel/gen/%s.h\"\n\n#include \"kernel/core/call.h\"\n"
                   "#include \"lib/wire/gen/messages.h\"\n#include \"lib/wire/gen/sizes.h\"\n",
           stem);
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        const struct node *node = schema->file->nested[i];
        if (node->kind == NODE_INTERFACE && has_annotation(node->annotations, mark)) {
            write_header(header, node);
            write_source(source, schema, node);
        }
    }
}

static void generate_kernel(const struct schema *schema)
{
    struct output *header = output_open("kernel/gen/dispatch.h");
    struct output *source = output_open("kernel/gen/dispatch.c");
    output_banner(header, schema,
                  "The kernel's interfaces and the prototypes of their handlers. A handler gets "
                  "what its method's message says, with the schema's bounds, enums and interfaces "
                  "checked, fills `results`, whose sizes are its method's, and returns a status; "
                  "STATUS_PENDING means that it has kept `call` and will finish it later "
                  "(kernel/core/call.h).");
    output_banner(source, schema, "The tables of the kernel's interfaces: methods by number.");
    write_interfaces(header, source, "dispatch", schema, "kernel");
    write_grants(header, source, schema);
    output_close(header);
    output_close(source);
}

static void generate_hosted(const struct schema *schema)
{
    struct output *header = output_open("kernel/gen/hosted.h");
    struct output *source = output_open("kernel/gen/hosted.c");
    output_banner(header, schema,
                  "The interfaces that only the linux machine's kernel has, because its host does "
                  "the work, and the prototypes of their handlers (kernel/gen/dispatch.h says the "
                  "rest).");
    output_banner(source, schema, "The tables of the hosted interfaces: methods by number.");
    write_interfaces(header, source, "hosted", schema, "hosted");
    output_close(header);
    output_close(source);
}

void generate_dispatch(const struct schema *schema)
{
    generate_kernel(schema);
    generate_hosted(schema);
}
