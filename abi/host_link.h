/* The host link's protocol: what `capos run` on the host and the kernel in the machine say to
 * each other over one reliable byte stream in each direction (a virtio-serial port; on linux a
 * socket). Ends: tools/capos/link.c and kernel/core/host_link.c.
 *
 * Each direction is a sequence of frames: a header of 8 bytes, then `length` bytes of payload.
 * All numbers are little-endian. Structures below are payloads as they lie on the wire; text
 * has no NUL and is not terminated unless said.
 *
 *   machine -> host                              host -> machine
 *   HELLO      struct host_link_machine_hello    HELLO      struct host_link_host_hello
 *   STDOUT     bytes (takes output credit)       STDIN      bytes (takes input credit)
 *   STDERR     bytes (takes output credit)       STDIN_END  nothing: no more input will come
 *   CREDIT     u32: more input credit            CREDIT     u32: more output credit
 *   LOG        text of the kernel's log          CLOSED     u8: the host_link_stream nobody reads
 *   STARTED    struct host_link_started: the     WINDOW     struct host_link_window
 *              program is about to begin       INTERRUPT  u32: what kind (HOST_LINK_INTERRUPT_*)
 *   DENIAL     struct host_link_denial           EXIT_ACK   nothing
 *   FAULT      struct host_link_fault
 *   CLAIM      u8: 1 = interrupts have a handler, 0 = they end the machine
 *   REFUSED    u8: a host_link_stream: a write to it met CLOSED, for the first time
 *   EXIT       struct host_link_exit
 *
 * Rules.
 * - Each side sends HELLO first, without waiting for the other's. A version that differs ends
 *   the link.
 * - STDOUT and STDERR share one credit and are written by the host in the order in which they
 *   come. A payload byte costs one. The receiver gives it back with CREDIT once the byte has
 *   been handed on (or dropped, for a stream that is CLOSED), so its buffer is bounded by the
 *   credit and no stream can hold up another frame for ever.
 * - The machine starts with HOST_LINK_OUTPUT_CREDIT and never has more. The host starts with
 *   none: it leaves its input alone until the program reads for the first time, and then never
 *   has more than HOST_LINK_INPUT_CREDIT.
 * - Frames other than data cost nothing. The host always reads; the machine bounds what it
 *   queues.
 * - CLOSED is sent once for a stream; the machine then fails writes to it with a broken pipe, at
 *   once.
 * - EXIT is the machine's last frame. The host answers EXIT_ACK at once: it has all output that
 *   came before. Only then does the machine end, or when no answer comes. After EXIT the machine
 *   ignores everything but EXIT_ACK.
 * - A receiver that meets anything else (unknown type, length out of bounds, credit overrun, a
 *   second HELLO) treats the link as broken: for the machine, input has ended and every output
 *   is a broken pipe; for the host, a capOS error. */
#pragma once

#include "abi/limits.h"

#include <stdint.h>

#define HOST_LINK_MAGIC 0x4b4e494c534f7063ull /* "cpOSLINK" */
#define HOST_LINK_VERSION 2u
/* one frame never needs more than a page and a header on either side */
#define HOST_LINK_MAX_PAYLOAD 4096u
/* the host's buffer; big enough that the round trip of a credit is hidden */
#define HOST_LINK_OUTPUT_CREDIT 65536u
#define HOST_LINK_INPUT_CREDIT 16384u    /* the kernel's buffer for input: four pages, static */

enum host_link_type {
    HOST_LINK_HELLO = 1,
    HOST_LINK_CREDIT = 2,
    /* machine -> host */
    HOST_LINK_STDOUT = 16,
    HOST_LINK_STDERR = 17,
    HOST_LINK_LOG = 18,
    HOST_LINK_STARTED = 19,
    HOST_LINK_DENIAL = 20,
    HOST_LINK_FAULT = 21,
    HOST_LINK_CLAIM = 22,
    HOST_LINK_EXIT = 23,
    HOST_LINK_REFUSED = 24,
    /* host -> machine */
    HOST_LINK_STDIN = 32,
    HOST_LINK_STDIN_END = 33,
    HOST_LINK_CLOSED = 34,
    HOST_LINK_WINDOW = 35,
    HOST_LINK_INTERRUPT = 36,
    HOST_LINK_EXIT_ACK = 37,
};

enum host_link_stream {
    HOST_LINK_STREAM_IN = 0,
    HOST_LINK_STREAM_OUT = 1,
    HOST_LINK_STREAM_ERR = 2,
};

#define HOST_LINK_INTERRUPT_INT 1u  /* Ctrl-C */
#define HOST_LINK_INTERRUPT_TERM 2u /* asked to end */
#define HOST_LINK_INTERRUPT_QUIT 3u /* Ctrl-backslash */

struct host_link_header {
    uint8_t type; /* enum host_link_type */
    uint8_t zero[3];
    uint32_t length; /* of the payload, at most HOST_LINK_MAX_PAYLOAD */
};

struct host_link_machine_hello {
    uint64_t magic;
    uint32_t version;
    uint32_t cpus;
    uint64_t memory_bytes;
};

struct host_link_window {
    uint16_t columns; /* both 0 when there is no terminal */
    uint16_t rows;
};

struct host_link_host_hello {
    uint64_t magic;
    uint32_t version;
    uint8_t terminal; /* bit n set: host_link_stream n is a terminal */
    uint8_t zero[3];
    struct host_link_window window;
    uint32_t zero2;
};

/* How the program ended: the values of ExitKind in the schema. */
enum host_link_exit_kind {
    HOST_LINK_EXITED = 0,        /* code: the program's status */
    HOST_LINK_FAULTED = 1,       /* the FAULT frame of the same process came before */
    HOST_LINK_TERMINATED = 2,    /* by a holder of its handle */
    HOST_LINK_DENIED = 3,        /* the last DENIAL frame of the same process says why */
    HOST_LINK_OUT_OF_BUDGET = 4, /* code: the Status that says which budget */
    HOST_LINK_PANICKED = 5,      /* the runtime gave up; its message is in the log */
    HOST_LINK_BOOT_FAILED = 6,   /* init could not do what the manifest says; the log says why */
};

struct host_link_exit {
    uint32_t kind; /* enum host_link_exit_kind */
    uint32_t code;
    uint64_t process;        /* kernel's number of the process whose end this is */
    /* out of budget: the limit that was met, in the resource's unit; 0: not known */
    uint64_t limit;
    uint64_t first_run_ns;   /* machine time from kernel entry to the program's first instruction */
    uint64_t end_ns;         /* machine time from kernel entry to this record */
    uint32_t denials_lost;   /* records that found no room to be sent */
    uint32_t zero;
};

#define HOST_LINK_NAME_SIZE 48u /* of names in records: NUL-terminated, cut when longer */

/* DenialReason in the schema. */
enum host_link_denial_reason {
    HOST_LINK_NOT_GRANTED = 0,
    HOST_LINK_WRONG_TYPE = 1,
    HOST_LINK_ATTENUATED = 2,
    HOST_LINK_REVOKED = 3,
    HOST_LINK_EXHAUSTED = 4,
    HOST_LINK_UNSUPPORTED = 5,
};

struct host_link_started {
    uint64_t image_base; /* where the program's image begins */
};

struct host_link_denial {
    uint64_t process;
    uint64_t interface_id; /* 0: none, the refusal was of the name alone */
    uint16_t method;       /* 0xffff: none */
    uint8_t reason;        /* enum host_link_denial_reason */
    uint8_t zero[5];
    char process_name[HOST_LINK_NAME_SIZE];
    char name[HOST_LINK_NAME_SIZE];  /* looked up in the CapSet; empty when not by name */
    /* what would have allowed it: NAME or NAME=SPEC; empty: the host derives it */
    char grant[HOST_LINK_NAME_SIZE];
};

struct host_link_fault {
    uint64_t process;
    uint32_t thread;
    uint32_t cause;      /* enum upcall_cause */
    uint64_t address;    /* page fault: the address touched */
    uint32_t access;     /* page fault: enum upcall_access */
    /* return addresses in 'frames', innermost first, 'instruction' not among them */
    uint32_t frame_count;
    uint64_t instruction;
    uint64_t stack_pointer;
    uint64_t image_base; /* load address minus link address of the program's image, for symbols */
    uint64_t stack_word; /* at the stack pointer: where a function without a frame returns to; 0:
                            unknown */
    uint64_t frames[BACKTRACE_MAX];
    char process_name[HOST_LINK_NAME_SIZE];
    /* the boot package's entry the image came from; empty: made at run time */
    char binary[HOST_LINK_NAME_SIZE];
};

_Static_assert(sizeof(struct host_link_header) == 8, "wire layout");
_Static_assert(sizeof(struct host_link_machine_hello) == 24, "wire layout");
_Static_assert(sizeof(struct host_link_host_hello) == 24, "wire layout");
_Static_assert(sizeof(struct host_link_exit) == 48, "wire layout");
_Static_assert(sizeof(struct host_link_denial) == 168, "wire layout");
_Static_assert(sizeof(struct host_link_fault) == 416, "wire layout");
_Static_assert(sizeof(struct host_link_fault) <= HOST_LINK_MAX_PAYLOAD,
               "every record fits a frame");
