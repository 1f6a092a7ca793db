/* kernel/gen/dispatch.h and .c: what the kernel needs to hand a call to an object's handler, for
 * the interfaces that the schema marks $kernel; hosted.h and .c the same for those marked $hosted.
 */
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

static void write_header(struct output *o, const struct node *node)
{
    output(o, "\n/* %s */\n", node->title);
    output(o, "extern const struct interface %s_interface;\n", node->stem);
    for (uint32_t i = 0; i < node->method_count; i++) {
        output(o, "status_t %s_%s(const struct invocation *in);\n", node->stem,
               node->methods[i].stem);
    }
}

static void write_method(struct output *o, const struct node *node, const struct method *method)
{
    output(o, "    [%s_METHOD_%s] = {\n", node->upper, method->upper);
    output(o, "        .name = \"%s\",\n", method->name);
    output(o, "        .handler = %s_%s,\n", node->stem, method->stem);
    output(o, "        .results_data_words = %s_DATA_WORDS,\n", method->results->upper);
    output(o, "        .results_pointer_words = %s_POINTER_WORDS,\n", method->results->upper);
    output(o, "        .result_capabilities = %u,\n", capability_count(method->results));
    bool is_short = method->results->pointer_count == 0 && method->results->data_words <= 1;
    output(o, "        .short_answer = %s,\n    },\n", is_short ? "true" : "false");
}

static void write_source(struct output *o, const struct schema *schema, const struct node *node)
{
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

static void write_interfaces(struct output *header, struct output *source,
                             const struct schema *schema, const char *mark)
{
    output(header, "#pragma once\n\n#include \"kernel/core/object.h\"\n");
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
                  "The kernel's interfaces and the prototypes of their handlers. A handler fills "
                  "`results`, whose sizes are its method's, and returns a status; STATUS_PENDING "
                  "means that it has kept `call` and will finish it later (kernel/core/call.h).");
    output_banner(source, schema, "The tables of the kernel's interfaces: methods by number.");
    output(source, "#include \"kernel/gen/dispatch.h\"\n#include \"lib/wire/gen/sizes.h\"\n");
    write_interfaces(header, source, schema, "kernel");
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
    output(source, "#include \"kernel/gen/hosted.h\"\n#include \"lib/wire/gen/sizes.h\"\n");
    write_interfaces(header, source, schema, "hosted");
    output_close(header);
    output_close(source);
}

void generate_dispatch(const struct schema *schema)
{
    generate_kernel(schema);
    generate_hosted(schema);
}
