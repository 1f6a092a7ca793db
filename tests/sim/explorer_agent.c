/* What a thread of a random program does: fills its ring with entries that are mostly right,
 * enters, takes what came.
 *
 * It looks into the kernel's table for the ids that it has, as a program would remember them; and
 * now and then makes one up. Each entry has a user_data of its own, so a completion that comes
 * twice, or for nothing, is seen. */
#include "tests/sim/explorer_agent.h"

#include <stdlib.h>

#include "abi/host_link.h"
#include "kernel/core/endpoint.h"
#include "tests/sim/scene.h"

#define BUFFERS 16
#define MESSAGE_ROOM 1024
#define RESULT_ROOM 2048
#define TRANSFERS_ROOM 8
#define BUFFER_SIZE 4096
/* Far from where the kernel puts what it chooses the place of. Else a program that unmaps its
 * buffers would find a new ring there, and the answers to its older calls in it. */
#define SCRATCH_BASE 0x500000000000
#define SCRATCH_STEP 0x10000000
#define OUTSTANDING_MAX 128
#define ADDRESSES 8

struct expected {
    uint64_t user_data;
    uint32_t result_size;
    uint16_t transfer_max;
    uint8_t opcode, flags;
};

struct agent {
    struct thread *thread; /* a reference */
    struct agent *next;
    bool exactly_once;
    uint64_t scratch; /* BUFFERS * BUFFER_SIZE bytes; 0: none */
    uint32_t buffer;
    uint64_t next_user_data;
    struct expected outstanding[OUTSTANDING_MAX];
    uint32_t outstanding_count;
    uint64_t addresses[ADDRESSES]; /* that calls answered */
    uint32_t address;
    bool plain; /* it has one entry in flight and waits for that alone, as most programs do */
};

static struct agent *agents;
static bool compare_completions;
static uint64_t input_credit;
static struct scene scene; /* for the builders of cases */

void agents_start(bool exactly_once)
{
    compare_completions = exactly_once;
    if (input_credit == 0) {
        input_credit = HOST_LINK_INPUT_CREDIT; /* of the machine's whole life: what is given back is
                                                  not counted */
    }
}

void agents_end(void)
{
    while (agents != NULL) {
        struct agent *a = agents;
        agents = a->next;
        object_put(&a->thread->object);
        free(a);
    }
}

bool agent_input_credit(uint32_t size)
{
    if (size + 1 >= input_credit) {
        return false;
    }
    input_credit -= size;
    return true;
}

/* A thread that was not there from its ring's beginning (a forked child's) finds completions of its
 * parent's. */
struct agent *agent_of(struct thread *t)
{
    for (struct agent *a = agents; a != NULL; a = a->next) {
        if (a->thread == t) {
            return a;
        }
    }
    struct agent *a = calloc(1, sizeof(*a));
    CHECK(a != NULL);
    a->thread = t;
    object_get(&t->object);
    a->exactly_once = compare_completions && t->ring.sq_head == 0 && t->ring.cq_tail == 0;
    a->plain = t->id % 4 == 0;
    a->next = agents;
    agents = a;
    return a;
}

/* --- what it has --- */

/* An id of its table: of that interface (0: any), or of that class (NULL: any). Mostly CAP_ID_NONE
 * if it has none. */
static cap_id_t pick(const struct agent *a, struct choices *c, uint64_t interface_id,
                     const struct object_class *class)
{
    cap_id_t found[64];
    uint32_t count = 0;
    cap_id_t id;
    struct object *o;
    const struct cap_table *table = &a->thread->process->table;
    for (uint32_t slot = 0; (slot = cap_table_next(table, slot, &id, &o)) != 0 && count < 64;) {
        if ((interface_id == 0 || object_interface_id(o) == interface_id)
            && (class == NULL || o->class == class)) {
            found[count++] = id;
        }
    }
    if (count == 0 && !chance(c, 10)) {
        return CAP_ID_NONE;
    }
    if (count == 0 || chance(c, 50)) {
        return CAP_ID((uint32_t)choose(c, 64), (uint32_t)choose(c, 4));
    }
    return found[choose(c, count)];
}

/* A program that lets the kernel write into its rings cannot count on them. */
static bool is_ring(const struct process *p, uint64_t address)
{
    for (struct list *l = p->threads.next; l != &p->threads; l = l->next) {
        const struct ring *r = &CONTAINER_OF(l, struct thread, of_process)->ring;
        if (address >= r->user_address && address - r->user_address < r->page_count * PAGE_SIZE) {
            return true;
        }
    }
    return false;
}

static uint64_t some_address(const struct agent *a, struct choices *c)
{
    uint64_t at = a->addresses[choose(c, ADDRESSES)];
    if (at == 0 || chance(c, 8)) {
        at = a->scratch;
    }
    if (chance(c, 40)) {
        static const uint64_t odd[] = {0,        1,          USER_BASE, USER_END - PAGE_SIZE,
                                       USER_END, UINT64_MAX, 1ull << 47};
        at = odd[choose(c, sizeof(odd) / sizeof(odd[0]))];
    }
    at += chance(c, 4) ? choose(c, 4) * PAGE_SIZE : 0;
    return is_ring(a->thread->process, at) ? a->scratch : at;
}

static void fill_scene(struct agent *a, struct choices *c)
{
    scene.memory = some_address(a, c);
    scene.reserved = some_address(a, c);
    scene.object_at = some_address(a, c);
    scene.read_only_at = some_address(a, c);
    scene.image_at = some_address(a, c);
    scene.code = some_address(a, c);
    scene.reader = pick(a, c, PIPE_READER_INTERFACE_ID, NULL);
    scene.writer = pick(a, c, PIPE_WRITER_INTERFACE_ID, NULL);
    scene.thread = pick(a, c, THREAD_HANDLE_INTERFACE_ID, NULL);
}

/* --- entries --- */

static uint64_t place(struct agent *a, uint64_t offset, const void *bytes, size_t size)
{
    uint64_t at = a->scratch + a->buffer * BUFFER_SIZE + offset;
    if (size > 0) { /* it may have unmapped it: then the kernel will find nothing there either */
        bool there = user_write(a->thread->process, at, bytes, size);
        (void)there;
    }
    return at;
}

static void set_buffers(struct agent *a, struct ring_entry *e, const struct cap_transfer *sent,
                        uint16_t count)
{
    e->result = place(a, MESSAGE_ROOM, NULL, 0);
    e->result_size = RESULT_ROOM;
    e->transfers = place(a, MESSAGE_ROOM + RESULT_ROOM, sent, count * sizeof(*sent));
    e->transfer_count = count;
    e->transfer_max = TRANSFERS_ROOM;
}

static void spoil_message(struct choices *c, uint32_t size)
{
    uint64_t *words = (uint64_t *)(void *)scene.message.bytes;
    for (uint64_t n = choose(c, 3); n > 0; n--) {
        uint64_t *word = &words[choose(c, size / 8)];
        *word = chance(c, 2) ? choose(c, UINT64_MAX) : *word ^ 1ull << choose(c, 64);
    }
}

/* Mostly one of an interface that it has something of. */
static const struct scene_case *some_case(struct agent *a, struct choices *c)
{
    for (int i = 0;; i++) {
        const struct scene_case *chosen = &scene_cases[choose(c, scene_case_count)];
        struct object *o;
        cap_id_t id = pick(a, c, chosen->interface->id, NULL);
        bool had = cap_table_look_up(&a->thread->process->table, id, &o) == STATUS_OK;
        if (i == 3 || (had && (chosen->answer != SCENE_ENDS || chance(c, 10)))) {
            return chosen;
        }
    }
}

/* The same parameters in the entry, as far as they fit. */
static void make_short(struct choices *c, struct ring_entry *e, const uint64_t *words,
                       uint64_t count)
{
    e->flags = RING_FLAG_SHORT;
    e->message = count > 0 ? words[0] : choose(c, UINT64_MAX);
    e->transfers = count > 1 ? words[1] : choose(c, UINT64_MAX);
    e->message_size = 8 * (uint32_t)(count < RING_SHORT_WORDS_MAX ? count : RING_SHORT_WORDS_MAX);
    e->transfer_count = e->transfer_max = 0;
}

static struct ring_entry kernel_call(struct agent *a, struct choices *c)
{
    const struct scene_case *chosen = some_case(a, c);
    fill_scene(a, c);
    chosen->build(&scene);
    uint32_t size = (uint32_t)wire_message_finish(&scene.message.builder);
    CHECK(size > 0 && size <= MESSAGE_ROOM);
    if (chance(c, 12)) {
        spoil_message(c, size);
    }
    for (uint32_t i = 0; i < scene.sent_count; i++) {
        struct object *o;
        if (chance(c, 8)
            || cap_table_look_up(&a->thread->process->table, scene.sent[i].cap, &o) != STATUS_OK) {
            scene.sent[i].cap = pick(a, c, 0, NULL);
        }
    }
    struct ring_entry e = {
        .opcode = RING_OP_CALL,
        .cap = chance(c, 30) ? pick(a, c, 0, NULL) : pick(a, c, chosen->interface->id, NULL),
        .interface_id = chosen->interface->id,
        .method = chosen->method,
        .message = place(a, 0, scene.message.bytes, size),
        .message_size = size,
    };
    set_buffers(a, &e, scene.sent, scene.sent_count);
    if (chance(c, 6)) {
        const uint64_t *words = (const uint64_t *)(const void *)scene.message.bytes;
        make_short(c, &e, words + 2, words[1] >> 32 & 0xffff); /* after the frame and the root */
    }
    return e;
}

static uint16_t choose_sent(struct agent *a, struct choices *c, struct cap_transfer *sent)
{
    uint16_t count = (uint16_t)(chance(c, 3) ? choose(c, 4) : 0);
    for (uint16_t i = 0; i < count; i++) {
        sent[i] = (struct cap_transfer){pick(a, c, 0, NULL), (uint32_t)choose(c, 2)};
    }
    return count;
}

static struct ring_entry message_entry(struct agent *a, struct choices *c, uint8_t opcode,
                                       cap_id_t cap)
{
    struct cap_transfer sent[4];
    uint16_t count = opcode == RING_OP_RECV ? 0 : choose_sent(a, c, sent);
    struct ring_entry e = {
        .opcode = opcode,
        .cap = cap,
        .interface_id = AGENT_FACET_INTERFACE,
        .method = (uint16_t)choose(c, 3),
        .message = place(a, 0, NULL, 0),
        .message_size = opcode == RING_OP_RECV ? 0 : (uint32_t)choose(c, 600),
    };
    set_buffers(a, &e, sent, count);
    if (opcode == RING_OP_RETURN && chance(c, 8)) {
        e.flags = RING_FLAG_EXCEPTION;
    }
    if (opcode == RING_OP_RETURN && chance(c, 2)) {
        e.flags |= RING_FLAG_RECEIVE;
        e.interface_id = pick(a, c, ENDPOINT_INTERFACE_ID, NULL);
    }
    if (opcode == RING_OP_CALL && chance(c, 3)) {
        make_short(c, &e, NULL, 0);
        e.message_size = 8 * (uint32_t)choose(c, RING_SHORT_WORDS_MAX + 1);
    }
    return e;
}

static struct ring_entry small_entry(struct agent *a, struct choices *c)
{
    struct ring_entry e = {.opcode = (uint8_t)choose(c, RING_OP_COUNT + 1)};
    e.cap = pick(a, c, e.opcode == RING_OP_RELEASE ? 0 : PARK_SPACE_INTERFACE_ID, NULL);
    e.message = some_address(a, c) & ~3ull;
    switch (e.opcode) {
    case RING_OP_PARK:
        e.interface_id = chance(c, 2) ? CAP_ENTER_FOREVER : choose(c, 100000000);
        e.result_size = (uint32_t)choose(c, 2);
        break;
    case RING_OP_UNPARK: e.result_size = (uint32_t)choose(c, 3); break;
    case RING_OP_CANCEL:
        e.interface_id = a->outstanding_count > 0
                             ? a->outstanding[choose(c, a->outstanding_count)].user_data
                             : 0;
        break;
    default: break;
    }
    return e;
}

static struct ring_entry some_entry(struct agent *a, struct choices *c)
{
    uint8_t opcode = RING_OP_COUNT;
    cap_id_t cap = CAP_ID_NONE;
    a->buffer = (a->buffer + 1) % BUFFERS;
    switch (choose(c, 16)) {
    case 0:
    case 1:
        opcode = RING_OP_CALL;
        cap = pick(a, c, 0, &facet_class);
        break;
    case 2:
        opcode = RING_OP_RECV;
        cap = pick(a, c, ENDPOINT_INTERFACE_ID, NULL);
        break;
    case 3:
    case 4:
        opcode = RING_OP_RETURN;
        cap = pick(a, c, 0, &reply_class);
        break;
    case 5:
    case 6:
    case 7: return small_entry(a, c);
    default: break;
    }
    return cap != CAP_ID_NONE ? message_entry(a, c, opcode, cap) : kernel_call(a, c);
}

/* Here and there a field that is wrong. */
static void bend(struct agent *a, struct choices *c, struct ring_entry *e)
{
    switch (choose(c, 9)) {
    case 0: e->message = some_address(a, c); break;
    case 1: e->result = some_address(a, c); break;
    case 2: e->transfers = some_address(a, c); break;
    case 3: e->result_size = (uint32_t)choose(c, 32); break;
    case 4: e->message_size = (uint32_t)choose(c, 2 * MESSAGE_MAX); break;
    case 5: e->transfer_max = (uint16_t)choose(c, 100); break;
    case 6: e->transfer_count = (uint16_t)choose(c, 100); break;
    case 7: e->method = (uint16_t)choose(c, 12); break;
    default: e->cap = CAP_ID((uint32_t)choose(c, 40), (uint32_t)choose(c, 5)); break;
    }
}

static bool submit(struct agent *a, struct ring_entry *e)
{
    struct process *p = a->thread->process;
    const struct ring *r = &a->thread->ring;
    uint32_t tail;
    uint64_t tail_at = r->user_address + offsetof(struct ring_header, sq_tail);
    CHECK(user_read(p, tail_at, &tail, sizeof(tail)));
    if (tail - r->sq_head >= r->sq_entries || a->outstanding_count == OUTSTANDING_MAX) {
        return false;
    }
    e->user_data = (a->thread->id << 32) + ++a->next_user_data;
    uint64_t at = r->user_address + r->sq_offset + (tail & (r->sq_entries - 1)) * sizeof(*e);
    CHECK(user_write(p, at, e, sizeof(*e)));
    tail++;
    CHECK(user_write(p, tail_at, &tail, sizeof(tail)));
    a->outstanding[a->outstanding_count++] =
        (struct expected){e->user_data, e->result_size, e->transfer_max, e->opcode, e->flags};
    explorer_statistics.entries++;
    explorer_statistics.opcode[e->opcode & 15]++;
    return true;
}

/* --- completions --- */

static void check_completion(struct agent *a, const struct ring_completion *c)
{
    for (uint32_t i = 0; i < a->outstanding_count; i++) {
        struct expected *e = &a->outstanding[i];
        if (e->user_data == c->user_data) {
            CHECK(c->status <= 0 && c->status > -STATUS_COUNT);
            CHECK(c->status != -STATUS_PENDING && c->status != -STATUS_WOULD_BLOCK);
            bool is_short = (c->flags & RING_FLAG_SHORT) != 0;
            CHECK(!is_short || (e->flags & RING_FLAG_SHORT) != 0);
            CHECK_LE(c->result_size, is_short ? 8 : e->result_size);
            CHECK_LE(c->transfer_count, e->transfer_max);
            *e = a->outstanding[--a->outstanding_count];
            return;
        }
    }
    FAIL("completion %llx, status %s, of no entry, or for the second time",
         (unsigned long long)c->user_data, test_status_name(c->status));
}

/* Remembers what looks like an address in the answer. */
static void look_at_answer(struct agent *a, const struct ring_completion *c)
{
    uint64_t words[3];
    uint64_t at = a->scratch + a->buffer * BUFFER_SIZE + MESSAGE_ROOM;
    if (c->status == 0 && c->result_size >= sizeof(words)
        && user_read(a->thread->process, at, words, sizeof(words)) && words[2] >= USER_BASE
        && words[2] < USER_END && words[2] % PAGE_SIZE == 0) {
        a->addresses[a->address++ % ADDRESSES] = words[2];
    }
}

static void reap_all(struct agent *a)
{
    struct process *p = a->thread->process;
    const struct ring *r = &a->thread->ring;
    uint32_t head;
    uint64_t head_at = r->user_address + offsetof(struct ring_header, cq_head);
    CHECK(user_read(p, head_at, &head, sizeof(head)));
    if (r->cq_tail - head > r->cq_entries) {
        head = r->cq_tail; /* somebody has scribbled */
    }
    for (; head != r->cq_tail; head++) {
        struct ring_completion c;
        uint64_t at = r->user_address + r->cq_offset + (head & (r->cq_entries - 1)) * sizeof(c);
        CHECK(user_read(p, at, &c, sizeof(c)));
        explorer_statistics.completions++;
        explorer_statistics.succeeded += c.status == 0;
        explorer_statistics.status[(uint32_t)-c.status & 63]++;
        explorer_statistics.short_answers += (c.flags & RING_FLAG_SHORT) != 0;
        explorer_statistics.shortcuts += p->table.charge_kept;
        if (a->exactly_once) {
            check_completion(a, &c);
        }
        look_at_answer(a, &c);
    }
    CHECK(user_write(p, head_at, &head, sizeof(head)));
    if (!a->exactly_once) {
        a->outstanding_count = 0;
    }
}

/* --- acts --- */

/* It may have unmapped its scratch memory, and something else may be there by now. */
static bool scratch_good(const struct agent *a)
{
    const uint8_t byte = 0;
    for (uint64_t at = a->scratch; at < a->scratch + BUFFERS * BUFFER_SIZE; at += PAGE_SIZE) {
        if (is_ring(a->thread->process, at)) {
            return false;
        }
    }
    return a->scratch != 0 && user_write(a->thread->process, a->scratch, &byte, 1);
}

static bool have_scratch(struct agent *a)
{
    struct process *p = a->thread->process;
    if (scratch_good(a)) {
        return true;
    }
    a->scratch = 0;
    uint64_t hint = SCRATCH_BASE + a->thread->id * SCRATCH_STEP;
    return address_space_map(p->space, hint, false, BUFFERS * BUFFER_SIZE, PROTECTION_READ_WRITE,
                             &a->scratch)
           == STATUS_OK;
}

static struct user user_face(const struct agent *a)
{
    return (struct user){
        .thread = a->thread,
        .process = a->thread->process,
        .ring = a->thread->ring.user_address,
    };
}

static void enter(struct agent *a, struct choices *c)
{
    struct user u = user_face(a);
    uint64_t timeout = chance(c, 3) ? 0 : chance(c, 2) ? CAP_ENTER_FOREVER : choose(c, 50000000);
    enum outcome outcome = user_syscall(&u, SYSCALL_CAP_ENTER, choose(c, 3), timeout,
                                        a->thread->upcalls - (uint32_t)chance(c, 50));
    explorer_statistics.blocked += outcome == USER_BLOCKED;
    explorer_statistics.deaths += outcome == USER_DIED;
}

/* Its oldest of that class: the one that others know of. */
static cap_id_t first_of(const struct agent *a, const struct object_class *class)
{
    cap_id_t id;
    struct object *o;
    const struct cap_table *table = &a->thread->process->table;
    for (uint32_t slot = 0; (slot = cap_table_next(table, slot, &id, &o)) != 0;) {
        if (o->class == class) {
            return id;
        }
    }
    return CAP_ID_NONE;
}

/* An answer that is followed by a RECV, a call, or a RECV: what a server and its clients do. */
static struct ring_entry plain_entry(struct agent *a, struct choices *c)
{
    struct ring_entry e;
    cap_id_t reply = first_of(a, &reply_class), facet = first_of(a, &facet_class);
    a->buffer = (a->buffer + 1) % BUFFERS;
    if (reply != CAP_ID_NONE) {
        e = message_entry(a, c, RING_OP_RETURN, reply);
        if (!chance(c, 8)) {
            e.flags = RING_FLAG_RECEIVE;
            e.interface_id = first_of(a, &endpoint_class);
        }
    } else if (facet != CAP_ID_NONE && (a->thread->id % 2 == 0 || chance(c, 8))) {
        e = message_entry(a, c, RING_OP_CALL, facet);
    } else {
        e = message_entry(a, c, RING_OP_RECV, first_of(a, &endpoint_class));
    }
    e.transfer_count = chance(c, 8) ? e.transfer_count : 0;
    return e;
}

static void cancel_all(struct agent *a)
{
    for (uint32_t i = a->outstanding_count; i > 0; i--) {
        struct ring_entry e = {
            .opcode = RING_OP_CANCEL,
            .interface_id = a->outstanding[i - 1].user_data,
        };
        if (!submit(a, &e)) {
            return;
        }
    }
}

static void act_plainly(struct agent *a, struct choices *c)
{
    struct user u = user_face(a);
    if (a->thread->ring.in_flight != 0) {
        cancel_all(a);
        enter(a, c);
        return;
    }
    struct ring_entry e = plain_entry(a, c);
    if (!submit(a, &e)) {
        enter(a, c);
        return;
    }
    enum outcome outcome = user_syscall(&u, SYSCALL_CAP_ENTER, 1, CAP_ENTER_FOREVER,
                                        a->thread->upcalls);
    explorer_statistics.blocked += outcome == USER_BLOCKED;
    explorer_statistics.deaths += outcome == USER_DIED;
}

void agent_act(struct agent *a, struct choices *c)
{
    struct user u = user_face(a);
    reap_all(a);
    if (chance(c, 60)) {
        user_touch(&u, some_address(a, c), (enum upcall_access)choose(c, 3));
        return;
    }
    if (chance(c, 400)) {
        user_syscall(&u, chance(c, 2) ? SYSCALL_EXIT : choose(c, 400), choose(c, 3), 0, 0);
        return;
    }
    if (!have_scratch(a)) {
        enter(a, c);
        return;
    }
    a->plain ^= chance(c, a->plain ? 40 : 30);
    if (a->plain) {
        act_plainly(a, c);
        return;
    }
    for (uint64_t n = choose(c, 4); n > 0; n--) {
        struct ring_entry e = some_entry(a, c);
        if (chance(c, 16)) {
            bend(a, c, &e);
        }
        if (!submit(a, &e)) {
            break;
        }
    }
    enter(a, c);
}
