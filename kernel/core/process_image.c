/* See process_image.h.
 *
 * The stack lies at a random page of the gigabyte that the image begins in, with one page below it
 * that is reserved and never committed, so that running off its end is a fault. The start block
 * lies at its upper end, above the first frame. */
#include "kernel/core/process_image.h"

#include "abi/start.h"
#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "kernel/core/random.h"

#define STACK_AREA (1ull << 30) /* that the image is in too: the upper page tables serve both */

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
                     const void *start, size_t start_size, struct process_image *out)
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

status_t process_image_make(struct process *p, struct object *image, const void *start,
                            size_t start_size, struct process_image *out, const char **reason)
{
    KASSERT(start_size <= MESSAGE_MAX);
    struct memory_object *memory = memory_object_of(image);
    KASSERT(memory != NULL);
    struct elf_plan plan;
    status_t status = elf_check(memory, &plan, reason);
    if (status != STATUS_OK) {
        return status;
    }
    *out = (struct process_image){0};
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
