/*
 * thread.c: threads. A thread has one mapping of its own: guard page, stack, thread-local
 * variables, the runtime's record, message buffers, and what others see of the thread
 * (struct capos_thread) at its end.
 *
 *   | guard | stack ... | variables | capos_thread_self | request | reply | capos_thread |
 *
 * A thread cannot give its own stack back. So the kernel's handle is always kept: whoever joins
 * waits for the end and takes the mapping; one that was detached goes on a list when it ends, and
 * the next spawn waits the few instructions until it is really gone and takes its mapping. Mappings
 * of the usual size are kept for the next thread.
 */
#include "abi/limits.h"
#include "lib/capos/libc/platform.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"
#include <string.h>

#define STACK_DEFAULT (128 * 1024ul)
#define MESSAGE_DEFAULT (STREAM_CHUNK_MAX + 4096ul)
#define SELF_ALIGNMENT 64ul
/* Mappings kept for later threads; more would keep budget from the rest of the program. */
#define KEPT_MAX 4

struct capos_thread {
    uint64_t (*function)(void *);
    void *argument;
    struct capos_thread_self *self;
    cap_t handle;
    char *start; /* of the mapping */
    size_t size_bytes;
    struct capos_thread *next; /* of the kept, or of the ended */
    uint32_t detached; /* enum detach_state: whoever is second, detacher or end, cleans up */
};

enum detach_state { JOINABLE, DETACHED, ENDED };

_Noreturn void capos_thread_main(struct capos_thread *thread, struct ring_header *ring);
extern const char capos_thread_entry[] __attribute__((visibility("hidden")));

static struct capos_mutex list_lock;
static struct capos_thread *kept;
static unsigned kept_count;
static struct capos_thread *ended; /* detached ones */
static bool first_has_ended;       /* the first thread, by capos_thread_exit */

/* ------------------------------------------------------------------------------- mappings */

struct layout {
    size_t stack;
    size_t message;
    size_t self; /* offsets from the start */
    size_t request;
    size_t thread;
    size_t size_bytes;
};

static size_t align_up(size_t value, size_t alignment)
{
    return (value + alignment - 1) & ~(alignment - 1);
}

static struct layout layout_of(const struct capos_thread_options *options)
{
    struct layout l;
    size_t alignment = capos_tls.alignment > SELF_ALIGNMENT ? capos_tls.alignment : SELF_ALIGNMENT;
    l.stack = options != NULL && options->stack_bytes != 0 ? options->stack_bytes : STACK_DEFAULT;
    l.message =
        options != NULL && options->message_bytes != 0 ? options->message_bytes : MESSAGE_DEFAULT;
    l.stack = align_up(l.stack, PAGE_SIZE);
    l.message = align_up(l.message, SELF_ALIGNMENT);
    l.self = align_up(PAGE_SIZE + l.stack + capos_tls.size, alignment);
    l.request = align_up(l.self + sizeof(struct capos_thread_self), SELF_ALIGNMENT);
    l.thread = l.request + 2 * l.message;
    l.size_bytes = align_up(l.thread + sizeof(struct capos_thread), PAGE_SIZE);
    return l;
}

static struct capos_thread *take_kept(size_t size_bytes)
{
    struct capos_thread *found = NULL;
    capos_mutex_lock(&list_lock);
    for (struct capos_thread **at = &kept; *at != NULL; at = &(*at)->next) {
        if ((*at)->size_bytes == size_bytes) {
            found = *at;
            *at = found->next;
            kept_count--;
            break;
        }
    }
    capos_mutex_unlock(&list_lock);
    return found;
}

static void give_back(struct capos_thread *thread)
{
    capos_mutex_lock(&list_lock);
    bool keep = kept_count < KEPT_MAX;
    if (keep) {
        thread->next = kept;
        kept = thread;
        kept_count++;
    }
    capos_mutex_unlock(&list_lock);
    if (!keep) {
        capos_pages_unmap(thread->start, thread->size_bytes);
    }
}

/* Join those that ended by themselves after they were detached: they are at their last
 * instructions. */
static void collect_ended(void)
{
    capos_mutex_lock(&list_lock);
    struct capos_thread *thread = ended;
    ended = NULL;
    capos_mutex_unlock(&list_lock);
    while (thread != NULL) {
        struct capos_thread *next = thread->next;
        struct capos_thread_handle_join_results results;
        if (capos_thread_handle_join(thread->handle, &results) == STATUS_OK) {
            capos_release(thread->handle);
            give_back(thread);
        }
        thread = next;
    }
}

/* A mapping with a guard, or NULL. */
static struct capos_thread *make_mapping(const struct layout *l)
{
    struct capos_thread *thread = take_kept(l->size_bytes);
    if (thread != NULL) {
        return thread;
    }
    struct capos_virtual_memory_reserve_results reserved;
    if (capos_virtual_memory_reserve(CAPOS_MEMORY, 0, l->size_bytes, &reserved) != STATUS_OK) {
        return NULL;
    }
    char *start = (char *)reserved.address;
    if (capos_virtual_memory_commit(CAPOS_MEMORY, reserved.address + PAGE_SIZE,
                                    l->size_bytes - PAGE_SIZE, PROTECTION_READ_WRITE)
        != STATUS_OK) {
        capos_pages_unmap(start, l->size_bytes);
        return NULL;
    }
    thread = (struct capos_thread *)(start + l->thread);
    thread->start = start;
    thread->size_bytes = l->size_bytes;
    return thread;
}

/* ------------------------------------------------------------------------------- the thread's
 * side */

_Noreturn void capos_thread_main(struct capos_thread *thread, struct ring_header *ring)
{
    struct capos_thread_self *self = thread->self;
    capos_self_init(self, ring, self->call.request, self->call.request_size, self->call.reply,
                    self->call.reply_size);
    capos_thread_exit(thread->function(thread->argument));
}

void capos_thread_exit(uint64_t result)
{
    struct capos_thread_self *self = capos_self();
    struct capos_thread *thread = self->thread;
    uint32_t state = JOINABLE;
    if (thread == NULL) {
        __atomic_store_n(&first_has_ended, true, __ATOMIC_RELAXED);
    }
    if (__atomic_load_n(&first_has_ended, __ATOMIC_RELAXED) && platform_flush_at_exit != NULL) {
        platform_flush_at_exit(); /* whoever is last ends the process, and nobody calls exit */
    }
    if (thread != NULL
        && !__atomic_compare_exchange_n(&thread->detached, &state, ENDED, false, __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
        capos_mutex_lock(&list_lock);
        thread->next = ended;
        ended = thread;
        capos_mutex_unlock(&list_lock);
    }
    for (;;) {
        (void)!capos_thread_control_exit(CAPOS_THREAD, result);
    }
}

/* ------------------------------------------------------------------------------- the others'
 * side */

static void prepare(struct capos_thread *thread, const struct layout *l)
{
    struct capos_thread_self *self = (struct capos_thread_self *)(thread->start + l->self);
    memset((char *)self - capos_tls.size, 0, capos_tls.size);
    memset(self, 0, sizeof *self);
    capos_tls_place(self);
    self->self = self;
    self->stack_protector = capos_self()->stack_protector;
    self->thread = thread;
    self->call.request = thread->start + l->request;
    self->call.request_size = (uint32_t)l->message;
    self->call.reply = thread->start + l->request + l->message;
    self->call.reply_size = (uint32_t)l->message;
    thread->self = self;
    thread->detached = JOINABLE;
    thread->next = NULL;
}

status_t capos_thread_spawn(uint64_t (*function)(void *), void *argument,
                            const struct capos_thread_options *options,
                            struct capos_thread **result)
{
    struct layout l = layout_of(options);
    collect_ended();
    struct capos_thread *thread = make_mapping(&l);
    if (thread == NULL) {
        return STATUS_FRAMES_EXHAUSTED;
    }
    prepare(thread, &l);
    thread->function = function;
    thread->argument = argument;
    *result = thread;
    uintptr_t stack_top = (uintptr_t)thread->start + PAGE_SIZE + l.stack;
    struct capos_thread_spawner_spawn_results spawned;
    status_t status = capos_thread_spawner_spawn(
        CAPOS_THREADS, (uintptr_t)capos_thread_entry, stack_top - 16, (uintptr_t)thread,
        (uintptr_t)thread->self, options != NULL ? options->ring_entries : 0, &spawned);
    if (status != STATUS_OK) {
        give_back(thread);
        return status;
    }
    thread->handle = spawned.handle;
    return STATUS_OK;
}

status_t capos_thread_join(struct capos_thread *thread, uint64_t *result)
{
    struct capos_thread_handle_join_results results;
    status_t status = capos_thread_handle_join(thread->handle, &results);
    if (status != STATUS_OK) {
        return status;
    }
    if (result != NULL) {
        *result = results.code;
    }
    capos_release(thread->handle);
    give_back(thread);
    return STATUS_OK;
}

void capos_thread_detach(struct capos_thread *thread)
{
    uint32_t state = JOINABLE;
    if (!__atomic_compare_exchange_n(&thread->detached, &state, DETACHED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        (void)!capos_thread_join(thread, NULL); /* it has ended already */
    }
}

cap_t capos_thread_handle(const struct capos_thread *thread)
{
    return thread->handle;
}
