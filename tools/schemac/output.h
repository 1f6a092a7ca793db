/* One generated file: collected in memory, written when it is complete and differs from what is
 * there, so that unchanged headers do not make everything compile again. */
#pragma once

#include "tools/schemac/model.h"

struct output;

/* Where the output tree begins; "." unless told. */
void output_set_root(const char *root);

struct output *output_open(const char *path);
/* Adds text. Lines of C that get longer than 100 columns are broken at a comma or parenthesis. */
void output(struct output *output, const char *format, ...) __attribute__((format(printf, 2, 3)));
void output_close(struct output *output);

/* The first comment of a C file: that it is generated, and what it is. */
void output_banner(struct output *output, const struct schema *schema, const char *purpose);

/* A comment of the schema as a C comment, reflowed, indented by `indent`; nothing if it is empty.
 */
void output_comment(struct output *output, unsigned indent, const char *text);

/* Text reflowed to 100 columns, each line after `prefix`. */
void output_paragraph(struct output *output, const char *prefix, const char *text);
