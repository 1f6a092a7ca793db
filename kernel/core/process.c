/* Processes: made and ended.
 *
 * Lifetime: the struct is an object. While the process runs it holds one reference to itself; each
 * of its four own objects holds one as long as it has references of its own; handles hold the
 * others. All that costs anything but the struct (threads, table, address space, account) is given
 * back by release_all() at the end of the process, which is also how a process is undone whose
 * making failed. The struct is paid by the parent's account, since a handle outlives the process.
 *
 * Who may call: everything with the kernel lock held. process_end() may be called for the process
 * of the current thread. */
#include "kernel/core/process.h"

#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/kmem.h"
#include "kernel/core/sched.h"

_Static_assert(sizeof(struct process) <= PAGE_SIZE, "kmem's largest piece");

struct list process_all;
struct process *process_init;
struct process *process_program;
static uint64_t last_id, processes;
static const struct object_class *const own_classes[OWN_COUNT] = {
    [OWN_MEMORY] = &virtual_memory_class,
    [OWN_THREADS] = &thread_spawner_class,
    [OWN_CONTROL] = &thread_control_class,
    [OWN_PARK] = &park_space_class,
};

void process_bring_up(void)
{
    list_init(&process_all);
    process_init = process_program = NULL;
    last_id = processes = 0;
}

uint64_t process_count(void)
{
    return processes;
}

static uint32_t own_index(const struct object *own)
{
    uint32_t i = 0;
    while (own->class != own_classes[i]) {
        i++;
        KASSERT(i < OWN_COUNT);
    }
    return i;
}

struct process *process_of_own(struct object *own)
{
    return CONTAINER_OF(own - own_index(own), struct process, own);
}

void process_own_destroy(struct object *own)
{
    object_put(&process_of_own(own)->object);
}

struct object *process_own_rebind(struct object *own, struct process *child)
{
    KASSERT(!child->ended);
    return object_get(&child->own[own_index(own)]);
}

bool process_time_granted(struct process *p)
{
    if (p->time_granted) {
        return true;
    }
    /* Only a process without Timer that asks for a time-out comes here, so no path that works pays
     * for the search. */
    cap_id_t id;
    struct object *o;
    for (uint32_t slot = cap_table_next(&p->table, 0, &id, &o); slot != 0;
         slot = cap_table_next(&p->table, slot, &id, &o)) {
        struct object *target;
        if (forwarder_resolve(o, &target) == STATUS_OK && target == &timer_object) {
            p->time_granted = target == o; /* else only until it is cut */
            return true;
        }
    }
    return false;
}

/* The four own objects: each begins with one reference, the caller's. */
static void init_own(struct process *p)
{
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        object_init(&p->own[i], own_classes[i]);
        object_get(&p->object);
    }
}

status_t process_make(struct account *parent, const char *name, size_t name_size,
                      const uint64_t *limits, struct process **out)
{
    void *memory;
    status_t status = kmem_alloc(parent, sizeof(struct process), &memory);
    if (status != STATUS_OK) {
        return status;
    }
    struct process *p = memory;
    status = account_create(parent, limits, &p->account);
    if (status == STATUS_OK) {
        status = cap_table_init(&p->table, p->account);
        if (status != STATUS_OK) {
            account_put(p->account);
        }
    }
    if (status != STATUS_OK) {
        kmem_free(parent, p, sizeof *p);
        return status;
    }
    p->payer = parent;
    object_init(&p->object, &process_handle_class);
    list_init(&p->threads);
    list_init(&p->waiters);
    list_append(&process_all, &p->all);
    init_own(p);
    p->id = ++last_id;
    processes++;
    for (size_t i = 0; i < name_size && i < PROCESS_NAME_MAX - 1; i++) {
        p->name[i] = name[i] == '\0' ? '?' : name[i];
    }
    *out = p;
    return STATUS_OK;
}

/* The references that init_own() made; the table has its own by now, or the process is being
 * undone. */
void process_put_own(struct process *p)
{
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        object_put(&p->own[i]);
    }
}

void process_drop_space(struct process *p)
{
    struct address_space *space = p->space;
    for (uint32_t i = 0; i < arch_cpu_count(); i++) {
        struct cpu *cpu = arch_cpu_by_number(i);
        if (cpu->space == space) {
            cpu->space = NULL;
        }
    }
    p->space = NULL;
    address_space_destroy(space);
}

/* Gives back all but the struct. Waiters see the end of the process only after this, so who waits
 * for it finds its memory free again. */
static void release_all(struct process *p)
{
    while (!list_empty(&p->threads)) {
        thread_remove(LIST_FIRST(&p->threads, struct thread, of_process), NULL);
    }
    KASSERT(p->thread_count == 0);
    thread_drop_spare_ring(p);
    cap_table_destroy(&p->table);
    if (p->space != NULL) {
        process_drop_space(p);
    }
    object_put(p->image);
    p->image = NULL;
    account_put(p->account);
    p->account = NULL;
    list_remove(&p->all);
}

void process_undo(struct process *p)
{
    p->ending = p->ended = true;
    release_all(p);
    object_put(&p->object);
}

void process_start(struct process *p)
{
    KASSERT(p->thread_count == 1 && !p->ending);
    thread_start(LIST_FIRST(&p->threads, struct thread, of_process));
}

void process_end(struct process *p, const struct exit_record *record)
{
    if (p->ending) {
        return;
    }
    p->ending = true;
    p->exit = *record;
    p->exit.image_base = p->image_base;
    exit_record_report(p);
    release_all(p);
    p->ended = true;
    exit_record_answer_waiters(p);
    if (p == process_init) {
        process_init = NULL;
        exit_record_end_machine(p);
    }
    object_put(&p->object);
}

void process_destroy(struct object *self)
{
    struct process *p = CONTAINER_OF(self, struct process, object);
    KASSERT(p->ended && p->thread_count == 0 && list_empty(&p->waiters));
    KASSERT(p->space == NULL && p->account == NULL && processes > 0);
    processes--;
    kmem_free(p->payer, p, sizeof *p);
}
