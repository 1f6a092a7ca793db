/* fork: a copy of the caller's process with one thread.
 *
 * Order: struct, account and empty table; address space (charged whole, copy-on-write); the
 * thread with a private copy of the caller's ring at the same address; the table by each
 * interface's fork policy. Every step may fail and is undone by process_undo(); none of them
 * changes the parent but for pages becoming copy-on-write. The child does not run before its maker
 * has posted the one completion it finds (kernel/cap/process_spawner.c). */
#include "kernel/core/process.h"
#include "kernel/core/time_page.h"

static status_t copy_into(struct thread *caller, struct process *child)
{
    struct process *parent = caller->process;
    status_t status = address_space_create(child->account, &child->space);
    if (status != STATUS_OK) {
        child->space = NULL;
        return status;
    }
    status = address_space_fork(parent->space, child->space);
    struct thread *t;
    if (status == STATUS_OK) {
        status = thread_fork(child, caller, &t);
    }
    if (status == STATUS_OK) {
        status = cap_table_fork(&parent->table, &child->table, child);
    }
    return status;
}

/* The time page is the kernel's and not copied with the rest: the child gets it where the parent
 * has it. */
static status_t copy_time_page(const struct process *parent, struct process *child)
{
    if (parent->time_page == 0) {
        return STATUS_OK;
    }
    frame_t frame;
    status_t status = time_page_frame(&frame);
    if (status == STATUS_OK) {
        status = address_space_map_kernel_pages(child->space, parent->time_page, &frame, 1,
                                                PROTECTION_READ, &child->time_page);
    }
    KASSERT(status != STATUS_OK || child->time_page == parent->time_page);
    return status;
}

status_t process_fork(struct thread *caller, struct process **out)
{
    struct process *parent = caller->process;
    KASSERT(!parent->ending && parent->space != NULL);
    struct process *child;
    status_t status =
        process_make(parent->account, parent->name, __builtin_strlen(parent->name), NULL, &child);
    if (status != STATUS_OK) {
        return status;
    }
    status = copy_into(caller, child);
    process_put_own(child);
    if (status == STATUS_OK) {
        status = copy_time_page(parent, child);
    }
    if (status == STATUS_OK) {
        address_space_fork_end(child->space);
    }
    if (status != STATUS_OK) {
        process_undo(child);
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
