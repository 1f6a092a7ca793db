/* A call between processes has a short way and a long one, and nobody can tell them apart: random
 * scripts of calls, answers, cancels and deaths run twice, the second time with an entry in flight
 * in every thread that never completes, so that no thread waits for one thing alone and the long
 * way is all there is. After each step results, completions, memory, ids, who runs, and what is
 * charged must be the same. */
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

#define AGENTS 5
#define PROCESSES 3
#define BUFFERS 8
#define BUFFER_SIZE 512
#define REPLIES 16
#define OUTSTANDING_MAX 12 /* with the one that never completes, far from a full ring */
#define STEPS_MAX 1000
#define BLOCKER UINT64_MAX /* user_data */
#define UNMAPPED 0x1000

struct agent {
    struct user *u;
    uint32_t process;
    uint64_t buffers; /* BUFFERS * BUFFER_SIZE bytes that end in the middle of a page */
    uint32_t buffer;
    uint64_t next;    /* user_data */
    uint64_t outstanding[OUTSTANDING_MAX];
    uint32_t outstanding_count;
};

/* What the other run must see too. */
struct trace {
    uint64_t states, result, current, completions, memory, tables, records;
};

static struct agent agents[AGENTS];
static struct process *processes[PROCESSES];
static cap_id_t endpoints[PROCESSES], blockers[PROCESSES], facets[PROCESSES][PROCESSES];
static cap_id_t replies[PROCESSES][REPLIES];
static uint32_t reply_count[PROCESSES];
static struct random script;
static struct trace traces[2][STEPS_MAX], now;
static bool long_way;
static uint64_t shortcuts;

static uint64_t mix(uint64_t hash, uint64_t word)
{
    return (hash ^ word) * 0x9e3779b97f4a7c15ull + (hash >> 29);
}

/* --- the two sides --- */

static void begin(void)
{
    static const uint32_t of[AGENTS] = {0, 0, 1, 1, 2};
    memset(agents, 0, sizeof(agents));
    memset(replies, 0, sizeof(replies));
    memset(reply_count, 0, sizeof(reply_count));
    for (int i = 0; i < PROCESSES; i++) {
        processes[i] = sim_process(NULL, 0);
        endpoints[i] = ipc_endpoint(processes[i]);
        blockers[i] = ipc_endpoint(processes[i]);
    }
    for (int owner = 0; owner < PROCESSES; owner++) {
        for (int holder = 0; holder < PROCESSES; holder++) {
            facets[holder][owner] = ipc_facet(processes[owner], endpoints[owner],
                                              processes[holder], (uint64_t)holder);
        }
    }
    for (int i = 0; i < AGENTS; i++) {
        struct agent *a = &agents[i];
        a->process = of[i];
        struct process *p = processes[of[i]];
        a->u = i > 0 && of[i - 1] == of[i] ? user_thread(p) : user_of(p);
        a->buffers = user_place(a->u, NULL, 4 * PAGE_SIZE) + PAGE_SIZE / 4;
        if (long_way) {
            ipc_start(a->u, ipc_receive(a->u, BLOCKER, blockers[of[i]]));
        } else {
            CHECK_EQ(user_enter(a->u, 0, 0), USER_RETURNED); /* it has run, as the other way */
        }
    }
}

static bool alive(const struct agent *a)
{
    return user_state(a->u) != USER_DIED;
}

static void remember_reply(uint32_t process, cap_id_t id)
{
    replies[process][reply_count[process]++ % REPLIES] = id;
}

static cap_id_t some_reply(uint32_t process)
{
    uint32_t count = reply_count[process];
    if (count == 0) {
        return CAP_ID_NONE;
    }
    uint32_t back = random_chance(&script, 4) ? (uint32_t)random_below(&script, 4) : 0;
    return replies[process][(count - 1 - back) % REPLIES];
}

/* --- entries --- */

static uint64_t some_buffer(struct agent *a)
{
    a->buffer++;
    if (random_chance(&script, 40)) {
        return UNMAPPED;
    }
    return a->buffers + a->buffer % BUFFERS * BUFFER_SIZE + random_below(&script, 4) * 8;
}

static uint32_t some_room(void)
{
    return random_chance(&script, 12) ? (uint32_t)random_below(&script, 64) : 256;
}

static void set_message(struct agent *a, struct ring_entry *e)
{
    uint64_t bytes[32];
    e->message = some_buffer(a);
    e->message_size = (uint32_t)random_below(&script, random_chance(&script, 3) ? 250 : 40);
    for (size_t i = 0; i < ARRAY_SIZE(bytes); i++) {
        bytes[i] = random_next(&script);
    }
    bool there = user_write(a->u->process, e->message, bytes, e->message_size);
    (void)there;
}

static void set_sent(struct agent *a, struct ring_entry *e)
{
    if (!random_chance(&script, 8)) {
        return;
    }
    struct cap_transfer x = {facets[a->process][random_below(&script, PROCESSES)],
                             CAP_TRANSFER_COPY};
    if (random_chance(&script, 3)) {
        x = (struct cap_transfer){some_reply(a->process), CAP_TRANSFER_MOVE};
    }
    e->transfer_count = 1;
    bool there = user_write(a->u->process, e->transfers, &x, sizeof(x));
    (void)there;
}

static struct ring_entry call_entry(struct agent *a)
{
    struct ring_entry e = {
        .opcode = RING_OP_CALL,
        .cap = facets[a->process][random_chance(&script, 3) ? random_below(&script, PROCESSES) : 0],
        .interface_id = random_chance(&script, 40) ? 1 : IPC_INTERFACE,
        .method = (uint16_t)random_below(&script, 100),
        .result = some_buffer(a),
        .result_size = some_room(),
    };
    if (random_chance(&script, 3)) {
        e.flags = RING_FLAG_SHORT;
        e.message = random_next(&script);
        e.transfers = random_next(&script);
        e.message_size = 8 * (uint32_t)random_below(&script, 3);
        return e;
    }
    e.transfers = some_buffer(a);
    e.transfer_max = random_chance(&script, 4) ? 0 : 4;
    set_message(a, &e);
    set_sent(a, &e);
    return e;
}

static void set_receive(struct agent *a, struct ring_entry *e)
{
    e->result = some_buffer(a);
    e->result_size = some_room();
    e->transfers = some_buffer(a);
    e->transfer_max = random_chance(&script, 4) ? 0 : 4;
}

static struct ring_entry receive_entry(struct agent *a)
{
    struct ring_entry e = {.opcode = RING_OP_RECV, .cap = endpoints[a->process]};
    set_receive(a, &e);
    return e;
}

static struct ring_entry return_entry(struct agent *a)
{
    struct ring_entry e = {.opcode = RING_OP_RETURN, .cap = some_reply(a->process)};
    if (!random_chance(&script, 3)) {
        e.flags = RING_FLAG_RECEIVE;
        e.interface_id = endpoints[a->process];
    }
    e.flags |= random_chance(&script, 8) ? RING_FLAG_EXCEPTION : 0;
    set_receive(a, &e);
    set_message(a, &e);
    set_sent(a, &e);
    return e;
}

static struct ring_entry other_entry(struct agent *a)
{
    struct ring_entry e = {.opcode = RING_OP_NOP};
    switch (random_below(&script, 4)) {
    case 0:
        e.opcode = RING_OP_RELEASE;
        e.cap = some_reply(a->process);
        break;
    case 1:
        e.opcode = RING_OP_RELEASE;
        e.cap = random_chance(&script, 20)
                    ? endpoints[a->process]
                    : facets[a->process][random_chance(&script, 8) ? 0 : 2];
        break;
    case 2: break;
    default:
        e.opcode = RING_OP_CANCEL;
        e.interface_id = a->outstanding_count == 0
                             ? 0
                             : a->outstanding[random_below(&script, a->outstanding_count)];
        break;
    }
    return e;
}

static struct ring_entry some_entry(struct agent *a)
{
    uint64_t n = random_below(&script, 16);
    bool serves = a->process == 0;
    if (n == 0) {
        return other_entry(a);
    }
    if (n < (serves ? 3 : 12)) {
        return call_entry(a);
    }
    return n < (serves ? 6 : 14) ? receive_entry(a) : return_entry(a);
}

static void submit(struct agent *a)
{
    struct ring_entry e = some_entry(a);
    if (a->outstanding_count < OUTSTANDING_MAX) {
        e.user_data = a->next++;
        a->outstanding[a->outstanding_count++] = e.user_data;
        user_submit(a->u, &e);
    }
}

/* --- what came of it --- */

/* Not while it waits: the long way would count again what there is, the short one does not. */
static void reap(struct agent *a)
{
    struct ring_completion c;
    while (user_state(a->u) == USER_RETURNED && user_reap(a->u, &c)) {
        CHECK_NE(c.user_data, BLOCKER);
        const uint64_t *words = (const uint64_t *)(const void *)&c;
        for (int i = 0; i < 4; i++) {
            now.completions = mix(now.completions, words[i]);
        }
        if (c.aux != 0 && c.status == 0) {
            remember_reply(a->process, c.aux);
        }
        for (uint32_t i = 0; i < a->outstanding_count; i++) {
            if (a->outstanding[i] == c.user_data) {
                a->outstanding[i] = a->outstanding[--a->outstanding_count];
                break;
            }
        }
    }
}

static void look_at_memory(const struct agent *a)
{
    static uint64_t words[BUFFERS * BUFFER_SIZE / 8];
    if (alive(a)) {
        CHECK(user_read(a->u->process, a->buffers, words, sizeof(words)));
        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
            now.memory = mix(now.memory, words[i]);
        }
    }
}

static void look_at_table(const struct process *p)
{
    cap_id_t id;
    struct object *o;
    if (p->ended) {
        return;
    }
    for (uint32_t slot = 0; (slot = cap_table_next(&p->table, slot, &id, &o)) != 0;) {
        now.tables = mix(now.tables, id);
        now.tables = mix(now.tables, object_interface_id(o));
    }
    now.tables = mix(now.tables, p->table.live);
    CHECK_EQ(p->account->used[LEDGER_SLOTS], p->table.live + p->table.charge_kept);
    CHECK(!p->table.charge_kept || !long_way);
    shortcuts += p->table.charge_kept;
}

static void look(void)
{
    uint64_t calls = ledger_root.used[LEDGER_CALLS];
    for (uint64_t i = 0; i < AGENTS; i++) {
        const struct agent *a = &agents[i];
        now.states = now.states * 4 + (uint64_t)user_state(a->u);
        now.current = arch_cpu()->current == a->u->thread ? i + 1 : now.current;
        look_at_memory(a);
        if (alive(a)) {
            const struct ring *r = &a->u->thread->ring;
            CHECK_GE(calls, r->in_flight + (r->spare != NULL));
            calls -= r->in_flight + (r->spare != NULL);
            now.records = mix(now.records, r->in_flight - long_way);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        look_at_table(processes[i]);
    }
    now.records = mix(now.records, calls); /* held by Replies of callers that are gone */
}

/* --- scripts --- */

static void give_up_waiting(void *context)
{
    thread_wake(context, -(int64_t)STATUS_TIMED_OUT);
}

static void act(struct agent *a)
{
    if (user_state(a->u) == USER_BLOCKED) {
        if (random_chance(&script, 10)) { /* as if it had had a time-out */
            sim_enter_kernel(0, give_up_waiting, a->u->thread);
        }
        return;
    }
    reap(a);
    if (random_chance(&script, 300)) {
        (void)user_syscall(a->u, SYSCALL_EXIT, 0, 0, 0);
        return;
    }
    for (uint64_t n = random_chance(&script, 4) ? random_below(&script, 4) : 1; n > 0; n--) {
        submit(a);
    }
    if (random_chance(&script, 4)) {
        (void)user_enter(a->u, (uint32_t)random_below(&script, 3), 0);
    } else {
        (void)user_enter(a->u, random_chance(&script, 10) ? 2 : 1, CAP_ENTER_FOREVER);
    }
    now.result = alive(a) ? (uint64_t)user_result(a->u) : 0;
    reap(a);
}

/* Mostly whoever runs goes on. */
static struct agent *next_agent(void)
{
    struct agent *a = &agents[random_below(&script, AGENTS)];
    if (!random_chance(&script, 4)) {
        for (int i = 0; i < AGENTS; i++) {
            if (arch_cpu()->current == agents[i].u->thread) {
                a = &agents[i];
            }
        }
    }
    return a;
}

static void run(uint64_t seed, uint64_t steps, bool other_way)
{
    script = (struct random){seed};
    long_way = other_way;
    begin();
    for (uint64_t i = 0; i < steps; i++) {
        now = (struct trace){0};
        struct agent *a = next_agent();
        if (alive(a)) {
            act(a);
        }
        look();
        if (i % 16 == 0) {
            invariants_check();
        }
        traces[other_way][i] = now;
    }
    sim_end_all();
}

#define SAME(field) test_context("seed %llu, step %llu: %s", (unsigned long long)seed, \
                                 (unsigned long long)i, #field);                       \
                    CHECK_EQ(traces[0][i].field, traces[1][i].field)

static void compare(uint64_t seed, uint64_t steps)
{
    for (uint64_t i = 0; i < steps; i++) {
        SAME(states);
        SAME(result);
        SAME(completions);
        SAME(memory);
        SAME(tables);
        SAME(records);
        SAME(current);
    }
}

TEST(the_short_way_does_what_the_long_one_does)
{
    uint64_t steps = test_number("STEPS", 400);
    uint64_t first = test_seed(1);
    CHECK_LE(steps, STEPS_MAX);
    sim_boot(NULL);
    for (uint64_t seed = first; seed < first + test_number("SEEDS", 60); seed++) {
        test_seed_is(seed);
        run(seed, steps, false);
        run(seed, steps, true);
        compare(seed, steps);
    }
    CHECK_GT(shortcuts, 100); /* else there was nothing to compare */
}
