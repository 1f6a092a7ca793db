/* Any bytes as an image: the ELF check says why not, or its plan keeps all that elf.h promises and
 * can be mapped, touched at its borders and unmapped again with nothing left behind. */
#include <string.h>

#include "kernel/core/elf.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"
#include "tests/unit/core/region_check.h"

#define IMAGE_FRAME 1
#define IMAGE_PAGES (SIM_FIRST_FRAME - IMAGE_FRAME)
#define IMAGE_SIZE (IMAGE_PAGES * PAGE_SIZE)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_plan(const struct elf_plan *plan, uint64_t size)
{
    uint64_t last = 0;
    bool entry = false;
    CHECK(plan->segment_count > 0 && plan->segment_count <= ELF_SEGMENTS_MAX);
    CHECK_EQ(plan->lowest, plan->segments[0].address);
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *s = &plan->segments[i];
        CHECK(page_aligned(s->address) && page_aligned(s->offset) && page_aligned(s->memory_size));
        CHECK(s->address >= last && s->memory_size > 0);
        CHECK(s->address <= USER_END && s->memory_size <= USER_END - s->address);
        CHECK(plan->position_independent || s->address >= USER_BASE);
        CHECK(s->file_size <= s->memory_size && s->offset <= size);
        CHECK(s->file_size <= size - s->offset);
        CHECK((uint32_t)s->protection < PROTECTION_COUNT);
        CHECK(s->protection == PROTECTION_READ_WRITE
              || PAGES(s->file_size) << PAGE_SHIFT == s->memory_size);
        last = s->address + s->memory_size;
        entry = entry
                || (s->protection == PROTECTION_READ_EXECUTE && plan->entry >= s->address
                    && plan->entry < last);
    }
    CHECK_EQ(plan->highest, last);
    CHECK(entry);
}

static void touch(struct address_space *as, uint64_t base, const struct elf_plan *plan)
{
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct elf_segment *s = &plan->segments[i];
        uint64_t first = base + s->address, last = first + s->memory_size - 1;
        status_t expected = s->protection == PROTECTION_NONE ? STATUS_BAD_ADDRESS : STATUS_OK;
        CHECK_STATUS(address_space_fault(as, first, UPCALL_ACCESS_READ), expected);
        CHECK_STATUS(address_space_fault(as, last, UPCALL_ACCESS_READ), expected);
        uint8_t byte = 1;
        if (s->memory_size > s->file_size && s->protection == PROTECTION_READ_WRITE) {
            CHECK_OK(user_copy_in(as, &byte, first + s->file_size, 1));
            CHECK_EQ(byte, 0);
        }
        expected = s->protection == PROTECTION_READ_WRITE ? STATUS_OK : STATUS_BAD_ADDRESS;
        CHECK_STATUS(user_copy_out(as, last, &byte, 1), expected);
    }
}

static void map_and_unmap(struct object *image, const struct elf_plan *plan)
{
    struct address_space *as;
    uint64_t base;
    CHECK_OK(address_space_create(&ledger_root, &as));
    status_t status = elf_map(as, image, plan, &base);
    if (status == STATUS_OK) {
        touch(as, base, plan);
    } else {
        CHECK_STATUS(status, STATUS_FRAMES_EXHAUSTED); /* it asks for more than there is */
    }
    region_check(as);
    address_space_destroy(as);
}

static void check_and_map(struct object *image, size_t size)
{
    struct elf_plan plan;
    const char *reason = "";
    if (elf_check(memory_object_of(image), &plan, &reason) == STATUS_OK) {
        CHECK(reason == NULL);
        check_plan(&plan, size);
        map_and_unmap(image, &plan);
    } else {
        CHECK(reason != NULL && reason[0] != '\0');
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool booted;
    if (!booted) {
        sim_boot(NULL);
        booted = true;
    }
    if (size > IMAGE_SIZE) {
        return 0;
    }
    uint64_t frames = tally.frames_free, bytes = tally.kernel_bytes,
             charged = ledger_root.used[LEDGER_FRAMES];
    struct object *image;
    memset(arch_frame_address(IMAGE_FRAME), 0, IMAGE_SIZE);
    memcpy(arch_frame_address(IMAGE_FRAME), data, size);
    CHECK_OK(memory_object_create_boot(IMAGE_FRAME, size, &image));
    check_and_map(image, size);
    object_put(image);
    object_reap();
    CHECK_EQ(tally.frames_free, frames);
    CHECK_EQ(tally.kernel_bytes, bytes);
    CHECK_EQ(ledger_root.used[LEDGER_FRAMES], charged);
    return 0;
}
