/* The bounds of the system, each with its reason. */
#pragma once

#include "abi/gen/interfaces.h"

#define PAGE_SIZE 4096ull
#define PAGE_SHIFT 12

/* nothing maps below 64 KiB: a null pointer with an offset faults */
#define USER_BASE 0x10000ull
/* the last GiB is left out: there the linux machine keeps its helper pages, and on x86_64 sysret to
 * a non-canonical address is a trap */
#define USER_END 0x00007fffc0000000ull

/* A message, whether to a kernel object or from process to process: bounds every copy in the
 * kernel. 64 KiB of data and a page for all else; larger data goes through a MemoryObject. */
#define MESSAGE_MAX (68 * 1024)
/* As the schema bounds them. */
#define FILE_CHUNK_MAX FILE_READ_LENGTH_BOUND      /* data in one read or write of a File */
#define CONSOLE_WRITE_MAX CONSOLE_WRITE_DATA_BOUND /* a Console call: a line, not a file */
#define ENTROPY_FILL_MAX ENTROPY_SOURCE_FILL_COUNT_BOUND
#define STREAM_CHUNK_MAX STD_IO_READ_MAX_BYTES_BOUND /* in one read or write of StdIO and Pipe */
_Static_assert(FILE_WRITE_DATA_BOUND == FILE_CHUNK_MAX
                   && CONSOLE_WRITE_LINE_TEXT_BOUND == CONSOLE_WRITE_MAX
                   && STD_IO_WRITE_DATA_BOUND == STREAM_CHUNK_MAX
                   && STD_IO_WRITE_ERROR_DATA_BOUND == STREAM_CHUNK_MAX
                   && PIPE_READER_READ_MAX_BYTES_BOUND == STREAM_CHUNK_MAX
                   && PIPE_WRITER_WRITE_DATA_BOUND == STREAM_CHUNK_MAX,
               "what goes one way comes back the other");
#define HOST_FOLDERS_MAX 32 /* of the host's that a command line grants; each is a slot of init's */
#define PIPE_CAPACITY (64 * 1024) /* bytes a pipe holds before its writer waits, as Linux has it */
#define PROCESS_NAME_MAX 32
/* nesting of revocable forwarders: bounds the walk at each call */
#define FORWARDER_DEPTH_MAX 8
#define ACCOUNT_DEPTH_MAX 32      /* nesting of accounts: bounds the walk at each charge */
#define DENIALS_KEPT 8            /* denial records a process keeps */
#define BACKTRACE_MAX 32          /* frames in an exit record */
#define CPUS_MAX 64
