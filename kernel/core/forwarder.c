/* Forwarders: a capability that can be cut. See endpoint.h.
 *
 * A forwarder and its cutter are two faces of one piece of memory, which goes when both are
 * gone. A forwarder refers to what it stands for, which may be another forwarder; it hangs in
 * that one's list of dependents. So cutting finds everything that was passed on from here: the
 * forwarders made of this one, and the kept calls that came through any of them.
 *
 *   client --> outermost forwarder --> forwarder --> object
 *              calls: kept records     dependents
 *
 * Invariants: target is NULL once cut; a kept call is in the list of the outermost forwarder
 * that it came through, until it completes or a server has received it; nesting is at most
 * FORWARDER_DEPTH_MAX. Kernel lock held. */
#include "kernel/core/endpoint.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"

struct forwarder {
    struct object object;
    struct object cutter;
    struct account *account;
    struct object *target;  /* a reference */
    uint32_t depth;
    uint32_t faces;         /* that are not destroyed yet */
    struct list calls;      /* struct call, by revocation */
    struct list dependents; /* struct forwarder, by of_target */
    struct list of_target;
};

static struct forwarder *of_object(struct object *o)
{
    KASSERT(o->class == &forwarder_class);
    return CONTAINER_OF(o, struct forwarder, object);
}

static struct forwarder *of_cutter(struct object *o)
{
    KASSERT(o->class == &cutter_class);
    return CONTAINER_OF(o, struct forwarder, cutter);
}

status_t forwarder_resolve(struct object *o, struct object **target)
{
    for (uint32_t depth = 0; o->class == &forwarder_class; depth++) {
        struct forwarder *f = of_object(o);
        KASSERT(depth < FORWARDER_DEPTH_MAX);
        if (f->target == NULL) {
            return STATUS_REVOKED;
        }
        o = f->target;
    }
    *target = o;
    return STATUS_OK;
}

status_t forwarder_create(struct account *a, struct object *target, struct object **forwarder,
                          struct object **cutter)
{
    struct forwarder *inner = target->class == &forwarder_class ? of_object(target) : NULL;
    uint32_t depth = inner == NULL ? 1 : inner->depth + 1;
    void *memory;
    if (depth > FORWARDER_DEPTH_MAX) {
        return STATUS_OVERFLOW;
    }
    status_t s = kmem_alloc(a, sizeof(struct forwarder), &memory);
    if (s != STATUS_OK) {
        return s;
    }
    struct forwarder *f = memory;
    object_init(&f->object, &forwarder_class);
    object_init(&f->cutter, &cutter_class);
    f->account = a;
    f->target = object_get(target);
    f->depth = depth;
    f->faces = 2;
    list_init(&f->calls);
    list_init(&f->dependents);
    list_init(&f->of_target);
    if (inner != NULL) {
        list_append(&inner->dependents, &f->of_target);
    }
    *forwarder = &f->object;
    *cutter = &f->cutter;
    return STATUS_OK;
}

void forwarder_track(struct object *forwarder, struct call *call)
{
    KASSERT(call->kept && call->forwarder == forwarder);
    list_append(&of_object(forwarder)->calls, &call->revocation);
}

static void let_go(struct forwarder *f)
{
    list_remove(&f->of_target);
    object_put(f->target);
    f->target = NULL;
}

/* Ends the calls that came through it and that nobody has received. */
static void end_calls(struct forwarder *f)
{
    while (!list_empty(&f->calls)) {
        struct call *call = LIST_FIRST(&f->calls, struct call, revocation);
        KASSERT(call->forwarder == &f->object);
        call_fail(call, STATUS_REVOKED);
    }
}

/* Unmaps what was mapped through it. */
static void end_mappings(struct forwarder *f)
{
    for (struct list *l = process_all.next; l != &process_all; l = l->next) {
        struct process *p = CONTAINER_OF(l, struct process, all);
        if (p->space != NULL) {
            address_space_revoke(p->space, &f->object);
        }
    }
}

void forwarder_cut(struct object *cutter)
{
    struct list cut; /* found, and not ended yet: what was made of a cut one is cut with it */
    struct forwarder *f = of_cutter(cutter);
    if (f->target == NULL) {
        return;
    }
    list_init(&cut);
    list_remove(&f->of_target);
    list_append(&cut, &f->of_target);
    while (!list_empty(&cut)) {
        f = LIST_FIRST(&cut, struct forwarder, of_target);
        while (!list_empty(&f->dependents)) {
            struct list *dependent = f->dependents.next;
            list_remove(dependent);
            list_append(&cut, dependent);
        }
        let_go(f);
        end_calls(f);
        end_mappings(f);
    }
}

static void face_gone(struct forwarder *f)
{
    KASSERT(f->faces > 0);
    if (--f->faces == 0) {
        KASSERT(list_empty(&f->calls) && list_empty(&f->dependents) && f->target == NULL);
        kmem_free(f->account, f, sizeof(*f));
    }
}

static void forwarder_destroy(struct object *o)
{
    struct forwarder *f = of_object(o);
    if (f->target != NULL) {
        let_go(f);
    }
    face_gone(f);
}

static void cutter_destroy(struct object *o)
{
    face_gone(of_cutter(o)); /* whoever dropped it keeps nobody from the forwarder any more */
}

const struct object_class forwarder_class = {.destroy = forwarder_destroy};
const struct object_class cutter_class = {.interface = &cutter_interface,
                                          .destroy = cutter_destroy};
