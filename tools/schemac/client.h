/* What the generators of clients and servers share. */
#pragma once

#include "tools/schemac/model.h"

/* Whether a value of the type may hold a capability; looks `depth` structs deep. */
bool type_has_capability(const struct type *type, unsigned depth);

/* A field's name as a C parameter or member: not a keyword, nor a name that the stubs use. */
const char *argument_name(const struct node *interface, const char *name);
