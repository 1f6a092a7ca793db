/* Copies between user memory and the kernel: the only ones there are. Declared in address_space.h.
 *
 * The current address space is copied through the processor's own translation, in which a fault is
 * resolved or ends the copy (arch_copy_in, arch_copy_out). Any other is copied page by page through
 * its tables and the kernel's view of the frames; faults are resolved beforehand. */
#include "kernel/arch/arch.h"
#include "kernel/core/address_space.h"

static size_t rest_of_page(uint64_t address, size_t size)
{
    size_t rest = PAGE_SIZE - (address & (PAGE_SIZE - 1));
    return rest < size ? rest : size;
}

/* Where the kernel sees a user's byte. Good until something is unmapped. */
static status_t kernel_view(struct address_space *as, uint64_t address, enum upcall_access access,
                            char **out)
{
    frame_t f;
    status_t status = address_space_frame(as, address, access, &f);
    if (status == STATUS_OK) {
        *out = (char *)arch_frame_address(f) + (address & (PAGE_SIZE - 1));
    }
    return status;
}

/* Between the kernel's memory and a space that is not the current one, or a range that is none. */
static __attribute__((noinline)) status_t copy_elsewhere(struct address_space *as, uint64_t user,
                                                         char *kernel, size_t size,
                                                         enum upcall_access access)
{
    if (size != 0 && !address_space_in_bounds(user, size)) {
        return STATUS_BAD_ADDRESS;
    }
    while (size > 0) {
        size_t chunk = rest_of_page(user, size);
        char *view;
        status_t status = kernel_view(as, user, access, &view);
        if (status != STATUS_OK) {
            return status;
        }
        bool out = access == UPCALL_ACCESS_WRITE;
        __builtin_memcpy(out ? view : kernel, out ? kernel : view, chunk);
        kernel += chunk;
        user += chunk;
        size -= chunk;
    }
    return STATUS_OK;
}

/* What every call does is a straight path; all else is in a function of its own, so that it
 * costs no saving of registers. */
status_t user_copy_in(struct address_space *as, void *to, uint64_t from, size_t size)
{
    if (arch_is_current(&as->arch)) { /* it looks at the range itself */
        return arch_copy_in(to, from, size) ? STATUS_OK : STATUS_BAD_ADDRESS;
    }
    return copy_elsewhere(as, from, to, size, UPCALL_ACCESS_READ);
}

status_t user_copy_out(struct address_space *as, uint64_t to, const void *from, size_t size)
{
    if (arch_is_current(&as->arch)) {
        return arch_copy_out(to, from, size) ? STATUS_OK : STATUS_BAD_ADDRESS;
    }
    /* it is only read */
    return copy_elsewhere(as, to, (char *)(uintptr_t)from, size, UPCALL_ACCESS_WRITE);
}

char *user_view_fresh(struct address_space *as, uint64_t address, size_t size)
{
    char *view;
    if (size > rest_of_page(address, size)
        || kernel_view(as, address, UPCALL_ACCESS_WRITE, &view) != STATUS_OK) {
        return NULL;
    }
    as->view_page = address & ~(PAGE_SIZE - 1);
    as->view = (char *)((uintptr_t)view & ~(PAGE_SIZE - 1));
    as->view_size = PAGE_SIZE;
    return view;
}

/* A view of the target stays good while the source is read: resolving a fault of the one that reads
 * takes no page away. */
enum user_copied user_copy_across(struct address_space *to_as, uint64_t to,
                                  struct address_space *from_as, uint64_t from, size_t size)
{
    while (size > 0) {
        size_t chunk = rest_of_page(to, size);
        char *view = user_view(to_as, to, chunk);
        if (view == NULL) {
            return USER_TARGET_BAD;
        }
        if (user_copy_in(from_as, view, from, chunk) != STATUS_OK) {
            return USER_SOURCE_BAD;
        }
        to += chunk;
        from += chunk;
        size -= chunk;
    }
    return USER_COPIED;
}
