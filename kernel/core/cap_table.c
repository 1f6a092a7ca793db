/* The capability table of a process. See cap_table.h.
 *
 * An index has three parts: directory (3 bits), page (9 bits), slot (8 bits). The first page has
 * its place in the table itself, so that a small process pays for it and for nothing else.
 *
 * A slot's generation is the one that it has (live, reserved, in transit) or will have next
 * (free). So an id with a lower generation was given out once, and one with a higher never was.
 * A page of retired slots comes back only when the frontier has reached the end of the table.
 *
 * Invariants: slots below the frontier are on the free list, in use, or retired; slot 0 is
 * retired from the start; `live` is the number of slots in use, and as many are charged to the
 * account, one more if charge_kept. Kernel lock held by every caller. */
#include "kernel/core/cap_table.h"

#include "kernel/core/endpoint.h"
#include "kernel/core/kmem.h"

#define PAGES_PER_DIRECTORY 512u
#define SLOTS_PER_DIRECTORY (CAP_SLOTS_PER_PAGE * PAGES_PER_DIRECTORY)
#define SLOTS_MAX (1u << CAP_SLOT_BITS)

_Static_assert(sizeof(struct cap_slot) * CAP_SLOTS_PER_PAGE == PAGE_SIZE, "a page is a page");
_Static_assert(SLOTS_PER_DIRECTORY * CAP_TABLE_DIRECTORIES == SLOTS_MAX,
               "the directories cover all slots");

#define PAGE_OF(index) ((index) / CAP_SLOTS_PER_PAGE)

/* NULL: its directory is not there. */
static struct cap_slot **page_place(struct cap_table *t, uint32_t index)
{
    KASSERT(index < SLOTS_MAX);
    if (index < CAP_SLOTS_PER_PAGE) {
        return &t->first;
    }
    struct cap_slot **directory = t->directory[index / SLOTS_PER_DIRECTORY];
    return directory == NULL ? NULL : &directory[PAGE_OF(index) % PAGES_PER_DIRECTORY];
}

/* NULL: its page is all retired. The index is below the frontier. */
static inline struct cap_slot *slot_at(const struct cap_table *t, uint32_t index)
{
    if (index < CAP_SLOTS_PER_PAGE) {
        return t->first == NULL ? NULL : &t->first[index];
    }
    struct cap_slot *page =
        t->directory[index / SLOTS_PER_DIRECTORY][PAGE_OF(index) % PAGES_PER_DIRECTORY];
    return page == NULL ? NULL : &page[index % CAP_SLOTS_PER_PAGE];
}

/* One slot's charge: the one that cap_table_vacate() has kept, or a new one. */
static inline status_t charge_slot(struct cap_table *t)
{
    if (t->charge_kept) {
        t->charge_kept = false;
        return STATUS_OK;
    }
    return ledger_charge(t->account, LEDGER_SLOTS, 1);
}

/* A slot that an operation holds by its id: there is nothing to check but ourselves. */
static struct cap_slot *slot_of(const struct cap_table *t, cap_id_t id, enum cap_slot_state state)
{
    uint32_t index = id & CAP_SLOT_MASK;
    KASSERT(index < t->frontier);
    struct cap_slot *slot = slot_at(t, index);
    KASSERT(slot != NULL && slot->tag == CAP_SLOT_TAG(state, id >> CAP_SLOT_BITS));
    return slot;
}

static void push_free(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
    slot->state = SLOT_FREE;
    slot->next_free = t->free_slot;
    t->free_slot = index;
}

static void page_free(struct cap_table *t, uint32_t index)
{
    struct cap_slot **place = page_place(t, index);
    kmem_free(t->account, *place, PAGE_SIZE);
    *place = NULL;
}

static void retire(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
    struct cap_slot *first = slot - index % CAP_SLOTS_PER_PAGE;
    slot->state = SLOT_RETIRED;
    slot->object = NULL;
    if (++first->page_retired == CAP_SLOTS_PER_PAGE) {
        page_free(t, index);
    }
}

/* The slot's id never works again. */
static void vacate(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
    KASSERT(t->live > 0);
    t->live--;
    ledger_refund(t->account, LEDGER_SLOTS, 1);
    if (slot->generation == CAP_GENERATION_MAX) {
        slot->generation++;
        retire(t, index, slot);
    } else {
        slot->generation++;
        push_free(t, index, slot);
    }
}

void cap_table_init(struct cap_table *t, struct account *a)
{
    *t = (struct cap_table){.account = account_get(a)};
}

/* The index's page has a place. */
static status_t directory_make(struct cap_table *t, uint32_t index)
{
    void *memory;
    if (page_place(t, index) != NULL) {
        return STATUS_OK;
    }
    status_t s = kmem_alloc(t->account, PAGE_SIZE, &memory);
    if (s == STATUS_OK) {
        t->directory[index / SLOTS_PER_DIRECTORY] = memory;
    }
    return s;
}

/* A fresh page of slots for the index; they are all zero until fresh_slot() puts one on the list,
 * so that a process pays for the slots it uses. */
static status_t page_make(struct cap_table *t, uint32_t index)
{
    status_t s = directory_make(t, index);
    void *memory;
    if (s == STATUS_OK) {
        s = kmem_alloc(t->account, PAGE_SIZE, &memory);
    }
    if (s != STATUS_OK) {
        return s;
    }
    struct cap_slot *page = memory;
    struct cap_slot **place = page_place(t, index);
    KASSERT(place != NULL && *place == NULL);
    *place = page;
    if (PAGE_OF(index) == 0) {
        page[0].state = SLOT_RETIRED; /* no id has slot 0 */
        page[0].page_retired = 1;
    }
    return STATUS_OK;
}

static void fresh_slot(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
    slot->generation = 1;
    push_free(t, index, slot);
}

/* All slots have been used once: pages that were retired as a whole begin anew. Bounded, and as
 * rare as 2^32 releases. */
static status_t recycle(struct cap_table *t)
{
    for (uint32_t index = 0; index < SLOTS_MAX; index += CAP_SLOTS_PER_PAGE) {
        struct cap_slot **place = page_place(t, index);
        if (place != NULL && *place == NULL) {
            status_t s = page_make(t, index);
            for (uint32_t i = CAP_SLOTS_PER_PAGE; s == STATUS_OK && i > (index == 0); i--) {
                fresh_slot(t, index + i - 1, &(*place)[i - 1]);
            }
            return s;
        }
    }
    return STATUS_SLOTS_EXHAUSTED;
}

/* Puts a never used slot on the free list. */
static status_t extend(struct cap_table *t)
{
    if (t->frontier == SLOTS_MAX) {
        return recycle(t);
    }
    uint32_t index = t->frontier == 0 ? 1 : t->frontier;
    if (t->frontier == 0 || index % CAP_SLOTS_PER_PAGE == 0) {
        status_t s = page_make(t, index);
        if (s != STATUS_OK) {
            return s;
        }
    }
    t->frontier = index + 1;
    fresh_slot(t, index, slot_at(t, index));
    return STATUS_OK;
}

/* Why an id does not work. */
static status_t not_live(const struct cap_table *t, cap_id_t id)
{
    uint32_t index = id & CAP_SLOT_MASK;
    uint32_t generation = id >> CAP_SLOT_BITS;
    if (index >= t->frontier || index == 0 || generation == 0) {
        return STATUS_BAD_CAPABILITY;
    }
    const struct cap_slot *slot = slot_at(t, index);
    if (slot == NULL || generation < slot->generation) {
        return STATUS_STALE_CAPABILITY;
    }
    bool moving = generation == slot->generation && slot->state == SLOT_TRANSIT;
    return moving ? STATUS_IN_TRANSIT : STATUS_BAD_CAPABILITY;
}

static inline struct cap_slot *live_slot(const struct cap_table *t, cap_id_t id)
{
    uint32_t index = id & CAP_SLOT_MASK;
    struct cap_slot *slot = index < t->frontier ? slot_at(t, index) : NULL;
    return slot != NULL && slot->tag == CAP_SLOT_TAG(SLOT_LIVE, id >> CAP_SLOT_BITS) ? slot : NULL;
}

status_t cap_table_look_up(const struct cap_table *t, cap_id_t id, struct object **out)
{
    const struct cap_slot *slot = live_slot(t, id);
    if (slot == NULL) {
        return not_live(t, id);
    }
    *out = slot->object;
    return STATUS_OK;
}

status_t cap_table_reserve(struct cap_table *t, cap_id_t *out)
{
    status_t s = t->free_slot != 0 ? STATUS_OK : extend(t);
    if (s == STATUS_OK) {
        s = charge_slot(t);
    }
    if (s != STATUS_OK) {
        return s;
    }
    uint32_t index = (uint32_t)t->free_slot;
    struct cap_slot *slot = slot_at(t, index);
    KASSERT(slot != NULL && slot->state == SLOT_FREE);
    t->free_slot = slot->next_free;
    slot->state = SLOT_RESERVED;
    slot->object = NULL;
    t->live++;
    *out = CAP_ID(index, slot->generation);
    return STATUS_OK;
}

void cap_table_commit(struct cap_table *t, cap_id_t reserved, struct object *o)
{
    struct cap_slot *slot = slot_of(t, reserved, SLOT_RESERVED);
    KASSERT(o != NULL && o->references != 0);
    slot->state = SLOT_LIVE;
    slot->object = o;
}

/* The id was never told to anybody, so its generation is not used up. */
void cap_table_cancel(struct cap_table *t, cap_id_t reserved)
{
    struct cap_slot *slot = slot_of(t, reserved, SLOT_RESERVED);
    KASSERT(t->live > 0);
    t->live--;
    ledger_refund(t->account, LEDGER_SLOTS, 1);
    push_free(t, reserved & CAP_SLOT_MASK, slot);
}

status_t cap_table_insert(struct cap_table *t, struct object *o, cap_id_t *out)
{
    status_t s = cap_table_reserve(t, out);
    if (s == STATUS_OK) {
        cap_table_commit(t, *out, o);
    }
    return s;
}

/* The slot's id never works again, and its reference is the caller's. */
static inline struct object *empty(struct cap_table *t, uint32_t index, struct cap_slot *slot)
{
    struct object *o = slot->object;
    vacate(t, index, slot);
    return o;
}

status_t cap_table_release(struct cap_table *t, cap_id_t id)
{
    struct object *o = cap_table_take(t, id);
    object_put(o);
    return o != NULL ? STATUS_OK : not_live(t, id);
}

struct object *cap_table_take(struct cap_table *t, cap_id_t id)
{
    struct cap_slot *slot = live_slot(t, id);
    return slot == NULL ? NULL : empty(t, id & CAP_SLOT_MASK, slot);
}

status_t cap_table_move_begin(struct cap_table *t, cap_id_t id, struct object **out)
{
    struct cap_slot *slot = live_slot(t, id);
    if (slot == NULL) {
        return not_live(t, id);
    }
    slot->state = SLOT_TRANSIT;
    *out = slot->object;
    return STATUS_OK;
}

struct object *cap_table_move_commit(struct cap_table *t, cap_id_t id)
{
    return empty(t, id & CAP_SLOT_MASK, slot_of(t, id, SLOT_TRANSIT));
}

void cap_table_move_cancel(struct cap_table *t, cap_id_t id)
{
    slot_of(t, id, SLOT_TRANSIT)->state = SLOT_LIVE;
}

/* The slot after *index, which goes on to it; NULL after the last. */
static struct cap_slot *next_slot(const struct cap_table *t, uint32_t *index)
{
    while (++*index < t->frontier) {
        struct cap_slot *slot = slot_at(t, *index);
        if (slot != NULL) {
            return slot;
        }
        *index |= CAP_SLOTS_PER_PAGE - 1;
    }
    return NULL;
}

void cap_table_destroy(struct cap_table *t)
{
    struct cap_slot *slot;
    for (uint32_t index = 0; (slot = next_slot(t, &index)) != NULL;) {
        KASSERT(slot->state != SLOT_RESERVED);
        if (slot->state == SLOT_LIVE || slot->state == SLOT_TRANSIT) {
            object_put(empty(t, index, slot));
        }
    }
    for (uint32_t index = 0; index < t->frontier; index += CAP_SLOTS_PER_PAGE) {
        if (*page_place(t, index) != NULL) {
            page_free(t, index);
        }
    }
    for (uint32_t i = 0; i < CAP_TABLE_DIRECTORIES; i++) {
        if (t->directory[i] != NULL) {
            kmem_free(t->account, t->directory[i], PAGE_SIZE);
        }
    }
    KASSERT(t->live == 0);
    if (t->charge_kept) {
        ledger_refund(t->account, LEDGER_SLOTS, 1);
    }
    account_put(t->account);
    *t = (struct cap_table){0};
}

/* --- fork --- */

/* What the child finds instead: a reference, or NULL where the slot is stale in the child. */
static struct object *forked(struct object *o, struct process *child)
{
    struct object *target = o;
    if (o->class == &forwarder_class && forwarder_resolve(o, &target) != STATUS_OK) {
        return object_get(o); /* cut: it answers the same in the child */
    }
    const struct interface *interface = target->class->interface;
    enum fork_policy policy = interface == NULL ? FORK_POLICY_COPY : interface->fork;
    if (policy == FORK_POLICY_COPY) {
        return object_get(o);
    }
    if (policy == FORK_POLICY_DROP || target != o) {
        return NULL; /* a forwarder to an object of the parent's own would reach into the parent */
    }
    KASSERT(o->class->rebind != NULL);
    return o->class->rebind(o, child);
}

/* The charge for the slot was taken. False: it is not needed. */
static bool fork_slot(const struct cap_slot *from, struct cap_table *to, uint32_t index,
                      struct process *child)
{
    struct cap_slot *slot = slot_at(to, index);
    slot->generation = from->generation;
    if (from->state == SLOT_RETIRED) {
        retire(to, index, slot);
        return false;
    }
    if (from->state != SLOT_LIVE && from->state != SLOT_TRANSIT) {
        push_free(to, index, slot);
        return false;
    }
    slot->state = SLOT_LIVE;
    slot->object = from->state == SLOT_LIVE ? forked(from->object, child) : NULL;
    to->live++;
    if (slot->object == NULL) {
        vacate(to, index, slot); /* the id was given out: it must be stale */
    }
    return true;
}

status_t cap_table_fork(const struct cap_table *parent, struct cap_table *child,
                        struct process *child_process)
{
    KASSERT(child->frontier == 0 && child->live == 0);
    uint32_t left = parent->live;
    status_t s = ledger_charge(child->account, LEDGER_SLOTS, left);
    if (s != STATUS_OK) {
        return s;
    }
    for (uint32_t index = 1; index < parent->frontier; index++) {
        const struct cap_slot *from = slot_at(parent, index);
        if (index == 1 || index % CAP_SLOTS_PER_PAGE == 0) {
            s = from != NULL ? page_make(child, index) : directory_make(child, index);
            if (s != STATUS_OK) {
                break;
            }
        }
        if (from == NULL) {
            index |= CAP_SLOTS_PER_PAGE - 1;
        } else if (fork_slot(from, child, index, child_process)) {
            left--;
        }
        child->frontier = index + 1;
    }
    ledger_refund(child->account, LEDGER_SLOTS, left);
    if (s != STATUS_OK) {
        struct account *a = account_get(child->account);
        cap_table_destroy(child);
        child->account = a;
    }
    return s;
}

/* --- exec --- */

status_t cap_table_keep_check(const struct cap_table *t, const cap_id_t *keep, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (live_slot(t, keep[i]) == NULL) {
            return not_live(t, keep[i]);
        }
    }
    return STATUS_OK;
}

/* One of the four that a process has from its start: what came into a slot that such a one was
 * released from has a later generation. */
static bool is_own(uint32_t index, const struct cap_slot *slot)
{
    return index < CAP_SLOT_FIRST_GRANT && slot->generation == 1;
}

void cap_table_keep_commit(struct cap_table *t, const cap_id_t *keep, uint32_t count)
{
    struct cap_slot *slot;
    for (uint32_t i = 0; i < count; i++) {
        slot = slot_at(t, keep[i] & CAP_SLOT_MASK);
        KASSERT(slot != NULL && slot->state == SLOT_LIVE); /* it may be listed twice */
        slot->kept = 1;
    }
    for (uint32_t index = 0; (slot = next_slot(t, &index)) != NULL;) {
        if (slot->state == SLOT_LIVE && slot->kept == 0 && !is_own(index, slot)) {
            object_put(empty(t, index, slot));
        } else {
            slot->kept = 0;
        }
    }
}

uint32_t cap_table_next(const struct cap_table *t, uint32_t index, cap_id_t *id,
                        struct object **out)
{
    const struct cap_slot *slot;
    while ((slot = next_slot(t, &index)) != NULL) {
        if (slot->state == SLOT_LIVE) {
            *id = CAP_ID(index, slot->generation);
            *out = slot->object;
            return index;
        }
    }
    return 0;
}
