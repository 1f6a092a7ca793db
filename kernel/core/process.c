/* Processes: made, copied, replaced and ended.
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

#include "abi/start.h"
#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/endpoint.h"
#include "kernel/core/exit_record.h"
#include "kernel/core/kmem.h"
#include "kernel/core/random.h"
#include "kernel/core/sched.h"
#include "kernel/core/tally.h"
#include "kernel/gen/dispatch.h"

#define STACK_AREA (1ull << 30) /* that the image is in too: the upper page tables serve both */

_Static_assert(sizeof(struct process) <= PAGE_SIZE, "kmem's largest piece");

struct list process_all;
struct process *process_init;
struct process *process_program;
static uint64_t last_id;

void process_bring_up(void)
{
    list_init(&process_all);
    process_init = process_program = NULL;
    last_id = 0;
}

static uint32_t own_index(const struct object *own)
{
    size_t i = (size_t)(own->class - process_own_classes);
    KASSERT(i < OWN_COUNT);
    return (uint32_t)i;
}

struct process *process_of_own(struct object *own)
{
    return CONTAINER_OF(own - own_index(own), struct process, own);
}

static void own_destroy(struct object *own)
{
    object_put(&process_of_own(own)->object);
}

static struct object *own_rebind(struct object *own, struct process *child)
{
    KASSERT(!child->ended);
    return object_get(&child->own[own_index(own)]);
}

#define OWN_CLASS(stem)                                                                            \
    {.interface = &stem##_interface, .destroy = own_destroy, .rebind = own_rebind}

const struct object_class process_own_classes[OWN_COUNT] = {
    [OWN_MEMORY] = OWN_CLASS(virtual_memory),
    [OWN_THREADS] = OWN_CLASS(thread_spawner),
    [OWN_CONTROL] = OWN_CLASS(thread_control),
    [OWN_PARK] = OWN_CLASS(park_space),
};

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

/* Destroys its address space, also if a CPU still has it loaded. */
static void drop_space(struct process *p)
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
        drop_space(p);
    }
    object_put(p->image);
    p->image = NULL;
    account_put(p->account);
    p->account = NULL;
    list_remove(&p->all);
}

/* A process that never started. */
static void undo(struct process *p)
{
    p->ending = p->ended = true;
    release_all(p);
    object_put(&p->object);
}

/* The struct, an account, an empty table; no address space and no thread. */
static status_t make_struct(struct account *parent, const char *name, size_t name_size,
                            const uint64_t *limits, struct process **out)
{
    void *memory;
    status_t status = kmem_alloc(parent, sizeof(struct process), &memory);
    if (status != STATUS_OK) {
        return status;
    }
    struct process *p = memory;
    status = account_create(parent, limits, &p->account);
    if (status != STATUS_OK) {
        kmem_free(parent, p, sizeof *p);
        return status;
    }
    cap_table_init(&p->table, p->account);
    p->payer = parent;
    object_init(&p->object, &process_handle_class);
    list_init(&p->threads);
    list_init(&p->waiters);
    list_append(&process_all, &p->all);
    for (uint32_t i = 0; i < OWN_COUNT; i++) { /* each begins with one reference, the caller's */
        object_init(&p->own[i], &process_own_classes[i]);
        object_get(&p->object);
    }
    p->id = ++last_id;
    tally.processes++;
    for (size_t i = 0; i < name_size && i < PROCESS_NAME_MAX - 1; i++) {
        p->name[i] = name[i] == '\0' ? '?' : name[i];
    }
    *out = p;
    return STATUS_OK;
}

/* The references that make_struct() made to the own objects; the table has its own by now, or the
 * process is being undone. */
static void put_own(struct process *p)
{
    for (uint32_t i = 0; i < OWN_COUNT; i++) {
        object_put(&p->own[i]);
    }
}

/* --- images ---
 *
 * What a program needs before its first instruction: an address space with its image, a stack with
 * its start block, and a thread whose registers say so; made whole or not at all. The stack lies at
 * a random page of the gigabyte that the image begins in, with one page below it that is reserved
 * and never committed, so that running off its end is a fault. The start block lies at its upper
 * end, above the first frame. */

struct made {
    struct address_space *space;
    struct thread *thread; /* NEW, one of the process's */
    uint64_t base;
};

/* Deep recursion is usual, and so are small machines. */
uint64_t process_stack_size(void)
{
    uint64_t size = tally.frames / START_STACK_SHARE * PAGE_SIZE;
    return MIN(MAX(size, START_STACK_SIZE_MIN), START_STACK_SIZE_MAX);
}

static status_t make_stack(struct address_space *as, uint64_t image, const void *start,
                           size_t start_size, uint64_t *start_block)
{
    uint64_t hint = (image & ~(STACK_AREA - 1)) + (random_u64() & (STACK_AREA - PAGE_SIZE));
    uint64_t size = process_stack_size() + ALIGN_UP((uint64_t)start_size, PAGE_SIZE);
    uint64_t guard;
    status_t status = address_space_reserve(as, hint, PAGE_SIZE + size, &guard);
    if (status != STATUS_OK) {
        return status;
    }
    status = address_space_change(as, CHANGE_COMMIT, guard + PAGE_SIZE, size,
                                  PROTECTION_READ_WRITE);
    if (status != STATUS_OK) {
        return status;
    }
    *start_block = guard + PAGE_SIZE + size - ALIGN_UP((uint64_t)start_size, 16);
    /* The memory is committed: what can be missing is a frame. */
    return user_copy_out(as, *start_block, start, start_size) == STATUS_OK
               ? STATUS_OK
               : STATUS_FRAMES_EXHAUSTED;
}

static status_t make_image(struct process *p, struct object *image, const void *start,
                           size_t start_size, struct made *out, const char **reason)
{
    if (start_size > MESSAGE_MAX) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    struct elf_plan plan;
    uint64_t start_block;
    *out = (struct made){0};
    KASSERT(memory_object_of(image) != NULL);
    status_t status = elf_check(memory_object_of(image), &plan, reason);
    if (status == STATUS_OK) {
        status = address_space_create(p->account, &out->space);
    }
    if (status != STATUS_OK) {
        return status;
    }
    status = elf_map(out->space, image, &plan, &out->base);
    if (status == STATUS_OK) {
        status = make_stack(out->space, out->base + plan.lowest, start, start_size, &start_block);
    }
    if (status == STATUS_OK) {
        status = thread_create(p, out->space, 0, &out->thread);
    }
    if (status != STATUS_OK) {
        KASSERT(out->thread == NULL);
        address_space_destroy(out->space);
        return status;
    }
    uint64_t entry = plan.position_independent ? out->base + plan.entry : plan.entry;
    /* The memory below the block is zeroed: the word that ends a backtrace. */
    arch_thread_start(out->thread, entry, start_block - 16, start_block,
                      out->thread->ring.user_address, start_size, 0);
    return STATUS_OK;
}

/* The process's image is the new one from now on. */
static void take(struct process *p, const struct made *made, struct object *image)
{
    p->space = made->space;
    p->image_base = made->base;
    struct object *before = p->image; /* may be the same */
    p->image = object_get(image);
    object_put(before);
}

/* The four own objects and the grants, at the places that abi/capability.h promises. */
static status_t fill_table(struct process *p, struct object *const *grants, uint32_t grant_count)
{
    _Static_assert(CAP_SLOT_MEMORY == 1 && CAP_SLOT_FIRST_GRANT == 1 + OWN_COUNT,
                   "the order in which a new table gives out its slots");
    status_t status = STATUS_OK;
    for (uint32_t i = 0; i < OWN_COUNT + grant_count && status == STATUS_OK; i++) {
        struct object *o = object_get(i < OWN_COUNT ? &p->own[i] : grants[i - OWN_COUNT]);
        cap_id_t id;
        status = cap_table_insert(&p->table, o, &id);
        if (status != STATUS_OK) {
            object_put(o);
        }
        KASSERT(status != STATUS_OK || id == CAP_ID(CAP_SLOT_MEMORY + i, 1));
    }
    return status;
}

status_t process_create(struct account *parent, const char *name, size_t name_size,
                        struct object *image, const void *start, size_t start_size,
                        struct object *const *grants, uint32_t grant_count, const uint64_t *limits,
                        struct process **out, const char **reason)
{
    struct process *p;
    status_t status = make_struct(parent, name, name_size, limits, &p);
    if (status != STATUS_OK) {
        return status;
    }
    struct made made;
    status = fill_table(p, grants, grant_count);
    put_own(p);
    if (status == STATUS_OK) {
        status = make_image(p, image, start, start_size, &made, reason);
    }
    if (status != STATUS_OK) {
        undo(p);
        return status;
    }
    take(p, &made, image);
    object_get(&p->object);
    *out = p;
    return STATUS_OK;
}

/* --- fork ---
 *
 * Order: struct, account and empty table; address space (charged whole, copy-on-write); the thread
 * with a private copy of the caller's ring at the same address; the table by each interface's fork
 * policy. Every step may fail and is undone by undo(); none of them changes the parent but for
 * pages becoming copy-on-write. The child does not run before its maker has posted the one
 * completion it finds (kernel/cap/process_spawner.c). */

static status_t copy_into(struct thread *caller, struct process *child)
{
    struct process *parent = caller->process;
    struct thread *t;
    status_t status = address_space_create(child->account, &child->space);
    if (status == STATUS_OK) {
        status = address_space_fork(parent->space, child->space);
    }
    if (status == STATUS_OK) {
        status = thread_fork(child, caller, &t);
    }
    if (status == STATUS_OK && parent->time_page != 0) { /* a page of the kernel's: not copied */
        status = timer_map_page(child, parent->time_page);
        KASSERT(status != STATUS_OK || child->time_page == parent->time_page);
    }
    if (status == STATUS_OK) {
        address_space_fork_end(child->space);
        status = cap_table_fork(&parent->table, &child->table, child);
    }
    return status;
}

status_t process_fork(struct thread *caller, struct process **out)
{
    struct process *parent = caller->process;
    KASSERT(!parent->ending && parent->space != NULL);
    struct process *child;
    status_t status =
        make_struct(parent->account, parent->name, __builtin_strlen(parent->name), NULL, &child);
    if (status != STATUS_OK) {
        return status;
    }
    status = copy_into(caller, child);
    put_own(child);
    if (status != STATUS_OK) {
        undo(child);
        return status;
    }
    KASSERT(child->thread_count == 1);
    child->image = parent->image == NULL ? NULL : object_get(parent->image);
    child->image_base = parent->image_base;
    child->time_granted = parent->time_granted;
    child->arch = parent->arch;
    object_get(&child->object);
    *out = child;
    return STATUS_OK;
}

/* --- exec ---
 *
 * All of the new is made beside the old (so for a moment both are charged); then comes what cannot
 * fail: all old threads and their entries end, the caller's included; the table keeps what is
 * listed; the new address space takes the place of the old one. The handle and the account stay. */

static void commit(struct process *p, const struct made *made, struct object *image,
                   const cap_id_t *keep, uint32_t keep_count)
{
    while (LIST_FIRST(&p->threads, struct thread, of_process) != made->thread) {
        thread_remove(LIST_FIRST(&p->threads, struct thread, of_process), NULL);
    }
    KASSERT(p->thread_count == 1);
    thread_drop_spare_ring(p); /* it goes with the old address space */
    cap_table_keep_commit(&p->table, keep, keep_count);
    drop_space(p);
    take(p, made, image);
    p->time_page = 0;
    p->time_granted = false; /* unless a Timer was kept: process_time_granted() looks */
    /* The time-stamp counter is closed until Timer.page opens it again. */
    p->arch = (struct arch_process){0};
    thread_start(made->thread);
}

status_t process_exec(struct thread *caller, struct object *image, const void *start,
                      size_t start_size, const cap_id_t *keep, uint32_t keep_count,
                      const char **reason)
{
    struct process *p = caller->process;
    KASSERT(!p->ending && p->space != NULL);
    status_t status = cap_table_keep_check(&p->table, keep, keep_count);
    if (status != STATUS_OK) {
        return status;
    }
    struct made made;
    status = make_image(p, image, start, start_size, &made, reason);
    if (status != STATUS_OK) {
        return status;
    }
    commit(p, &made, image, keep, keep_count);
    return STATUS_OK;
}

/* --- beginning and end --- */

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
    KASSERT(p->space == NULL && p->account == NULL && tally.processes > 0);
    tally.processes--;
    kmem_free(p->payer, p, sizeof *p);
}
