/* Skew heap (Sleator and Tarjan, "Self-adjusting heaps", 1986), merged from the top down, so
 * without recursion.
 *
 * Invariants: a node's key is not above those of its children; the root has no parent; a node
 * outside of a heap has three NULL links. All is logarithmic, amortised. Kernel lock held. */
#include "kernel/core/heap.h"

/* Both are roots, or NULL. The smaller of the two stays above, and what is on its right goes on
 * with the other; its children change sides, which keeps the ways down short. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
    struct heap_node *root, *above = NULL, **place = &root;
    if (a == NULL || b == NULL) { /* the commonest case */
        return a != NULL ? a : b;
    }
    while (a != NULL && b != NULL) {
        struct heap_node *smaller = b->key < a->key ? b : a;
        b = smaller == a ? b : a;
        a = smaller->child[1];
        smaller->child[1] = smaller->child[0];
        smaller->parent = above;
        *place = above = smaller;
        place = &smaller->child[0];
    }
    *place = a != NULL ? a : b;
    if (*place != NULL) {
        (*place)->parent = above;
    }
    return root;
}

void heap_insert(struct heap *h, struct heap_node *n)
{
    KASSERT(n->child[0] == NULL && n->child[1] == NULL && n->parent == NULL && h->root != n);
    h->root = merge(h->root, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *above = n->parent;
    struct heap_node **place = above == NULL ? &h->root : &above->child[above->child[1] == n];
    KASSERT(*place == n);
    *place = merge(n->child[0], n->child[1]);
    if (*place != NULL) {
        (*place)->parent = above;
    }
    n->child[0] = n->child[1] = n->parent = NULL;
}
