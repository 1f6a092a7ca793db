/* ELF files as the host's tools look at them: is it a capOS program, what does it consist of, which
 * function is at an address. Reads untrusted files: every offset is checked. */
#pragma once

#include "tools/image/base.h"

enum elf_kind {
    ELF_KIND_CAPOS,
    ELF_KIND_NOT_ELF,
    ELF_KIND_OTHER_MACHINE, /* an ELF, but not for 64-bit x86 */
    ELF_KIND_LINUX,         /* executable, without the note of capOS */
    ELF_KIND_NO_PROGRAM,    /* an object file, a library */
    ELF_KIND_OTHER_VERSION, /* a capOS program of another ABI version */
    ELF_KIND_DAMAGED,       /* its headers point outside the file */
};

enum elf_kind elf_classify(struct bytes file);
/* A sentence for people, without a full stop: "is a Linux program". NULL for ELF_KIND_CAPOS. */
const char *elf_kind_problem(enum elf_kind kind);
/* Its beginning, without sections, symbols and debug information: what a machine needs to run it.
 * The file, whose header is changed, must be ELF_KIND_CAPOS. */
struct bytes elf_strip(struct bytes file);
/* The function that contains the address (as linked), and the offset into it. NULL: none is known.
 */
const char *elf_function_at(struct bytes file, uint64_t address, uint64_t *offset);
/* The function at the address (as linked) makes no frame of its own, so that its caller is not in
 * the chain of frames, and `word`, on top of its stack, is an address that a call left there. */
bool elf_returns_to(struct bytes file, uint64_t address, uint64_t word);
