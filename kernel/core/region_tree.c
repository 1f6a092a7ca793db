/* The tree of regions. See region_tree.h.
 *
 * An AVL tree (Adelson-Velsky and Landis, 1962). After a change somewhere, fix_up() goes from there
 * to the root, renews what each node knows of its subtree and rotates where the heights of two
 * children differ by two. */
#include "kernel/core/region_tree.h"

static uint32_t height(const struct region *r)
{
    return r == NULL ? 0 : r->height;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* What a node knows of its subtree, from its children. */
static void refresh(struct region *r)
{
    const struct region *left = r->left, *right = r->right;
    bool mapped = r->kind != REGION_RESERVED;
    r->first = r->start;
    r->last = r->end;
    r->gap = 0;
    r->first_mapped = mapped ? r->start : UINT64_MAX;
    r->last_mapped = mapped ? r->end : 0;
    r->height = 1;
    if (left != NULL) {
        KASSERT(left->last <= r->start && left->parent == r);
        r->first = left->first;
        r->gap = larger(left->gap, r->start - left->last);
        r->first_mapped =
            left->first_mapped < r->first_mapped ? left->first_mapped : r->first_mapped;
        r->last_mapped = larger(r->last_mapped, left->last_mapped);
        r->height = (uint8_t)(left->height + 1);
    }
    if (right != NULL) {
        KASSERT(right->first >= r->end && right->parent == r);
        r->last = right->last;
        r->gap = larger(r->gap, larger(right->gap, right->first - r->end));
        r->first_mapped =
            right->first_mapped < r->first_mapped ? right->first_mapped : r->first_mapped;
        r->last_mapped = larger(r->last_mapped, right->last_mapped);
        r->height = (uint8_t)larger(r->height, right->height + 1u);
    }
}

/* Puts `now` where `was` hangs. */
static void replace(struct region **root, const struct region *was, struct region *now)
{
    struct region *parent = was->parent;
    if (parent == NULL) {
        *root = now;
    } else if (parent->left == was) {
        parent->left = now;
    } else {
        KASSERT(parent->right == was);
        parent->right = now;
    }
    if (now != NULL) {
        now->parent = parent;
    }
}

/* `up`, a child of r, takes its place, and r becomes its child on the other side. */
static struct region *rotate(struct region **root, struct region *r, struct region *up)
{
    bool from_left = r->left == up;
    struct region **hole = from_left ? &r->left : &r->right;
    struct region **inner = from_left ? &up->right : &up->left;
    replace(root, r, up);
    *hole = *inner;
    if (*hole != NULL) {
        (*hole)->parent = r;
    }
    *inner = r;
    r->parent = up;
    refresh(r);
    refresh(up);
    return up;
}

static void fix_up(struct region **root, struct region *r)
{
    for (; r != NULL; r = r->parent) {
        refresh(r);
        uint32_t left = height(r->left), right = height(r->right);
        KASSERT(left <= right + 2 && right <= left + 2);
        if (left > right + 1) {
            if (height(r->left->left) < height(r->left->right)) {
                rotate(root, r->left, r->left->right);
            }
            r = rotate(root, r, r->left);
        } else if (right > left + 1) {
            if (height(r->right->right) < height(r->right->left)) {
                rotate(root, r->right, r->right->left);
            }
            r = rotate(root, r, r->right);
        }
    }
}

struct region *region_tree_at_or_after(struct region *root, uint64_t address)
{
    struct region *best = NULL;
    while (root != NULL) {
        if (address < root->end) {
            best = root;
            root = address < root->start ? root->left : NULL;
        } else {
            root = root->right;
        }
    }
    return best;
}

struct region *region_tree_find(struct region *root, uint64_t address)
{
    while (root != NULL) {
        if (address < root->start) {
            root = root->left;
        } else if (address < root->end) {
            return root;
        } else {
            root = root->right;
        }
    }
    return NULL;
}

struct region *region_tree_next(struct region *r)
{
    if (r->right != NULL) {
        r = r->right;
        while (r->left != NULL) {
            r = r->left;
        }
        return r;
    }
    while (r->parent != NULL && r == r->parent->right) {
        r = r->parent;
    }
    return r->parent;
}

void region_tree_insert(struct region **root, struct region *r)
{
    KASSERT(r->start < r->end && page_aligned(r->start) && page_aligned(r->end));
    KASSERT(r->start >= USER_BASE && r->end <= USER_END);
    struct region *parent = NULL, **link = root;
    while (*link != NULL) {
        parent = *link;
        KASSERT(r->end <= parent->start || r->start >= parent->end);
        link = r->start < parent->start ? &parent->left : &parent->right;
    }
    r->left = r->right = NULL;
    r->parent = parent;
    *link = r;
    fix_up(root, r);
}

void region_tree_remove(struct region **root, struct region *r)
{
    struct region *from; /* the lowest node whose subtree changes */
    if (r->left != NULL && r->right != NULL) {
        /* The next region, which has no left child, takes the place. */
        struct region *heir = region_tree_next(r);
        KASSERT(heir != NULL && heir->left == NULL);
        from = heir->parent == r ? heir : heir->parent;
        replace(root, heir, heir->right);
        replace(root, r, heir);
        heir->left = r->left;
        heir->left->parent = heir;
        heir->right = r->right;
        if (heir->right != NULL) {
            heir->right->parent = heir;
        }
    } else {
        from = r->parent;
        replace(root, r, r->left != NULL ? r->left : r->right);
    }
    r->left = r->right = r->parent = NULL;
    fix_up(root, from);
}

void region_tree_change(struct region **root, struct region *r, uint64_t start, uint64_t end,
                        enum region_kind kind)
{
    KASSERT(start < end && page_aligned(start) && page_aligned(end));
    r->start = start;
    r->end = end;
    r->kind = (uint8_t)kind;
    fix_up(root, r);
}

/* The lowest gap of this size between two regions of a subtree that has one. */
static uint64_t first_gap_inside(const struct region *r, uint64_t size)
{
    KASSERT(r->gap >= size);
    for (;;) {
        if (r->left != NULL && r->left->gap >= size) {
            r = r->left;
        } else if (r->left != NULL && r->start - r->left->last >= size) {
            return r->left->last;
        } else if (r->right != NULL && r->right->first - r->end >= size) {
            return r->end;
        } else {
            r = r->right;
            KASSERT(r != NULL && r->gap >= size);
        }
    }
}

uint64_t region_tree_gap(struct region *root, uint64_t from, uint64_t size)
{
    KASSERT(page_aligned(from) && page_aligned(size) && size > 0);
    if (from < USER_BASE || from > USER_END || size > USER_END - from) {
        return 0;
    }
    const struct region *r = region_tree_at_or_after(root, from);
    if (r == NULL || (r->start > from && r->start - from >= size)) {
        return from;
    }
    for (;;) {
        /* No gap up to r's end. Next come the gaps in r's right subtree, then the one above it. */
        uint64_t end = r->end;
        if (r->right != NULL) {
            if (r->right->first - r->end >= size) {
                return r->end;
            }
            if (r->right->gap >= size) {
                return first_gap_inside(r->right, size);
            }
            end = r->right->last;
        }
        while (r->parent != NULL && r == r->parent->right) {
            r = r->parent;
        }
        r = r->parent;
        if (r == NULL) {
            return size <= USER_END - end ? end : 0;
        }
        if (r->start - end >= size) {
            return end;
        }
    }
}

uint64_t region_tree_mapped_below(const struct region *root, uint64_t address)
{
    uint64_t best = 0;
    while (root != NULL) {
        if (root->start < address) {
            uint64_t here = root->left != NULL ? root->left->last_mapped : 0;
            if (root->kind != REGION_RESERVED) {
                KASSERT(root->end <= address);
                here = root->end;
            }
            best = larger(best, here);
            root = root->right;
        } else {
            root = root->left;
        }
    }
    return best;
}

uint64_t region_tree_mapped_above(const struct region *root, uint64_t address)
{
    uint64_t best = UINT64_MAX;
    while (root != NULL) {
        if (root->end > address) {
            uint64_t here = root->right != NULL ? root->right->first_mapped : UINT64_MAX;
            if (root->kind != REGION_RESERVED) {
                KASSERT(root->start >= address);
                here = root->start;
            }
            best = here < best ? here : best;
            root = root->left;
        } else {
            root = root->right;
        }
    }
    return best;
}

struct region *region_tree_take_leaf(struct region *r, struct region **next)
{
    while (r->left != NULL || r->right != NULL) {
        r = r->left != NULL ? r->left : r->right;
    }
    *next = r->parent;
    if (r->parent != NULL) {
        *(r->parent->left == r ? &r->parent->left : &r->parent->right) = NULL;
    }
    return r;
}
