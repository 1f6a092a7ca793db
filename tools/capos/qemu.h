/* Starting the machine: QEMU as abi/qemu.h describes it, or the kernel of the linux machine. */
#pragma once

#include <sys/types.h>

#include "tools/capos/folders.h"
#include "tools/capos/run.h"

struct qemu_options {
    enum machine machine; /* linux: the kernel itself is started, with the same descriptors */
    const char *kernel;
    struct bytes package; /* empty: none */
    uint64_t memory;
    uint32_t cpus;
    enum accel accel;
    bool no_link; /* the probe has none */
    const struct folders *folders; /* linux: what it inherits of the host's; NULL: none */
    bool gdb;               /* linux: the user's gdb may attach, and the program waits for it */
    const char *gdb_socket; /* QEMU: starts stopped and serves gdb there; NULL: does not */
};

struct qemu {
    pid_t pid;
    int link;   /* the host link, non-blocking; -1 with no_link */
    int serial; /* what the serial port says, non-blocking */
    int errors; /* QEMU's own standard error, non-blocking */
};

/* The path of QEMU; NULL when it is not installed. */
const char *qemu_look(void);
/* The same; where it is not installed it is, if this process may, or this fails. */
const char *qemu_find(void);
/* This process may install it, as ./capos does. */
void qemu_may_install(void);
/* Installs it if this process may. Its path, or NULL; tools/capos/setup.sh has said why. */
const char *qemu_install(void);
/* Starts it in a process group of its own; it dies with this process. Signals are unblocked in it.
 */
struct qemu qemu_start(const struct qemu_options *options);
