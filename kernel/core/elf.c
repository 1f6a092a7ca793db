/* The ELF check, and the mapping of what it has accepted. See elf.h.
 *
 * The check allocates nothing and trusts nothing: each number from the file is compared with what
 * is left of the range it must lie in before it is added to anything, so no sum wraps. What is not
 * needed to map the image is not looked at. */
#include "kernel/core/elf.h"

#include "kernel/arch/arch.h"
#include "kernel/core/random.h"

#define ELF_PROGRAM_HEADERS_MAX 64 /* more than any linker writes; bounds the loop */
#define ELF_SPAN_MAX (64ull << 30) /* of a position-independent image: leaves room to place it */
#define ELF_ALIGN_MAX (2ull << 20) /* bases of position-independent images are multiples of it */

/* As the System V ABI (gABI 4.1, "Object Files") has them. */
struct elf_header {
    uint8_t magic[4], class, data, version, os_abi, abi_version, padding[7];
    uint16_t type, machine;
    uint32_t version2;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, section_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_size, memory_size, align;
};

_Static_assert(sizeof(struct elf_header) == 64 && sizeof(struct program_header) == 56,
               "as in the file");

enum { CLASS_64 = 2, DATA_LITTLE = 1, TYPE_EXEC = 2, TYPE_DYN = 3, MACHINE_X86_64 = 62 };
enum { HEADER_LOAD = 1, HEADER_INTERP = 3, HEADER_TLS = 7, HEADER_GNU_STACK = 0x6474e551 };
enum { FLAG_EXECUTE = 1, FLAG_WRITE = 2, FLAG_READ = 4 };

/* A sentence that says why not, or NULL. */
static const char *check_header(struct memory_object *image, struct elf_header *h)
{
    uint64_t image_size = memory_object_size(image);
    if (image_size < sizeof(*h)) {
        return "the image is smaller than an ELF header";
    }
    memory_object_read(image, 0, h, sizeof(*h));
    if (h->magic[0] != 0x7f || h->magic[1] != 'E' || h->magic[2] != 'L' || h->magic[3] != 'F') {
        return "the image is not an ELF file";
    }
    if (h->class != CLASS_64 || h->data != DATA_LITTLE || h->version != 1
        || h->machine != MACHINE_X86_64) {
        return "the image is not for a 64-bit x86 processor";
    }
    if (h->type != TYPE_EXEC && h->type != TYPE_DYN) {
        return "the image is not an executable";
    }
    if (h->program_header_size != sizeof(struct program_header)) {
        return "the program headers have an unknown size";
    }
    if (h->program_header_count == 0 || h->program_header_count > ELF_PROGRAM_HEADERS_MAX) {
        return "the image has no program headers, or too many";
    }
    uint64_t size = h->program_header_count * sizeof(struct program_header);
    if (h->program_headers > image_size || size > image_size - h->program_headers) {
        return "the program headers lie outside of the image";
    }
    return NULL;
}

static const char *check_numbers(const struct program_header *p, uint64_t image_size)
{
    if (p->file_size > p->memory_size) {
        return "a segment is larger in the file than in memory";
    }
    if (p->offset > image_size || p->file_size > image_size - p->offset) {
        return "a segment lies outside of the image";
    }
    if (p->address > USER_END || p->memory_size > USER_END - p->address) {
        return "a segment lies outside of user space, or wraps";
    }
    if ((p->align & (p->align - 1)) != 0 && p->align != 0) {
        return "a segment's alignment is not a power of two";
    }
    return NULL;
}

static const char *check_protection(const struct program_header *p, enum protection *out)
{
    if ((p->flags & (FLAG_WRITE | FLAG_EXECUTE)) == (FLAG_WRITE | FLAG_EXECUTE)) {
        return "a segment is writable and executable";
    }
    if ((p->flags & FLAG_WRITE) != 0) {
        *out = PROTECTION_READ_WRITE;
    } else if (p->memory_size > p->file_size) {
        return "a segment that is not writable is larger in memory than in the file";
    } else if ((p->flags & FLAG_EXECUTE) != 0) {
        *out = PROTECTION_READ_EXECUTE;
    } else {
        *out = (p->flags & FLAG_READ) != 0 ? PROTECTION_READ : PROTECTION_NONE;
    }
    return NULL;
}

static const char *check_load(const struct program_header *p, uint64_t image_size,
                              struct elf_plan *plan)
{
    struct elf_segment segment;
    const char *reason = check_numbers(p, image_size);
    if (reason == NULL) {
        reason = check_protection(p, &segment.protection);
    }
    if (reason != NULL || p->memory_size == 0) {
        return reason;
    }
    uint64_t in_page = p->address & (PAGE_SIZE - 1);
    if ((p->offset & (PAGE_SIZE - 1)) != in_page
        || (p->align > PAGE_SIZE && (p->offset - p->address) % p->align != 0)) {
        return "a segment's offset and address are not congruent";
    }
    if (plan->position_independent && p->align > ELF_ALIGN_MAX) {
        return "a segment is aligned to more than 2 MiB";
    }
    segment.address = p->address - in_page;
    segment.offset = p->offset - in_page;
    segment.file_size = p->file_size != 0 ? p->file_size + in_page : 0;
    segment.memory_size = ALIGN_UP(p->address + p->memory_size, PAGE_SIZE) - segment.address;
    if (!plan->position_independent && segment.address < USER_BASE) {
        return "a segment lies below 64 KiB";
    }
    if (plan->segment_count > 0 && segment.address < plan->highest) {
        return "segments overlap or are not in ascending order";
    }
    if (plan->segment_count == ELF_SEGMENTS_MAX) {
        return "the image has too many segments";
    }
    if (plan->segment_count == 0) {
        plan->lowest = segment.address;
    }
    plan->highest = segment.address + segment.memory_size;
    if (plan->position_independent && plan->highest > ELF_SPAN_MAX) {
        return "the image spans more than 64 GiB";
    }
    plan->segments[plan->segment_count++] = segment;
    return NULL;
}

static const char *check_program_header(const struct program_header *p, const struct elf_header *h,
                                        uint64_t image_size, struct elf_plan *plan,
                                        bool *entry_found)
{
    switch (p->type) {
    case HEADER_LOAD:
        if ((p->flags & FLAG_EXECUTE) != 0 && h->entry >= p->address
            && h->entry - p->address < p->file_size) {
            *entry_found = true;
        }
        return check_load(p, image_size, plan);
    case HEADER_INTERP:
        return "the image wants a dynamic linker";
    case HEADER_TLS:
        return check_numbers(p, image_size);
    case HEADER_GNU_STACK:
        return (p->flags & FLAG_EXECUTE) != 0 ? "the image wants an executable stack" : NULL;
    default:
        return NULL;
    }
}

static const char *check(struct memory_object *image, struct elf_plan *plan)
{
    struct elf_header h;
    const char *reason = check_header(image, &h);
    if (reason != NULL) {
        return reason;
    }
    *plan = (struct elf_plan){.position_independent = h.type == TYPE_DYN, .entry = h.entry};
    bool entry_found = false;
    for (uint32_t i = 0; i < h.program_header_count; i++) {
        struct program_header p;
        memory_object_read(image, h.program_headers + i * sizeof(p), &p, sizeof(p));
        reason = check_program_header(&p, &h, memory_object_size(image), plan, &entry_found);
        if (reason != NULL) {
            return reason;
        }
    }
    if (plan->segment_count == 0) {
        return "the image has nothing to load";
    }
    KASSERT(plan->lowest < plan->highest && plan->highest <= USER_END);
    return entry_found ? NULL : "the entry point is not in an executable segment";
}

status_t elf_check(struct memory_object *image, struct elf_plan *plan, const char **reason)
{
    *reason = check(image, plan);
    return *reason == NULL ? STATUS_OK : STATUS_BAD_MESSAGE;
}

/* --- mapping ---
 *
 * File parts are mapped from the image: shared where they are only read or run, copy-on-write where
 * they are written; what is beyond the file is anonymous. So nothing is copied here but one page
 * for each segment whose file part ends inside a page that goes on as zeroes. */

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
        status = address_space_map_object(as, image, NULL, true, address, true, s->offset,
                                          from_file, s->protection, sharing, &got);
    }
    if (status == STATUS_OK && s->memory_size > from_file) {
        status = address_space_map(as, address + from_file, true, s->memory_size - from_file,
                                   s->protection, &got);
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
