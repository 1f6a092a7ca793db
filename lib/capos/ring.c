/*
 * ring.c: the client of a thread's ring, and the calls on it (lib/capos/invoke.h).
 *
 * An entry's user_data says who owns its completion: 0 nobody, an address a struct capos_call, an
 * address with bit 0 set a struct capos_wait. Completions come in any order; whoever takes them in
 * hands each to its owner, so nobody can miss his.
 *
 * Not re-entrant: while the ring's indices are edited, interrupts are masked and become pending
 * (abi/ring.h); while waiting they are not. A wait reads the count of upcalls first, then looks
 * whether it is over, then enters: if an upcall's handler took in what is waited for in between, the
 * kernel finds the count changed and returns at once.
 *
 * The synchronous path (capos_call_begin, capos_invoke) is counted in instructions: it should stay
 * below 120.
 */
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"

#define OWNER_WAIT 1ul

#define LOAD_ACQUIRE(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

/* ------------------------------------------------------------------------------- editing */

static inline void edit_begin(struct capos_thread_self *self)
{
    self->editing++;
    __atomic_store_n(&self->ring->upcall_mask, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* An interrupt came while it was masked: hand it to the handler now. */
static __attribute__((noinline)) void deliver_pending(struct capos_thread_self *self)
{
    __atomic_and_fetch(&self->ring->upcall_pending, ~(uint32_t)RING_UPCALL_INTERRUPT,
                       __ATOMIC_RELAXED);
    if (self->upcall_handler != NULL) {
        self->upcall_handler(self->upcall_context, NULL);
    }
}

static inline void edit_end(struct capos_thread_self *self)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (--self->editing != 0) {
        return;
    }
    __atomic_store_n(&self->ring->upcall_mask, 0, __ATOMIC_RELAXED);
    if (__builtin_expect(__atomic_load_n(&self->ring->upcall_pending, __ATOMIC_RELAXED) != 0, 0)) {
        deliver_pending(self);
    }
}

/* ------------------------------------------------------------------------------- completions */

static inline void hand_over(const struct ring_completion *completion)
{
    uint64_t owner = completion->user_data;
    if (owner == 0) {
        return;
    }
    if ((owner & OWNER_WAIT) != 0) {
        struct capos_wait *wait = (struct capos_wait *)(owner - OWNER_WAIT);
        wait->completion = *completion;
        wait->done = true;
        return;
    }
    struct capos_call *call = (struct capos_call *)owner;
    call->status = completion->status;
    call->aux = completion->aux;
    call->received = completion->transfer_count;
    call->answer.size = completion->result_size;
    call->state = CAPOS_CALL_COMPLETE;
}

/* Take in all completions that are there. */
static inline void reap(struct capos_thread_self *self)
{
    struct ring_header *ring = self->ring;
    edit_begin(self);
    uint32_t head = ring->cq_head;
    uint32_t tail = LOAD_ACQUIRE(ring->cq_tail); /* pairs with the kernel's release */
    for (; head != tail; head++) {
        hand_over(&self->completions[head & self->completion_mask]);
    }
    STORE_RELEASE(ring->cq_head, head); /* pairs with the kernel's acquire */
    edit_end(self);
}

/*
 * Enter the kernel and wait for `wanted` completions besides those of queued releases, which are
 * there at once. Where the completion queue may be full, one is enough: it makes room.
 */
static inline int64_t enter(struct capos_thread_self *self, uint64_t wanted, uint64_t timeout_ns,
                            uint32_t upcalls_seen)
{
    uint32_t outstanding = self->ring->sq_tail - self->ring->cq_head;
    if (wanted != 0 && outstanding <= self->completion_mask) {
        wanted += self->releases;
    }
    self->releases = 0;
    int64_t result = capos_cap_enter(wanted, timeout_ns, upcalls_seen);
    if (__builtin_expect(result == -(int64_t)STATUS_BAD_RING, 0)) {
        capos_panic("the ring of this thread was overwritten");
    }
    return result;
}

/* ------------------------------------------------------------------------------- entries */

/* The queue is full: hand it over. The kernel may leave entries until completions were taken. */
static __attribute__((noinline)) void make_room(struct capos_thread_self *self)
{
    uint64_t wanted = 0;
    do {
        uint32_t seen = LOAD_ACQUIRE(self->ring->upcalls);
        reap(self);
        (void)enter(self, wanted, wanted == 0 ? 0 : CAP_ENTER_FOREVER, seen);
        reap(self);
        wanted = 1;
    } while (self->ring->sq_tail - LOAD_ACQUIRE(self->ring->sq_head) > self->entry_mask);
}

/* Where the next entry goes; editing has begun. entry_publish follows. */
static inline struct ring_entry *entry_next(struct capos_thread_self *self)
{
    uint32_t tail = self->ring->sq_tail;
    if (__builtin_expect(tail - LOAD_ACQUIRE(self->ring->sq_head) > self->entry_mask, 0)) {
        edit_end(self);
        make_room(self);
        edit_begin(self);
        tail = self->ring->sq_tail;
    }
    return &self->entries[tail & self->entry_mask];
}

static inline void entry_publish(struct capos_thread_self *self)
{
    STORE_RELEASE(self->ring->sq_tail, self->ring->sq_tail + 1); /* pairs with the kernel's acquire */
}

static void put_entry(const struct ring_entry *entry, struct capos_wait *wait, uint32_t at_once)
{
    struct capos_thread_self *self = capos_self();
    edit_begin(self);
    struct ring_entry *place = entry_next(self);
    *place = *entry;
    place->user_data = 0;
    if (wait != NULL) {
        wait->done = false;
        place->user_data = (uintptr_t)wait | OWNER_WAIT;
    }
    entry_publish(self);
    self->releases += at_once; /* after entry_next, which may hand over what was counted so far */
    edit_end(self);
}

void capos_submit_entry(const struct ring_entry *entry, struct capos_wait *wait)
{
    put_entry(entry, wait, wait == NULL);
}

void capos_queue_entry(const struct ring_entry *entry, struct capos_wait *wait)
{
    put_entry(entry, wait, 1);
}

status_t capos_await_entry(struct capos_wait *wait)
{
    struct capos_thread_self *self = capos_self();
    for (;;) {
        uint32_t seen = LOAD_ACQUIRE(self->ring->upcalls);
        reap(self);
        if (wait->done) {
            return (status_t)-wait->completion.status;
        }
        (void)enter(self, 1, CAP_ENTER_FOREVER, seen);
    }
}

void capos_flush(void)
{
    struct capos_thread_self *self = capos_self();
    (void)enter(self, 0, 0, LOAD_ACQUIRE(self->ring->upcalls));
    reap(self);
}

status_t capos_wait_any(uint64_t timeout_ns)
{
    struct capos_thread_self *self = capos_self();
    int64_t result = enter(self, 1, timeout_ns, LOAD_ACQUIRE(self->ring->upcalls));
    reap(self);
    return result < 0 ? (status_t)-result : STATUS_OK;
}

void capos_release(cap_t cap)
{
    struct ring_entry entry = {.opcode = RING_OP_RELEASE, .cap = cap};
    if (cap != CAP_ID_NONE) {
        capos_submit_entry(&entry, NULL);
    }
}

status_t capos_cancel(struct capos_call *call)
{
    struct capos_wait wait;
    struct ring_entry entry = {.opcode = RING_OP_CANCEL, .interface_id = (uintptr_t)call};
    capos_submit_entry(&entry, &wait);
    return capos_await_entry(&wait);
}

/* ------------------------------------------------------------------------------- calls */

void capos_call_init(struct capos_call *call, void *request, uint32_t request_size, void *reply,
                     uint32_t reply_size)
{
    call->request = request;
    call->request_size = request_size;
    call->reply = reply;
    call->reply_size = reply_size;
    call->received = 0;
    call->state = CAPOS_CALL_IDLE;
    capos_call_reset(call);
}

static __attribute__((noinline)) void release_untaken(struct capos_call *call)
{
    for (uint32_t i = 0; i < call->received; i++) {
        capos_release(call->transfers[i].cap);
    }
    call->received = 0;
}

void capos_call_reset(struct capos_call *call)
{
    if (__builtin_expect(call->state == CAPOS_CALL_SUBMITTED, 0)) {
        capos_panic("a call's record was used again before the call was complete");
    }
    if (__builtin_expect(call->received != 0, 0)) {
        release_untaken(call);
    }
    call->state = CAPOS_CALL_IDLE;
    call->sent = 0;
    wire_message_begin(&call->message, call->request, call->request_size);
}

struct capos_call *capos_call_begin(void)
{
    struct capos_call *call = &capos_self()->call;
    capos_call_reset(call);
    return call;
}

static inline status_t submit(struct capos_thread_self *self, struct capos_call *call, cap_t cap,
                              uint64_t interface_id, uint16_t method)
{
    size_t size = wire_message_finish(&call->message);
    if (__builtin_expect(size == 0, 0)) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    call->method = method;
    call->state = CAPOS_CALL_SUBMITTED;
    edit_begin(self);
    struct ring_entry *entry = entry_next(self);
    *entry = (struct ring_entry){
        .opcode = RING_OP_CALL,
        .method = method,
        .cap = cap,
        .interface_id = interface_id,
        .user_data = (uintptr_t)call,
        .message = (uintptr_t)call->request,
        .message_size = (uint32_t)size,
        .result_size = call->reply_size,
        .result = (uintptr_t)call->reply,
        .transfers = (uintptr_t)call->transfers,
        .transfer_count = call->sent,
        .transfer_max = RING_TRANSFERS_MAX,
    };
    entry_publish(self);
    edit_end(self);
    return STATUS_OK;
}

/* What a complete call answered, with its results opened. */
static inline status_t conclude(struct capos_call *call)
{
    status_t status = (status_t)-call->status;
    if (status != STATUS_OK && status != STATUS_EXCEPTION) {
        return status;
    }
    size_t size = call->answer.size;
    if (wire_message_open(&call->answer, call->reply, size) == WIRE_OK) {
        call->results = wire_message_root(&call->answer);
    } else if (size == 0) {
        call->results = (struct wire_reader){0}; /* a method without results may send nothing */
    } else {
        return STATUS_BAD_MESSAGE;
    }
    return status;
}

status_t capos_submit(struct capos_call *call, cap_t cap, uint64_t interface_id, uint16_t method)
{
    return submit(capos_self(), call, cap, interface_id, method);
}

bool capos_is_complete(struct capos_call *call)
{
    reap(capos_self());
    return call->state == CAPOS_CALL_COMPLETE;
}

status_t capos_await(struct capos_call *call)
{
    struct capos_thread_self *self = capos_self();
    for (;;) {
        uint32_t seen = LOAD_ACQUIRE(self->ring->upcalls);
        reap(self);
        if (call->state == CAPOS_CALL_COMPLETE) {
            return conclude(call);
        }
        if (__builtin_expect(call->state == CAPOS_CALL_IDLE, 0)) {
            capos_panic("a call was awaited that was not submitted");
        }
        (void)enter(self, 1, CAP_ENTER_FOREVER, seen);
    }
}

status_t capos_invoke_as(struct capos_thread_self *self, struct capos_call *call, cap_t cap,
                         uint64_t interface_id, uint16_t method)
{
    uint32_t seen = LOAD_ACQUIRE(self->ring->upcalls);
    status_t status = submit(self, call, cap, interface_id, method);
    if (__builtin_expect(status != STATUS_OK, 0)) {
        return status;
    }
    for (;;) {
        (void)enter(self, 1, CAP_ENTER_FOREVER, seen);
        seen = LOAD_ACQUIRE(self->ring->upcalls);
        reap(self);
        if (call->state == CAPOS_CALL_COMPLETE) {
            return conclude(call);
        }
    }
}

status_t capos_invoke(struct capos_call *call, cap_t cap, uint64_t interface_id, uint16_t method)
{
    return capos_invoke_as(capos_self(), call, cap, interface_id, method);
}

void capos_self_init(struct capos_thread_self *self, struct ring_header *ring, void *request,
                     uint32_t request_size, void *reply, uint32_t reply_size)
{
    self->self = self;
    self->ring = ring;
    self->entries = (struct ring_entry *)((char *)ring + ring->sq_offset);
    self->completions = (struct ring_completion *)((char *)ring + ring->cq_offset);
    self->entry_mask = ring->sq_entries - 1;
    self->completion_mask = ring->cq_entries - 1;
    capos_call_init(&self->call, request, request_size, reply, reply_size);
}
