/* Kernel objects: what a capability names.
 *
 * Every object begins with a struct object. The count of references is kept under the kernel
 * lock. When it reaches zero the object goes to the list of the dead; its class's destroy runs
 * at the end of the kernel entry from object_reap(), so a release is never recursive and destroy
 * may release others. An object with two faces embeds two struct objects, each with a class of
 * its own. */
#pragma once

#include "kernel/core/types.h"
#include "lib/wire/wire.h"

struct call;
struct object;
struct process;

/* A call as the handler of its method sees it: kernel/core/call.h. */
struct invocation {
    struct object *self;
    struct call *call;
    struct wire_reader params;
    struct wire_builder results;
};

/* One method of an interface, as schemac writes it. */
struct method {
    const char *name;
    status_t (*handler)(const struct invocation *in);
    uint16_t results_data_words;
    uint16_t results_pointer_words;
    /* slots to reserve in the caller's table before the handler runs */
    uint16_t result_capabilities;
    bool short_answer; /* the results are a word at most: RING_FLAG_SHORT */
};

struct interface {
    uint64_t id;
    const char *name;
    uint32_t method_count;
    enum fork_policy fork;
    const struct method *methods;
};

struct object_class {
    const struct interface *interface; /* NULL: a facet or a forwarder, which have their own */
    void (*destroy)(struct object *self);
    /* fork policy rebind: the object that the child gets instead (a new reference); must not
     * allocate */
    struct object *(*rebind)(struct object *self, struct process *child);
};

struct object {
    const struct object_class *class;
    uint32_t references;
    uint32_t reserved;
    struct object *next_dead;
};

static inline void object_init(struct object *o, const struct object_class *class)
{
    *o = (struct object){.class = class, .references = 1};
}
void object_bury(struct object *o); /* onto the list of the dead; for object_put() only */
/* destroys the dead until none is left; called at the end of each kernel entry */
void object_reap(void);
/* For objects that the machine has one of, with one reference that is never given back: they hold
 * no state of a process, so a forked child's is the same. */
void object_never_released(struct object *self);
struct object *object_same_for_all(struct object *self, struct process *child);
/* of a forwarder: that of what it stands for; 0: none */
uint64_t object_interface_id(const struct object *o);

/* One more; returns o. */
static inline struct object *object_get(struct object *o)
{
    o->references++;
    KASSERT(o->references > 1); /* it was alive, and not the last that can be counted */
    return o;
}

/* One less; NULL is allowed. */
static inline void object_put(struct object *o)
{
    if (o != NULL && o->references-- <= 1) {
        KASSERT(o->references == 0);
        object_bury(o);
    }
}
