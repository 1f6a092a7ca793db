/* exec: another image in the caller's process.
 *
 * Check: the image, the list of capabilities to keep, a whole new address space with its thread
 * beside the old one (so for a moment both are charged). Commit, which cannot fail: all old threads
 * and their entries end, the caller's included; the table keeps what is listed; the new address
 * space takes the place of the old one. The handle and the account stay. */
#include "kernel/core/process.h"
#include "kernel/core/process_image.h"

static void commit(struct process *p, const struct process_image *made, struct object *image,
                   const cap_id_t *keep, uint32_t keep_count)
{
    while (LIST_FIRST(&p->threads, struct thread, of_process) != made->thread) {
        thread_remove(LIST_FIRST(&p->threads, struct thread, of_process), NULL);
    }
    KASSERT(p->thread_count == 1);
    thread_drop_spare_ring(p); /* it goes with the old address space */
    cap_table_keep_commit(&p->table, keep, keep_count);
    process_drop_space(p);
    p->space = made->space;
    p->image_base = made->base;
    object_put(p->image);
    p->image = object_get(image);
    p->time_page = 0;
    p->time_granted = false; /* unless a Timer was kept: process_time_granted() looks */
    p->arch = (struct arch_process){
        0}; /* the time-stamp counter is closed until Timer.page opens it again */
    thread_start(made->thread);
}

status_t process_exec(struct thread *caller, struct object *image, const void *start,
                      size_t start_size, const cap_id_t *keep, uint32_t keep_count,
                      const char **reason)
{
    struct process *p = caller->process;
    KASSERT(!p->ending && p->space != NULL);
    if (start_size > MESSAGE_MAX) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    status_t status = cap_table_keep_check(&p->table, keep, keep_count);
    if (status != STATUS_OK) {
        return status;
    }
    struct process_image made;
    status = process_image_make(p, image, start, start_size, &made, reason);
    if (status != STATUS_OK) {
        return status;
    }
    commit(p, &made, image, keep, keep_count);
    return STATUS_OK;
}
