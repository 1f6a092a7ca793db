/* schemac: reads a compiled schema (the CodeGeneratorRequest that `capnp compile -o-` writes) on
 * standard input and writes everything that is generated from it into the source tree. */
#include <stdio.h>
#include <string.h>

#include "tools/schemac/generate.h"
#include "tools/schemac/output.h"
#include "tools/schemac/text.h"

int main(int argc, char **argv)
{
    const char *source = "schema/capos.capnp";
    for (int i = 1; i < argc; i += 2) {
        if (i + 1 < argc && strcmp(argv[i], "--root") == 0) {
            output_set_root(argv[i + 1]);
        } else if (i + 1 < argc && strcmp(argv[i], "--source") == 0) {
            source = argv[i + 1];
        } else {
            fputs("usage: capnp compile -o- SCHEMA | schemac [--root FOLDER] [--source NAME]\n",
                  stderr);
            return 2;
        }
    }
    const struct schema *schema = model_load(stdin, source);
    generate_interfaces(schema);
    generate_messages(schema);
    generate_dispatch(schema);
    generate_client(schema);
    generate_server(schema);
    generate_grants(schema);
    generate_names(schema);
    generate_docs(schema);
    return 0;
}
