/* The machine's one object of each kind. See root_objects.h. */
#include "kernel/cap/root_objects.h"

#include "kernel/gen/dispatch.h"

static void never_released(struct object *self)
{
    panic("the machine's %s is never released", self->class->interface->name);
}

/* For interfaces whose fork policy is rebind: the child's is the same. */
static struct object *same_for_all(struct object *self, struct process *child)
{
    (void)child;
    return object_get(self);
}

#define ROOT_OBJECT(stem)                                                                          \
    static const struct object_class stem##_class = {                                              \
        .interface = &stem##_interface, .destroy = never_released, .rebind = same_for_all};        \
    struct object stem##_object = {.class = &stem##_class, .references = 1}

ROOT_OBJECT(console);
ROOT_OBJECT(std_io);
ROOT_OBJECT(timer);
ROOT_OBJECT(entropy_source);
ROOT_OBJECT(code_memory);
ROOT_OBJECT(boot_package);
ROOT_OBJECT(process_spawner);
ROOT_OBJECT(restricted_launcher);
