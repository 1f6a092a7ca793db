/* Host folders: what the kernel's side (folders.c, directory.c, file.c) and the folder process
 * (folder_process.c) share, and what the files of the kernel's side share.
 *
 * The folder process does all that may block and all that names anything on the host. It shares
 * its descriptors with the kernel's process and not its memory; what they say to each other lies in
 * struct folder_memory, one slot for each worker:
 *
 *   kernel   fills `question`, exchanges the word for FOLDER_ASKED, wakes the worker if it sleeps
 *   worker   copies the question, checks it by itself, does it, fills `answer`, exchanges the word
 *            for FOLDER_DONE, counts `done` up and, if the kernel sleeps, sends it a signal
 *   kernel   copies the answer and checks it
 *
 * Neither trusts the other: a mistake of the kernel's opens nothing outside of the folders and
 * writes nothing in one that is read-only. */
#pragma once

#include "kernel/arch/linux/linux.h"
#include "kernel/core/call.h"

#define FOLDER_WORKERS 8
#define FOLDER_NAME_MAX 255u /* NAME_MAX */
/* Open at a time: bounds what a machine takes of the host's memory for them. */
#define FOLDER_FILES_MAX 65536

enum folder_operation { /* those with a name first */
    FOLDER_SUB,
    FOLDER_OPEN,
    FOLDER_CREATE, /* a folder */
    FOLDER_REMOVE,
    FOLDER_RENAME,
    FOLDER_STAT,
    FOLDER_LIST,
    FOLDER_READ,
    FOLDER_WRITE,
    FOLDER_FILE_STAT,
    FOLDER_TRUNCATE,
    FOLDER_SYNC,
    FOLDER_CLOSE, /* the descriptors in `data` */
    FOLDER_OPERATIONS
};

struct folder_question {
    uint32_t operation;
    int32_t file;      /* the descriptor it is about */
    int32_t into;      /* RENAME */
    uint32_t flags;    /* OPEN: OPEN_FLAGS_* */
    uint32_t writable; /* SUB, OPEN, CREATE: what comes of it may be written */
    uint32_t size;     /* of data: READ, LIST: room for it; CLOSE: bytes of descriptors */
    uint64_t offset;   /* READ, WRITE; LIST: the cursor; TRUNCATE: the size */
    char name[FOLDER_NAME_MAX + 1], new_name[FOLDER_NAME_MAX + 1];
};

struct folder_answer {
    int64_t result; /* a negated error of Linux; else a descriptor, or bytes, or 0 */
    uint64_t size;  /* STAT, FILE_STAT */
    int64_t modified;
    uint32_t kind;  /* enum file_kind */
    uint32_t end;   /* LIST: there is no more */
};

#define FOLDER_ASKED 1u
#define FOLDER_DONE 2u
#define FOLDER_SLEEPS 4u /* with DONE: the worker */

struct folder_slot {
    uint32_t word;
    struct folder_question question;
    struct folder_answer answer;
    _Alignas(PAGE_SIZE) uint8_t data[FILE_CHUNK_MAX];
};

struct folder_memory {
    uint32_t done;          /* answers, ever */
    uint32_t kernel_sleeps; /* it wants a signal */
    struct folder_slot slots[FOLDER_WORKERS];
};

/* Of what a `mode` of Linux's is; its own header leaves these to a C library. */
#define FOLDER_KIND_MASK 0170000u
static inline bool folder_is_file(uint32_t mode)
{
    return (mode & FOLDER_KIND_MASK) == 0100000;
}
static inline bool folder_is_directory(uint32_t mode)
{
    return (mode & FOLDER_KIND_MASK) == 0040000;
}

/* What getdents64 writes. */
struct folder_entry {
    uint64_t inode, cursor; /* cursor: of what comes behind it */
    uint16_t size;          /* of the whole */
    uint8_t kind;
    char name[];
} __attribute__((packed));
#define FOLDER_ENTRY_UNKNOWN 0
#define FOLDER_ENTRY_DIRECTORY 4
#define FOLDER_ENTRY_FILE 8
#define FOLDER_ENTRY_OTHER 12 /* a socket, say */

/* A name is one component that leads neither back nor up. */
static inline bool folder_name_good(const char *name, size_t size)
{
    bool dots = size <= 2 && memcmp(name, "..", size) == 0; /* or empty */
    for (size_t i = 0; i < size && !dots; i++) {
        dots = name[i] == '/' || name[i] == 0;
    }
    return !dots && size <= FOLDER_NAME_MAX;
}

/* --- folder_process.c --- */
/* In the child of the fork; each root's descriptor was made known before. */
void folder_process_root(int32_t file, bool writable);
_Noreturn void folder_process(struct folder_memory *memory, int32_t kernel);

/* --- folders.c, for directory.c and file.c --- */

/* A Directory or a File. */
struct folder_node {
    struct object object;
    struct account *account;   /* NULL: one that the machine was started with */
    struct folder_node *owner; /* a reference, of whom the descriptor is; NULL: it is its own */
    struct list closing;       /* without references: until a worker is free to close it */
    int32_t file;
    bool read_only;
    /* the name of the folder that was granted to be read only, if it is so for that */
    const char *grant;
};

typedef void folder_error_setter(struct wire_builder results, enum file_error error);

/* What a worker is at, or was: private to the kernel. */
struct folder_work {
    bool busy;
    struct call *call;          /* NULL: nobody waits for it any more */
    struct object *held[2];     /* whose descriptors it uses */
    struct folder_node *node;   /* for the descriptor that comes of it; NULL: none does */
    struct folder_answer answer; /* checked */
    const uint8_t *data;        /* READ, LIST: answer.result bytes, which may still change */
    uint32_t operation, size;   /* of the question */
    folder_error_setter *set_error;
    /* fills the results of a success, beside the error; NULL: there is nothing else */
    status_t (*fill)(struct folder_work *w, struct wire_builder results);
};

/* What a method wants done. */
struct folder_request {
    struct folder_question question;
    const void *data;      /* WRITE: question.size bytes in the CPU's request buffer, */
    uint64_t data_address; /* and in the caller's memory */
    struct object *into;   /* RENAME: a reference; or NULL */
    struct folder_node *node;
    folder_error_setter *set_error;
    status_t (*fill)(struct folder_work *w, struct wire_builder results);
};

extern const struct object_class directory_class, file_class;

struct folder_node *folder_node(struct object *o); /* of either class */
/* A node of the caller's without descriptor. Error: bytesExhausted. */
status_t folder_node_make(const struct invocation *in, const struct object_class *class,
                          bool read_only, struct folder_node **out) MUST_CHECK;
/* The read-only face of one: a new reference. */
status_t folder_node_read_only(const struct invocation *in, struct object **out) MUST_CHECK;
void folder_node_destroy(struct object *o);
/* The node that a success has made, as what is to be given. */
struct object *folder_work_object(struct folder_work *w);
/* Begins it: pending, or why not. Takes over what the request refers to. */
status_t folder_ask(const struct invocation *in, struct folder_request *r) MUST_CHECK;
/* For who found the answer without a worker. */
status_t folder_answer_error(const struct invocation *in, folder_error_setter *set_error,
                             enum file_error error) MUST_CHECK;
/* The same for what this read-only object does not do, with the record of it. */
status_t folder_refuse(const struct invocation *in, const struct folder_node *n,
                       folder_error_setter *set_error, struct wire_span name) MUST_CHECK;
