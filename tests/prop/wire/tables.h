/* The tables of lib/wire/describe.h for a schema that was only compiled now. */
#pragma once

#include "lib/wire/describe.h"
#include "tools/schemac/model.h"

/* The same struct gives the same table; never freed. */
const struct wire_struct_info *table_of(const struct node *node);
