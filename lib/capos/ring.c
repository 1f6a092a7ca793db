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
#include "lib/capos/usual.h"
#include "lib/wire/gen/messages.h"
#include <string.h>

static const char overwritten[] = "the ring of this thread was overwritten";

/* ------------------------------------------------------------------------------- editing */

/* An interrupt came while it was masked: hand it to the handler now. */
__attribute__((cold)) void capos_deliver_pending(void)
{
    struct capos_thread_self *self = capos_self();
    __atomic_and_fetch(&self->ring->upcall_pending, ~(uint32_t)RING_UPCALL_INTERRUPT,
                       __ATOMIC_RELAXED);
    if (self->upcall_handler != NULL) {
        self->upcall_handler(self->upcall_context, NULL);
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
    call->result_size = completion->result_size;
    call->is_short = (completion->flags & RING_FLAG_SHORT) != 0;
    call->value = completion->value;
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

/* The answer to the call before stays untouched until here. */
static inline void leave_answer(struct capos_call *call)
{
    if (__builtin_expect(call->state == CAPOS_CALL_SUBMITTED, 0)) {
        capos_panic("a call's record was used again before the call was complete");
    }
    if (__builtin_expect(call->received != 0, 0)) {
        release_untaken(call);
    }
}

/* There is nothing to leave. */
static inline bool is_at_rest(const struct capos_call *call)
{
    return __builtin_expect(call->state != CAPOS_CALL_SUBMITTED && call->received == 0, 1);
}

/* The message's place and capacity are as capos_call_init set them. */
static inline void reset(struct capos_call *call)
{
    leave_answer(call);
    call->state = CAPOS_CALL_IDLE;
    call->sent = 0;
    call->message.used = 0;
    call->message.error = WIRE_OK;
}

void capos_call_reset(struct capos_call *call)
{
    reset(call);
}

struct capos_call *capos_call_own(void)
{
    return &capos_self()->call;
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
    call->state = CAPOS_CALL_SUBMITTED;
    edit_begin(ring);
    struct ring_entry *entry = entry_next(self, ring);
    fill_call(entry, call, cap, interface_id, method, size);
    entry_publish(ring);
    edit_end(ring);
    return STATUS_OK;
}

/* The results of a call that completed. */
static inline status_t conclude(struct capos_call *call, status_t status, uint32_t size)
{
    if (__builtin_expect(status != STATUS_OK && status != STATUS_EXCEPTION, 0)) {
        return status;
    }
    if (__builtin_expect(size == 0, 0)) { /* a method without results may send nothing */
        call->results = (struct wire_reader){0};
        return status;
    }
    return wire_message_open_root(&call->answer, call->reply, size, &call->results) == WIRE_OK
               ? status
               : STATUS_BAD_MESSAGE;
}

/* No pointers: what else is in the reader and its message does not count. */
static inline void conclude_short(struct capos_call *call, uint32_t size)
{
    call->results.data = (const uint8_t *)&call->value;
    call->results.data_bits = size * 8;
    call->results.pointer_count = 0;
}

/* The same for a call whose completion was handed over before. */
static status_t conclude_handed(struct capos_call *call)
{
    if (call->is_short) {
        conclude_short(call, call->result_size);
        return STATUS_OK;
    }
    return conclude(call, (status_t)-call->status, call->result_size);
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

void capos_do_entry(const struct ring_entry *entry, struct capos_wait *wait)
{
    do_entry(entry, wait);
}

/* The call alone in the ring, its message of `size` bytes built. */
static inline __attribute__((always_inline)) status_t
invoke_usual(struct capos_thread_self *self, struct ring_entry *place, struct capos_call *call,
             cap_t cap, uint64_t interface_id, uint32_t method, size_t size)
{
    call->state = CAPOS_CALL_SUBMITTED;
    fill_call(place, call, cap, interface_id, (uint16_t)method, size);
    const struct ring_completion *completion = enter_usual(self, call);
    if (__builtin_expect(completion == NULL, 0)) {
        return await_slowly(self, call);
    }
    status_t status = (status_t)-completion->status;
    uint32_t result_size = completion->result_size;
    call->received = completion->transfer_count;
    call->state = CAPOS_CALL_COMPLETE;
    take_usual(self->ring);
    return status == STATUS_OK && (method & CAPOS_NO_RESULTS) != 0
               ? STATUS_OK
               : conclude(call, status, result_size);
}

static inline __attribute__((always_inline)) status_t
invoke(struct capos_thread_self *self, struct capos_call *call, cap_t cap, uint64_t interface_id,
       uint32_t method)
{
    uint32_t used = call->message.used;
    bool is_built = used != 0 && call->message.error == WIRE_OK;
    struct ring_entry *place = is_built ? begin_usual(self, self->ring) : NULL;
    if (__builtin_expect(place == NULL, 0)) {
        return invoke_slowly(self, call, cap, interface_id, (uint16_t)method);
    }
    call->message.segment[-1] = (uint64_t)used << 32; /* as wire_message_finish does */
    return invoke_usual(self, place, call, cap, interface_id, method,
                        ((size_t)used + 1) * WIRE_WORD_BYTES);
}

/* The words of a short call's entry. */
static inline void fill_short(uint64_t *words, struct capos_call *call, cap_t cap,
                              uint64_t interface_id, uint64_t what, uint64_t first, uint64_t second)
{
    words[0] = (uint64_t)cap << 32 | (uint32_t)what;
    words[1] = interface_id;
    words[2] = (uintptr_t)call;
    words[3] = first;
    words[4] = (uint64_t)call->reply_size << 32 | what >> 32;
    words[5] = (uintptr_t)call->reply;
    words[6] = second;
    words[7] = 0;
    call->state = CAPOS_CALL_SUBMITTED;
}

static struct capos_call *with_status(struct capos_call *call, status_t status)
{
    call->status = -(int32_t)status;
    return call;
}

/* With something in the ring, or an answer before it whose capabilities nobody took. */
static __attribute__((noinline)) struct capos_call *
invoke_short_slowly(cap_t cap, uint64_t interface_id, uint64_t what, uint64_t first,
                    uint64_t second)
{
    struct capos_thread_self *self = capos_self();
    leave_answer(&self->call);
    edit_begin(self->ring);
    fill_short((uint64_t *)entry_next(self, self->ring), &self->call, cap, interface_id, what,
               first, second);
    entry_publish(self->ring);
    edit_end(self->ring);
    return with_status(&self->call, await_slowly(self, &self->call));
}

/* The completion is there, and is of any kind; NULL: it is not. */
static __attribute__((noinline)) struct capos_call *
conclude_usual(struct capos_thread_self *self, const struct ring_completion *completion)
{
    if (completion == NULL) {
        return with_status(&self->call, await_slowly(self, &self->call));
    }
    hand_over(completion);
    take_usual(self->ring);
    return with_status(&self->call, conclude_handed(&self->call));
}

/* Nothing is kept in registers over the entry to the kernel but the thread's own record: saving
 * them costs more than reading again. */
struct capos_call *capos_invoke_short(cap_t cap, uint64_t interface_id, uint64_t what,
                                      uint64_t first, uint64_t second)
{
    struct capos_thread_self *self = capos_self();
    struct capos_call *call = &self->call;
    struct ring_entry *place = is_at_rest(call) ? begin_usual(self, self->ring) : NULL;
    if (__builtin_expect(place == NULL, 0)) {
        return invoke_short_slowly(cap, interface_id, what, first, second);
    }
    fill_short((uint64_t *)place, call, cap, interface_id, what, first, second);
    const struct ring_completion *completion = enter_usual(self, call);
    if (__builtin_expect(completion == NULL || (completion->flags & RING_FLAG_SHORT) == 0, 0)) {
        return conclude_usual(self, completion);
    }
    call = &self->call;
    call->value = completion->value;
    call->status = 0;
    call->state = CAPOS_CALL_COMPLETE;
    conclude_short(call, completion->result_size);
    take_usual(self->ring);
    return call;
}

#define BYTES_OTHER_WORDS 3 /* of the message: root, pointer, the word that is not full */

/* With something in the ring, or an answer before it whose capabilities nobody took, or a size that
 * does not fit. */
static __attribute__((noinline)) status_t invoke_bytes_slowly(cap_t cap, uint64_t interface_id,
                                                              uint32_t method, const void *bytes,
                                                              size_t size)
{
    struct capos_call *call = capos_call_begin();
    struct wire_builder params = wire_message_init_root(&call->message, 0, 1);
    if ((method & CAPOS_TEXT) != 0) {
        wire_set_text(params, 0, (struct wire_span){bytes, size});
    } else {
        wire_set_data(params, 0, (struct wire_span){bytes, size});
    }
    return capos_invoke(call, cap, interface_id, method);
}

status_t capos_invoke_bytes(cap_t cap, uint64_t interface_id, uint32_t method, const void *bytes,
                            size_t size)
{
    struct capos_thread_self *self = capos_self();
    struct capos_call *call = &self->call;
    bool fits = size / WIRE_WORD_BYTES + BYTES_OTHER_WORDS <= call->message.capacity;
    struct ring_entry *place =
        fits && is_at_rest(call) ? begin_usual(self, self->ring) : NULL;
    if (__builtin_expect(place == NULL, 0)) {
        return invoke_bytes_slowly(cap, interface_id, method, bytes, size);
    }
    uint64_t count = size + ((method & CAPOS_TEXT) != 0);
    size_t words = (count + WIRE_WORD_BYTES - 1) / WIRE_WORD_BYTES;
    wire_word *message = call->message.segment - 1;
    message[0] = (uint64_t)(2 + words) << 32; /* the frame */
    message[1] = 1ull << 48;                  /* a struct right behind: one pointer */
    message[2] = count << 35 | (uint64_t)WIRE_BYTE << 32 | 1; /* a list right behind */
    if (words != 0) {
        message[2 + words] = 0; /* its padding, and the NUL of a text */
        memcpy(message + 3, bytes, size);
    }
    call->sent = 0;
    return invoke_usual(self, place, call, cap, interface_id, method,
                        (3 + words) * WIRE_WORD_BYTES);
}

status_t capos_await(struct capos_call *call)
{
    if (__builtin_expect(call->state == CAPOS_CALL_IDLE, 0)) {
        capos_panic("a call was awaited that was not submitted");
    }
    return await_slowly(capos_self(), call);
}

status_t capos_invoke(struct capos_call *call, cap_t cap, uint64_t interface_id, uint32_t method)
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
