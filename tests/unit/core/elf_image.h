/* Small ELF images for tests and fuzz seeds, made by hand so that each field can be made wrong. */
#pragma once

#include <stdint.h>
#include <string.h>

#define ELF_IMAGE_SIZE 0x4000
#define ELF_IMAGE_HEADERS 8

struct elf_image_header {
    uint8_t magic[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
    uint16_t section_header_size, section_header_count, section_names;
};

struct elf_image_segment {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_size, memory_size, align;
};

struct elf_image {
    struct elf_image_header header;
    struct elf_image_segment segments[ELF_IMAGE_HEADERS];
    uint8_t rest[ELF_IMAGE_SIZE - sizeof(struct elf_image_header)
                 - ELF_IMAGE_HEADERS * sizeof(struct elf_image_segment)];
};

enum { ELF_IMAGE_LOAD = 1, ELF_IMAGE_INTERP = 3, ELF_IMAGE_TLS = 7, ELF_IMAGE_STACK = 0x6474e551 };
enum { ELF_IMAGE_X = 1, ELF_IMAGE_W = 2, ELF_IMAGE_R = 4 };

static inline void elf_image_add(struct elf_image *e, uint32_t type, uint32_t flags,
                                 uint64_t offset, uint64_t address, uint64_t file_size,
                                 uint64_t memory_size)
{
    e->segments[e->header.program_header_count++] = (struct elf_image_segment){
        type, flags, offset, address, address, file_size, memory_size, 0x1000};
}

/* Read-only headers at 0, code at 1000, data that ends in the middle of the page at 2800 and goes
 * on as zeroes for two pages more. ET_EXEC when `base` is not 0. */
static inline void elf_image_make(struct elf_image *e, uint64_t base)
{
    memset(e, 0, sizeof(*e));
    static const uint8_t magic[16] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    memcpy(e->header.magic, magic, sizeof(magic));
    e->header.type = base != 0 ? 2 : 3;
    e->header.machine = 62;
    e->header.version = 1;
    e->header.entry = base + 0x1010;
    e->header.program_headers = sizeof(e->header);
    e->header.header_size = sizeof(e->header);
    e->header.program_header_size = sizeof(struct elf_image_segment);
    elf_image_add(e, ELF_IMAGE_LOAD, ELF_IMAGE_R, 0, base, 0x400, 0x400);
    elf_image_add(e, ELF_IMAGE_LOAD, ELF_IMAGE_R | ELF_IMAGE_X, 0x1000, base + 0x1000, 0x900,
                  0x900);
    elf_image_add(e, ELF_IMAGE_LOAD, ELF_IMAGE_R | ELF_IMAGE_W, 0x2800, base + 0x3800, 0x300,
                  0x2000);
    elf_image_add(e, ELF_IMAGE_STACK, ELF_IMAGE_R | ELF_IMAGE_W, 0, 0, 0, 0);
    memset((uint8_t *)e + 0x1000, 0xcc, 0x3000);
}
