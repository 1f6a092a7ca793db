/* Processes: an address space, a capability table, an account and threads. A process's struct is a
 * kernel object whose face is the ProcessHandle; it stays, with its exit status, as long as a
 * handle does, after all else was given back. */
#pragma once

#include "kernel/core/address_space.h"
#include "kernel/core/cap_table.h"
#include "kernel/core/denial.h"
#include "kernel/core/elf.h"
#include "kernel/core/thread.h"

struct exit_record {
    enum exit_kind kind;
    int32_t code;
    enum upcall_cause cause;
    enum upcall_access access;
    uint64_t address, instruction, image_base, stack_pointer, stack_word;
    uint64_t thread; /* its id */
    uint32_t backtrace_count;
    uint64_t backtrace[BACKTRACE_MAX];
    enum status exhausted;
};

/* The objects that every process has, in the order of their slots. */
enum { OWN_MEMORY, OWN_THREADS, OWN_CONTROL, OWN_PARK, OWN_COUNT };

struct process {
    struct object object;    /* class process_handle_class */
    struct account *account; /* NULL once ended */
    /* of this struct: the parent's account, since a handle outlives the process */
    struct account *payer;
    struct address_space *space; /* NULL once ended */
    struct cap_table table;
    struct list threads;
    uint32_t thread_count;
    bool ended, ending;
    bool time_granted;        /* ask process_time_granted() */
    struct arch_process arch; /* whether the time-stamp counter is open, ... */
    struct exit_record exit;
    struct list waiters; /* kept calls of wait and ready */
    struct denial denials[DENIALS_KEPT];
    uint32_t denial_count; /* ever */
    struct object own[OWN_COUNT]; /* embedded faces */
    struct ring *spare_ring; /* of a thread that ended, for the next: kernel/core/thread.c */
    uint64_t cpu_ns;         /* of threads that ended */
    struct object *image;    /* a reference: names the binary in a fault's report */
    uint64_t image_base;
    uint64_t time_page; /* its address in this process; 0: not mapped */
    uint64_t id;
    char name[PROCESS_NAME_MAX];
    struct list all; /* of all processes, for reports */
};

extern const struct object_class process_handle_class, process_own_classes[OWN_COUNT];
/* what PARK and UNPARK name; it has no methods */
#define park_space_class process_own_classes[OWN_PARK]
extern struct list process_all;
/* what the kernel started; NULL before, and once it has ended */
extern struct process *process_init;
/* the first process that init made: a reference, kept for its exit record */
extern struct process *process_program;

/* Once, before the first process. */
void process_bring_up(void);
/* A process with one NEW thread, its image mapped, its start block copied in and its grants at
 * their slots (each grant: a new reference). Everything that can fail is before the first effect.
 * limits: LEDGER_KINDS words or NULL. *out: with a reference of the caller's. reason: a sentence
 * for the exception when the image was at fault. */
status_t process_create(struct account *parent, const char *name, size_t name_size,
                        struct object *image, const void *start, size_t start_size,
                        struct object *const *grants, uint32_t grant_count, const uint64_t *limits,
                        struct process **out, const char **reason) MUST_CHECK;
void process_start(struct process *p);
/* Ends it: all threads, then all it holds. Idempotent. It may be the current thread's: whoever
 * calls this from an entry must not touch the thread afterwards, and looks at its state to learn
 * that. */
void process_end(struct process *p, const struct exit_record *record);
void process_destroy(struct object *self); /* of process_handle_class */
/* The process that one of the four own objects belongs to. Each reference to one keeps the
 * process's struct. */
struct process *process_of_own(struct object *own);
/* Whether it may use time-outs other than 0 and for ever: a Timer is or was in its table. */
bool process_time_granted(struct process *p);
/* A copy of the caller's process, with one NEW thread; *out as above. */
status_t process_fork(struct thread *caller, struct process **out) MUST_CHECK;
status_t process_exec(struct thread *caller, struct object *image, const void *start,
                      size_t start_size, const cap_id_t *keep, uint32_t keep_count,
                      const char **reason) MUST_CHECK;
/* Bytes of the first thread's stack, from the memory of the machine: abi/start.h. */
uint64_t process_stack_size(void);
