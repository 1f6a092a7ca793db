/*
 * capos.h: the native face of capOS for a C program: capabilities, calls, threads, locks, upcalls,
 * services, children. The typed call for every method of every interface comes with it
 * (lib/capos/gen/client.h): capos_timer_now, capos_pipe_reader_read, ...
 *
 * A program holds its own VirtualMemory, ThreadSpawner, ThreadControl and ParkSpace, and what it
 * was granted, by name. Nothing here adds to that. There is no error number: whatever may fail
 * answers a status_t that must be looked at, and where a name is not granted the program may ask
 * for it with capos_need, which ends the program and says which grant was missing.
 *
 * Threads: each has a ring of its own. A call, a record of a call and what it brings belong to the
 * thread that made it. Everything else here may be used by any thread, unless it says otherwise.
 */
#pragma once

#include "abi/limits.h"
#include "abi/start.h"
#include "abi/syscall.h"
#include "abi/upcall.h"
#include "lib/capos/gen/client.h"
#include "lib/capos/gen/server.h"
#include "lib/capos/invoke.h"
#include "lib/capos/serve.h"

/* ------------------------------------------------------------------------------- the CapSet */

/* The four that every process has. */
#define CAPOS_MEMORY ((cap_t)CAP_ID(CAP_SLOT_MEMORY, 1))
#define CAPOS_THREADS ((cap_t)CAP_ID(CAP_SLOT_THREADS, 1))
#define CAPOS_THREAD ((cap_t)CAP_ID(CAP_SLOT_THREAD, 1))
#define CAPOS_PARK ((cap_t)CAP_ID(CAP_SLOT_PARK, 1))

struct capos_grant {
    const char *name;
    uint64_t interface_id;
    cap_t cap;
};

/* All of them in the manifest's order, the process's own four first. */
size_t capos_grant_count(void);
const struct capos_grant *capos_grant_at(size_t index); /* NULL beyond the end */

/*
 * Look up by name. Errors: notFound where no such name was granted, wrongInterface where it names
 * another interface. Does not report a refusal.
 */
status_t capos_find(const char *name, uint64_t interface_id, cap_t *cap) CAPOS_MUST_CHECK;

/* The same for a program that cannot do without: a refusal ends it as denied, and `capos run` says
 * what to add. */
cap_t capos_need(const char *name, uint64_t interface_id);

/* Record a refusal, so that whoever looks after the program learns the grant that was missing. */
void capos_report_denial(uint64_t interface_id, uint16_t method, const char *name,
                         enum denial_reason reason, const char *grant);

/* Flush stdout and end the process as denied. */
_Noreturn void capos_end_denied(void);

/* Flush stdout and end the process as out of budget: `status` says of which, such as
 * framesExhausted. */
_Noreturn void capos_end_exhausted(status_t status);

/* Where the program stands in its name space; `/` if its parent said nothing. */
const char *capos_current_directory(void);

/* 16 bytes for hash tables and the like, other ones in each process; not a source of secrets. */
const uint8_t *capos_random_seed(void);

/* `wrongInterface` and so on: the schema's name. */
const char *capos_status_name(status_t status);

/* ------------------------------------------------------------------------------- ending */

/* An error that leaves no way on: `text` goes to the machine's log, and the process ends. Uses as
 * little of the runtime as it can. */
_Noreturn void capos_panic(const char *text);

/* ------------------------------------------------------------------------------- the ring */

/*
 * lib/capos/invoke.h has calls. Below them lie entries of any kind: one is put in with its own
 * record of the completion, which must stay until `done`.
 */
struct capos_wait {
    struct ring_completion completion;
    bool done;
};

/*
 * Put a copy of `entry` into the thread's ring; its user_data is filled in. Enters the kernel only
 * if the queue is full. wait == NULL: nobody wants the completion.
 */
void capos_submit_entry(const struct ring_entry *entry, struct capos_wait *wait);

/* Wait until it is done, for ever; its status. */
status_t capos_await_entry(struct capos_wait *wait) CAPOS_MUST_CHECK;

/* Hand over what is queued without waiting, and take in what is complete. */
void capos_flush(void);

/*
 * Hand over what is queued and wait until at least one entry has completed or the time is up: then
 * timedOut. interrupted if an upcall came. A time-out other than 0 and CAP_ENTER_FOREVER needs a
 * Timer in the CapSet, else timeNotGranted.
 */
status_t capos_wait_any(uint64_t timeout_ns) CAPOS_MUST_CHECK;

/* Ask the kernel to give up a submitted call of this thread; it completes all the same, as
 * cancelled if it was not too late. notFound if it was. */
status_t capos_cancel(struct capos_call *call) CAPOS_MUST_CHECK;

/* ------------------------------------------------------------------------------- memory */

/* Zeroed pages of the process's own; sizes are rounded up to whole pages. NULL without budget. */
void *capos_pages_map(size_t size_bytes);
void capos_pages_unmap(void *start, size_t size_bytes);

/* ------------------------------------------------------------------------------- threads */

struct capos_thread;

struct capos_thread_options {
    size_t stack_bytes;    /* 0: 128 KiB. A page below it faults */
    size_t message_bytes;  /* room for a synchronous call's parameters, and for its results;
                              0: a STREAM_CHUNK_MAX and a page */
    uint32_t ring_entries; /* of the submission queue, a power of two; 0: 16 */
};

/* Start a thread that runs function(argument). options may be NULL. Errors: the kernel's. */
status_t capos_thread_spawn(uint64_t (*function)(void *), void *argument,
                            const struct capos_thread_options *options,
                            struct capos_thread **thread) CAPOS_MUST_CHECK;

/* Wait until the thread has ended, take what its function returned (result may be NULL) and give
 * its memory back. Once for each thread, unless it was detached. */
status_t capos_thread_join(struct capos_thread *thread, uint64_t *result) CAPOS_MUST_CHECK;

/* Nobody will join it. `thread` is no longer valid. */
void capos_thread_detach(struct capos_thread *thread);

/* End the calling thread. In the first thread too, whose process goes on while others run. */
_Noreturn void capos_thread_exit(uint64_t result);

/* The capability, for ThreadControl.interrupt; borrowed. */
cap_t capos_thread_handle(const struct capos_thread *thread);

/* ------------------------------------------------------------------------------- parking */

/*
 * Sleep while *word == expected, until capos_unpark on the same word. ok when woken; valueChanged;
 * timedOut; timeNotGranted.
 */
status_t capos_park(const uint32_t *word, uint32_t expected, uint64_t timeout_ns) CAPOS_MUST_CHECK;

/* Wake up to `count` threads; answers how many. */
uint32_t capos_unpark(const uint32_t *word, uint32_t count);

/* Not recursive, not fair; all zero is an unlocked one. Only the holder unlocks. */
struct capos_mutex {
    uint32_t word;
};
#define CAPOS_MUTEX_INIT                                                                           \
    {                                                                                              \
        0                                                                                          \
    }
void capos_mutex_lock(struct capos_mutex *mutex);
bool capos_mutex_try_lock(struct capos_mutex *mutex);
void capos_mutex_unlock(struct capos_mutex *mutex);

/* All zero is one that nobody waits for. Waiting may end without a signal: test in a loop. */
struct capos_condition {
    uint32_t sequence;
};
#define CAPOS_CONDITION_INIT                                                                       \
    {                                                                                              \
        0                                                                                          \
    }
/* ok or timedOut (timeNotGranted without a Timer); the mutex is held again in either case. */
status_t capos_condition_wait(struct capos_condition *condition, struct capos_mutex *mutex,
                              uint64_t timeout_ns);
void capos_condition_signal(struct capos_condition *condition);
void capos_condition_broadcast(struct capos_condition *condition);

/* All zero has not run. */
struct capos_once {
    uint32_t word;
};
#define CAPOS_ONCE_INIT                                                                            \
    {                                                                                              \
        0                                                                                          \
    }
/* Run function once in the process; whoever comes while it runs waits. */
void capos_once(struct capos_once *once, void (*function)(void));

/* ------------------------------------------------------------------------------- upcalls */

/*
 * Called on the upcall stack with what happened (abi/upcall.h). It may edit the frame (not its
 * fs_base and gs_base) and return, which goes on as the frame says, or not return. frame == NULL:
 * an interrupt that came while the ring was being edited. It may make calls that have a record of
 * their own, not synchronous ones.
 */
typedef void capos_upcall_handler(void *context, struct upcall_frame *frame);

/* Of the calling thread. The stack stays in use as long as the handler is set; handler NULL: none
 * any more. */
status_t capos_upcall_set(capos_upcall_handler *handler, void *context, void *stack,
                          size_t stack_bytes) CAPOS_MUST_CHECK;

/* Leave the handler now and go on as the frame says. */
_Noreturn void capos_upcall_return(struct upcall_frame *frame);

/* ------------------------------------------------------------------------------- services */

/*
 * A server: an endpoint, and what to do with a request. `serve` dispatches by request->interface_id
 * and request->tag, usually to a generated capos_<interface>_serve. `released` (may be NULL) learns
 * that the last reference to the facet with a tag is gone.
 */
struct capos_server {
    cap_t endpoint;
    void *context;
    status_t (*serve)(void *context, struct capos_request *request);
    void (*released)(void *context, uint64_t tag);
    bool stop; /* set by serve or released: capos_serve returns after the answer is sent */
    size_t message_bytes; /* room for a request, and for an answer; 0: MESSAGE_MAX and a page */
};

/* Receive and answer until `stop`, which is ok, or until the endpoint fails. The answer to one
 * request and the wait for the next are one entry to the kernel. */
status_t capos_serve(struct capos_server *server) CAPOS_MUST_CHECK;

/* Answer a request that serve put off (it took request->reply_cap and answered STATUS_PENDING):
 * send a message that was built by itself, and `sent` capabilities. callerGone is no error. */
status_t capos_reply(cap_t reply_cap, struct wire_message_builder *message,
                     const struct cap_transfer *transfers, uint16_t sent) CAPOS_MUST_CHECK;

/* ------------------------------------------------------------------------------- children */

struct capos_child_grant {
    const char *name;
    uint64_t interface_id;
    cap_t cap;
    enum cap_transfer_mode mode; /* moved ones are gone when spawn succeeds */
};

/* Of the child's account, drawn from this process's; 0: no limit of its own. */
struct capos_child_limits {
    uint64_t frames;
    uint64_t kernel_bytes;
    uint32_t slots;
    uint32_t threads;
    uint32_t calls;
};

struct capos_child {
    const char *name;                /* for reports; NULL: the first argument */
    cap_t image;                     /* an Image */
    const char *const *arguments;    /* with the program's name first, ended by NULL; or NULL */
    const char *const *environment;  /* KEY=value, ended by NULL; or NULL for none */
    const char *directory;           /* NULL: this program's own */
    const struct capos_child_grant *grants;
    size_t grant_count;
    struct capos_child_limits limits;
};

/* Build the child's start block and start it. Errors: messageTooLarge, the kernel's. */
status_t capos_spawn(cap_t spawner, const struct capos_child *child,
                     cap_t *handle) CAPOS_MUST_CHECK;

/*
 * Build a start block in `buffer`, for spawners other than ProcessSpawner: its size, 0 if it does
 * not fit. The grants get ids as abi/capability.h says; `image` and `limits` are not looked at.
 */
size_t capos_start_block(const struct capos_child *child, void *buffer, size_t size_bytes);

/*
 * Copy the process; returns twice, in the child with *is_child and no handle. The child has this
 * thread only, so locks that other threads hold stay held there. Streams are flushed first.
 */
status_t capos_fork(cap_t spawner, bool *is_child, cap_t *handle) CAPOS_MUST_CHECK;

/* Replace this program by another that keeps the named capabilities, under their ids. Returns only
 * when it fails. grants: what the new program's CapSet lists, by the ids that it keeps. */
status_t capos_exec(cap_t spawner, const struct capos_child *child) CAPOS_MUST_CHECK;

/* ------------------------------------------------------------------------------- time */

/*
 * Monotonic time in nanoseconds from a Timer's page, without entering the kernel but for the first
 * time. Errors: the kernel's.
 */
status_t capos_clock(cap_t timer, uint64_t *now_ns) CAPOS_MUST_CHECK;
