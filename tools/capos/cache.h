/* Compiled programs, kept by what they were made of.
 *
 * An entry is a folder of the cache named by a hash of (source path, flags); it has `program.elf`
 * and `made-of`, a line for each file that went into it: size, time of change, path. An entry is
 * good while every line still holds. Entries appear whole, by rename; the oldest go when there are
 * many. */
#pragma once

#include "tools/image/base.h"

struct cache_entry {
    const char *folder;
    const char *fresh;  /* a folder of our own to build in, which becomes `folder` */
};

struct cache_entry cache_find(const char *source, const char *flags);
/* The path of the program, or NULL when the entry is not there or not good. */
const char *cache_program(const struct cache_entry *entry);
/* Makes the folder `fresh`. */
void cache_begin(struct cache_entry *entry);
/* What was built in `fresh` becomes the entry: made of the files that the compiler's dependency
 * file names, and of `library`. Returns the path of the program. */
const char *cache_commit(const struct cache_entry *entry, const char *dependencies,
                         const char *library);
/* The build failed. */
void cache_abandon(const struct cache_entry *entry);
