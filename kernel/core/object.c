/* Kernel objects: the end of their lives, and what interface they have. See object.h. */
#include "kernel/core/object.h"

#include "kernel/arch/arch.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/sched.h"

void object_bury(struct object *o)
{
    struct cpu *cpu = arch_cpu();
    KASSERT(o->references == 0 && o->next_dead == NULL);
    o->next_dead = cpu->dead;
    cpu->dead = o;
    cpu->buried = true;
}

void object_reap(void)
{
    struct cpu *cpu = arch_cpu();
    while (cpu->dead != NULL) {
        struct object *o = cpu->dead;
        KASSERT(o->references == 0);
        cpu->dead = o->next_dead;
        o->next_dead = NULL;
        o->class->destroy(o);
    }
    cpu->buried = false;
}

void object_never_released(struct object *self)
{
    panic("the machine's %s is never released", self->class->interface->name);
}

struct object *object_same_for_all(struct object *self, struct process *child)
{
    (void)child;
    return object_get(self);
}

uint64_t object_interface_id(const struct object *o)
{
    if (o->class->interface != NULL) {
        return o->class->interface->id;
    }
    if (o->class == &facet_class) {
        return facet_interface_id(o);
    }
    struct object *target;
    KASSERT(o->class == &forwarder_class);
    return forwarder_resolve((struct object *)(uintptr_t)o, &target) == STATUS_OK
               ? object_interface_id(target)
               : 0;
}
