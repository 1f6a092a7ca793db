/*
 * start.c: from the first instruction of a process to main. In this order: relocate the image to
 * where the kernel put it (nothing that holds an address may be used before), read the start block,
 * set up the first thread's record and thread-local variables, call main, exit.
 *
 * The start block stays where it is for the life of the process: argv, envp and the CapSet's names
 * point into it.
 */
#include "abi/limits.h"
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"
#include <stdlib.h>
#include <string.h>

/* What of ELF a static program meets (System V ABI, AMD64 supplement). */
struct elf_header {
    unsigned char ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t header_size, program_header_size, program_header_count;
};
struct elf_program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical_address, file_size, memory_size, alignment;
};
struct elf_dynamic {
    int64_t tag;
    uint64_t value;
};
struct elf_relocation {
    uint64_t offset, info;
    int64_t addend;
};
#define PT_DYNAMIC 2
#define PT_TLS 7
#define DT_RELA 7
#define DT_RELASZ 8
#define R_X86_64_RELATIVE 8

/* Thread-local variables of the first thread that take no more than this need no pages of their
 * own. */
#define FIRST_TLS_MAX 512
#define TLS_ALIGNMENT_MAX 4096
/* The first thread can make and take any message that the kernel takes. */
#define FIRST_MESSAGE_BYTES (MESSAGE_MAX + 4096)

/* Constructors and destructors, where the language or the program has them. */
typedef void capos_array_function(void);
extern capos_array_function *__init_array_start[] __attribute__((visibility("hidden")));
extern capos_array_function *__init_array_end[] __attribute__((visibility("hidden")));
extern capos_array_function *__fini_array_start[] __attribute__((visibility("hidden")));
extern capos_array_function *__fini_array_end[] __attribute__((visibility("hidden")));

/* A start block has at most MESSAGE_MAX bytes, and each text in it takes two words or more. */
#define TEXTS_MAX (MESSAGE_MAX / 16)

extern int main(int argc, char **argv, char **envp);
_Noreturn void capos_start(const void *block, struct ring_header *ring, size_t size);

uint64_t capos_gate;
char **capos_environment;
struct capos_tls capos_tls;

static struct {
    struct capos_grant *grants;
    size_t grant_count;
    const char *directory;
    uint8_t random_seed[16];
} start;

/* The request begins right behind the record, so that a small program touches one page for both. */
static struct {
    _Alignas(64) char tls[FIRST_TLS_MAX];
    struct capos_thread_self self;
    _Alignas(8) char request[FIRST_MESSAGE_BYTES];
} first __attribute__((section(".bss.~first")));
static CAPOS_LARGE _Alignas(8) char first_reply[FIRST_MESSAGE_BYTES];

/* ------------------------------------------------------------------------------- the image */

static inline const struct elf_program_header *program_header(uint32_t type)
{
    const struct elf_header *header = (const struct elf_header *)__ehdr_start;
    const struct elf_program_header *p = (const void *)(__ehdr_start + header->program_headers);
    for (unsigned i = 0; i < header->program_header_count; i++) {
        if (p[i].type == type) {
            return &p[i];
        }
    }
    return NULL;
}

/* Inlined into capos_start, which runs before any address in the image is right. */
static inline __attribute__((always_inline)) void relocate(void)
{
    const struct elf_program_header *dynamic = program_header(PT_DYNAMIC);
    uint64_t base = (uintptr_t)__ehdr_start;
    uint64_t table = 0;
    uint64_t table_size = 0;
    if (dynamic == NULL) {
        return; /* linked to a fixed address */
    }
    const struct elf_dynamic *d = (const void *)(base + dynamic->address);
    for (; d->tag != 0; d++) {
        table = d->tag == DT_RELA ? d->value : table;
        table_size = d->tag == DT_RELASZ ? d->value : table_size;
    }
    const struct elf_relocation *r = (const void *)(base + table);
    for (uint64_t i = 0; i < table_size / sizeof *r; i++) {
        if ((uint32_t)r[i].info == R_X86_64_RELATIVE) {
            *(uint64_t *)(base + r[i].offset) = base + (uint64_t)r[i].addend;
        }
    }
}

static void find_tls(void)
{
    const struct elf_program_header *tls = program_header(PT_TLS);
    const struct elf_program_header *dynamic = program_header(PT_DYNAMIC);
    capos_tls.alignment = 16;
    if (tls == NULL || tls->memory_size == 0) {
        return;
    }
    uint64_t base = dynamic != NULL ? (uintptr_t)__ehdr_start : 0;
    capos_tls.contents = (const void *)(base + tls->address);
    capos_tls.contents_size = tls->file_size;
    capos_tls.alignment = tls->alignment < 16 ? 16 : tls->alignment;
    /* The compiler counts from the segment's own alignment, not from what we give beyond it. */
    uint64_t own = tls->alignment < 1 ? 1 : tls->alignment;
    capos_tls.size = (tls->memory_size + own - 1) / own * own;
}

void capos_tls_place(struct capos_thread_self *self)
{
    char *variables = (char *)self - capos_tls.size;
    memcpy(variables, capos_tls.contents, capos_tls.contents_size);
}

/* ------------------------------------------------------------------------------- the start
 * block */

/* A text in the start block ends with a zero: that is checked here, because C relies on it. */
static char *text_of(struct wire_span text)
{
    if (text.data == NULL || ((const char *)text.data)[text.size] != 0) {
        return "";
    }
    return (char *)(uintptr_t)text.data;
}

/* How many pointers a list of texts needs, with the NULL at its end. */
static size_t text_places(struct wire_list list)
{
    return (list.count < TEXTS_MAX ? list.count : TEXTS_MAX) + 1ul;
}

static void take_texts(char **to, struct wire_list list)
{
    size_t count = text_places(list) - 1;
    for (size_t i = 0; i < count; i++) {
        to[i] = text_of(wire_list_get_text(list, (uint32_t)i));
    }
    to[count] = NULL;
}

static void take_cap_set(struct wire_list set)
{
    for (uint32_t i = 0; i < start.grant_count; i++) {
        struct wire_reader entry = wire_list_get_struct(set, i);
        start.grants[i] = (struct capos_grant){
            .name = text_of(cap_set_entry_name(entry)),
            .interface_id = cap_set_entry_interface_id(entry),
            .cap = cap_set_entry_id(entry),
        };
    }
}

static void take_block(struct wire_reader block)
{
    start.directory = start_block_has_current_directory(block)
                          ? text_of(start_block_current_directory(block))
                          : "/";
    struct wire_span seed = start_block_random_seed(block);
    memcpy(start.random_seed, seed.data,
           seed.size < sizeof start.random_seed ? seed.size : sizeof start.random_seed);
}

/* ------------------------------------------------------------------------------- the first
 * thread */

static void set_fs_base(struct capos_thread_self *self)
{
    struct wire_builder params = thread_control_set_fs_base_params_init(&self->call.message);
    thread_control_set_fs_base_params_set_address(params, (uintptr_t)self);
    status_t status = capos_invoke_as(self, &self->call, CAPOS_THREAD, THREAD_CONTROL_INTERFACE_ID,
                                      THREAD_CONTROL_METHOD_SET_FS_BASE);
    if (status != STATUS_OK) {
        capos_exit_process(EXIT_BECAUSE_PANIC | 1);
    }
}

/* For a program with many thread-local variables: pages of their own, and the record behind
 * them. */
static struct capos_thread_self *larger_self(struct ring_header *ring)
{
    if (capos_tls.alignment > TLS_ALIGNMENT_MAX) {
        capos_panic("thread-local variables are aligned to more than a page");
    }
    char *pages = capos_pages_map(capos_tls.size + sizeof(struct capos_thread_self) + 4096);
    if (pages == NULL) {
        capos_panic("no memory for the thread-local variables");
    }
    uintptr_t alignment = capos_tls.alignment < 64 ? 64 : capos_tls.alignment;
    uintptr_t at = ((uintptr_t)pages + capos_tls.size + alignment - 1) & ~(alignment - 1);
    struct capos_thread_self *self = (struct capos_thread_self *)at;
    capos_self_init(self, ring, first.request, sizeof first.request, first_reply,
                    sizeof first_reply);
    return self;
}

static void set_up_first_thread(struct ring_header *ring)
{
    struct capos_thread_self *self = &first.self;
    find_tls();
    capos_self_init(self, ring, first.request, sizeof first.request, first_reply,
                    sizeof first_reply);
    memcpy(&self->stack_protector, start.random_seed, sizeof self->stack_protector);
    if (capos_tls.size > sizeof first.tls || capos_tls.alignment > 64) {
        set_fs_base(self); /* so that pages can be asked for */
        uint64_t stack_protector = self->stack_protector;
        self = larger_self(ring);
        self->stack_protector = stack_protector;
        capos_call_reset(&self->call);
    }
    capos_tls_place(self);
    set_fs_base(self);
}

static void run_destructors(void)
{
    for (capos_array_function **f = &__fini_array_end[0]; f != &__fini_array_start[0]; f--) {
        f[-1]();
    }
}

static void run_constructors(void)
{
    if (&__fini_array_end[0] != &__fini_array_start[0]) {
        (void)atexit(run_destructors);
    }
    for (capos_array_function **f = &__init_array_start[0]; f != &__init_array_end[0]; f++) {
        (*f)();
    }
}

_Noreturn void capos_start(const void *block_bytes, struct ring_header *ring, size_t size)
{
    relocate();
    struct wire_message message;
    wire_message_open(&message, block_bytes, size);
    struct wire_reader block = wire_message_root(&message);
    capos_gate = start_block_entry_gate(block);
    take_block(block);
    set_up_first_thread(ring);

    struct wire_list arguments = start_block_arguments(block);
    struct wire_list environment = start_block_environment(block);
    struct wire_list cap_set = start_block_cap_set(block);
    char *argument_texts[text_places(arguments)];
    char *environment_texts[text_places(environment)];
    struct capos_grant grants[cap_set.count < TEXTS_MAX ? cap_set.count + 1 : TEXTS_MAX];
    take_texts(argument_texts, arguments);
    take_texts(environment_texts, environment);
    start.grants = grants;
    start.grant_count = cap_set.count < TEXTS_MAX ? cap_set.count : TEXTS_MAX - 1;
    take_cap_set(cap_set);
    capos_environment = environment_texts;
    run_constructors();
    exit(main((int)text_places(arguments) - 1, argument_texts, environment_texts));
}

/* ------------------------------------------------------------------------------- looking it up */

size_t capos_grant_count(void)
{
    return start.grant_count;
}

const struct capos_grant *capos_grant_at(size_t index)
{
    return index < start.grant_count ? &start.grants[index] : NULL;
}

status_t capos_find(const char *name, uint64_t interface_id, cap_t *cap)
{
    for (size_t i = 0; i < start.grant_count; i++) {
        if (strcmp(start.grants[i].name, name) == 0) {
            *cap = start.grants[i].cap;
            return start.grants[i].interface_id == interface_id ? STATUS_OK
                                                                : STATUS_WRONG_INTERFACE;
        }
    }
    *cap = CAP_ID_NONE;
    return STATUS_NOT_FOUND;
}

const char *capos_current_directory(void)
{
    return start.directory;
}

const uint8_t *capos_random_seed(void)
{
    return start.random_seed;
}
