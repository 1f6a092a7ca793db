/* The tree of regions. See region_tree.h.
 *
 * An AVL tree (Adelson-Velsky and Landis, 1962). After a change somewhere, fix_up() goes from there
 * to the root, renews what each node knows of its subtree and rotates where the heights of two
 * children differ by two. A node knows the gap below itself, so it is renewed too where its
 * predecessor changes; each caller says why its way passes the successor. */
#include "kernel/core/region_tree.h"

static uint32_t height(const struct region *r)
{
    return r == NULL ? 0 : r->height;
}

static uint64_t gap_in(const struct region *r)
{
    return r == NULL ? 0 : r->gap;
}

static bool mapped(const struct region *r)
{
    return r->kind != REGION_RESERVED;
}

/* The free range right below r, as far as it lies at or above `from`: its size. */
static uint64_t room_below(const struct region *r, uint64_t from)
{
    uint64_t floor = r->previous == NULL ? USER_BASE : r->previous->end;
    KASSERT(floor <= r->start);
    floor = MAX(floor, from);
    return floor < r->start ? r->start - floor : 0;
}

static inline void learn(struct region *r, const struct region *child)
{
    if (child != NULL) {
        KASSERT(child->parent == r);
        r->gap = MAX(r->gap, child->gap);
        r->first_mapped = MIN(r->first_mapped, child->first_mapped);
        r->last_mapped = MAX(r->last_mapped, child->last_mapped);
        r->height = (uint8_t)MAX(r->height, child->height + 1);
    }
}

/* What a node knows of its subtree, anew. */
static void refresh(struct region *r)
{
    r->gap = room_below(r, 0);
    r->first_mapped = mapped(r) ? r->start : UINT64_MAX;
    r->last_mapped = mapped(r) ? r->end : 0;
    r->height = 1;
    learn(r, r->child[0]);
    learn(r, r->child[1]);
}

/* Puts `now` where `was` hangs. */
static void replace(struct region **root, const struct region *was, struct region *now)
{
    struct region *parent = was->parent;
    struct region **place = parent == NULL ? root : &parent->child[parent->child[1] == was];
    KASSERT(*place == was);
    *place = now;
    if (now != NULL) {
        now->parent = parent;
    }
}

/* r's child on that side takes its place, and r becomes its child on the other side. */
static struct region *rotate(struct region **root, struct region *r, bool side)
{
    struct region *up = r->child[side];
    struct region *inner = up->child[!side];
    replace(root, r, up);
    r->child[side] = inner;
    if (inner != NULL) {
        inner->parent = r;
    }
    up->child[!side] = r;
    r->parent = up;
    refresh(r);
    refresh(up);
    return up;
}

static void fix_up(struct region **root, struct region *r)
{
    for (; r != NULL; r = r->parent) {
        refresh(r);
        bool high = height(r->child[1]) > height(r->child[0]); /* the side that may be too high */
        uint32_t low = height(r->child[!high]);
        KASSERT(height(r->child[high]) <= low + 2);
        if (height(r->child[high]) == low + 2) {
            struct region *child = r->child[high];
            if (height(child->child[high]) < height(child->child[!high])) {
                rotate(root, child, !high);
            }
            r = rotate(root, r, high);
        }
    }
}

struct region *region_tree_at_or_after(struct region *root, uint64_t address)
{
    struct region *best = NULL;
    while (root != NULL) {
        if (address >= root->end) {
            root = root->child[1];
        } else {
            best = root;
            root = address < root->start ? root->child[0] : NULL;
        }
    }
    return best;
}

void region_tree_attach(struct region **root, struct region *parent, bool above, struct region *r)
{
    r->child[0] = r->child[1] = r->previous = r->next = NULL;
    r->parent = parent;
    if (parent == NULL) {
        *root = r;
        return;
    }
    KASSERT(parent->child[above] == NULL);
    parent->child[above] = r;
    r->previous = above ? parent : parent->previous;
    r->next = above ? parent->next : parent;
    if (r->previous != NULL) {
        r->previous->next = r;
    }
    if (r->next != NULL) {
        r->next->previous = r;
    }
}

void region_tree_insert(struct region **root, struct region *r)
{
    KASSERT(r->start < r->end && page_aligned(r->start) && page_aligned(r->end));
    KASSERT(r->start >= USER_BASE && r->end <= USER_END);
    struct region *parent = NULL;
    bool above = false;
    for (struct region *at = *root; at != NULL; at = at->child[above]) {
        KASSERT(r->end <= at->start || r->start >= at->end);
        parent = at;
        above = r->start > at->start;
    }
    region_tree_attach(root, parent, above, r);
    fix_up(root, r); /* the successor of a leaf is above it */
}

void region_tree_remove(struct region **root, struct region *r)
{
    struct region *from; /* the lowest node whose subtree changes */
    if (r->previous != NULL) {
        r->previous->next = r->next;
    }
    if (r->next != NULL) {
        r->next->previous = r->previous;
    }
    if (r->child[0] != NULL && r->child[1] != NULL) {
        /* The next region, which has no child below it, takes the place. */
        struct region *heir = r->next;
        KASSERT(heir != NULL && heir->child[0] == NULL);
        from = heir->parent == r ? heir : heir->parent;
        replace(root, heir, heir->child[1]);
        replace(root, r, heir);
        for (uint32_t side = 0; side < 2; side++) {
            heir->child[side] = r->child[side];
            if (heir->child[side] != NULL) {
                heir->child[side]->parent = heir;
            }
        }
    } else {
        /* The only child, which may be the successor; if not, the successor is above. */
        struct region *child = r->child[r->child[0] == NULL];
        from = child != NULL ? child : r->parent;
        replace(root, r, child);
    }
    fix_up(root, from);
}

void region_tree_changed(struct region **root, struct region *r)
{
    KASSERT(r->start < r->end && page_aligned(r->start) && page_aligned(r->end));
    /* The successor is below r, or above it. */
    fix_up(root, r->child[1] != NULL ? r->next : r);
}

uint64_t region_tree_gap(const struct region *root, uint64_t from, uint64_t size)
{
    KASSERT(page_aligned(from) && page_aligned(size) && size > 0);
    if (from < USER_BASE || from > USER_END || size > USER_END - from) {
        return 0;
    }
    /* On the way to `from`: the last region above it that has the room below it or in the subtree
     * above it. The later ones are the lower ones. */
    const struct region *best = NULL;
    for (const struct region *r = root; r != NULL; r = r->child[r->end <= from]) {
        if (r->end > from && (room_below(r, from) >= size || gap_in(r->child[1]) >= size)) {
            best = r;
        }
    }
    if (best != NULL && room_below(best, from) < size) {
        best = best->child[1];
        while (gap_in(best->child[0]) >= size || room_below(best, from) < size) {
            best = best->child[gap_in(best->child[0]) < size];
            KASSERT(best != NULL);
        }
    }
    if (best != NULL) {
        return best->start - room_below(best, from);
    }
    uint64_t end = from; /* above which there is no region */
    for (; root != NULL; root = root->child[1]) {
        end = MAX(end, root->end);
    }
    return size <= USER_END - end ? end : 0;
}

uint64_t region_tree_mapped_below(const struct region *root, uint64_t address)
{
    uint64_t best = 0;
    while (root != NULL) {
        if (root->start >= address) {
            root = root->child[0];
            continue;
        }
        KASSERT(!mapped(root) || root->end <= address);
        uint64_t in_subtree = root->child[0] != NULL ? root->child[0]->last_mapped : 0;
        best = MAX(best, mapped(root) ? root->end : in_subtree);
        root = root->child[1];
    }
    return best;
}

uint64_t region_tree_mapped_above(const struct region *root, uint64_t address)
{
    uint64_t best = UINT64_MAX;
    while (root != NULL) {
        if (root->end <= address) {
            root = root->child[1];
            continue;
        }
        KASSERT(!mapped(root) || root->start >= address);
        uint64_t in_subtree = root->child[1] != NULL ? root->child[1]->first_mapped : UINT64_MAX;
        best = MIN(best, mapped(root) ? root->start : in_subtree);
        root = root->child[0];
    }
    return best;
}
