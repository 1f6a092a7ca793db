/* One run of a machine, from QEMU's start to the last word about it. session.c talks; report.c
 * finds the words and the status. */
#pragma once

#include "tools/capos/link.h"
#include "tools/capos/qemu.h"
#include "tools/capos/streams.h"

#define LOG_TAIL 16384
#define DENIALS_KEPT_HOST 32

/* The last bytes of a text. */
struct tail {
    char bytes[LOG_TAIL];
    size_t size;
};

enum ending {
    ENDING_NONE,       /* the machine runs */
    ENDING_EXIT,       /* the exit record came, and all output is out */
    ENDING_SIGNAL,     /* we were asked to end */
    ENDING_TIME,       /* --time */
    ENDING_NO_READER,  /* a program that goes on although nobody reads its output */
    ENDING_SILENT,     /* the machine did not come up */
    ENDING_PROTOCOL,   /* it said something we do not understand */
    ENDING_LOST,       /* QEMU ended without an exit record */
};

struct session {
    const struct run_options *options;
    const struct machine_choice *choice;
    const struct manifest *manifest;
    struct qemu qemu;
    struct link link;
    struct streams streams;
    struct tail log, errors;
    int log_file; /* --kernel-log, or -1 */
    int signals;  /* a signalfd */
    enum ending ending;
    int signal;           /* ENDING_SIGNAL */
    int qemu_status;      /* as waitpid gives it, once it has ended */
    bool started, has_output, has_exit, input_ended, interrupts_claimed;
    uint64_t deadline_ms; /* what comes next by itself; UINT64_MAX: nothing */
    enum ending at_deadline;
    uint64_t start_ms;
    bool told_closed[3];
    struct host_link_exit exit;
    struct host_link_fault fault;
    bool has_fault;
    struct host_link_denial denials[DENIALS_KEPT_HOST]; /* the last ones; index modulo */
    uint32_t denial_count;
};

/* Tells the user how it ended, if not with the program's own status; returns the status of capos.
 */
int report(const struct session *session);
/* --gdb: says what to type, before the machine starts or when the linux machine has stopped. */
const char *gdb_socket(void); /* where QEMU serves */
void gdb_qemu(const struct manifest *manifest, const char *socket);
void gdb_linux(const struct manifest *manifest, pid_t kernel, uint64_t image_base);
void gdb_end(void); /* removes the files */
/* Where an address of the program is: "function+0x12 (file.c:34)". A new string. */
char *symbolise(const char *path, uint64_t image_base, uint64_t address, bool is_return);
/* Whether `word`, the top of the stack, is the return address of the function at `instruction`,
 * which the chain of frames does not have. */
bool symbolise_frameless(const char *path, uint64_t image_base, uint64_t instruction,
                         uint64_t word);
