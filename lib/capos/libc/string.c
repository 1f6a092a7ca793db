/*
 * string.c: the str functions of ISO C17. Length and search work on 16 bytes at a time (see
 * vector.h about reading past the end), the rest is built on them and on the mem functions.
 */
#include "lib/capos/libc/vector.h"
#include <string.h>

READS_PAST_END size_t strlen(const char *text)
{
    unsigned skip = (uintptr_t)text % VECTOR_BYTES;
    const char *at = text - skip;
    vector_t zero = {0};
    unsigned found = vector_mask((vector_t)(*(const vector_t *)at == zero)) >> skip << skip;
    while (found == 0) {
        at += VECTOR_BYTES;
        found = vector_mask((vector_t)(*(const vector_t *)at == zero));
    }
    return (size_t)(at + __builtin_ctz(found) - text);
}

/* The first of `byte` and the terminating zero. */
READS_PAST_END static const char *find_or_end(const char *text, int byte)
{
    unsigned skip = (uintptr_t)text % VECTOR_BYTES;
    const char *at = text - skip;
    vector_t zero = {0};
    vector_t wanted = vector_of(byte);
    vector_t v = *(const vector_t *)at;
    unsigned found = vector_mask((vector_t)((v == zero) | (v == wanted))) >> skip << skip;
    while (found == 0) {
        at += VECTOR_BYTES;
        v = *(const vector_t *)at;
        found = vector_mask((vector_t)((v == zero) | (v == wanted)));
    }
    return at + __builtin_ctz(found);
}

char *strchr(const char *text, int byte)
{
    const char *hit = find_or_end(text, byte);
    return *hit == (char)byte ? (char *)(uintptr_t)hit : NULL;
}

char *strrchr(const char *text, int byte)
{
    for (size_t i = strlen(text) + 1; i > 0; i--) {
        if (text[i - 1] == (char)byte) {
            return (char *)(uintptr_t)&text[i - 1];
        }
    }
    return NULL;
}

READS_PAST_END int strncmp(const char *left, const char *right, size_t limit)
{
    vector_t zero = {0};
    size_t i = 0;
    while (i < limit) {
        if (limit - i >= VECTOR_BYTES && vector_in_page(left + i) && vector_in_page(right + i)) {
            vector_t a = *(const vector_unaligned_t *)(left + i);
            vector_t b = *(const vector_unaligned_t *)(right + i);
            unsigned stop = vector_mask((vector_t)((a != b) | (a == zero)));
            if (stop == 0) {
                i += VECTOR_BYTES;
                continue;
            }
            i += (unsigned)__builtin_ctz(stop);
            return (unsigned char)left[i] - (unsigned char)right[i];
        }
        if (left[i] != right[i] || left[i] == 0) {
            return (unsigned char)left[i] - (unsigned char)right[i];
        }
        i++;
    }
    return 0;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strcoll(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

size_t strxfrm(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = strlen(from);
    if (length < limit) {
        memcpy(to, from, length + 1);
    }
    return length;
}

char *strcpy(char *restrict to, const char *restrict from)
{
    return memcpy(to, from, strlen(from) + 1);
}

/* The length of `text`, but no more than `limit`, of which no byte beyond is looked at. */
static size_t length_within(const char *text, size_t limit)
{
    const char *end = memchr(text, 0, limit);
    return end != NULL ? (size_t)(end - text) : limit;
}

char *strncpy(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = length_within(from, limit);
    memcpy(to, from, length);
    memset(to + length, 0, limit - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    strcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t limit)
{
    size_t length = length_within(from, limit);
    char *end = to + strlen(to);
    memcpy(end, from, length);
    end[length] = 0;
    return to;
}

struct byte_set {
    uint64_t bits[4];
};

static struct byte_set set_of(const char *members)
{
    struct byte_set set = {{0}};
    for (const unsigned char *m = (const unsigned char *)members; *m != 0; m++) {
        set.bits[*m / 64] |= UINT64_C(1) << *m % 64;
    }
    return set;
}

static bool set_has(const struct byte_set *set, unsigned char byte)
{
    return (set->bits[byte / 64] >> byte % 64 & 1) != 0;
}

size_t strspn(const char *text, const char *accept)
{
    struct byte_set set = set_of(accept);
    size_t i = 0;
    while (set_has(&set, (unsigned char)text[i])) {
        i++;
    }
    return i;
}

size_t strcspn(const char *text, const char *reject)
{
    struct byte_set set = set_of(reject);
    set.bits[0] |= 1;
    size_t i = 0;
    while (!set_has(&set, (unsigned char)text[i])) {
        i++;
    }
    return i;
}

char *strpbrk(const char *text, const char *accept)
{
    const char *hit = text + strcspn(text, accept);
    return *hit != 0 ? (char *)(uintptr_t)hit : NULL;
}

/*
 * Search by the bad-character rule (R. N. Horspool, "Practical fast searching in strings", 1980)
 * for patterns of two bytes and more: the shift depends on the text's byte under the pattern's end.
 */
char *strstr(const char *text, const char *pattern)
{
    size_t length = strlen(pattern);
    if (length == 0) {
        return (char *)(uintptr_t)text;
    }
    text = strchr(text, pattern[0]);
    if (text == NULL || length == 1) {
        return (char *)(uintptr_t)text;
    }
    size_t last = length - 1;
    uint8_t shift[256];
    memset(shift, last < 255 ? (int)length : 255, sizeof shift);
    for (size_t i = last > 254 ? last - 254 : 0; i < last; i++) {
        shift[(unsigned char)pattern[i]] = (uint8_t)(last - i);
    }
    const char *end = text + strlen(text);
    while ((size_t)(end - text) >= length) {
        if (text[last] == pattern[last] && memcmp(text, pattern, last) == 0) {
            return (char *)(uintptr_t)text;
        }
        text += shift[(unsigned char)text[last]];
    }
    return NULL;
}

/* Where the next strtok goes on. One for each thread: ISO C asks for nothing, and sharing it
 * would only do harm. */
static _Thread_local char *token_next;

char *strtok(char *restrict text, const char *restrict separators)
{
    char *start = text != NULL ? text : token_next;
    if (start == NULL) {
        return NULL;
    }
    start += strspn(start, separators);
    if (*start == 0) {
        token_next = NULL;
        return NULL;
    }
    char *end = start + strcspn(start, separators);
    token_next = *end != 0 ? end + 1 : NULL;
    *end = 0;
    return start;
}
