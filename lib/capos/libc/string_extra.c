/*
 * string_extra.c: what C23 added to string.h. It is apart from string.c so that a C17 program may
 * define these names itself.
 */
#include <stdlib.h>
#include <string.h>

char *strndup(const char *text, size_t limit)
{
    const char *end = memchr(text, 0, limit);
    size_t length = end != NULL ? (size_t)(end - text) : limit;
    char *block = malloc(length + 1);
    if (block != NULL) {
        memcpy(block, text, length);
        block[length] = 0;
    }
    return block;
}

char *strdup(const char *text)
{
    size_t size_bytes = strlen(text) + 1;
    char *block = malloc(size_bytes);
    return block != NULL ? memcpy(block, text, size_bytes) : NULL;
}

void *memccpy(void *restrict to, const void *restrict from, int byte, size_t size_bytes)
{
    const char *hit = memchr(from, byte, size_bytes);
    size_t count = hit != NULL ? (size_t)(hit - (const char *)from) + 1 : size_bytes;
    memcpy(to, from, count);
    return hit != NULL ? (char *)to + count : NULL;
}
