/* Messages that are not well-formed, to every method: no panic, nothing lost, and the program goes
 * on. */
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

static struct scene scene;
static struct user *u;
static struct random r;

static void begin(void)
{
    scene_boot();
    scene_make(&scene);
    u = scene.u;
}

static void begin_again(void)
{
    sim_end_all();
    scene_make(&scene);
    u = scene.u;
}

static void still_works(void)
{
    struct ring_completion c =
        user_run(u, (struct ring_entry){.opcode = RING_OP_NOP, .user_data = 5});
    CHECK_OK(c.status);
    invariants_check();
}

/* The case's call with these bytes as its message. The answer; pending: it waits; aborted: the
 * caller is gone. */
static status_t call_with(const struct scene_case *c, const void *bytes, uint32_t size)
{
    user_scratch_reset(u);
    struct ring_entry e = scene_entry(&scene, c);
    struct ring_completion done;
    e.message = user_place(u, bytes, size);
    e.message_size = size;
    user_submit(u, &e);
    if (user_enter(u, 0, 0) == USER_DIED) {
        return STATUS_ABORTED;
    }
    if (user_state(u) == USER_RETURNED && user_reap(u, &done)) {
        CHECK_EQ(done.user_data, e.user_data);
        return (status_t)-done.status;
    }
    CHECK_EQ(u->thread->ring.in_flight, 1);
    struct ring_entry cancel = {
        .opcode = RING_OP_CANCEL, .interface_id = e.user_data, .user_data = 1};
    user_submit(u, &cancel);
    CHECK_EQ(user_enter(u, 2, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK(user_reap(u, &done));
    CHECK(user_reap(u, &done));
    return STATUS_PENDING;
}

static const struct scene_case *next_case(uint32_t i)
{
    const struct scene_case *c = &scene_cases[i % scene_case_count];
    test_context("%s.%s", c->interface->name, c->interface->methods[c->method].name);
    return c;
}

TEST(frames_that_do_not_fit_are_refused)
{
    begin();
    const uint64_t frames[][3] = {
        {5ull << 32 | 1, 0, 0}, /* two segments, of which the first does not fit */
        {UINT64_MAX, 0, 0},     /* more segments than there can be */
        {4ull << 32, 0, 0},     /* more words than there are */
        {0xffffffffull << 32, 0, 0},
    };
    for (uint32_t i = 0; i < scene_case_count; i++) {
        const struct scene_case *c = next_case(i);
        for (size_t f = 0; f < sizeof(frames) / sizeof(frames[0]); f++) {
            CHECK_STATUS(call_with(c, frames[f], sizeof(frames[f])), STATUS_BAD_MESSAGE);
        }
        for (uint32_t size = 1; size < 8; size++) {
            CHECK_STATUS(call_with(c, frames[0], size), STATUS_BAD_MESSAGE);
        }
    }
    still_works();
}

/* A root with many words of data and pointers, each of which is the same bad one. */
static uint32_t all_pointers(uint64_t *words, uint64_t pointer)
{
    const uint32_t data = 8;
    const uint32_t pointers = 8;
    words[0] = (uint64_t)(1 + data + pointers) << 32;
    words[1] = (uint64_t)data << 32 | (uint64_t)pointers << 48;
    for (uint32_t i = 0; i < data; i++) {
        words[2 + i] = 0;
    }
    for (uint32_t i = 0; i < pointers; i++) {
        words[2 + data + i] = pointer;
    }
    return (2 + data + pointers) * 8;
}

TEST(pointers_that_lead_astray_are_refused)
{
    begin();
    const uint64_t bad[] = {
        (uint64_t)0x7ffffffc,                               /* struct far beyond the end */
        (uint64_t)0x80000000,                               /* struct far before the beginning */
        (uint64_t)0xffff << 32,                             /* struct with 64 Ki words of data */
        1 | (uint64_t)0xfffffff8 << 32 | 2ull << 32,        /* list of half a gigabyte of bytes */
        1 | (uint64_t)7 << 32 | (uint64_t)0x1ffffff << 35,  /* composite list without its tag */
        1 | (uint64_t)6 << 32 | (uint64_t)0x1fffffff << 35, /* list of pointers */
        1 | (uint64_t)0 << 32 | (uint64_t)0x1fffffff << 35, /* half a billion times nothing */
        2,              /* far, to the first word of segment 0 */
        2 | 1ull << 32, /* far, to a segment that is not there */
        6,              /* far, with a landing pad of two words */
        2 | 0xffffffffull << 32,
        3 | 5ull << 3,           /* of no known kind */
        3 | 0xffffffffull << 32, /* capability beyond those sent */
        0xfffffffc | 1ull << 48, /* struct that is its own pointer: a loop */
    };
    uint64_t words[32];
    for (uint32_t i = 0; i < scene_case_count; i++) {
        const struct scene_case *c = next_case(i);
        for (size_t b = 0; b < sizeof(bad) / sizeof(bad[0]); b++) {
            uint32_t size = all_pointers(words, bad[b]);
            if (call_with(c, words, size) == STATUS_ABORTED) {
                CHECK_EQ(c->answer, SCENE_ENDS);
                begin_again();
            }
        }
        begin_again();
    }
    still_works();
}

/* A list of grants whose names are lists of lists of lists ...; and one whose elements are the list
 * itself. */
TEST(nests_and_loops_are_refused)
{
    begin();
    static uint64_t words[4000];
    const struct scene_case *c = next_case(0);
    while (c->interface != &process_spawner_interface
           || c->method != PROCESS_SPAWNER_METHOD_SPAWN) {
        c++;
    }
    uint32_t processes = (uint32_t)tally.processes;
    words[0] = (uint64_t)3999 << 32;
    words[1] = 8ull << 48;                /* a struct of eight pointers */
    for (uint32_t i = 2; i < 4000; i++) { /* each the list of one pointer, which is the next word */
        words[i] = 1 | 6ull << 32 | 1ull << 35;
    }
    CHECK_STATUS(call_with(c, words, sizeof(words)), STATUS_BAD_MESSAGE);
    for (uint32_t i = 2; i < 10; i++) { /* a composite list which begins with itself */
        words[i] = ((uint64_t)0xfffffffc & 0xffffffff) | 1 | 7ull << 32 | 8ull << 35;
    }
    status_t s = call_with(c, words, sizeof(words));
    CHECK(s != STATUS_OK && s != STATUS_PENDING);
    CHECK_EQ(tally.processes, processes);
    still_works();
}

static uint64_t interesting(void)
{
    switch (random_below(&r, 8)) {
    case 0: return 0;
    case 1: return random_below(&r, 16);
    case 2: return UINT64_MAX - random_below(&r, 16);
    case 3: return scene.memory + random_below(&r, 4) * PAGE_SIZE;
    case 4: return USER_END - random_below(&r, 3) * PAGE_SIZE;
    case 5: return random_below(&r, 16) * PAGE_SIZE;
    case 6: return 1ull << random_below(&r, 64);
    default: return random_next(&r);
    }
}

/* One to three words of a good message replaced. */
static uint32_t spoil(const struct scene_case *c, uint8_t *bytes)
{
    c->build(&scene);
    uint32_t size = (uint32_t)wire_message_finish(&scene.message.builder);
    CHECK(size >= 16);
    memcpy(bytes, scene.message.bytes, size);
    for (uint64_t n = 1 + random_below(&r, 3); n > 0; n--) {
        uint64_t *word = (uint64_t *)(void *)bytes + 1 + random_below(&r, size / 8 - 1);
        *word = random_chance(&r, 2) ? interesting() : *word ^ 1ull << random_below(&r, 64);
    }
    return size;
}

/* The program may have unmapped, or made read-only, what it works in. */
static bool scratch_there(void)
{
    const uint8_t zero = 0;
    for (uint64_t at = 0; at < USER_SCRATCH_SIZE; at += PAGE_SIZE) {
        if (!user_write(u->process, u->scratch + at, &zero, 1)) {
            return false;
        }
    }
    return true;
}

TEST(spoiled_messages_do_no_harm)
{
    static _Alignas(8) uint8_t bytes[MESSAGE_MAX];
    begin();
    r.state = test_seed(3);
    uint64_t rounds = test_number("ROUNDS", 300);
    for (uint64_t round = 0; round < rounds; round++) {
        bool alive = true;
        for (uint32_t i = 0; i < scene_case_count && alive; i++) {
            const struct scene_case *c = next_case((uint32_t)random_below(&r, scene_case_count));
            uint32_t size = spoil(c, bytes);
            alive = call_with(c, bytes, size) != STATUS_ABORTED && scratch_there();
        }
        invariants_check();
        begin_again();
    }
    still_works();
}
