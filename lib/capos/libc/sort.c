/*
 * sort.c: qsort and bsearch. qsort is a quicksort with the median of three as pivot that gives a
 * part over to heapsort when it has split too badly too often (D. R. Musser, "Introspective sorting
 * and selection algorithms", 1997), and insertion sort for short parts. So it never takes more than
 * n log n steps, allocates nothing, and its stack is bounded. It is not stable. A comparison that
 * contradicts itself gives some order but never an access outside the array.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_PART 12
#define SWAP_CHUNK 64

typedef int compare_t(const void *, const void *);

struct array {
    size_t size_bytes;
    compare_t *compare;
};

static void swap(const struct array *a, char *left, char *right)
{
    char chunk[SWAP_CHUNK];
    size_t left_over = a->size_bytes;
    while (left_over > 0) {
        size_t part = left_over < SWAP_CHUNK ? left_over : SWAP_CHUNK;
        memcpy(chunk, left, part);
        memmove(left, right, part);
        memcpy(right, chunk, part);
        left += part;
        right += part;
        left_over -= part;
    }
}

static void insertion_sort(const struct array *a, char *base, size_t count)
{
    char *end = base + count * a->size_bytes;
    for (char *next = base + a->size_bytes; next < end; next += a->size_bytes) {
        for (char *at = next; at > base && a->compare(at - a->size_bytes, at) > 0;
             at -= a->size_bytes) {
            swap(a, at - a->size_bytes, at);
        }
    }
}

static void sift_down(const struct array *a, char *base, size_t root, size_t count)
{
    for (;;) {
        size_t child = 2 * root + 1;
        if (child >= count) {
            return;
        }
        char *at = base + child * a->size_bytes;
        if (child + 1 < count && a->compare(at, at + a->size_bytes) < 0) {
            child++;
            at += a->size_bytes;
        }
        if (a->compare(base + root * a->size_bytes, at) >= 0) {
            return;
        }
        swap(a, base + root * a->size_bytes, at);
        root = child;
    }
}

static void heap_sort(const struct array *a, char *base, size_t count)
{
    for (size_t root = count / 2; root > 0; root--) {
        sift_down(a, base, root - 1, count);
    }
    for (size_t last = count - 1; last > 0; last--) {
        swap(a, base, base + last * a->size_bytes);
        sift_down(a, base, 0, last);
    }
}

/* Put the median of the first, middle and last element first. */
static void choose_pivot(const struct array *a, char *base, size_t count)
{
    char *middle = base + count / 2 * a->size_bytes;
    char *last = base + (count - 1) * a->size_bytes;
    if (a->compare(middle, last) > 0) {
        swap(a, middle, last);
    }
    if (a->compare(base, middle) < 0) {
        swap(a, base, middle);
    } else if (a->compare(base, last) > 0) {
        swap(a, base, last);
    }
}

/* Split around the first element; returns its new index. All before it are not greater, all
 * after it not less. */
static size_t partition(const struct array *a, char *base, size_t count)
{
    size_t low = 0;
    size_t high = count;
    for (;;) {
        do {
            low++;
        } while (low < count && a->compare(base + low * a->size_bytes, base) < 0);
        do {
            high--;
        } while (high > 0 && a->compare(base + high * a->size_bytes, base) > 0);
        if (low >= high) {
            break;
        }
        swap(a, base + low * a->size_bytes, base + high * a->size_bytes);
    }
    swap(a, base, base + high * a->size_bytes);
    return high;
}

static void sort(const struct array *a, char *base, size_t count, unsigned splits_left)
{
    while (count > SHORT_PART) {
        if (splits_left-- == 0) {
            heap_sort(a, base, count);
            return;
        }
        choose_pivot(a, base, count);
        size_t pivot = partition(a, base, count);
        char *above = base + (pivot + 1) * a->size_bytes;
        size_t above_count = count - pivot - 1;
        if (pivot < above_count) {
            sort(a, base, pivot, splits_left);
            base = above;
            count = above_count;
        } else {
            sort(a, above, above_count, splits_left);
            count = pivot;
        }
    }
    insertion_sort(a, base, count);
}

void qsort(void *base, size_t count, size_t size_bytes, compare_t *compare)
{
    struct array a = {size_bytes, compare};
    if (count < 2 || size_bytes == 0) {
        return;
    }
    unsigned log2 = 63 - (unsigned)__builtin_clzll(count);
    sort(&a, base, count, 2 * log2);
}

void *bsearch(const void *key, const void *base, size_t count, size_t size_bytes,
              compare_t *compare)
{
    const char *first = base;
    while (count > 0) {
        const char *middle = first + count / 2 * size_bytes;
        int order = compare(key, middle);
        if (order == 0) {
            return (void *)(uintptr_t)middle;
        }
        if (order > 0) {
            first = middle + size_bytes;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return NULL;
}
