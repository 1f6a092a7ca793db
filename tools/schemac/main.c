/* schemac: reads a compiled schema (the CodeGeneratorRequest that `capnp compile -o-` writes) on
 * standard input and writes everything that is generated from it into the source tree; with --plain
 * only what any schema can have: numbers, readers, builders and names. */
#include <stdio.h>
#include <string.h>

#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

int main(int argc, char **argv)
{
    const char *source = "schema/capos.capnp";
    bool plain = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--plain") == 0) {
            plain = true;
        } else if (i + 1 < argc && strcmp(argv[i], "--root") == 0) {
            output_set_root(argv[++i]);
        } else if (i + 1 < argc && strcmp(argv[i], "--source") == 0) {
            source = argv[++i];
        } else {
            fputs("usage: capnp compile -o- SCHEMA | schemac [--plain] [--root FOLDER] "
                  "[--source NAME]\n",
                  stderr);
            return 2;
        }
    }
    const struct schema *schema = model_load(stdin, source);
    generate_interfaces(schema);
    generate_messages(schema);
    generate_names(schema);
    if (plain) { /* a schema that does not have the annotations of ours */
        return 0;
    }
    generate_dispatch(schema);
    generate_client(schema);
    generate_server(schema);
    generate_grants(schema);
    generate_docs(schema);
    return 0;
}
