/* The ELF check: allocation-free code that looks at an untrusted image and says what to map.
 * Accepts ELF64 little-endian x86-64, ET_EXEC and static PIE (ET_DYN without interpreter); PT_LOAD,
 * PT_TLS, PT_GNU_STACK; no relocations, no symbols. Segments must be page-congruent, ascending, not
 * overlapping, never writable and executable, inside [USER_BASE, USER_END); the entry must lie in
 * an executable segment. */
#pragma once

#include "kernel/core/address_space.h"

#define ELF_SEGMENTS_MAX 16

struct elf_segment {
    uint64_t address;   /* page-aligned, relative to the base for a PIE */
    uint64_t offset;    /* in the file, page-aligned */
    uint64_t file_size; /* bytes mapped from the file, from the page-aligned start; the tail of its
                           last page is zeroed */
    uint64_t memory_size; /* page-aligned; what is beyond the file's pages is anonymous */
    enum protection protection;
};

struct elf_plan {
    bool position_independent;
    uint32_t segment_count;
    uint64_t entry;
    uint64_t lowest, highest; /* page-aligned bounds of all segments */
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* reason: a sentence for the exception, static. Error: badMessage. */
status_t elf_check(struct memory_object *image, struct elf_plan *plan,
                   const char **reason) MUST_CHECK;
/* Maps the plan into an empty address space, at a random base if it is position independent. */
status_t elf_map(struct address_space *as, struct object *image, const struct elf_plan *plan,
                 uint64_t *base) MUST_CHECK;
