/* lib/capos/gen/server.h and .c: for each interface a table of functions, which a service fills,
 * and a function that hands a request to the right one. */
#include "tools/schemac/client.h"
#include "tools/schemac/common.h"
#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

/* Such an answer is sent without a message. */
static bool has_nothing(const struct node *results)
{
    return results->data_words == 0 && results->pointer_count == 0;
}

static void declare(struct output *o, const struct node *node)
{
    output(o, "\n");
    output_comment(o, 0, format("%s. %s", node->title, node->doc));
    output(o, "struct capos_%s_server {\n", node->stem);
    for (uint32_t i = 0; i < node->method_count; i++) {
        output(o, "    status_t (*%s)(void *self, struct capos_request *request%s);\n",
               argument_name(node, node->methods[i].stem),
               has_nothing(node->methods[i].results) ? "" : ", struct wire_builder results");
    }
    output(o,
           "};\n\nstatus_t capos_%s_serve(const struct capos_%s_server *server, void *self, "
           "struct capos_request *request);\n",
           node->stem, node->stem);
}

static void define(struct output *o, const struct node *node)
{
    output(o,
           "\nstatus_t capos_%s_serve(const struct capos_%s_server *server, void *self, "
           "struct capos_request *request)\n{\n",
           node->stem, node->stem);
    output(o, "    switch (request->method) {\n");
    for (uint32_t i = 0; i < node->method_count; i++) {
        const struct method *method = &node->methods[i];
        const char *name = argument_name(node, method->stem);
        output(o, "    case %s_METHOD_%s:\n", node->upper, method->upper);
        output(o,
               "        if (server->%s == NULL) {\n            return STATUS_NOT_SUPPORTED;\n"
               "        }\n",
               name);
        output(o, "        return server->%s(self, request%s%s%s);\n", name,
               has_nothing(method->results) ? "" : ", ",
               has_nothing(method->results) ? "" : method->results->stem,
               has_nothing(method->results) ? "" : "_init(&request->reply)");
    }
    output(o, "    default:\n        return STATUS_UNKNOWN_METHOD;\n    }\n}\n");
}

void generate_server(const struct schema *schema)
{
    struct output *header = output_open("lib/capos/gen/server.h");
    struct output *source = output_open("lib/capos/gen/server.c");
    output_banner(header, schema,
                  "Serving an interface over an endpoint: a service fills the table of the "
                  "interface's methods and hands each request that it receives to "
                  "capos_<interface>_serve, which makes the root of the answer, if there are "
                  "results, and calls the method. Parameters are read from request->params. A "
                  "method that is not in the table answers notSupported.");
    output(header, "#pragma once\n\n#include \"lib/capos/serve.h\"\n");
    output_banner(source, schema, "From a method's number to the service's function.");
    output(source, "#include \"lib/capos/gen/server.h\"\n#include "
                   "\"lib/wire/gen/messages.h\"\n");
    for (uint32_t i = 0; i < schema->file->nested_count; i++) {
        const struct node *node = schema->file->nested[i];
        if (node->kind == NODE_INTERFACE && node->method_count != 0) {
            declare(header, node);
            define(source, node);
        }
    }
    output_close(header);
    output_close(source);
}
