/* The simulated machine in a test: boot, processes, and the test as their user code.
 *
 *   TEST(nop_completes)
 *   {
 *       sim_boot(NULL);
 *       struct user *u = user_of(sim_process(NULL, 0));
 *       struct ring_completion c = user_run(u, (struct ring_entry){.opcode = RING_OP_NOP,
 * .user_data = 7}); CHECK_OK(c.status);
 *   }
 *
 * At the end of the test all processes that are left are ended, and frames, kernel memory, timers
 * and every kind of the ledger must be back at what they were after sim_boot. Kernel functions may
 * be called directly between entries; objects that then die are destroyed by the next entry or by
 * sim_settle(). */
#pragma once

#include "abi/ring.h"
#include "abi/syscall.h"
#include "kernel/arch/arch.h"
#include "kernel/core/entry.h"
#include "kernel/core/process.h"
#include "kernel/core/tally.h"
#include "lib/wire/wire.h"
#include "tests/lib/test.h"

struct sim_options {
    uint64_t pages; /* of memory; 0: 8192 */
    uint32_t cpus;  /* 0: 1 */
    uint64_t seed;
    const void *package; /* a boot package that is opened, though no init is started; NULL: none */
    size_t package_size;
    struct object *extra; /* what the machine has beside the kernel's own objects; NULL: nothing */
    const char *extra_name;
};

/* Brings up the kernel without a package, notes the counts, and arranges for the check at the end
 * of the test. */
void sim_boot(const struct sim_options *options);
/* kernel_start with a package (abi/boot_package.h); the counts are noted after it. */
void sim_boot_package(const struct sim_options *options, const void *package, size_t size);

/* --- the machine --- */
/* Each CPU that was poked, or is idle while it has ready threads, enters the kernel; the dead are
 * reaped. */
void sim_settle(void);
/* Time passes; due timers interrupt their CPU, in order. */
void sim_advance(uint64_t ns);
/* The kernel entry of CPU n that fn is; then kernel_leave. */
void sim_enter_kernel(uint32_t cpu, void (*fn)(void *context), void *context);
void sim_tick(uint32_t cpu); /* a timer interrupt of that CPU, due or not */
/* The test as the host of the link. Connect: the machine starts its end, the host greets it; no
 * stream is a terminal. */
void sim_host_connect(void);
void sim_host_greets(void); /* the host's half alone, for a machine that kernel_start has started */
void sim_host_sends(const void *bytes, size_t size);
size_t sim_host_takes(void *bytes, size_t size);
bool sim_ended(int *code); /* has the machine ended? */
/* Does fn panic? Its text is then sim_panic_text(). The machine can be used no more. */
bool sim_panics(void (*fn)(void));
const char *sim_panic_text(void);

/* --- counts --- */
struct counts {
    uint64_t frames_free, kernel_bytes, timers, processes, threads;
    uint64_t used[LEDGER_KINDS];
};

struct counts counts_take(void);
void counts_check(const struct counts *before); /* fails the test where one differs */
/* From here on: what the machine makes once and keeps, as its time page, has been made. */
void counts_start(void);
void sim_drop_time_page(void); /* which is then made anew for the next who asks */
uint64_t sim_frames_of_machine(void); /* that no account pays for */
/* Ends every process, lets go of what the driver holds, reaps. */
void sim_end_all(void);

/* Runs body with the first, second, third ... allocation failing, until none fails. Before each run
 * setup (may be NULL), without failures; after it sim_end_all and the check that all counts are as
 * before setup. */
void for_each_allocation_failure(void (*setup)(void), void (*body)(void));

/* --- processes --- */
/* Writes the program of sim_image() into two pages at least; answers its size. */
size_t sim_program(uint8_t *bytes, size_t room);
/* An Image of one executable page which the kernel accepts as a program. No new reference. */
struct object *sim_image(void);
/* A started process named "sim" below the root account; each grant is a new reference, in slot 5
 * and up. The driver holds a reference until sim_end_all. */
struct process *sim_process(struct object *const *grants, uint32_t count);
status_t sim_process_try(struct account *parent, struct object *const *grants, uint32_t count,
                         const uint64_t *limits, struct process **out) MUST_CHECK;
/* The driver's reference goes: the process lives and dies as the kernel has it. */
void sim_let_go(struct process *p);
/* Made by hand: an address space, a table, an account and no thread. For tests that need no more of
 * a process. */
struct process *sim_bare_process(void);
/* Inserts a new reference of o into p's table. */
cap_id_t sim_grant(struct process *p, struct object *o);

/* --- user code --- */
#define USER_SCRATCH_SIZE (256 * 1024)

/* The user code of one thread. */
struct user {
    struct thread *thread;   /* a reference is held */
    struct process *process; /* likewise */
    uint64_t ring;           /* address of its header */
    uint64_t scratch;        /* USER_SCRATCH_SIZE bytes to read and write */
    uint64_t scratch_used;
    uint64_t next_user_data;
    struct user *next;
};

/* Of the process's first thread, or of a thread; made at the first call. */
struct user *user_of(struct process *p);
struct user *user_of_thread(struct thread *t);
/* One more thread of the process, started. */
struct user *user_thread(struct process *p);

enum outcome {
    USER_RETURNED, /* the result is user_result() */
    USER_BLOCKED,
    USER_DIED,
};

/* Makes it the current thread of its CPU; it must not be blocked. */
void user_switch_to(struct user *u);
enum outcome user_syscall(struct user *u, uint64_t number, uint64_t a, uint64_t b, uint64_t c);
/* upcalls_seen is as the ring has it. */
enum outcome user_enter(struct user *u, uint32_t min_complete, uint64_t timeout_ns);
/* Where it is now: blocked, dead, or on its way in user mode. */
enum outcome user_state(const struct user *u);
int64_t user_result(const struct user *u);
/* A load or store of user code with all that follows. False: the thread died, or is at its upcall's
 * entry point. */
bool user_touch(struct user *u, uint64_t address, enum upcall_access access);

/* Memory as the process sees it, faults resolved; false: no such memory. Works whatever thread is
 * current. */
bool user_read(struct process *p, uint64_t address, void *out, size_t size);
bool user_write(struct process *p, uint64_t address, const void *bytes, size_t size);
/* Scratch memory, aligned to 16; it is never given back. `bytes` may be NULL. */
uint64_t user_place(struct user *u, const void *bytes, size_t size);
void user_scratch_reset(struct user *u);

/* --- the ring --- */
struct ring_header user_ring(const struct user *u);
/* Fails the test when the submission queue is full. */
void user_submit(struct user *u, const struct ring_entry *e);
bool user_reap(struct user *u, struct ring_completion *out);
/* Submits one entry, enters until its completion is there, and takes it. Others' completions must
 * not come. */
struct ring_completion user_run(struct user *u, struct ring_entry e);

/* --- calls --- */
struct user_message {
    _Alignas(8) uint8_t bytes[MESSAGE_MAX];
    struct wire_message_builder builder;
};

/* An empty message with a root of that shape; lives until the next user_message() of this test. */
struct wire_builder user_message(struct user_message *m, uint32_t data_words, uint32_t pointers);

struct user_reply {
    struct ring_completion completion;
    struct cap_transfer transfers[RING_TRANSFERS_MAX]; /* what came */
    _Alignas(8) uint8_t bytes[MESSAGE_MAX];
    struct wire_message message;
    struct wire_reader root; /* of the results, or of the Exception */
};

/* A CALL entry with its message placed in scratch memory; m NULL: an empty struct. Room for results
 * and 8 transfers. */
struct ring_entry user_call_entry(struct user *u, cap_id_t cap, uint64_t interface_id,
                                  uint16_t method, struct user_message *m,
                                  const struct cap_transfer *sent, uint16_t count);
/* The whole call; it must complete. Answers the completion's status, negated back: a status_t. */
status_t user_call(struct user *u, cap_id_t cap, uint64_t interface_id, uint16_t method,
                   struct user_message *m, const struct cap_transfer *sent, uint16_t count,
                   struct user_reply *reply);
/* Reads what the completion of such an entry brought. */
void user_take_reply(struct user *u, const struct ring_entry *e, const struct ring_completion *c,
                     struct user_reply *reply);
