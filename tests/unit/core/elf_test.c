/* The ELF check against images that are wrong in one place each, and what mapping a good one gives.
 */
#include "kernel/core/elf.h"

#include "kernel/arch/arch.h"
#include "kernel/core/frame.h"
#include "tests/lib/sim.h"
#include "tests/unit/core/elf_image.h"
#include "tests/unit/core/region_check.h"

#define BASE 0x400000ull
#define IMAGE_FRAME 1 /* below the frames that the kernel gets */

static struct elf_image image;
static struct elf_plan plan;
static const char *reason;

/* As the boot package's, over memory that other images have left their bytes in. */
static status_t check_bytes(const void *bytes, uint64_t size)
{
    static bool booted;
    if (!booted) {
        sim_boot(NULL);
        booted = true;
    }
    struct object *o;
    memcpy(arch_frame_address(IMAGE_FRAME), bytes, size);
    CHECK_OK(memory_object_create_boot(IMAGE_FRAME, size, &o));
    reason = "";
    status_t status = elf_check(memory_object_of(o), &plan, &reason);
    object_put(o);
    object_reap();
    return status;
}

static status_t check(uint64_t size)
{
    return check_bytes(&image, size);
}

TEST(good_images_are_accepted)
{
    elf_image_make(&image, BASE);
    CHECK_OK(check(sizeof(image)));
    CHECK(reason == NULL);
    CHECK(!plan.position_independent);
    CHECK_EQ(plan.segment_count, 3);
    CHECK_EQ(plan.entry, BASE + 0x1010);
    CHECK_EQ(plan.lowest, BASE);
    CHECK_EQ(plan.highest, BASE + 0x6000);
    CHECK_EQ(plan.segments[1].protection, PROTECTION_READ_EXECUTE);
    CHECK_EQ(plan.segments[2].address, BASE + 0x3000);
    CHECK_EQ(plan.segments[2].offset, 0x2000);
    CHECK_EQ(plan.segments[2].file_size, 0xb00);
    CHECK_EQ(plan.segments[2].memory_size, 0x3000);
    CHECK_EQ(plan.segments[2].protection, PROTECTION_READ_WRITE);
    elf_image_make(&image, 0);
    CHECK_OK(check(sizeof(image)));
    CHECK(plan.position_independent);
}

/* One wrong thing each, and a word of the sentence that says so. */
#define ATTACKS(ATTACK)                                                                            \
    ATTACK(image.header.magic[1] = 'F', "not an ELF")                                              \
    ATTACK(image.header.magic[4] = 1, "64-bit")                                                    \
    ATTACK(image.header.magic[5] = 2, "64-bit")                                                    \
    ATTACK(image.header.machine = 183, "64-bit")                                                   \
    ATTACK(image.header.type = 1, "not an executable")                                             \
    ATTACK(image.header.type = 4, "not an executable")                                             \
    ATTACK(image.header.program_header_size = 32, "unknown size")                                  \
    ATTACK(image.header.program_header_size = 0, "unknown size")                                   \
    ATTACK(image.header.program_header_count = 0, "no program headers")                            \
    ATTACK(image.header.program_header_count = 0xffff, "too many")                                 \
    ATTACK(image.header.program_headers = UINT64_MAX, "outside")                                   \
    ATTACK(image.header.program_headers = sizeof(image) - 8, "outside")                            \
    ATTACK(image.header.entry = BASE, "entry")                                                     \
    ATTACK(image.header.entry = BASE + 0x3900, "entry")                                            \
    ATTACK(image.header.entry = BASE + 0x1900, "entry")                                            \
    ATTACK(image.header.entry = 0, "entry")                                                        \
    ATTACK(image.header.entry = UINT64_MAX, "entry")                                               \
    ATTACK(image.segments[1].flags = 7, "writable and executable")                                 \
    ATTACK(image.segments[2].flags = 7, "writable and executable")                                 \
    ATTACK(image.segments[1].flags = ELF_IMAGE_W | ELF_IMAGE_X, "writable and executable")         \
    ATTACK(image.segments[1].address += 0x10, "congruent")                                         \
    ATTACK(image.segments[1].offset += 0x10, "congruent")                                          \
    ATTACK(image.segments[2].align = 0x200000, "congruent")                                        \
    ATTACK(image.segments[1].align = 0x1001, "power of two")                                       \
    ATTACK(image.segments[1].align = UINT64_MAX, "power of two")                                   \
    ATTACK(image.segments[1].address = BASE, "overlap")                                            \
    ATTACK(image.segments[2].address = BASE + 0x1800, "overlap")                                   \
    ATTACK(image.segments[0].address = BASE + 0x100000, "overlap")                                 \
    ATTACK(image.segments[0].memory_size = 0x2000, "larger in memory")                             \
    ATTACK(image.segments[1].file_size = 0x1000000, "larger in the file")                          \
    ATTACK(image.segments[2].file_size = 0x1d00, "outside of the image")                           \
    ATTACK(image.segments[2].file_size = UINT64_MAX, "larger in the file")                         \
    ATTACK(image.segments[1].offset = UINT64_MAX & ~0xfffull, "outside of the image")              \
    ATTACK(image.segments[2].memory_size = UINT64_MAX, "wraps")                                    \
    ATTACK(image.segments[2].memory_size = 1ull << 47, "wraps")                                    \
    ATTACK(image.segments[2].address = UINT64_MAX - 0x7ff, "wraps")                                \
    ATTACK(image.segments[2].address = 0xffff800000000800ull, "wraps")                             \
    ATTACK(image.segments[2].address = USER_END - 0x800, "wraps")                                  \
    ATTACK(image.segments[0].address = 0, "below 64 KiB")                                          \
    ATTACK(image.segments[0].type = ELF_IMAGE_INTERP, "dynamic linker")                            \
    ATTACK((image.segments[0].type = ELF_IMAGE_TLS, image.segments[0].offset = 1 << 20),           \
           "outside")                                                                              \
    ATTACK(image.segments[3].flags = 7, "executable stack")                                        \
    ATTACK((image.segments[0].type = image.segments[1].type = image.segments[2].type = 9),         \
           "nothing")

TEST(wrong_images_are_refused_with_a_sentence)
{
#define CHECK_ATTACK(change, word)                                                                 \
    elf_image_make(&image, BASE);                                                                  \
    change;                                                                                        \
    CHECK_STATUS(check(sizeof(image)), STATUS_BAD_MESSAGE);                                        \
    if (strstr(reason, word) == NULL) {                                                            \
        FAIL("%s: \"%s\"", #change, reason);                                                       \
    }
    ATTACKS(CHECK_ATTACK)
}

TEST(cut_off_images_are_refused)
{
    elf_image_make(&image, 0);
    for (uint64_t size = 0; size < 0x2b00; size++) {
        CHECK_STATUS(check(size), STATUS_BAD_MESSAGE);
    }
    CHECK_OK(check(0x2b00));
}

TEST(too_many_segments_are_refused)
{
    struct {
        struct elf_image_header header;
        struct elf_image_segment segments[ELF_SEGMENTS_MAX + 1];
    } many;
    elf_image_make(&image, BASE);
    many.header = image.header;
    for (uint16_t i = 0; i <= ELF_SEGMENTS_MAX; i++) {
        many.segments[i] = image.segments[1];
        many.segments[i].offset = 0;
        many.segments[i].file_size = many.segments[i].memory_size = 0x40;
        many.segments[i].address = BASE + 0x1000ull * i;
    }
    many.header.entry = BASE + 8;
    many.header.program_header_count = ELF_SEGMENTS_MAX;
    CHECK_OK(check_bytes(&many, sizeof(many)));
    many.header.program_header_count = ELF_SEGMENTS_MAX + 1;
    CHECK_STATUS(check_bytes(&many, sizeof(many)), STATUS_BAD_MESSAGE);
    CHECK(strstr(reason, "too many segments") != NULL);
}

TEST(position_independent_images_have_bounds)
{
    elf_image_make(&image, 0);
    image.segments[2].memory_size = 65ull << 30;
    CHECK_STATUS(check(sizeof(image)), STATUS_BAD_MESSAGE);
    CHECK(strstr(reason, "64 GiB") != NULL);
    elf_image_make(&image, 0);
    image.segments[0].align = 4 << 20;
    CHECK_STATUS(check(sizeof(image)), STATUS_BAD_MESSAGE);
    CHECK(strstr(reason, "2 MiB") != NULL);
}

/* --- mapping --- */

static struct object *boot_image(void)
{
    memcpy(arch_frame_address(IMAGE_FRAME), &image, sizeof(image));
    struct object *o;
    CHECK_OK(memory_object_create_boot(IMAGE_FRAME, sizeof(image), &o));
    return o;
}

static uint8_t byte_at(struct address_space *as, uint64_t address)
{
    uint8_t byte = 0;
    CHECK_OK(user_copy_in(as, &byte, address, 1));
    return byte;
}

TEST(mapping_shares_the_file_and_zeroes_the_rest)
{
    sim_boot(NULL);
    elf_image_make(&image, 0);
    struct object *o = boot_image();
    struct address_space *as;
    CHECK_OK(address_space_create(&ledger_root, &as));
    CHECK_OK(elf_check(memory_object_of(o), &plan, &reason));
    uint64_t base, committed = as->charged_pages;
    CHECK_OK(elf_map(as, o, &plan, &base));
    region_check(as);
    CHECK(base >= 4ull << 30 && base % (2 << 20) == 0);
    CHECK_EQ(as->charged_pages - committed, 3); /* what is writable, no more */
    CHECK_EQ(byte_at(as, base + 1), 'E');
    CHECK_EQ(byte_at(as, base + 0x1010), 0xcc);
    CHECK_EQ(byte_at(as, base + 0x3aff), 0xcc);
    for (uint64_t address = base + 0x3b00; address < base + 0x6000; address += 0x80) {
        CHECK_EQ(byte_at(as, address), 0);
    }
    CHECK_STATUS(address_space_fault(as, base + 0x1010, UPCALL_ACCESS_WRITE), STATUS_BAD_ADDRESS);
    CHECK_OK(address_space_fault(as, base + 0x1010, UPCALL_ACCESS_EXECUTE));
    CHECK_STATUS(address_space_fault(as, base + 0x3800, UPCALL_ACCESS_EXECUTE), STATUS_BAD_ADDRESS);
    CHECK_STATUS(address_space_fault(as, base + 0x2000, UPCALL_ACCESS_READ), STATUS_BAD_ADDRESS);
    frame_t f;
    CHECK_OK(address_space_frame(as, base + 0x1000, UPCALL_ACCESS_READ, &f));
    CHECK_EQ(f, IMAGE_FRAME + 1); /* the file's own */
    uint8_t one = 1;
    CHECK_OK(user_copy_out(as, base + 0x3800, &one, 1));
    CHECK_EQ(((uint8_t *)arch_frame_address(IMAGE_FRAME + 2))[0x800],
             0xcc); /* a copy was written */
    object_put(o);
    address_space_destroy(as);
    sim_settle();
}

TEST(a_large_image_costs_what_is_touched)
{
    sim_boot(NULL);
    elf_image_make(&image, 0);
    image.segments[1].file_size = image.segments[1].memory_size = 20ull << 20;
    image.segments[2].offset = 0x2800 + (20ull << 20);
    image.segments[2].address += 20ull << 20;
    memcpy(arch_frame_address(IMAGE_FRAME), &image, sizeof(image));
    struct object *o;
    CHECK_OK(memory_object_create_boot(IMAGE_FRAME, 21ull << 20,
                                       &o)); /* most of it is never looked at */
    struct address_space *as;
    CHECK_OK(address_space_create(&ledger_root, &as));
    CHECK_OK(elf_check(memory_object_of(o), &plan, &reason));
    uint64_t base, frames = tally.frames_free;
    CHECK_OK(elf_map(as, o, &plan, &base));
    CHECK_EQ(as->charged_pages, 3);
    CHECK_LE(frames - tally.frames_free,
             5); /* tables, the page whose tail is zeroed, kernel memory */
    object_put(o);
    address_space_destroy(as);
    sim_settle();
}

TEST(an_image_does_not_map_over_what_is_there)
{
    sim_boot(NULL);
    elf_image_make(&image, BASE);
    struct object *o = boot_image();
    struct address_space *as;
    CHECK_OK(address_space_create(&ledger_root, &as));
    CHECK_OK(elf_check(memory_object_of(o), &plan, &reason));
    CHECK_OK(address_space_map(as, BASE + 0x4000, true, PAGE_SIZE, PROTECTION_READ_WRITE,
                               &(uint64_t){0}));
    uint64_t base;
    CHECK_STATUS(elf_map(as, o, &plan, &base), STATUS_ALREADY_EXISTS);
    object_put(o);
    address_space_destroy(as);
    sim_settle();
}
