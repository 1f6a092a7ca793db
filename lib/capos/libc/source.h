/*
 * source.h: characters one at a time, from a string or a stream, for scanf and strtod. Within
 * lib/capos/libc only.
 *
 * A character is fetched only when someone looks at it, so that a stream is never asked for more
 * than is needed. What was looked at and not taken is the caller's to put back. `left` is the field
 * width: at 0 the source seems to be at its end.
 */
#ifndef CAPOS_LIBC_SOURCE_H
#define CAPOS_LIBC_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#define SOURCE_END (-1)

struct source {
    int (*fetch)(struct source *source); /* the next character or SOURCE_END */
    void *from;
    bool looked; /* `current` was fetched and not taken */
    int current;
    size_t left;
    size_t taken; /* characters in all */
};

/* The next character, or SOURCE_END; it stays the next one. */
static inline int source_look(struct source *source)
{
    if (source->left == 0) {
        return SOURCE_END;
    }
    if (!source->looked) {
        source->current = source->fetch(source);
        source->looked = true;
    }
    return source->current;
}

/* Take the character that source_look has shown; not to be called at the end. */
static inline void source_take(struct source *source)
{
    source->looked = false;
    source->left--;
    source->taken++;
}

/* Start at `text`, which ends with a zero. */
void source_from_text(struct source *source, const char *text);

#endif
