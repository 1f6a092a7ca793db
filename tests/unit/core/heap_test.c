/* The heap against a plain array: random inserts and removals, all invariants after each
 * step. */
#include "kernel/core/heap.h"
#include "tests/lib/test.h"

#define NODES 200

static struct heap heap;
static struct heap_node nodes[NODES];
static bool inside[NODES];

/* Walks the tree without recursion and counts it; every link and every key is looked at. */
static uint32_t check_heap(void)
{
    uint32_t count = 0;
    struct heap_node *at = heap.root;
    CHECK(at == NULL || at->parent == NULL);
    struct heap_node *stack[NODES + 1];
    uint32_t depth = 0;
    if (at != NULL) {
        stack[depth++] = at;
    }
    while (depth > 0) {
        at = stack[--depth];
        CHECK(at >= nodes && at < nodes + NODES && inside[at - nodes]);
        count++;
        for (uint32_t side = 0; side < 2; side++) {
            struct heap_node *child = at->child[side];
            if (child != NULL) {
                CHECK(child->parent == at);
                CHECK(child->key >= at->key);
                CHECK(depth < NODES);
                stack[depth++] = child;
            }
        }
    }
    return count;
}

static const struct heap_node *smallest(void)
{
    const struct heap_node *best = NULL;
    for (uint32_t i = 0; i < NODES; i++) {
        if (inside[i] && (best == NULL || nodes[i].key < best->key)) {
            best = &nodes[i];
        }
    }
    return best;
}

static void insert(uint32_t i, uint64_t key)
{
    nodes[i].key = key;
    inside[i] = true;
    heap_insert(&heap, &nodes[i]);
}

static void take_out(uint32_t i)
{
    inside[i] = false;
    heap_remove(&heap, &nodes[i]);
    CHECK(nodes[i].child[0] == NULL && nodes[i].child[1] == NULL && nodes[i].parent == NULL);
}

TEST(heap_agrees_with_an_array)
{
    struct random r = {test_seed(1)};
    uint32_t count = 0;
    for (uint32_t step = 0; step < 20000; step++) {
        uint32_t i = (uint32_t)random_below(&r, NODES);
        if (inside[i]) {
            take_out(i);
            count--;
        } else {
            insert(i, random_chance(&r, 3) ? random_below(&r, 10) : random_next(&r));
            count++;
        }
        if (heap.root != NULL && random_chance(&r, 4)) {
            take_out((uint32_t)(heap_first(&heap) - nodes));
            count--;
        }
        CHECK_EQ(check_heap(), count);
        CHECK((heap.root == NULL) == (smallest() == NULL));
        CHECK(heap.root == NULL || heap_first(&heap)->key == smallest()->key);
    }
}

TEST(heap_sorts)
{
    struct random r = {test_seed(2)};
    for (uint32_t i = 0; i < NODES; i++) {
        insert(i, random_next(&r));
    }
    uint64_t last = 0;
    for (uint32_t i = 0; i < NODES; i++) {
        struct heap_node *first = heap_first(&heap);
        CHECK(first->key >= last);
        last = first->key;
        take_out((uint32_t)(first - nodes));
    }
    CHECK(heap.root == NULL);
}

TEST(heap_takes_ascending_and_descending_runs)
{
    for (uint32_t i = 0; i < NODES; i++) {
        insert(i, i);
    }
    for (uint32_t i = NODES; i > 0; i--) { /* the largest first: never the root until the last */
        take_out(i - 1);
        CHECK_EQ(check_heap(), i - 1);
    }
    for (uint32_t i = NODES; i > 0; i--) {
        insert(i - 1, i);
    }
    for (uint32_t i = 0; i < NODES; i++) {
        CHECK(heap_first(&heap) == &nodes[i]);
        take_out(i);
    }
}
