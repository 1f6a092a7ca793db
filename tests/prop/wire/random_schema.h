/* Schemas that nobody would write: random types, unions, groups, defaults and nesting. */
#pragma once

#include <stdio.h>

#include "tests/lib/test.h"

/* Writes a schema whose first struct is Root. With `defaults`, fields have default values that are
 * not zero. */
void random_schema(struct random *r, FILE *out, bool defaults);
