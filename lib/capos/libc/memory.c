/*
 * memory.c: the mem functions of string.h. They are what everything else stands on, so they move 16
 * bytes an instruction and treat the ends with overlapping accesses instead of loops. memcpy allows
 * overlap here: both copies load an end before they store what might cover it, and nothing is
 * gained by doing less.
 *
 * This file is compiled so that the compiler does not turn its loops into calls of the very
 * functions it defines.
 */
#include "lib/capos/libc/vector.h"
#include <string.h>

static inline void copy_up_to_32(char *to, const char *from, size_t size_bytes)
{
    if (size_bytes >= 16) {
        vector_unaligned_t head = *(const vector_unaligned_t *)from;
        vector_unaligned_t tail = *(const vector_unaligned_t *)(from + size_bytes - 16);
        *(vector_unaligned_t *)to = head;
        *(vector_unaligned_t *)(to + size_bytes - 16) = tail;
    } else if (size_bytes >= 8) {
        word_unaligned_t head = *(const word_unaligned_t *)from;
        word_unaligned_t tail = *(const word_unaligned_t *)(from + size_bytes - 8);
        *(word_unaligned_t *)to = head;
        *(word_unaligned_t *)(to + size_bytes - 8) = tail;
    } else if (size_bytes >= 4) {
        half_unaligned_t head = *(const half_unaligned_t *)from;
        half_unaligned_t tail = *(const half_unaligned_t *)(from + size_bytes - 4);
        *(half_unaligned_t *)to = head;
        *(half_unaligned_t *)(to + size_bytes - 4) = tail;
    } else if (size_bytes >= 2) {
        pair_unaligned_t head = *(const pair_unaligned_t *)from;
        pair_unaligned_t tail = *(const pair_unaligned_t *)(from + size_bytes - 2);
        *(pair_unaligned_t *)to = head;
        *(pair_unaligned_t *)(to + size_bytes - 2) = tail;
    } else if (size_bytes == 1) {
        *to = *from;
    }
}

struct block64 {
    vector_t part[4];
};

static inline struct block64 load64(const char *from)
{
    const vector_unaligned_t *v = (const vector_unaligned_t *)from;
    return (struct block64){{v[0], v[1], v[2], v[3]}};
}

static inline void store64(char *to, struct block64 block)
{
    vector_unaligned_t *v = (vector_unaligned_t *)to;
    v[0] = block.part[0];
    v[1] = block.part[1];
    v[2] = block.part[2];
    v[3] = block.part[3];
}

static inline void *copy(void *to_bytes, const void *from_bytes, size_t size_bytes)
{
    char *to = to_bytes;
    const char *from = from_bytes;
    if (size_bytes <= 32) {
        copy_up_to_32(to, from, size_bytes);
        return to;
    }
    if (size_bytes < 64) {
        const vector_unaligned_t *head = (const vector_unaligned_t *)from;
        const vector_unaligned_t *tail = (const vector_unaligned_t *)(from + size_bytes - 32);
        struct block64 block = {{head[0], head[1], tail[0], tail[1]}};
        ((vector_unaligned_t *)to)[0] = block.part[0];
        ((vector_unaligned_t *)to)[1] = block.part[1];
        ((vector_unaligned_t *)(to + size_bytes - 32))[0] = block.part[2];
        ((vector_unaligned_t *)(to + size_bytes - 32))[1] = block.part[3];
        return to;
    }
    size_t last = size_bytes - 64;
    if ((uintptr_t)to - (uintptr_t)from >= size_bytes) {
        struct block64 tail = load64(from + last);
        for (size_t i = 0; i < last; i += 64) {
            store64(to + i, load64(from + i));
        }
        store64(to + last, tail);
    } else {
        struct block64 head = load64(from);
        for (size_t i = last; i < size_bytes && i != 0; i = i > 64 ? i - 64 : 0) {
            store64(to + i, load64(from + i));
        }
        store64(to, head);
    }
    return to;
}

void *memmove(void *to, const void *from, size_t size_bytes)
{
    return copy(to, from, size_bytes);
}

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes)
{
    return copy(to, from, size_bytes);
}

void *memset(void *to_bytes, int byte, size_t size_bytes)
{
    char *to = to_bytes;
    if (size_bytes < 16) {
        uint64_t word = (uint8_t)byte * UINT64_C(0x0101010101010101);
        if (size_bytes >= 8) {
            *(word_unaligned_t *)to = word;
            *(word_unaligned_t *)(to + size_bytes - 8) = word;
        } else if (size_bytes >= 4) {
            *(half_unaligned_t *)to = (uint32_t)word;
            *(half_unaligned_t *)(to + size_bytes - 4) = (uint32_t)word;
        } else {
            for (size_t i = 0; i < size_bytes; i++) {
                to[i] = (char)byte;
            }
        }
        return to;
    }
    vector_t fill = vector_of(byte);
    size_t last = size_bytes - 16;
    size_t i = 0;
    for (; i + 64 <= size_bytes; i += 64) {
        store64(to + i, (struct block64){{fill, fill, fill, fill}});
    }
    for (; i < last; i += 16) {
        *(vector_unaligned_t *)(to + i) = fill;
    }
    *(vector_unaligned_t *)(to + last) = fill;
    return to;
}

int memcmp(const void *left_bytes, const void *right_bytes, size_t size_bytes)
{
    const unsigned char *left = left_bytes;
    const unsigned char *right = right_bytes;
    size_t i = 0;
    for (; i + VECTOR_BYTES <= size_bytes; i += VECTOR_BYTES) {
        vector_t a = *(const vector_unaligned_t *)(left + i);
        vector_t b = *(const vector_unaligned_t *)(right + i);
        unsigned equal = vector_mask((vector_t)(a == b));
        if (equal != 0xffff) {
            i += (unsigned)__builtin_ctz(~equal);
            return left[i] - right[i];
        }
    }
    for (; i < size_bytes; i++) {
        if (left[i] != right[i]) {
            return left[i] - right[i];
        }
    }
    return 0;
}

READS_PAST_END void *memchr(const void *where, int byte, size_t size_bytes)
{
    if (size_bytes == 0) {
        return NULL;
    }
    unsigned skip = (uintptr_t)where % VECTOR_BYTES;
    const char *at = (const char *)where - skip;
    vector_t wanted = vector_of(byte);
    unsigned found = vector_mask((vector_t)(*(const vector_t *)at == wanted)) >> skip << skip;
    size_t seen = VECTOR_BYTES - skip;
    while (found == 0 && seen < size_bytes) {
        at += VECTOR_BYTES;
        found = vector_mask((vector_t)(*(const vector_t *)at == wanted));
        seen += VECTOR_BYTES;
    }
    if (found == 0) {
        return NULL;
    }
    const char *hit = at + __builtin_ctz(found);
    return (size_t)(hit - (const char *)where) < size_bytes ? (void *)(uintptr_t)hit : NULL;
}
