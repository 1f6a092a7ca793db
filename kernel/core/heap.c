/* Pairing heap (Fredman, Sedgewick, Sleator and Tarjan, 1986), two-pass variant, without recursion.
 *
 * Invariants: a node's key is not above those of its children; the root has no siblings and no
 * parent; `previous` of a first child is its parent, of any other child its left sibling; a node
 * outside of a heap has three NULL links. Insert is constant, remove is logarithmic, amortised.
 * Kernel lock held. */
#include "kernel/core/heap.h"

/* Both are roots, or NULL. The smaller one takes the other as its first child. */
static struct heap_node *merge(struct heap_node *a, struct heap_node *b)
{
    if (a == NULL) {
        return b;
    }
    if (b == NULL) {
        return a;
    }
    if (b->key < a->key) {
        struct heap_node *smaller = b;
        b = a;
        a = smaller;
    }
    b->next = a->child;
    b->previous = a;
    if (a->child != NULL) {
        a->child->previous = b;
    }
    a->child = b;
    return a;
}

/* Makes one heap of a list of siblings. First pass: pairs, left to right, stacked through `next`;
 * second pass: the stack is merged from its top. Each pass touches each sibling once. */
static struct heap_node *merge_siblings(struct heap_node *first)
{
    struct heap_node *stack = NULL;
    while (first != NULL) {
        struct heap_node *a = first;
        struct heap_node *b = a->next;
        first = b == NULL ? NULL : b->next;
        a->next = a->previous = NULL;
        if (b != NULL) {
            b->next = b->previous = NULL;
        }
        struct heap_node *pair = merge(a, b);
        pair->next = stack;
        stack = pair;
    }
    struct heap_node *root = NULL;
    while (stack != NULL) {
        struct heap_node *pair = stack;
        stack = pair->next;
        pair->next = NULL;
        root = merge(root, pair);
    }
    return root;
}

void heap_insert(struct heap *h, struct heap_node *n)
{
    KASSERT(n->child == NULL && n->next == NULL && n->previous == NULL && h->root != n);
    h->root = merge(h->root, n);
}

void heap_remove(struct heap *h, struct heap_node *n)
{
    struct heap_node *below = merge_siblings(n->child);
    n->child = NULL;
    if (n == h->root) {
        KASSERT(n->next == NULL && n->previous == NULL);
        h->root = below;
        return;
    }
    KASSERT(n->previous != NULL);
    bool first = n->previous->child == n;
    struct heap_node **place = first ? &n->previous->child : &n->previous->next;
    KASSERT(*place == n);
    *place = n->next;
    if (n->next != NULL) {
        n->next->previous = n->previous;
    }
    n->next = n->previous = NULL;
    h->root = merge(h->root, below);
}
