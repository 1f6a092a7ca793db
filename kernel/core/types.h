/* Words that the whole kernel shares: status, frame numbers, intrusive lists, asserts. No state. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/capability.h"
#include "abi/gen/interfaces.h"
#include "abi/limits.h"

/* The result of everything that may fail: a value of the schema's Status. Zero is success. */
typedef enum status status_t;
#define MUST_CHECK __attribute__((warn_unused_result))

/* Number of a page frame of physical memory. Frame 0 is never given out. */
typedef uint64_t frame_t;
#define FRAME_NONE ((frame_t)0)

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))
#define ALIGN_UP(n, to) (((n) + ((to)-1)) & ~((__typeof__(n))(to)-1))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define PAGES(bytes) (((bytes) + PAGE_SIZE - 1) >> PAGE_SHIFT)

/* Where the compiler guesses wrong what is common, and the paths are counted. */
#define LIKELY(condition) __builtin_expect(condition, 1)
#define UNLIKELY(condition) __builtin_expect(condition, 0)

static inline bool page_aligned(uint64_t n)
{
    return (n & (PAGE_SIZE - 1)) == 0;
}

/* A circular doubly linked list; a node that is in no list points at itself. */
struct list {
    struct list *next, *previous;
};

static inline void list_init(struct list *l)
{
    l->next = l->previous = l;
}

static inline bool list_empty(const struct list *l)
{
    return l->next == l;
}

static inline void list_append(struct list *l, struct list *node)
{
    node->next = l;
    node->previous = l->previous;
    l->previous->next = node;
    l->previous = node;
}

/* For a node that is put into a list again before anybody asks where it is. */
static inline void list_unlink(struct list *node)
{
    node->previous->next = node->next;
    node->next->previous = node->previous;
}

static inline void list_remove(struct list *node)
{
    list_unlink(node);
    list_init(node);
}

#define LIST_FIRST(l, type, member) CONTAINER_OF((l)->next, type, member)

/* Asserts stay in release builds. An assert is a programmer's error; no input of a user can
 * reach one. */
_Noreturn void panic(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define KASSERT(condition)                                                                         \
    ((condition) ? (void)0 : panic("%s:%d: assert failed: %s", __FILE__, __LINE__, #condition))
