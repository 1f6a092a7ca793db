/* Images: what a program needs before its first instruction, for a new process and for exec.
 *
 * That is an address space with its image, a stack with its start block, and a thread whose
 * registers say so; made whole or not at all. The stack lies at a random page of the gigabyte that
 * the image begins in, with one page below it that is reserved and never committed, so that running
 * off its end is a fault. The start block lies at its upper end, above the first frame.
 *
 * exec makes all of it beside the old one (so for a moment both are charged); then comes what
 * cannot fail: all old threads and their entries end, the caller's included; the table keeps what
 * is listed; the new address space takes the place of the old one. The handle and the account
 * stay. */
#include "abi/start.h"
#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/process.h"
#include "kernel/core/random.h"

#define STACK_AREA (1ull << 30) /* that the image is in too: the upper page tables serve both */

struct made {
    struct address_space *space;
    struct thread *thread; /* NEW, one of the process's */
    uint64_t base;
};

/* Deep recursion is usual, and so are small machines. */
uint64_t process_image_stack_size(void)
{
    uint64_t size = frame_total() / START_STACK_SHARE * PAGE_SIZE;
    if (size < START_STACK_SIZE_MIN) {
        return START_STACK_SIZE_MIN;
    }
    return size < START_STACK_SIZE_MAX ? size : START_STACK_SIZE_MAX;
}

static status_t make_stack(struct address_space *as, uint64_t image, const void *start,
                           size_t start_size, uint64_t *start_block)
{
    uint64_t hint = (image & ~(STACK_AREA - 1)) + (random_u64() & (STACK_AREA - PAGE_SIZE));
    uint64_t size = process_image_stack_size() + ALIGN_UP((uint64_t)start_size, PAGE_SIZE);
    uint64_t guard;
    status_t status = address_space_reserve(as, hint, PAGE_SIZE + size, &guard);
    if (status != STATUS_OK) {
        return status;
    }
    status = address_space_commit(as, guard + PAGE_SIZE, size, PROTECTION_READ_WRITE);
    if (status != STATUS_OK) {
        return status;
    }
    *start_block = guard + PAGE_SIZE + size - ALIGN_UP((uint64_t)start_size, 16);
    /* The memory is committed: what can be missing is a frame. */
    return user_copy_out(as, *start_block, start, start_size) == STATUS_OK
               ? STATUS_OK
               : STATUS_FRAMES_EXHAUSTED;
}

static status_t fill(struct process *p, struct object *image, const struct elf_plan *plan,
                     const void *start, size_t start_size, struct made *out)
{
    struct address_space *as = out->space;
    status_t status = elf_map(as, image, plan, &out->base);
    uint64_t start_block;
    if (status == STATUS_OK) {
        status = make_stack(as, out->base + plan->lowest, start, start_size, &start_block);
    }
    if (status == STATUS_OK) {
        status = thread_create_in(p, as, 0, &out->thread);
    }
    if (status == STATUS_OK) {
        uint64_t entry = plan->position_independent ? out->base + plan->entry : plan->entry;
        /* The memory below the block is zeroed: the word that ends a backtrace. */
        arch_thread_start(out->thread, entry, start_block - 16, start_block,
                          out->thread->ring.user_address, start_size, 0);
    }
    return status;
}

static status_t make(struct process *p, struct object *image, const void *start, size_t start_size,
                     struct made *out, const char **reason)
{
    if (start_size > MESSAGE_MAX) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    struct memory_object *memory = memory_object_of(image);
    KASSERT(memory != NULL);
    struct elf_plan plan;
    status_t status = elf_check(memory, &plan, reason);
    if (status != STATUS_OK) {
        return status;
    }
    *out = (struct made){0};
    status = address_space_create(p->account, &out->space);
    if (status != STATUS_OK) {
        return status;
    }
    status = fill(p, image, &plan, start, start_size, out);
    if (status != STATUS_OK) {
        KASSERT(out->thread == NULL);
        address_space_destroy(out->space);
    }
    return status;
}

/* The process's image is the new one from now on. */
static void take(struct process *p, const struct made *made, struct object *image)
{
    p->space = made->space;
    p->image_base = made->base;
    object_put(p->image);
    p->image = object_get(image);
}

static status_t insert_at(struct process *p, uint32_t slot, struct object *o)
{
    status_t status = cap_table_insert_at(&p->table, slot, object_get(o));
    if (status != STATUS_OK) {
        object_put(o);
    }
    return status;
}

/* The four own objects and the grants, at the places that abi/capability.h promises. */
static status_t fill_table(struct process *p, struct object *const *grants, uint32_t grant_count)
{
    status_t status = STATUS_OK;
    for (uint32_t i = 0; i < OWN_COUNT && status == STATUS_OK; i++) {
        status = insert_at(p, CAP_SLOT_MEMORY + i, &p->own[i]);
    }
    for (uint32_t i = 0; i < grant_count && status == STATUS_OK; i++) {
        status = insert_at(p, CAP_SLOT_FIRST_GRANT + i, grants[i]);
    }
    return status;
}

status_t process_create(struct account *parent, const char *name, size_t name_size,
                        struct object *image, const void *start, size_t start_size,
                        struct object *const *grants, uint32_t grant_count, const uint64_t *limits,
                        struct process **out, const char **reason)
{
    struct process *p;
    status_t status = process_make(parent, name, name_size, limits, &p);
    if (status != STATUS_OK) {
        return status;
    }
    struct made made;
    status = fill_table(p, grants, grant_count);
    process_put_own(p);
    if (status == STATUS_OK) {
        status = make(p, image, start, start_size, &made, reason);
    }
    if (status != STATUS_OK) {
        process_undo(p);
        return status;
    }
    take(p, &made, image);
    object_get(&p->object);
    *out = p;
    return STATUS_OK;
}

static void commit(struct process *p, const struct made *made, struct object *image,
                   const cap_id_t *keep, uint32_t keep_count)
{
    while (LIST_FIRST(&p->threads, struct thread, of_process) != made->thread) {
        thread_remove(LIST_FIRST(&p->threads, struct thread, of_process), NULL);
    }
    KASSERT(p->thread_count == 1);
    thread_drop_spare_ring(p); /* it goes with the old address space */
    cap_table_keep_commit(&p->table, keep, keep_count);
    process_drop_space(p);
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
    status = make(p, image, start, start_size, &made, reason);
    if (status != STATUS_OK) {
        return status;
    }
    commit(p, &made, image, keep, keep_count);
    return STATUS_OK;
}
