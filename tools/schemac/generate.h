/* The generators. Each writes its files below the output root and knows nothing of the others; what
 * several need is in common.h. */
#pragma once

#include "tools/schemac/model.h"

void generate_interfaces(const struct schema *schema); /* abi/gen/interfaces.h */
void generate_messages(const struct schema *schema);   /* lib/wire/gen */
void generate_dispatch(const struct schema *schema);   /* kernel/gen */
void generate_client(const struct schema *schema);     /* lib/capos/gen/client.h, .c */
void generate_server(const struct schema *schema);     /* lib/capos/gen/server.h, .c */
void generate_grants(const struct schema *schema);     /* tools/capos/gen */
void generate_docs(const struct schema *schema);       /* docs/objects */
void generate_names(const struct schema *schema);      /* lib/wire/gen/names.h, .c */
