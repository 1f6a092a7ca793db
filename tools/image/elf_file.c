/* See elf_file.h. */
#include "tools/image/elf_file.h"

#include <elf.h>
#include <string.h>

#include "abi/elf_note.h"

/* `count` records of `size` bytes at `offset`, or NULL when they are not all in the file. */
static const void *table(struct bytes file, uint64_t offset, uint64_t count, uint64_t size)
{
    if (offset > file.size || count > (file.size - offset) / size || offset % 8 != 0) {
        return NULL;
    }
    return file.data + offset;
}

static const Elf64_Ehdr *header_of(struct bytes file)
{
    return table(file, 0, 1, sizeof(Elf64_Ehdr));
}

static const Elf64_Phdr *segments_of(struct bytes file)
{
    const Elf64_Ehdr *header = header_of(file);
    if (header->e_phentsize != sizeof(Elf64_Phdr)) {
        return NULL;
    }
    return table(file, header->e_phoff, header->e_phnum, sizeof(Elf64_Phdr));
}

/* The ABI version in a run of notes; 0: there is no note of capOS among them. */
static uint32_t note_version(const uint8_t *notes, uint64_t size)
{
    while (size >= sizeof(Elf64_Nhdr)) {
        Elf64_Nhdr note;
        memcpy(&note, notes, sizeof(note));
        uint64_t name = ((uint64_t)note.n_namesz + 3) & ~3ull;
        uint64_t body = ((uint64_t)note.n_descsz + 3) & ~3ull;
        uint64_t whole = sizeof(note) + name + body;
        if (whole > size) {
            return 0;
        }
        if (note.n_type == ELF_NOTE_TYPE && note.n_namesz == ELF_NOTE_NAME_SIZE &&
            note.n_descsz == ELF_NOTE_DESC_SIZE &&
            memcmp(notes + sizeof(note), ELF_NOTE_NAME, ELF_NOTE_NAME_SIZE) == 0) {
            uint32_t version;
            memcpy(&version, notes + sizeof(note) + name, sizeof(version));
            return version;
        }
        notes += whole;
        size -= whole;
    }
    return 0;
}

enum elf_kind elf_classify(struct bytes file)
{
    const Elf64_Ehdr *header = header_of(file);
    if (file.size < SELFMAG || memcmp(file.data, ELFMAG, SELFMAG) != 0) {
        return ELF_KIND_NOT_ELF;
    }
    if (header == NULL) {
        return ELF_KIND_DAMAGED;
    }
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64) {
        return ELF_KIND_OTHER_MACHINE;
    }
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN) {
        return ELF_KIND_NO_PROGRAM;
    }
    const Elf64_Phdr *segments = segments_of(file);
    if (segments == NULL) {
        return ELF_KIND_DAMAGED;
    }
    uint32_t version = 0;
    bool loadable = false;
    for (uint32_t i = 0; i < header->e_phnum; i++) {
        const Elf64_Phdr *segment = &segments[i];
        if (segment->p_offset > file.size || segment->p_filesz > file.size - segment->p_offset) {
            return ELF_KIND_DAMAGED;
        }
        loadable = loadable || segment->p_type == PT_LOAD;
        if (segment->p_type == PT_NOTE && version == 0) {
            version = note_version(file.data + segment->p_offset, segment->p_filesz);
        }
    }
    if (!loadable) {
        return ELF_KIND_NO_PROGRAM;
    }
    if (version == 0) {
        return header->e_entry == 0 ? ELF_KIND_NO_PROGRAM : ELF_KIND_LINUX;
    }
    return version == ELF_NOTE_ABI_VERSION ? ELF_KIND_CAPOS : ELF_KIND_OTHER_VERSION;
}

const char *elf_kind_problem(enum elf_kind kind)
{
    switch (kind) {
    case ELF_KIND_CAPOS:
        return NULL;
    case ELF_KIND_NOT_ELF:
        return "is neither C source (.c) nor an ELF program";
    case ELF_KIND_OTHER_MACHINE:
        return "is an ELF file, but not for 64-bit x86";
    case ELF_KIND_LINUX:
        return "is a Linux program; capOS runs programs that were built for it (give the .c file, "
               "or "
               "link with libcapos)";
    case ELF_KIND_NO_PROGRAM:
        return "is an ELF file, but not a program: an object file or a library";
    case ELF_KIND_OTHER_VERSION:
        return "was built for another version of capOS; build it again";
    case ELF_KIND_DAMAGED:
        break;
    }
    return "is a damaged ELF file: its headers point outside it";
}

struct bytes elf_strip(struct bytes file)
{
    Elf64_Ehdr *header = (Elf64_Ehdr *)(void *)file.data;
    const Elf64_Phdr *segments = segments_of(file);
    uint64_t end = header->e_phoff + (uint64_t)header->e_phnum * sizeof(Elf64_Phdr);
    for (uint32_t i = 0; i < header->e_phnum; i++) {
        uint64_t segment_end = segments[i].p_offset + segments[i].p_filesz;
        end = segment_end > end ? segment_end : end;
    }
    header->e_shoff = 0;
    header->e_shnum = header->e_shstrndx = 0;
    return (struct bytes){.data = file.data, .size = end};
}

const char *elf_function_at(struct bytes file, uint64_t address, uint64_t *offset)
{
    const Elf64_Ehdr *header = header_of(file);
    if (header == NULL || header->e_shentsize != sizeof(Elf64_Shdr)) {
        return NULL;
    }
    const Elf64_Shdr *sections = table(file, header->e_shoff, header->e_shnum, sizeof(Elf64_Shdr));
    const char *best = NULL;
    uint64_t best_address = 0;
    for (uint32_t i = 0; sections != NULL && i < header->e_shnum; i++) {
        if (sections[i].sh_type != SHT_SYMTAB || sections[i].sh_link >= header->e_shnum) {
            continue;
        }
        uint64_t count = sections[i].sh_size / sizeof(Elf64_Sym);
        const Elf64_Sym *symbols = table(file, sections[i].sh_offset, count, sizeof(Elf64_Sym));
        const Elf64_Shdr *names = &sections[sections[i].sh_link];
        if (symbols == NULL || names->sh_offset > file.size || names->sh_size == 0 ||
            names->sh_size > file.size - names->sh_offset ||
            file.data[names->sh_offset + names->sh_size - 1] != 0) {
            continue;
        }
        for (uint64_t s = 0; s < count; s++) {
            const Elf64_Sym *symbol = &symbols[s];
            uint64_t size = symbol->st_size > 0 ? symbol->st_size : 1;
            if (ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_name < names->sh_size &&
                address >= symbol->st_value && address - symbol->st_value < size) {
                best = (const char *)file.data + names->sh_offset + symbol->st_name;
                best_address = symbol->st_value;
            }
        }
    }
    *offset = best != NULL ? address - best_address : 0;
    return best;
}

/* `size` bytes of code at an address as linked, or NULL. */
static const uint8_t *code_at(struct bytes file, uint64_t address, uint64_t size)
{
    const Elf64_Ehdr *header = header_of(file);
    const Elf64_Phdr *segments = header != NULL ? segments_of(file) : NULL;
    for (uint32_t i = 0; segments != NULL && i < header->e_phnum; i++) {
        const Elf64_Phdr *s = &segments[i];
        if (s->p_type == PT_LOAD && (s->p_flags & PF_X) != 0 && address >= s->p_vaddr &&
            address - s->p_vaddr < s->p_filesz && size <= s->p_filesz - (address - s->p_vaddr) &&
            s->p_offset <= file.size && s->p_filesz <= file.size - s->p_offset) {
            return file.data + s->p_offset + (address - s->p_vaddr);
        }
    }
    return NULL;
}

/* The instruction before the address is a call: direct, or through a register or memory. */
static bool after_call(struct bytes file, uint64_t address)
{
    static const uint8_t sizes[] = {2, 3, 4, 6, 7}; /* of `call r/m`, without and with a prefix */
    const uint8_t *code = code_at(file, address - 7, 7);
    if (code == NULL) {
        return false;
    }
    if (code[2] == 0xe8) {
        return true;
    }
    for (size_t i = 0; i < sizeof(sizes); i++) {
        const uint8_t *call = code + 7 - sizes[i];
        if (call[0] == 0xff && (call[1] >> 3 & 7) == 2) {
            return true;
        }
    }
    return false;
}

bool elf_returns_to(struct bytes file, uint64_t address, uint64_t word)
{
    static const uint8_t frame[] = {0x55, 0x48, 0x89, 0xe5}; /* push %rbp; mov %rsp, %rbp */
    uint64_t offset, ignored;
    if (elf_function_at(file, address, &offset) == NULL ||
        elf_function_at(file, word - 1, &ignored) == NULL || !after_call(file, word)) {
        return false;
    }
    const uint8_t *start = code_at(file, address - offset, sizeof(frame));
    return start != NULL && (offset == 0 || memcmp(start, frame, sizeof(frame)) != 0);
}
