/* CodeMemory: machine code that a program made itself. The process can run these pages and never
 * write them; the kernel writes for it, so there is no flipping of pages and other threads may run
 * beside it.
 *
 * The object holds nothing: it stands for the authority, and acts on the caller. */
#include "kernel/cap/memory_answer.h"
#include "kernel/cap/root_objects.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/code_memory.h"

static void code_memory_destroy(struct object *self)
{
    (void)self;
    panic("the machine's CodeMemory is never released");
}

static struct object *code_memory_rebind(struct object *self, struct process *child)
{
    (void)child;
    return object_get(self);
}

static const struct object_class code_memory_class = {
    .interface = &code_memory_interface,
    .destroy = code_memory_destroy,
    .rebind = code_memory_rebind,
};

struct object code_memory_object = {.class = &code_memory_class, .references = 1};

status_t code_memory_reserve(struct object *self, struct call *call, struct wire_reader params,
                             struct wire_builder results)
{
    KASSERT(self->class == &code_memory_class);
    uint64_t address;
    status_t status = address_space_map_code(memory_answer_space(call),
                                             code_memory_reserve_params_size(params), &address);
    if (status == STATUS_OK) {
        code_memory_reserve_results_set_address(results, address);
    }
    return memory_answer(call, status);
}

status_t code_memory_write(struct object *self, struct call *call, struct wire_reader params,
                           struct wire_builder results)
{
    KASSERT(self->class == &code_memory_class);
    (void)results;
    struct wire_span bytes = code_memory_write_params_bytes(params);
    return memory_answer(call, address_space_write_code(memory_answer_space(call),
                                                        code_memory_write_params_address(params),
                                                        bytes.data, bytes.size));
}

status_t code_memory_free(struct object *self, struct call *call, struct wire_reader params,
                          struct wire_builder results)
{
    KASSERT(self->class == &code_memory_class);
    (void)results;
    return memory_answer(call, address_space_unmap_code(memory_answer_space(call),
                                                        code_memory_free_params_address(params),
                                                        code_memory_free_params_size(params)));
}
