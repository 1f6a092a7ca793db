/* Telling programs apart, stripping, and symbols; on files that the test makes, whole and damaged.
 */
#include "tools/image/elf_file.c"
#include "tests/unit/tools/failing_base.h"

#include "tests/lib/test.h"

/* A program of one segment with the note of capOS, a function `f` at 0x1000 of 16 bytes. */
struct sample {
    Elf64_Ehdr header;
    Elf64_Phdr segments[2];
    struct {
        Elf64_Nhdr head;
        char name[8];
        uint32_t version;
    } note;
    uint32_t pad;
    Elf64_Sym symbols[2];
    char names[8];
    Elf64_Shdr sections[3];
};

static struct sample sample(void)
{
    struct sample s = {
        .header = {.e_type = ET_DYN,
                   .e_machine = EM_X86_64,
                   .e_entry = 0x1000,
                   .e_phoff = offsetof(struct sample, segments),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2,
                   .e_shoff = offsetof(struct sample, sections),
                   .e_shentsize = sizeof(Elf64_Shdr),
                   .e_shnum = 3},
        .segments = {{.p_type = PT_LOAD, .p_filesz = offsetof(struct sample, symbols)},
                     {.p_type = PT_NOTE,
                      .p_offset = offsetof(struct sample, note),
                      .p_filesz = sizeof(s.note)}},
        .note = {.head = {.n_namesz = ELF_NOTE_NAME_SIZE,
                          .n_descsz = ELF_NOTE_DESC_SIZE,
                          .n_type = ELF_NOTE_TYPE},
                 .name = ELF_NOTE_NAME,
                 .version = ELF_NOTE_ABI_VERSION},
        .symbols = {{0}, {.st_name = 1, .st_info = STT_FUNC, .st_value = 0x1000, .st_size = 16}},
        .names = "\0f",
        .sections = {{0},
                     {.sh_type = SHT_SYMTAB,
                      .sh_offset = offsetof(struct sample, symbols),
                      .sh_size = sizeof(s.symbols),
                      .sh_link = 2},
                     {.sh_type = SHT_STRTAB,
                      .sh_offset = offsetof(struct sample, names),
                      .sh_size = sizeof(s.names)}},
    };
    memcpy(s.header.e_ident, ELFMAG, SELFMAG);
    s.header.e_ident[EI_CLASS] = ELFCLASS64;
    return s;
}

static struct bytes bytes_of(const void *data, size_t size)
{
    struct bytes b = {.data = allocate(size), .size = size}; /* exact, so that an overrun is seen */
    memcpy(b.data, data, size);
    return b;
}

static enum elf_kind kind_of(const struct sample *s)
{
    return elf_classify(bytes_of(s, sizeof(*s)));
}

TEST(kinds)
{
    struct sample s = sample();
    CHECK_EQ(kind_of(&s), ELF_KIND_CAPOS);
    CHECK(elf_kind_problem(ELF_KIND_CAPOS) == NULL);
    CHECK_EQ(elf_classify(bytes_of("#!/bin/sh\n", 10)), ELF_KIND_NOT_ELF);
    CHECK_EQ(elf_classify(bytes_of("", 0)), ELF_KIND_NOT_ELF);
    CHECK_EQ(elf_classify(bytes_of(ELFMAG, SELFMAG)), ELF_KIND_DAMAGED);
    s.note.version = ELF_NOTE_ABI_VERSION + 1;
    CHECK_EQ(kind_of(&s), ELF_KIND_OTHER_VERSION);
    s.note.name[0] = 'x';
    CHECK_EQ(kind_of(&s), ELF_KIND_LINUX);
    s.header.e_type = ET_REL;
    CHECK_EQ(kind_of(&s), ELF_KIND_NO_PROGRAM);
    s.header.e_machine = EM_AARCH64;
    CHECK_EQ(kind_of(&s), ELF_KIND_OTHER_MACHINE);
    s = sample();
    s.segments[0].p_filesz = 1 << 20;
    CHECK_EQ(kind_of(&s), ELF_KIND_DAMAGED);
    s = sample();
    s.segments[0].p_offset = UINT64_MAX;
    CHECK_EQ(kind_of(&s), ELF_KIND_DAMAGED);
    s = sample();
    s.header.e_phnum = 0xffff;
    CHECK_EQ(kind_of(&s), ELF_KIND_DAMAGED);
    for (int kind = ELF_KIND_NOT_ELF; kind <= ELF_KIND_DAMAGED; kind++) {
        CHECK(elf_kind_problem((enum elf_kind)kind) != NULL);
    }
}

TEST(stripped_is_the_same_program_without_its_symbols)
{
    struct sample s = sample();
    struct bytes stripped = elf_strip(bytes_of(&s, sizeof(s)));
    CHECK_EQ(stripped.size, offsetof(struct sample, symbols));
    CHECK_EQ(elf_classify(stripped), ELF_KIND_CAPOS);
    uint64_t offset;
    CHECK(elf_function_at(stripped, 0x1000, &offset) == NULL);
}

TEST(functions_are_found_by_address)
{
    struct sample s = sample();
    uint64_t offset;
    struct bytes file = bytes_of(&s, sizeof(s));
    const char *name = elf_function_at(file, 0x100f, &offset);
    CHECK(name != NULL && strcmp(name, "f") == 0);
    CHECK_EQ(offset, 15);
    CHECK(elf_function_at(file, 0x1010, &offset) == NULL);
    CHECK(elf_function_at(file, 0xfff, &offset) == NULL);
}

/* Any damage: an answer, never an overrun (AddressSanitizer). */
TEST(damaged_files_never_harm)
{
    struct random random = {test_seed(1)};
    for (int i = 0; i < 20000; i++) {
        struct sample s = sample();
        uint64_t offset;
        size_t size = random_chance(&random, 3) ? random_below(&random, sizeof(s)) : sizeof(s);
        for (uint64_t n = random_below(&random, 4); n > 0; n--) {
            ((uint8_t *)&s)[random_below(&random, sizeof(s))] =
                random_chance(&random, 2) ? 0xff : (uint8_t)random_next(&random);
        }
        struct bytes file = bytes_of(&s, size);
        elf_function_at(file, 0x1004, &offset);
        elf_returns_to(file, random_next(&random) % 0x2000, random_next(&random) % 0x2000);
        if (elf_classify(file) == ELF_KIND_CAPOS) {
            CHECK(elf_strip(file).size <= size);
        }
        free(file.data);
    }
}
