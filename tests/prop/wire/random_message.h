/* A random message of a struct of any schema, made in three ways at once: with the builder, as the
 * text that Cap'n Proto's own tools write for it, and as C code that makes and checks the same
 * message with the functions that schemac generates. */
#pragma once

#include <stdio.h>

#include "tests/lib/test.h"
#include "tools/schemac/model.h"

struct random_message {
    struct random *r;
    FILE *text;
    FILE *build_code; /* statements; NULL: no code is wanted */
    FILE *check_code;
    unsigned variables; /* of the code so far */
};

/* Fills the root of `builder`. */
void random_message(struct random_message *m, const struct node *root,
                    struct wire_message_builder *builder);
