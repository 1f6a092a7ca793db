/* lib/capos/gen/client.h and .c: a C function for each method of each interface. Parameters are its
 * arguments, results a struct; lib/capos/invoke.h does the rest.
 *
 * For each method four functions: x (waits for the answer), x_submit and x_await (does not), x_take
 * (reads the results of a call that was built by hand). */
#include <string.h>

#include "abi/ring.h"
#include "tools/schemac/client.h"
#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

static bool is_flat(const struct node *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].group != NULL || in_union(&message->fields[i])) {
            return false;
        }
    }
    return true;
}

/* Whether a message has anything to say: void members say nothing. */
static bool is_empty(const struct node *message)
{
    for (uint32_t i = 0; i < message->field_count; i++) {
        if (message->fields[i].group != NULL || in_union(&message->fields[i])
            || message->fields[i].type.kind != TYPE_VOID) {
            return false;
        }
    }
    return true;
}

bool type_has_capability(const struct type *type, unsigned depth)
{
    if (type->kind == TYPE_LIST) {
        return type_has_capability(type->element, depth);
    }
    if (type->kind != TYPE_STRUCT) {
        return type->is_capability || type->kind == TYPE_ANY_POINTER;
    }
    for (uint32_t i = 0; i < type->node->field_count && depth > 0; i++) {
        const struct field *field = &type->node->fields[i];
        if (field->group == NULL && type_has_capability(&field->type, depth - 1)) {
            return true;
        }
    }
    return false;
}

/* Whether the caller must say which capabilities the indices in its lists and structs mean. */
static bool needs_transfers(const struct node *params)
{
    for (uint32_t i = 0; i < params->field_count; i++) {
        const struct type *type = &params->fields[i].type;
        if (!type->is_capability && type_has_capability(type, 8)) {
            return true;
        }
    }
    return !is_flat(params);
}

const char *argument_name(const struct node *interface, const char *name)
{
    static const char *const taken[] = {
        "auto",           "break",    "case",     "char",    "const",   "continue",
        "default",        "do",       "double",   "else",    "enum",    "extern",
        "float",          "for",      "goto",     "if",      "inline",  "int",
        "long",           "register", "restrict", "return",  "short",   "signed",
        "sizeof",         "static",   "struct",   "switch",  "typedef", "union",
        "unsigned",       "void",     "volatile", "while",   "bool",    "true",
        "false",          "call",     "params",   "results", "status",  "transfers",
        "transfer_count", "asm",      "NULL",     "message",
    };
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(name, taken[i]) == 0) {
            return format("%s_", name);
        }
    }
    return strcmp(name, interface->stem) == 0 ? format("%s_", name) : name;
}

/* ", uint64_t ns, const void *data, size_t data_size" */
static const char *arguments_of(const struct node *interface, const struct method *method)
{
    bool flat = is_flat(method->params);
    const char *list = flat ? "" : ", struct wire_reader params";
    for (uint32_t i = 0; flat && i < method->params->field_count; i++) {
        const struct field *field = &method->params->fields[i];
        const char *name = argument_name(interface, field->stem);
        if (field->type.kind == TYPE_TEXT || field->type.kind == TYPE_DATA) {
            list = format("%s, const %s *%s, size_t %s_size", list,
                          field->type.kind == TYPE_TEXT ? "char" : "void", name, name);
        } else if (field->type.kind != TYPE_VOID) {
            list = format("%s, %s %s", list,
                          field->type.is_capability ? "cap_t" : c_type(&field->type), name);
        }
    }
    if (needs_transfers(method->params)) {
        list = format("%s, const struct cap_transfer *transfers, size_t transfer_count", list);
    }
    return list;
}

/* The same arguments handed on: ", ns, data, data_size". */
static const char *names_of(const struct node *interface, const struct method *method)
{
    const char *list = is_flat(method->params) ? "" : ", params";
    for (uint32_t i = 0; i < method->params->field_count && is_flat(method->params); i++) {
        const struct field *field = &method->params->fields[i];
        const char *name = argument_name(interface, field->stem);
        if (field->type.kind == TYPE_TEXT || field->type.kind == TYPE_DATA) {
            list = format("%s, %s, %s_size", list, name, name);
        } else if (field->type.kind != TYPE_VOID) {
            list = format("%s, %s", list, name);
        }
    }
    return needs_transfers(method->params) ? format("%s, transfers, transfer_count", list) : list;
}

static const char *results_argument(const char *prefix, const struct method *method)
{
    return is_empty(method->results) ? "" : format(", struct %s_results *results", prefix);
}

static const char *prefix_of(const struct node *interface, const struct method *method)
{
    return format("capos_%s_%s", interface->stem, method->stem);
}

static void declare_results(struct output *o, const char *prefix, const struct node *results)
{
    if (is_empty(results)) {
        return;
    }
    output(o, "struct %s_results {\n", prefix);
    for (uint32_t i = 0; i < results->field_count; i++) {
        const struct field *field = &results->fields[i];
        if (field->group == NULL && !in_union(field) && field->type.kind != TYPE_VOID) {
            output_comment(o, 4, field->doc);
            output(o, "    %s %s;\n", field->type.is_capability ? "cap_t" : c_type(&field->type),
                   argument_name(results, field->stem));
        }
    }
    if (!is_flat(results)) {
        output(o, "    struct wire_reader message; /* for its unions and groups: %s_... */\n",
               results->stem);
    }
    output(o, "};\n");
}

static void declare(struct output *o, const struct node *interface, const struct method *method)
{
    const char *prefix = prefix_of(interface, method);
    const char *arguments = arguments_of(interface, method);
    const char *results = results_argument(prefix, method);
    output(o, "\n");
    output_comment(o, 0, format("%s.%s. %s", interface->title, method->name, method->doc));
    declare_results(o, prefix, method->results);
    output(o, "status_t %s(cap_t %s%s%s) CAPOS_MUST_CHECK;\n", prefix, interface->stem, arguments,
           results);
    output(o, "status_t %s_submit(struct capos_call *call, cap_t %s%s) CAPOS_MUST_CHECK;\n", prefix,
           interface->stem, arguments);
    output(o, "status_t %s_await(struct capos_call *call%s) CAPOS_MUST_CHECK;\n", prefix, results);
    if (results[0] != 0) {
        output(o, "void %s_take(struct capos_call *call%s);\n", prefix, results);
    }
}

static void put_field(struct output *o, const struct node *interface, const struct method *method,
                      const struct field *field)
{
    const char *stem = method->params->stem;
    const char *name = argument_name(interface, field->stem);
    if (field->type.kind == TYPE_VOID) {
        return;
    }
    output(o, "    %s_set_%s(params, ", stem, field->stem);
    if (field->type.kind == TYPE_TEXT || field->type.kind == TYPE_DATA) {
        output(o, "(struct wire_span){%s, %s_size});\n", name, name);
    } else if (field->type.is_capability) {
        output(o, "capos_send(call, %s, %s));\n", name,
               has_annotation(field->annotations, "move") ? "CAP_TRANSFER_MOVE"
                                                          : "CAP_TRANSFER_COPY");
    } else {
        output(o, "%s);\n", name);
    }
}

/* Whether it can be a short call: RING_FLAG_SHORT in abi/ring.h. The answer may be of any kind, but
 * brings no capability. */
static bool is_short(const struct method *method)
{
    for (uint32_t i = 0; i < method->results->field_count; i++) {
        const struct field *field = &method->results->fields[i];
        if (field->group == NULL && type_has_capability(&field->type, 8)) {
            return false;
        }
    }
    return is_flat(method->params) && method->params->pointer_count == 0
           && method->params->data_words <= RING_SHORT_WORDS_MAX;
}

/* The end of a call whose answer is in that record. */
static void define_end(struct output *o, const char *prefix, const struct method *method,
                       const char *status, const char *record)
{
    if (is_empty(method->results)) {
        output(o, "    return %s;\n}\n", status);
        return;
    }
    output(o, "    status_t status = %s;\n    if (status == STATUS_OK) {\n", status);
    output(o, "        %s_take(%s, results);\n    }\n    return status;\n}\n", prefix, record);
}

/* The end of a call that answered its record. */
static void define_status(struct output *o, const struct node *interface,
                          const struct method *method)
{
    if (!is_empty(method->results)) {
        output(o, "    if (call->status == 0) {\n        %s_take(call, results);\n    }\n",
               prefix_of(interface, method));
    }
    output(o, "    return (status_t)-call->status;\n}\n");
}

/* The parameters of a short call are built in two words of the caller's, so that the compiler sees
 * through it. */
static void define_short(struct output *o, const struct node *interface,
                         const struct method *method)
{
    uint32_t words = method->params->data_words;
    const char *values = words == 0 ? "0, 0" : words == 1 ? "words[0], 0" : "words[0], words[1]";
    if (words != 0) {
        output(o, "    wire_word words[%u] = {0};\n", words);
        output(o, "    struct wire_builder params = {NULL, words, %u, 0};\n", words);
    }
    for (uint32_t i = 0; i < method->params->field_count; i++) {
        put_field(o, interface, method, &method->params->fields[i]);
    }
    output(o, "    struct capos_call *call = capos_invoke_short(%s, %s_INTERFACE_ID,\n",
           interface->stem, interface->upper);
    output(o, "        CAPOS_SHORT(%s_METHOD_%s, %u), %s);\n", interface->upper, method->upper,
           words, values);
    define_status(o, interface, method);
}

/* The parameters that are one Data or one Text: that field. */
static const struct field *only_bytes(const struct method *method)
{
    const struct node *params = method->params;
    const struct field *field = params->fields;
    return is_flat(params) && params->field_count == 1
                   && (field->type.kind == TYPE_DATA || field->type.kind == TYPE_TEXT)
               ? field
               : NULL;
}

static void define_bytes(struct output *o, const struct node *interface,
                         const struct method *method)
{
    const struct field *field = only_bytes(method);
    const char *name = argument_name(interface, field->stem);
    const char *call = format("capos_invoke_bytes(%s, %s_INTERFACE_ID, %s_METHOD_%s%s%s, %s, "
                              "%s_size)",
                              interface->stem, interface->upper, interface->upper, method->upper,
                              field->type.kind == TYPE_TEXT ? " | CAPOS_TEXT" : "",
                              is_empty(method->results) ? " | CAPOS_NO_RESULTS" : "", name, name);
    define_end(o, prefix_of(interface, method), method, call, "capos_call_own()");
}

static void define_put(struct output *o, const struct node *interface, const struct method *method)
{
    const struct node *params = method->params;
    output(o, "\nstatic inline void %s_%s_put(struct capos_call *call%s)\n{\n", interface->stem,
           method->stem, arguments_of(interface, method));
    if (needs_transfers(params)) {
        output(o, "    capos_send_all(call, transfers, transfer_count);\n");
    }
    if (!is_flat(params)) {
        output(o, "    wire_message_set_root(&call->message, params);\n}\n");
        return;
    }
    output(o, "    %s%s_init(&call->message);\n",
           is_empty(params) ? "(void)" : "struct wire_builder params = ", params->stem);
    for (uint32_t i = 0; i < params->field_count; i++) {
        put_field(o, interface, method, &params->fields[i]);
    }
    output(o, "}\n");
}

static void define_take(struct output *o, const struct node *interface, const struct method *method)
{
    const struct node *results = method->results;
    const char *prefix = prefix_of(interface, method);
    if (is_empty(results)) {
        return;
    }
    output(o, "\nvoid %s_take(struct capos_call *call%s)\n{\n", prefix,
           results_argument(prefix, method));
    for (uint32_t i = 0; i < results->field_count; i++) {
        const struct field *field = &results->fields[i];
        const char *name = argument_name(results, field->stem);
        if (field->group != NULL || in_union(field) || field->type.kind == TYPE_VOID) {
            continue;
        }
        if (field->type.is_capability) {
            output(o, "    results->%s = capos_received(call, %s_%s(call->results));\n", name,
                   results->stem, field->stem);
        } else {
            output(o, "    results->%s = %s_%s(call->results);\n", name, results->stem,
                   field->stem);
        }
    }
    if (!is_flat(results)) {
        output(o, "    results->message = call->results;\n");
    }
    output(o, "}\n");
}

static void define(struct output *o, const struct node *interface, const struct method *method)
{
    const char *prefix = prefix_of(interface, method);
    const char *arguments = arguments_of(interface, method);
    const char *names = names_of(interface, method);
    const char *results = results_argument(prefix, method);
    const char *target = format("call, %s, %s_INTERFACE_ID, %s_METHOD_%s", interface->stem,
                                interface->upper, interface->upper, method->upper);
    define_put(o, interface, method);
    define_take(o, interface, method);
    output(o, "\nstatus_t %s(cap_t %s%s%s)\n{\n", prefix, interface->stem, arguments, results);
    if (is_short(method)) {
        define_short(o, interface, method);
    } else if (only_bytes(method) != NULL) {
        define_bytes(o, interface, method);
    } else {
        output(o, "    struct capos_call *call = capos_call_begin();\n");
        output(o, "    %s_%s_put(call%s);\n", interface->stem, method->stem, names);
        define_end(o, prefix, method,
                   format("capos_invoke(%s%s)", target,
                          is_empty(method->results) ? " | CAPOS_NO_RESULTS" : ""),
                   "call");
    }
    output(o, "\nstatus_t %s_submit(struct capos_call *call, cap_t %s%s)\n{\n", prefix,
           interface->stem, arguments);
    output(o, "    capos_call_reset(call);\n    %s_%s_put(call%s);\n", interface->stem,
           method->stem, names);
    output(o, "    return capos_submit(%s);\n}\n", target);
    output(o, "\nstatus_t %s_await(struct capos_call *call%s)\n{\n", prefix, results);
    define_end(o, prefix, method, "capos_await(call)", "call");
}

void generate_client(const struct schema *schema)
{
    struct output *header = output_open("lib/capos/gen/client.h");
    struct output *source = output_open("lib/capos/gen/client.c");
    output_banner(header, schema,
                  "Typed calls: capos_<interface>_<method>(capability, parameters, results) "
                  "answers the call's status and fills *results if it is STATUS_OK. Capabilities "
                  "in results belong to the caller; spans, readers and lists point into the "
                  "thread's reply buffer and are valid until its next call. _submit starts the "
                  "call in a record of the caller's, _await ends it, _take reads the results of "
                  "a call that was built by hand (lib/capos/invoke.h).");
    output(header, "#pragma once\n\n#include \"lib/capos/invoke.h\"\n");
    output_banner(source, schema, "Typed calls; see client.h.");
    output(source, "#include \"lib/capos/gen/client.h\"\n#include "
                   "\"lib/wire/gen/messages.h\"\n");
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        const struct node *node = schema->file->nested[i];
        for (uint32_t k = 0; node->kind == NODE_INTERFACE && k < node->method_count; k++) {
            declare(header, node, &node->methods[k]);
            define(source, node, &node->methods[k]);
        }
    }
    output_close(header);
    output_close(source);
}
