/* How a capOS program is told from a Linux one: both are ELF64 for x86-64, only this note
 * differs.
 *
 * The start file of libcapos (crt) puts one note into the section `.note.capos`; the linker
 * script keeps it and gives it a PT_NOTE segment. `capos run` and the tools look for it before
 * they boot anything; the kernel does not read it. */
#pragma once

#define ELF_NOTE_SECTION ".note.capos"
#define ELF_NOTE_NAME "capOS"      /* 6 bytes with its NUL, padded to 8 in the file */
#define ELF_NOTE_NAME_SIZE 6
/* "this program speaks the ABI whose version is the descriptor" */
#define ELF_NOTE_TYPE 1
#define ELF_NOTE_DESC_SIZE 4       /* one little-endian 32-bit number */
#define ELF_NOTE_ABI_VERSION 1
