/* Any bytes as a program of three threads in two processes: entries right and wrong, into rings
 * whose indices may be spoilt, with capabilities sent to and fro, endpoints, pipes, forwarders,
 * and ends of threads and processes in between. After each step every accepted entry has
 * completed at most once and nothing that was not asked for has; at the end it has completed
 * exactly once, or its thread has ended; then all invariants hold and all counts are back. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/endpoint.h"
#include "lib/wire/gen/pipe_reader.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define USERS 3
#define STEPS_MAX 400
#define IDS 16      /* ids that a thread has seen last */
#define BUFFERS 8   /* of BUFFER_SIZE bytes in each user's scratch memory */
#define BUFFER_SIZE 1024
#define ENTRIES 1024

static const uint8_t *input;
static size_t left;

static uint32_t take(uint32_t below)
{
    if (left == 0) {
        return 0;
    }
    left--;
    return *input++ % below;
}

struct program {
    struct user *u;
    bool spoilt;             /* its indices are its own affair from now on */
    cap_id_t ids[IDS];
    uint32_t id_count;
    uint64_t submitted;      /* user_data of the next entry */
    uint8_t completed[ENTRIES];
    bool reap_next;
};

static struct program programs[USERS];

static void learn(struct program *p, cap_id_t id)
{
    p->ids[p->id_count++ % IDS] = id;
}

static bool alive(const struct program *p)
{
    return user_state(p->u) != USER_DIED;
}

/* --- entries --- */

/* One of the process's live capabilities, of the class if that is not NULL; 0: it has none. */
static cap_id_t pick_live(const struct program *p, const struct object_class *class)
{
    cap_id_t found = 0, id;
    struct object *o;
    uint32_t skip = take(8);
    for (uint32_t slot = cap_table_next(&p->u->process->table, 4, &id, &o); slot != 0;
         slot = cap_table_next(&p->u->process->table, slot, &id, &o)) {
        if (class == NULL || o->class == class) {
            found = id;
            if (skip-- == 0) {
                break;
            }
        }
    }
    return found;
}

/* Mostly what the opcode can use; else what the thread once saw, or anything. */
static cap_id_t pick_cap(const struct program *p, uint8_t opcode)
{
    uint32_t n = take(16);
    if (n >= 14) {
        return n == 14 ? p->ids[take(IDS)] : CAP_ID(take(24), take(4));
    }
    switch (opcode) {
    case RING_OP_RECV:
        return pick_live(p, &endpoint_class);
    case RING_OP_RETURN:
        return pick_live(p, &reply_class);
    case RING_OP_PARK:
    case RING_OP_UNPARK:
        return CAP_ID(CAP_SLOT_PARK, 1);
    default:
        return n < 6 && opcode == RING_OP_CALL ? pick_live(p, &facet_class) : pick_live(p, NULL);
    }
}

static uint64_t pick_address(const struct program *p)
{
    static const uint64_t bad[] = {0, 0x1000, USER_END - 8, USER_END, 1ull << 63, UINT64_MAX};
    uint32_t n = take(128);
    uint64_t buffer = p->u->scratch + n % BUFFERS * BUFFER_SIZE;
    if (n < 118) {
        return buffer;
    }
    return n < 122 ? buffer + take(256) : bad[n % ARRAY_SIZE(bad)];
}

/* Mostly the one that the object has. */
static uint64_t pick_interface(const struct program *p, cap_id_t cap)
{
    struct object *o;
    if (take(16) != 15 && cap_table_look_up(&p->u->process->table, cap, &o) == STATUS_OK) {
        return object_interface_id(o);
    }
    return take(2) == 0 ? IPC_INTERFACE : CONSOLE_INTERFACE_ID;
}

static uint16_t pick_count(void)
{
    uint32_t n = take(16);
    return (uint16_t)(n < 10 ? 0 : n < 15 ? n - 9 : take(8) == 0 ? 65 : 8);
}

/* A transfer array somewhere in the thread's memory. */
static void write_transfers(const struct program *p, uint64_t address, uint32_t count)
{
    struct cap_transfer x[8];
    count = count < ARRAY_SIZE(x) ? count : ARRAY_SIZE(x);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t mode = take(16);
        x[i] = (struct cap_transfer){.cap = pick_cap(p, RING_OP_NOP),
                                     .mode = mode < 15 ? mode % 2 : take(4)};
    }
    (void)user_write(p->u->process, address, x, count * sizeof(x[0])); /* a bad address: false */
}

/* A message with small numbers and a capability pointer or two. */
static uint32_t write_message(const struct program *p, uint64_t address)
{
    uint64_t words[8] = {6ull << 32, 0x0002000300000000ull};
    uint32_t n = take(256);
    words[2] = n % 64;
    words[3] = n;
    words[5] = n < 64 ? 0 : (uint64_t)(n % 4) << 32 | 3; /* a capability */
    if (n == 255) {
        words[take(8)] = (uint64_t)take(256) << take(57);
    }
    (void)user_write(p->u->process, address, words, sizeof(words));
    return n == 254 ? take(64) : 56;
}

/* The oldest of the process's live capabilities of the class; 0: it has none. */
static cap_id_t first_live(const struct program *p, const struct object_class *class)
{
    cap_id_t id;
    struct object *o;
    const struct cap_table *table = &p->u->process->table;
    for (uint32_t slot = 4; (slot = cap_table_next(table, slot, &id, &o)) != 0;) {
        if (o->class == class) {
            return id;
        }
    }
    return 0;
}

/* Without another byte, so that what was found before still means the same. */
static void set_flags(const struct program *p, struct ring_entry *e, uint32_t n)
{
    bool half = n >= 128 && n < 224;
    e->flags = n == 255 ? 1 : n == 254 ? 2 : 0;
    if (half && e->opcode == RING_OP_CALL) {
        e->flags = RING_FLAG_SHORT;
        e->message_size = n % 16 == 15 ? n : n % 3 * 8;
        e->transfer_count = n == 130;
        e->transfer_max = n == 131;
    } else if (half && e->opcode == RING_OP_RETURN) {
        e->flags = RING_FLAG_RECEIVE | (n % 16 == 15 ? RING_FLAG_EXCEPTION : 0);
        e->interface_id = first_live(p, &endpoint_class);
    }
}

static void put(struct program *p, const struct ring_entry *e)
{
    struct ring_header h;
    CHECK(user_read(p->u->process, p->u->ring, &h, sizeof(h)));
    if (p->submitted < ENTRIES && h.sq_tail - h.sq_head < RING_SQ_ENTRIES_DEFAULT) {
        uint64_t at = p->u->ring + RING_DEFAULT_SQ_OFFSET
                      + h.sq_tail % RING_SQ_ENTRIES_DEFAULT * sizeof(*e);
        uint32_t tail = h.sq_tail + 1;
        p->submitted++;
        CHECK(user_write(p->u->process, at, e, sizeof(*e)));
        CHECK(user_write(p->u->process, p->u->ring, &tail, sizeof(tail)));
    }
}

static void submit(struct program *p)
{
    static const uint8_t opcodes[] = {
        RING_OP_CALL,   RING_OP_CALL,   RING_OP_CALL,   RING_OP_CALL,   RING_OP_CALL, RING_OP_RECV,
        RING_OP_RECV,   RING_OP_RECV,   RING_OP_RETURN, RING_OP_RETURN, RING_OP_RETURN,
        RING_OP_CANCEL, RING_OP_RELEASE, RING_OP_PARK,  RING_OP_UNPARK,
    };
    uint32_t n = take(16);
    struct ring_entry e = {
        .opcode = n < ARRAY_SIZE(opcodes) ? opcodes[n] : (uint8_t)take(256),
        .user_data = p->submitted,
    };
    n = take(256);
    e.reserved = n == 253;
    e.method = (uint16_t)(n % 8);
    e.result_size = n >= 240 && n < 250 ? n - 230 : BUFFER_SIZE;
    e.cap = pick_cap(p, e.opcode);
    e.interface_id = pick_interface(p, e.cap);
    if (e.opcode == RING_OP_CANCEL) {
        e.interface_id = p->submitted - take(16);
    } else if (e.opcode == RING_OP_PARK) {
        e.interface_id = n % 2 == 0 ? 0 : CAP_ENTER_FOREVER;
    }
    e.message = pick_address(p);
    e.message_size = write_message(p, e.message);
    e.result = pick_address(p);
    e.transfers = pick_address(p);
    e.transfer_count = e.opcode == RING_OP_CALL || e.opcode == RING_OP_RETURN ? pick_count() : 0;
    e.transfer_max = n % 16 == 15 ? pick_count() : 8;
    write_transfers(p, e.transfers, e.transfer_count);
    set_flags(p, &e, n);
    put(p, &e);
}

/* What a server and its clients do: one entry, and a wait for nothing else. */
static struct ring_entry plain_entry(const struct program *p)
{
    uint32_t n = take(64);
    cap_id_t reply = first_live(p, &reply_class), facet = first_live(p, &facet_class);
    struct ring_entry e = {
        .opcode = RING_OP_RECV,
        .cap = first_live(p, &endpoint_class),
        .user_data = p->submitted,
        .message = p->u->scratch + n % BUFFERS * BUFFER_SIZE,
        .result = p->u->scratch + n / BUFFERS * BUFFER_SIZE,
        .result_size = BUFFER_SIZE,
    };
    if (reply != 0) {
        e.opcode = RING_OP_RETURN;
        e.flags = RING_FLAG_RECEIVE;
        e.interface_id = e.cap;
        e.cap = reply;
        e.message_size = n;
    } else if (facet != 0 && p != &programs[0]) {
        e.opcode = RING_OP_CALL;
        e.flags = n % 2 == 0 ? RING_FLAG_SHORT : 0;
        e.cap = facet;
        e.interface_id = IPC_INTERFACE;
        e.message_size = n % 2 == 0 ? n % 3 * 8 : n;
    }
    return e;
}

static void cancel_all(struct program *p)
{
    for (uint64_t i = p->submitted; i > 0; i--) {
        struct ring_entry e = {
            .opcode = RING_OP_CANCEL, .user_data = p->submitted, .interface_id = i - 1};
        if (p->completed[i - 1] == 0) {
            put(p, &e);
        }
    }
    (void)user_enter(p->u, 0, 0);
}

static void act_plainly(struct program *p)
{
    if (p->u->thread->ring.in_flight != 0) {
        cancel_all(p);
        return;
    }
    struct ring_entry e = plain_entry(p);
    put(p, &e);
    (void)user_enter(p->u, 1, CAP_ENTER_FOREVER);
}

/* --- completions --- */

static void learn_received(struct program *p, const struct ring_completion *c)
{
    if (c->aux != 0) {
        learn(p, c->aux);
    }
    struct object *o;
    cap_id_t id;
    for (uint32_t slot = take(32); c->transfer_count > 0 && p->u->process->space != NULL;) {
        slot = cap_table_next(&p->u->process->table, slot, &id, &o);
        if (slot == 0) {
            return;
        }
        learn(p, id);
    }
}

static void reap(struct program *p)
{
    struct ring_completion c;
    while (!p->spoilt && user_state(p->u) == USER_RETURNED && user_reap(p->u, &c)) {
        CHECK_LT(c.user_data, p->submitted);
        CHECK_EQ(p->completed[c.user_data], 0);
        p->completed[c.user_data] = 1;
        CHECK(c.status <= 0 && c.status > -STATUS_COUNT);
        CHECK(c.status != -(int)STATUS_PENDING && c.status != -(int)STATUS_WOULD_BLOCK);
        CHECK_LE(c.transfer_count, RING_TRANSFERS_MAX);
        CHECK_EQ(c.reserved, 0);
        CHECK((c.flags & RING_FLAG_SHORT) != 0 || (c.reserved2 | c.reserved3) == 0);
        learn_received(p, &c);
    }
}

/* What was accepted and is not complete is in flight, neither more nor less. */
static void check_in_flight(const struct program *p)
{
    uint64_t complete = 0;
    for (uint64_t i = 0; i < p->submitted; i++) {
        complete += p->completed[i];
    }
    const struct ring *r = &p->u->thread->ring;
    CHECK_EQ(r->sq_head - complete, r->in_flight);
}

/* --- the program --- */

static void spoil(struct program *p)
{
    static const uint64_t fields[] = {offsetof(struct ring_header, sq_tail),
                                      offsetof(struct ring_header, cq_head),
                                      offsetof(struct ring_header, sq_head),
                                      offsetof(struct ring_header, cq_tail),
                                      offsetof(struct ring_header, sq_offset)};
    uint32_t value = take(256) << take(25);
    p->spoilt = true;
    CHECK(user_write(p->u->process, p->u->ring + fields[take(ARRAY_SIZE(fields))], &value,
                     sizeof(value)));
}

static void give_up_waiting(void *context)
{
    thread_wake(context, -(int64_t)STATUS_TIMED_OUT);
}

static void step(struct program *p)
{
    if (!alive(p)) {
        return;
    }
    if (user_state(p->u) == USER_BLOCKED) {
        if (take(8) == 7) {
            sim_enter_kernel(0, give_up_waiting, p->u->thread);
        }
        return;
    }
    switch (take(16)) {
    case 0:
        if (take(16) == 0) {
            spoil(p);
        } else {
            act_plainly(p);
            reap(p);
        }
        break;
    case 1:
        if (take(32) == 0) {
            (void)user_syscall(p->u, SYSCALL_EXIT, 0, 0, 0);
        }
        break;
    case 2:
        reap(p);
        break;
    case 3:
    case 4:
        (void)user_enter(p->u, 1, CAP_ENTER_FOREVER);
        reap(p);
        break;
    case 5:
    case 6:
        (void)user_enter(p->u, 0, 0);
        reap(p);
        if (!p->spoilt && alive(p)) {
            check_in_flight(p);
        }
        break;
    default:
        submit(p);
        break;
    }
}

static void begin(void)
{
    struct object *reader, *writer;
    struct object *grants[] = {&console_object, &entropy_source_object, &std_io_object,
                               &process_spawner_object};
    memset(programs, 0, sizeof(programs));
    struct process *a = sim_process(grants, 4), *b = sim_process(grants, 4);
    programs[0].u = user_of(a);
    programs[1].u = user_of(b);
    programs[2].u = user_thread(a);
    cap_id_t endpoint = ipc_endpoint(a);
    CHECK_OK(pipe_create(a->account, &reader, &writer));
    for (int i = 0; i < USERS; i++) {
        struct program *p = &programs[i];
        bool owner = p->u->process == a;
        learn(p, ipc_facet(a, endpoint, p->u->process, (uint64_t)i));
        learn(p, owner ? endpoint : ipc_endpoint(b));
        learn(p, sim_grant(p->u->process, owner ? writer : reader));
        for (uint32_t slot = 1; slot <= 8; slot++) {
            learn(p, CAP_ID(slot, 1));
        }
        p->u->scratch_used = BUFFERS * BUFFER_SIZE;
    }
    object_put(reader);
    object_put(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool booted;
    if (!booted) {
        booted = true;
        sim_boot(NULL);
    }
    struct counts before = counts_take();
    input = data;
    left = size;
    begin();
    for (int i = 0; i < STEPS_MAX && left > 0; i++) {
        step(&programs[take(USERS)]);
        if (i % 32 == 0) {
            invariants_check();
        }
    }
    invariants_check();
    sim_end_all();
    counts_check(&before);
    return 0;
}
