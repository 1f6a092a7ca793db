/*
 * ring.c: the client of a thread's ring, and the calls on it (lib/capos/invoke.h).
 *
 * An entry's user_data says who owns its completion: 0 nobody, an address a struct capos_call, an
 * address with bit 0 set a struct capos_wait. Completions come in any order; whoever takes them in
 * hands each to its owner, so nobody can miss his.
 *
 * Not re-entrant: while the ring's indices are edited, interrupts are masked and become pending
 * (abi/ring.h); while waiting they are not. A wait reads the count of upcalls first, then looks
 * whether it is over, then enters: if an upcall's handler took in what is waited for in between,
 * the kernel finds the count changed and returns at once.
 *
 * The synchronous path (capos_call_begin, capos_invoke) is counted in instructions: it should stay
 * below 120.
 */
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"

#define OWNER_WAIT 1ul

static const char overwritten[] = "the ring of this thread was overwritten";

#define LOAD_ACQUIRE(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define STORE_RELEASE(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)

/* ------------------------------------------------------------------------------- editing */

static inline void edit_begin(struct ring_header *ring)
{
    __atomic_store_n(&ring->upcall_mask, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* An interrupt came while it was masked: hand it to the handler now. */
static __attribute__((noinline, cold)) void deliver_pending(void)
{
    struct capos_thread_self *self = capos_self();
    __atomic_and_fetch(&self->ring->upcall_pending, ~(uint32_t)RING_UPCALL_INTERRUPT,
                       __ATOMIC_RELAXED);
    if (self->upcall_handler != NULL) {
        self->upcall_handler(self->upcall_context, NULL);
    }
}

static inline void edit_end(struct ring_header *ring)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&ring->upcall_mask, 0, __ATOMIC_RELAXED);
    if (__builtin_expect(__atomic_load_n(&ring->upcall_pending, __ATOMIC_RELAXED) != 0, 0)) {
        deliver_pending();
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
    if (LOAD_ACQUIRE(ring->cq_tail) == ring->cq_head) {
        return;
    }
    edit_begin(ring);
    uint32_t head = ring->cq_head;
    uint32_t tail = LOAD_ACQUIRE(ring->cq_tail); /* pairs with the kernel's release */
    if (__builtin_expect(tail - head > self->completion_mask + 1, 0)) {
        capos_panic(overwritten);
    }
    for (; head != tail; head++) {
        hand_over(&self->completions[head & self->completion_mask]);
    }
    STORE_RELEASE(ring->cq_head, head); /* pairs with the kernel's acquire */
    edit_end(ring);
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
        capos_panic(overwritten);
    }
    return result;
}

/* ------------------------------------------------------------------------------- entries */

/* The queue is full: hand it over. The kernel may leave entries until completions were taken. */
static __attribute__((noinline, cold)) void make_room(struct capos_thread_self *self)
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
static inline struct ring_entry *entry_next(struct capos_thread_self *self,
                                            struct ring_header *ring)
{
    uint32_t tail = ring->sq_tail;
    if (__builtin_expect(tail - LOAD_ACQUIRE(ring->sq_head) > self->entry_mask, 0)) {
        edit_end(ring);
        make_room(self);
        edit_begin(ring);
        tail = ring->sq_tail;
    }
    return &self->entries[tail & self->entry_mask];
}

static inline void entry_publish(struct ring_header *ring)
{
    STORE_RELEASE(ring->sq_tail, ring->sq_tail + 1); /* pairs with the kernel's acquire */
}

static void put_entry(const struct ring_entry *entry, struct capos_wait *wait, uint32_t at_once)
{
    struct capos_thread_self *self = capos_self();
    struct ring_header *ring = self->ring;
    edit_begin(ring);
    struct ring_entry *place = entry_next(self, ring);
    *place = *entry;
    place->user_data = 0;
    if (wait != NULL) {
        wait->done = false;
        place->user_data = (uintptr_t)wait | OWNER_WAIT;
    }
    entry_publish(ring);
    self->releases += at_once; /* after entry_next, which may hand over what was counted so far */
    edit_end(ring);
}

void capos_submit_entry(const struct ring_entry *entry, struct capos_wait *wait)
{
    put_entry(entry, wait, wait == NULL);
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

static __attribute__((noinline)) void await_waits(struct capos_wait *waits, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        (void)!capos_await_entry(&waits[i]);
    }
}

/* Put an entry in the n-th place behind the queue's end; nothing else is in the queue. */
static inline void place_entry(struct capos_thread_self *self, uint32_t at,
                               const struct ring_entry *entry, struct capos_wait *wait)
{
    struct ring_entry *place = &self->entries[at & self->entry_mask];
    wait->done = false;
    *place = *entry;
    place->user_data = (uintptr_t)wait | OWNER_WAIT;
}

/* The completion at `head` is that of `wait`: take it. */
static inline bool take_expected(const struct capos_thread_self *self, uint32_t head,
                                 struct capos_wait *wait)
{
    const struct ring_completion *completion = &self->completions[head & self->completion_mask];
    if (completion->user_data != ((uintptr_t)wait | OWNER_WAIT)) {
        return false;
    }
    wait->completion = *completion;
    return true;
}

void capos_do_entry(const struct ring_entry *entry, struct capos_wait *wait)
{
    struct capos_thread_self *self = capos_self();
    struct ring_header *ring = self->ring;
    uint32_t seen = LOAD_ACQUIRE(ring->upcalls);
    uint32_t tail = ring->sq_tail;
    if (__builtin_expect(tail != LOAD_ACQUIRE(ring->sq_head), 0)) {
        capos_submit_entry(entry, wait);
        await_waits(wait, 1);
        return;
    }
    edit_begin(ring);
    place_entry(self, tail, entry, wait);
    STORE_RELEASE(ring->sq_tail, tail + 1);
    edit_end(ring);
    (void)capos_cap_enter(1, CAP_ENTER_FOREVER, seen);
    edit_begin(ring);
    uint32_t head = ring->cq_head;
    bool taken = LOAD_ACQUIRE(ring->cq_tail) - head == 1 && take_expected(self, head, wait);
    if (__builtin_expect(taken, 1)) {
        STORE_RELEASE(ring->cq_head, head + 1);
    }
    edit_end(ring);
    if (__builtin_expect(!taken, 0)) {
        await_waits(wait, 1);
    }
}

void capos_do_entries(const struct ring_entry *first, const struct ring_entry *second,
                      struct capos_wait *waits)
{
    struct capos_thread_self *self = capos_self();
    struct ring_header *ring = self->ring;
    uint32_t seen = LOAD_ACQUIRE(ring->upcalls);
    uint32_t tail = ring->sq_tail;
    if (__builtin_expect(tail != LOAD_ACQUIRE(ring->sq_head), 0)) {
        put_entry(first, &waits[0], 1);
        capos_submit_entry(second, &waits[1]);
        await_waits(waits, 2);
        return;
    }
    edit_begin(ring);
    place_entry(self, tail, first, &waits[0]);
    place_entry(self, tail + 1, second, &waits[1]);
    STORE_RELEASE(ring->sq_tail, tail + 2);
    edit_end(ring);
    (void)capos_cap_enter(2, CAP_ENTER_FOREVER, seen);
    edit_begin(ring);
    uint32_t head = ring->cq_head;
    bool taken = LOAD_ACQUIRE(ring->cq_tail) - head == 2 &&
                 take_expected(self, head, &waits[0]) && take_expected(self, head + 1, &waits[1]);
    if (__builtin_expect(taken, 1)) {
        STORE_RELEASE(ring->cq_head, head + 2);
    }
    edit_end(ring);
    if (__builtin_expect(!taken, 0)) {
        await_waits(waits, 2);
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
    capos_do_entry(&entry, &wait);
    return (status_t)-wait.completion.status;
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
    call->sent = 0;
    call->state = CAPOS_CALL_IDLE;
    wire_message_begin(&call->message, request, request_size);
}

static __attribute__((noinline, cold)) void release_untaken(struct capos_call *call)
{
    for (uint32_t i = 0; i < call->received; i++) {
        capos_release(call->transfers[i].cap);
    }
    call->received = 0;
}

/* The message's place and capacity are as capos_call_init set them. */
static inline void reset(struct capos_call *call)
{
    if (__builtin_expect(call->state == CAPOS_CALL_SUBMITTED, 0)) {
        capos_panic("a call's record was used again before the call was complete");
    }
    if (__builtin_expect(call->received != 0, 0)) {
        release_untaken(call);
    }
    call->state = CAPOS_CALL_IDLE;
    call->sent = 0;
    call->message.used = 0;
    call->message.error = WIRE_OK;
}

void capos_call_reset(struct capos_call *call)
{
    reset(call);
}

struct capos_call *capos_call_begin(void)
{
    struct capos_call *call = &capos_self()->call;
    reset(call);
    return call;
}

/* The entry of a call, as whole words: the fields' own types would be stored one by one. */
static inline void fill_call(struct ring_entry *entry, const struct capos_call *call, cap_t cap,
                             uint64_t interface_id, uint16_t method, size_t size)
{
    _Static_assert(offsetof(struct ring_entry, cap) == 4 && RING_TRANSFERS_MAX <= UINT16_MAX,
                   "the first and the last word of an entry");
    uint64_t *words = (uint64_t *)entry;
    words[0] = (uint64_t)cap << 32 | (uint32_t)method << 16 | RING_OP_CALL;
    words[1] = interface_id;
    words[2] = (uintptr_t)call;
    words[3] = (uintptr_t)call->request;
    words[4] = (uint64_t)call->reply_size << 32 | size;
    words[5] = (uintptr_t)call->reply;
    words[6] = (uintptr_t)call->transfers;
    words[7] = (uint64_t)RING_TRANSFERS_MAX << 16 | call->sent;
}

static inline status_t submit(struct capos_thread_self *self, struct capos_call *call, cap_t cap,
                              uint64_t interface_id, uint16_t method)
{
    size_t size = wire_message_finish(&call->message);
    if (__builtin_expect(size == 0, 0)) {
        return STATUS_MESSAGE_TOO_LARGE;
    }
    struct ring_header *ring = self->ring;
    call->method = method;
    call->state = CAPOS_CALL_SUBMITTED;
    edit_begin(ring);
    struct ring_entry *entry = entry_next(self, ring);
    fill_call(entry, call, cap, interface_id, method, size);
    entry_publish(ring);
    edit_end(ring);
    return STATUS_OK;
}

/* Any answer: of several segments, with its root elsewhere, malformed, none. */
static __attribute__((noinline)) status_t open_answer(struct capos_call *call, status_t status,
                                                      uint32_t size)
{
    if (status != STATUS_OK && status != STATUS_EXCEPTION) {
        return status;
    }
    if (size == 0) { /* a method without results may send nothing */
        call->results = (struct wire_reader){0};
        return status;
    }
    if (wire_message_open(&call->answer, call->reply, size) != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    call->results = wire_message_root(&call->answer);
    return status;
}

/*
 * The results of a call that completed with `status` and `size` bytes. Nearly every answer is one
 * segment whose root is a struct right behind its pointer: this is wire_message_open and
 * wire_message_root for that case alone.
 */
static inline status_t conclude(struct capos_call *call, int32_t status, uint32_t size)
{
    const wire_word *words = call->reply;
    if (__builtin_expect(status != 0 || size < 2 * WIRE_WORD_BYTES, 0)) {
        return open_answer(call, (status_t)-status, size);
    }
    uint64_t frame = words[0];
    uint64_t root = words[1];
    uint64_t count = frame >> 32;
    uint32_t data_words = (uint16_t)(root >> 32);
    uint32_t pointer_count = (uint32_t)(root >> 48);
    if (__builtin_expect(((uint32_t)frame | (uint32_t)root) != 0 || count >= size / WIRE_WORD_BYTES
                             || data_words + pointer_count >= count,
                         0)) {
        return open_answer(call, STATUS_OK, size);
    }
    call->answer = (struct wire_message){
        .segment0 = words + 1,
        .segment0_words = (uint32_t)count,
        .table = words,
        .size = (count + 1) * WIRE_WORD_BYTES,
        .traversal_left = count * WIRE_TRAVERSAL_FACTOR + WIRE_TRAVERSAL_EXTRA,
        .error = WIRE_OK,
    };
    call->results = (struct wire_reader){
        .message = &call->answer,
        .data = (const uint8_t *)(words + 2),
        .pointers = words + 2 + data_words,
        .data_bits = data_words * 64,
        .pointer_count = pointer_count,
        .depth = WIRE_DEPTH_LIMIT - 1,
    };
    return STATUS_OK;
}

/* The same for a call whose completion was handed over before. */
static inline status_t conclude_handed(struct capos_call *call)
{
    return conclude(call, call->status, (uint32_t)call->answer.size);
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

/* The call is in the ring, or was handed over already: wait for it as long as it takes. */
static __attribute__((noinline)) void await_completion(struct capos_thread_self *self,
                                                       struct capos_call *call)
{
    for (;;) {
        uint32_t seen = LOAD_ACQUIRE(self->ring->upcalls);
        reap(self);
        if (call->state == CAPOS_CALL_COMPLETE) {
            return;
        }
        (void)enter(self, 1, CAP_ENTER_FOREVER, seen);
    }
}

/* A call of any kind, with anything in the ring. */
static __attribute__((noinline)) status_t invoke_slowly(struct capos_thread_self *self,
                                                        struct capos_call *call, cap_t cap,
                                                        uint64_t interface_id, uint16_t method)
{
    status_t status = submit(self, call, cap, interface_id, method);
    if (status != STATUS_OK) {
        return status;
    }
    await_completion(self, call);
    return conclude_handed(call);
}

static __attribute__((noinline)) status_t await_slowly(struct capos_thread_self *self,
                                                       struct capos_call *call)
{
    await_completion(self, call);
    return conclude_handed(call);
}

/*
 * The usual call is alone: nothing is queued before it, and after the kernel was entered its
 * completion is the one that is there. Everything else leaves this path.
 */
static inline __attribute__((always_inline)) status_t
invoke(struct capos_thread_self *self, struct capos_call *call, cap_t cap, uint64_t interface_id,
       uint16_t method)
{
    struct ring_header *ring = self->ring;
    uint32_t seen = LOAD_ACQUIRE(ring->upcalls);
    uint32_t tail = ring->sq_tail;
    uint32_t used = call->message.used;
    if (__builtin_expect(tail != LOAD_ACQUIRE(ring->sq_head) || used == 0
                             || call->message.error != WIRE_OK,
                         0)) {
        return invoke_slowly(self, call, cap, interface_id, method);
    }
    call->message.segment[-1] = (uint64_t)used << 32; /* as wire_message_finish does */
    call->method = method;
    call->state = CAPOS_CALL_SUBMITTED;
    edit_begin(ring);
    fill_call(&self->entries[tail & self->entry_mask], call, cap, interface_id, method,
              ((size_t)used + 1) * WIRE_WORD_BYTES);
    STORE_RELEASE(ring->sq_tail, tail + 1); /* pairs with the kernel's acquire */
    edit_end(ring);
    (void)capos_cap_enter(1, CAP_ENTER_FOREVER, seen);
    edit_begin(ring);
    uint32_t head = ring->cq_head;
    const struct ring_completion *completion = &self->completions[head & self->completion_mask];
    if (__builtin_expect(LOAD_ACQUIRE(ring->cq_tail) - head != 1 || /* pairs with the release */
                             completion->user_data != (uintptr_t)call,
                         0)) {
        edit_end(ring);
        return await_slowly(self, call);
    }
    int32_t status = completion->status;
    uint32_t size = completion->result_size;
    call->status = status;
    call->received = completion->transfer_count;
    call->state = CAPOS_CALL_COMPLETE;
    STORE_RELEASE(ring->cq_head, head + 1); /* pairs with the kernel's acquire */
    edit_end(ring);
    return conclude(call, status, size);
}

status_t capos_await(struct capos_call *call)
{
    if (__builtin_expect(call->state == CAPOS_CALL_IDLE, 0)) {
        capos_panic("a call was awaited that was not submitted");
    }
    return await_slowly(capos_self(), call);
}

status_t capos_invoke(struct capos_call *call, cap_t cap, uint64_t interface_id, uint16_t method)
{
    return invoke(capos_self(), call, cap, interface_id, method);
}

status_t capos_invoke_as(struct capos_thread_self *self, struct capos_call *call, cap_t cap,
                         uint64_t interface_id, uint16_t method)
{
    return invoke(self, call, cap, interface_id, method);
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
