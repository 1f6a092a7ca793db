/* Rings and buffers that other threads scribble over, at any moment: whatever the words are, the
 * kernel keeps its own. */
#include "tests/lib/invariants.h"
#include "tests/sim/scene.h"

static struct scene scene;
static struct user *u;

static void begin(void)
{
    scene_boot();
    scene_make(&scene);
    u = scene.u;
}

static void set_word(size_t offset, uint32_t value)
{
    CHECK(user_write(u->process, u->ring + offset, &value, sizeof(value)));
}

#define SET(field, value) set_word(offsetof(struct ring_header, field), (value))

static void still_works(void)
{
    struct ring_completion c =
        user_run(u, (struct ring_entry){.opcode = RING_OP_NOP, .user_data = 5});
    CHECK_OK(c.status);
    invariants_check();
}

TEST(indices_out_of_bounds_are_refused)
{
    begin();
    struct ring_header h = user_ring(u);
    uint32_t deltas[] = {h.sq_entries + 1, 0x7fffffff, 0x80000000, UINT32_MAX, UINT32_MAX - 100};
    for (uint32_t i = 0; i < sizeof(deltas) / sizeof(deltas[0]); i++) {
        SET(sq_tail, h.sq_tail + deltas[i]);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        CHECK_EQ(user_result(u), -(int64_t)STATUS_BAD_RING);
        SET(sq_tail, h.sq_tail);
        if (deltas[i]
            != h.sq_entries
                   + 1) { /* cq_tail - cq_head is what counts: these are behind by too much */
            SET(cq_head, h.cq_tail - h.cq_entries - 1 - i);
            CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
            CHECK_EQ(user_result(u), -(int64_t)STATUS_BAD_RING);
            SET(cq_head, h.cq_tail + 1 + i); /* ahead of what there is */
            CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
            CHECK_EQ(user_result(u), -(int64_t)STATUS_BAD_RING);
            SET(cq_head, h.cq_head);
        }
        still_works();
        h = user_ring(u);
    }
}

TEST(the_kernels_words_are_its_own)
{
    begin();
    struct ring_header h = user_ring(u);
    SET(sq_head, h.sq_head + 12345);
    SET(cq_tail, h.cq_tail + 777);
    SET(sq_entries, 1u << 31);
    SET(cq_entries, 0);
    SET(sq_offset, 0xfffff000);
    SET(cq_offset, 0xdeadbeef);
    SET(upcalls, 99);
    /* A program that remembers what they were goes on. */
    struct ring_entry e = {.opcode = RING_OP_NOP, .user_data = 42};
    uint64_t at =
        u->ring + RING_DEFAULT_SQ_OFFSET + (h.sq_tail % RING_SQ_ENTRIES_DEFAULT) * sizeof(e);
    CHECK(user_write(u->process, at, &e, sizeof(e)));
    SET(sq_tail, h.sq_tail + 1);
    CHECK_EQ(user_syscall(u, SYSCALL_CAP_ENTER, 1, CAP_ENTER_FOREVER, 0), USER_RETURNED);
    CHECK_EQ(user_result(u), 1);
    struct ring_completion c;
    at = u->ring + RING_DEFAULT_CQ_OFFSET + (h.cq_tail % RING_CQ_ENTRIES_DEFAULT) * sizeof(c);
    CHECK(user_read(u->process, at, &c, sizeof(c)));
    CHECK_EQ(c.user_data, 42);
    h = user_ring(u);
    CHECK_EQ(h.cq_tail - h.cq_head, 1); /* written anew */
    invariants_check();
}

/* More entries than completions have room: what is not accepted stays. */
TEST(a_full_completion_queue_stops_acceptance)
{
    begin();
    struct ring_header h = user_ring(u);
    uint32_t accepted = 0;
    for (uint32_t round = 0; round < 4; round++) {
        for (uint32_t i = 0; i < h.sq_entries; i++) {
            if (user_ring(u).sq_tail - user_ring(u).sq_head < h.sq_entries) {
                struct ring_entry e = {.opcode = RING_OP_NOP, .user_data = accepted++};
                user_submit(u, &e);
            }
        }
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        invariants_check();
    }
    CHECK_EQ(accepted, h.cq_entries + h.sq_entries);
    struct ring_completion c;
    for (uint32_t i = 0; i < accepted; i++) {
        if (!user_reap(u, &c)) {
            CHECK_EQ(i, h.cq_entries);
            CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
            CHECK(user_reap(u, &c));
        }
        CHECK_EQ(c.user_data, i);
    }
    still_works();
}

/* Calls in flight hold their places: with all taken, nothing more is accepted, and CANCEL has to
 * wait for one. */
TEST(calls_in_flight_hold_their_places)
{
    begin();
    const struct scene_case *wait = scene_find(&timer_interface, TIMER_METHOD_SLEEP);
    struct ring_header h = user_ring(u);
    user_scratch_reset(u);
    struct ring_entry e = scene_entry(&scene, wait);
    for (uint32_t i = 0; i < h.cq_entries + 5; i++) {
        e.user_data = i;
        user_submit(u, &e);
        CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
        CHECK_EQ(u->thread->ring.in_flight, i < h.cq_entries ? i + 1 : h.cq_entries);
    }
    CHECK_EQ(user_ring(u).sq_tail - user_ring(u).sq_head, 5);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
    sim_advance(2000000000); /* all are due; the five that waited outside have not begun */
    CHECK_EQ(user_state(u), USER_RETURNED);
    struct ring_completion c;
    for (uint32_t i = 0; i < h.cq_entries; i++) {
        CHECK(user_reap(u, &c));
        CHECK_OK(c.status);
    }
    CHECK(!user_reap(u, &c));
    CHECK_EQ(user_enter(u, 5, CAP_ENTER_FOREVER), USER_BLOCKED);
    sim_advance(2000000000);
    CHECK_EQ(user_state(u), USER_RETURNED);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK(user_reap(u, &c));
    }
    still_works();
}

TEST(rings_of_every_size)
{
    begin();
    struct process *p = u->process;
    struct thread *t;
    CHECK_STATUS(thread_create(p, p->space, 3, &t), STATUS_BAD_ENTRY);
    CHECK_STATUS(thread_create(p, p->space, 2 * RING_ENTRIES_MAX, &t), STATUS_BAD_ENTRY);
    for (uint32_t entries = 1; entries <= RING_ENTRIES_MAX; entries *= 2) {
        test_context("%u entries", entries);
        CHECK_OK(thread_create(p, p->space, entries, &t));
        arch_thread_start(t, 0x400800, 0, 0, t->ring.user_address, 0, 0);
        thread_start(t);
        u = user_of_thread(t);
        for (uint32_t round = 0; round < 3; round++) { /* over the end of both queues */
            for (uint32_t i = 0; i < entries; i++) {
                struct ring_entry e = {.opcode = RING_OP_NOP, .user_data = i};
                user_submit(u, &e);
            }
            CHECK_EQ(user_enter(u, entries, CAP_ENTER_FOREVER), USER_RETURNED);
            CHECK_EQ(user_result(u), entries);
            for (uint32_t i = 0; i < entries; i++) {
                struct ring_completion c;
                CHECK(user_reap(u, &c));
                CHECK_EQ(c.user_data, i);
            }
        }
        invariants_check();
    }
}

/* --- random words --- */

static struct random r;

static void fill_ring_with_noise(void)
{
    uint8_t noise[PAGE_SIZE];
    for (size_t i = 0; i < sizeof(noise); i++) {
        noise[i] = (uint8_t)(random_chance(&r, 3) ? random_next(&r) : random_below(&r, 9));
    }
    size_t from = random_below(&r, PAGE_SIZE);
    size_t size = random_below(&r, PAGE_SIZE - from);
    CHECK(user_write(u->process, u->ring + from, noise, size));
}

/* Indices that are in bounds, so that the noise behind them is looked at. */
static void make_indices_good(void)
{
    const struct ring *ring = &u->thread->ring;
    SET(sq_tail, ring->sq_head + (uint32_t)random_below(&r, ring->sq_entries + 1));
    SET(cq_head, ring->cq_tail - (uint32_t)random_below(&r, ring->cq_entries + 1));
}

TEST(noise_does_no_harm)
{
    begin();
    r.state = test_seed(1);
    uint64_t rounds = test_number("ROUNDS", 20000);
    for (uint64_t round = 0; round < rounds; round++) {
        fill_ring_with_noise();
        if (!random_chance(&r, 8)) {
            make_indices_good();
        }
        CHECK_EQ(user_syscall(u, SYSCALL_CAP_ENTER, 0, 0, u->thread->upcalls), USER_RETURNED);
        if (round % 64 == 0) {
            invariants_check();
        }
    }
    make_indices_good();
    invariants_check();
}

/* --- a second thread writes in the middle of the kernel --- */

static bool scribbling;
static uint64_t edges;

/* Writes one word of the ring, or of a buffer that the kernel is about to touch. */
static void scribble(enum sim_edge_kind kind, uint64_t address, size_t size)
{
    edges++;
    if (!scribbling || !random_chance(&r, 3)) {
        return;
    }
    uint64_t at = u->ring + random_below(&r, PAGE_SIZE / 8) * 8;
    if (kind != SIM_EDGE_RING && random_chance(&r, 2)) {
        at = (address + random_below(&r, size)) & ~7ull;
    }
    uint8_t *bytes = sim_translate(arch_cpu()->arch.loaded, at, UPCALL_ACCESS_WRITE);
    if (bytes != NULL) {
        uint64_t value = random_chance(&r, 2) ? random_below(&r, 64) : random_next(&r);
        memcpy(bytes, &value, sizeof(value));
    }
}

TEST(words_that_change_while_they_are_read_do_no_harm)
{
    begin();
    r.state = test_seed(2);
    sim_machine.edge = scribble;
    uint64_t rounds = test_number("ROUNDS", 400);
    for (uint64_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < scene_case_count && user_state(u) == USER_RETURNED; i++) {
            const struct scene_case *c = &scene_cases[random_below(&r, scene_case_count)];
            if (c->answer == SCENE_ENDS) {
                continue;
            }
            user_scratch_reset(u);
            struct ring_entry e = scene_entry(&scene, c);
            const struct ring *ring = &u->thread->ring;
            uint32_t place = ring->sq_head % ring->sq_entries;
            CHECK(user_write(u->process, u->ring + ring->sq_offset + place * sizeof(e), &e,
                             sizeof(e)));
            SET(sq_tail, ring->sq_head + 1);
            SET(cq_head, ring->cq_tail);
            scribbling = true;
            user_syscall(u, SYSCALL_CAP_ENTER, 0, 0, u->thread->upcalls);
            scribbling = false;
        }
        invariants_check();
        if (user_state(u) != USER_RETURNED
            || round % 20 == 19) { /* it has interrupted or unmapped itself */
            sim_end_all();
            scene_make(&scene);
            u = scene.u;
        }
    }
    CHECK_GT(edges, rounds);
}
