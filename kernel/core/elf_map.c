/* Maps an image that the ELF check has accepted. See elf.h.
 *
 * File parts are mapped from the image: shared where they are only read or run, copy-on-write where
 * they are written; what is beyond the file is anonymous. So nothing is copied here but one page
 * for each segment whose file part ends inside a page that goes on as zeroes. */
#include "kernel/arch/arch.h"
#include "kernel/core/elf.h"
#include "kernel/core/random.h"

#define BASE_FIRST (4ull << 30) /* a position-independent image is never below 4 GiB */
#define BASE_STEP (2ull << 20)  /* so that a small program needs one table of each level */
#define BASE_STEPS ((1ull << 45) / BASE_STEP)
#define HINT_GAP (64ull << 10) /* between the image and what is mapped next */

/* The bytes of a writable segment's last file page that are not the file's. */
static status_t zero_tail(struct address_space *as, uint64_t address, const struct elf_segment *s)
{
    uint64_t used = s->file_size & (PAGE_SIZE - 1);
    if (used == 0 || s->protection != PROTECTION_READ_WRITE || s->file_size == s->memory_size) {
        return STATUS_OK;
    }
    frame_t f;
    status_t status = address_space_frame(as, address + s->file_size, UPCALL_ACCESS_WRITE, &f);
    if (status == STATUS_OK) {
        __builtin_memset((char *)arch_frame_address(f) + used, 0, PAGE_SIZE - used);
    }
    return status;
}

static status_t map_segment(struct address_space *as, struct object *image, uint64_t address,
                            const struct elf_segment *s)
{
    uint64_t from_file = PAGES(s->file_size) << PAGE_SHIFT;
    KASSERT(from_file <= s->memory_size);
    uint64_t got;
    status_t status = STATUS_OK;
    if (from_file != 0) {
        enum sharing sharing =
            s->protection == PROTECTION_READ_WRITE ? SHARING_PRIVATE : SHARING_SHARED;
        status = address_space_map_object(as, image, address, true, s->offset, from_file,
                                          s->protection, sharing, &got);
    }
    if (status == STATUS_OK && s->memory_size > from_file) {
        status = address_space_map_fixed(as, address + from_file, s->memory_size - from_file,
                                         s->protection);
    }
    return status == STATUS_OK ? zero_tail(as, address, s) : status;
}

status_t elf_map(struct address_space *as, struct object *image, const struct elf_plan *plan,
                 uint64_t *base)
{
    KASSERT(plan->segment_count > 0 && plan->segment_count <= ELF_SEGMENTS_MAX);
    status_t status = STATUS_OK;
    *base = plan->position_independent ? BASE_FIRST + random_u64() % BASE_STEPS * BASE_STEP : 0;
    for (uint32_t i = 0; status == STATUS_OK && i < plan->segment_count; i++) {
        status = map_segment(as, image, *base + plan->segments[i].address, &plan->segments[i]);
    }
    /* Right above, so that stack, ring and heap share the image's page tables. */
    as->next_hint = *base + plan->highest + HINT_GAP;
    return status;
}
