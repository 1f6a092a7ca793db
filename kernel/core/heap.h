/* A skew heap whose nodes lie in their owners: no allocation, so no wake-up path can fail. Used
 * for the run queues (by virtual finish time) and for timers (by deadline). Equal keys come out in
 * no particular order unless the key says so. */
#pragma once

#include "kernel/core/types.h"

struct heap_node {
    uint64_t key;
    struct heap_node *child[2], *parent;
};

struct heap {
    struct heap_node *root;
};

void heap_insert(struct heap *h, struct heap_node *n);
void heap_remove(struct heap *h, struct heap_node *n);
static inline struct heap_node *heap_first(const struct heap *h)
{
    return h->root;
}
