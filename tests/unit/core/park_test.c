/* Parking: against a model on random programs, and each way in which a wait ends. */
#include "kernel/core/park.h"
#include "kernel/core/timer_queue.h"
#include "tests/lib/sim.h"

#define PARK_CAP CAP_ID(CAP_SLOT_PARK, 1)
#define FOREVER CAP_ENTER_FOREVER

static struct ring_entry park_entry(uint64_t user_data, uint64_t address, uint32_t expected,
                                    uint64_t timeout_ns)
{
    return (struct ring_entry){.opcode = RING_OP_PARK,
                               .cap = PARK_CAP,
                               .user_data = user_data,
                               .message = address,
                               .interface_id = timeout_ns,
                               .result_size = expected};
}

static struct ring_entry unpark_entry(uint64_t user_data, uint64_t address, uint32_t count)
{
    return (struct ring_entry){.opcode = RING_OP_UNPARK,
                               .cap = PARK_CAP,
                               .user_data = user_data,
                               .message = address,
                               .result_size = count};
}

/* Puts the entry in without waiting for it. */
static void start(struct user *u, struct ring_entry e)
{
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
}

static int32_t take(struct user *u, uint64_t user_data)
{
    struct ring_completion c;
    CHECK(user_reap(u, &c));
    CHECK_EQ(c.user_data, user_data);
    return c.status;
}

static void take_none(struct user *u)
{
    struct ring_completion c;
    CHECK(!user_reap(u, &c));
}

static uint32_t wake(struct user *u, uint64_t address, uint32_t count)
{
    struct ring_completion c = user_run(u, unpark_entry(99, address, count));
    CHECK_OK(c.status);
    return c.aux;
}

TEST(park_answers_at_once_when_there_is_nothing_to_wait_for)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    uint32_t word = 5;
    uint64_t address = user_place(u, &word, sizeof word);
    CHECK_STATUS(user_run(u, park_entry(1, address, 4, FOREVER)).status, -STATUS_VALUE_CHANGED);
    CHECK_STATUS(user_run(u, park_entry(1, address, 5, 0)).status, -STATUS_TIMED_OUT);
    CHECK_STATUS(user_run(u, park_entry(1, address + 2, 5, FOREVER)).status, -STATUS_BAD_ADDRESS);
    CHECK_STATUS(user_run(u, park_entry(1, 0x1000, 5, FOREVER)).status, -STATUS_BAD_ADDRESS);
    CHECK_STATUS(user_run(u, park_entry(1, USER_END, 5, FOREVER)).status, -STATUS_BAD_ADDRESS);
    CHECK_STATUS(user_run(u, park_entry(1, UINT64_MAX - 3, 5, FOREVER)).status,
                 -STATUS_BAD_ADDRESS);
    CHECK_STATUS(user_run(u, park_entry(1, address, 5, 1000)).status, -STATUS_TIME_NOT_GRANTED);
    CHECK_STATUS(user_run(u, unpark_entry(1, address + 1, 1)).status, -STATUS_BAD_ADDRESS);
    CHECK_STATUS(user_run(u, unpark_entry(1, USER_END + 4, 1)).status, -STATUS_BAD_ADDRESS);
    CHECK_EQ(wake(u, address, 7), 0);
    CHECK_EQ(tally.parked, 0);
}

TEST(unpark_wakes_in_order_of_arrival_and_no_more_than_asked)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *waker = user_of(p), *u[4];
    uint32_t word = 1;
    uint64_t address = user_place(waker, &word, sizeof word),
             other = user_place(waker, &word, sizeof word);
    for (int i = 0; i < 4; i++) {
        u[i] = user_thread(p);
        user_submit(u[i], &(struct ring_entry){.opcode = RING_OP_NOP, .user_data = 1});
        struct ring_entry e = park_entry(2, i == 3 ? other : address, 1, FOREVER);
        user_submit(u[i], &e);
        CHECK_EQ(user_enter(u[i], 2, FOREVER), USER_BLOCKED);
    }
    CHECK_EQ(tally.parked, 4);
    CHECK_EQ(wake(waker, address, 0), 0);
    CHECK_EQ(wake(waker, address, 1), 1);
    CHECK_EQ(user_state(u[0]), USER_RETURNED);
    CHECK_EQ(user_result(u[0]), 2);
    CHECK_EQ(user_state(u[1]), USER_BLOCKED);
    CHECK_EQ(wake(waker, address, 10), 2);
    CHECK_EQ(user_state(u[2]), USER_RETURNED);
    CHECK_EQ(user_state(u[3]), USER_BLOCKED);
    CHECK_EQ(wake(waker, other, UINT32_MAX), 1);
    CHECK_EQ(take(u[3], 1), 0);
    CHECK_EQ(take(u[3], 2), 0);
}

TEST(park_times_out_and_is_cancelled)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    p->time_granted = true;
    struct user *u = user_of(p);
    uint32_t word = 1;
    uint64_t address = user_place(u, &word, sizeof word);
    start(u, park_entry(1, address, 1, 5000));
    start(u, park_entry(2, address, 1, UINT64_MAX - 1));
    CHECK_EQ(tally.timers, 2);
    sim_advance(4999);
    take_none(u);
    sim_advance(1);
    CHECK_EQ(take(u, 1), -STATUS_TIMED_OUT);
    start(u, (struct ring_entry){.opcode = RING_OP_CANCEL, .user_data = 3, .interface_id = 2});
    CHECK_EQ(take(u, 2), -STATUS_CANCELLED);
    CHECK_EQ(take(u, 3), 0);
    CHECK_EQ(tally.timers, 0);
    CHECK_EQ(tally.parked, 0);
}

TEST(unmapping_wakes_who_waits_there)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0);
    struct user *u = user_of(p);
    uint64_t first;
    CHECK_OK(address_space_map(p->space, 0, false, 3 * PAGE_SIZE, PROTECTION_READ_WRITE, &first));
    for (uint64_t i = 0; i < 3; i++) {
        start(u, park_entry(i + 1, first + i * PAGE_SIZE + 8, 0, FOREVER));
    }
    CHECK_EQ(tally.parked, 3);
    CHECK_OK(address_space_unmap(p->space, first + PAGE_SIZE, PAGE_SIZE));
    CHECK_EQ(take(u, 2), 0);
    CHECK_EQ(tally.parked, 2);
    CHECK_OK(address_space_unmap(p->space, first, 3 * PAGE_SIZE));
    CHECK_EQ(tally.parked, 0);
}

TEST(shared_words_have_one_queue_and_private_ones_their_own)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0), *q = sim_process(NULL, 0);
    struct user *a = user_of(p), *b = user_of(q);
    struct object *object;
    uint64_t at_a, at_b;
    CHECK_OK(memory_object_create(&ledger_root, 2 * PAGE_SIZE, &object));
    CHECK_OK(address_space_map_object(p->space, object, NULL, true, 0, false, 0, 2 * PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &at_a));
    CHECK_OK(address_space_map_object(q->space, object, NULL, true, 0, false, PAGE_SIZE, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &at_b));
    object_put(object);
    start(a, park_entry(1, at_a + PAGE_SIZE + 4, 0, FOREVER)); /* the word that b has at 4 */
    start(a, park_entry(2, at_a + 4, 0, FOREVER));
    CHECK_EQ(wake(b, at_b + 8, 10), 0);
    CHECK_EQ(wake(b, at_b + 4, 10), 1);
    CHECK_EQ(take(a, 1), 0);
    take_none(a);
    /* the same address in two spaces: different words */
    uint64_t own = 0x200000000ull;
    CHECK_OK(address_space_map(p->space, own, true, PAGE_SIZE, PROTECTION_READ_WRITE,
                               &(uint64_t){0}));
    CHECK_OK(address_space_map(q->space, own, true, PAGE_SIZE, PROTECTION_READ_WRITE,
                               &(uint64_t){0}));
    start(a, park_entry(3, own, 0, FOREVER));
    CHECK_EQ(wake(b, own, 10), 0);
    CHECK_EQ(wake(user_thread(p), own, 10), 1);
    CHECK_EQ(take(a, 3), 0);
}

TEST(the_end_of_a_thread_and_of_a_process_takes_its_waiters)
{
    sim_boot(NULL);
    struct process *p = sim_process(NULL, 0), *q = sim_process(NULL, 0);
    struct user *u = user_of(p), *v = user_thread(p), *w = user_of(q);
    start(u, park_entry(1, u->scratch, 0, FOREVER));
    start(v, park_entry(1, u->scratch, 0, FOREVER));
    start(w, park_entry(1, w->scratch, 0, FOREVER));
    CHECK_EQ(tally.parked, 3);
    thread_exit(v->thread, 0);
    CHECK_EQ(tally.parked, 2);
    CHECK_EQ(wake(user_thread(p), u->scratch, 10), 1);
    process_end(q, &(struct exit_record){.kind = EXIT_KIND_TERMINATED});
    CHECK_EQ(tally.parked, 0);
}

/* --- random programs --- */

#define USERS 4
#define WORDS 5
#define WAITERS 24

struct model_waiter {
    struct user *user;
    uint64_t user_data, deadline_ns;
    uint32_t word;
    int32_t expected; /* status of its completion; 1: still waiting */
};

static struct model_waiter model[WAITERS]; /* in order of arrival */
static uint32_t model_count;

static void expect(uint32_t i, int32_t status)
{
    model[i].expected = status;
}

static void model_wake(uint32_t word, uint32_t count, uint32_t *woken)
{
    *woken = 0;
    for (uint32_t i = 0; i < model_count && *woken < count; i++) {
        if (model[i].word == word && model[i].expected == 1) {
            expect(i, 0);
            ++*woken;
        }
    }
}

/* Every completion that has come is one that the model says, and none is missing. */
static void reap_all(struct user *const *users)
{
    for (uint32_t n = 0; n < USERS; n++) {
        struct ring_completion c;
        while (user_reap(users[n], &c)) {
            uint32_t i = 0;
            while (i < model_count
                   && (model[i].user != users[n] || model[i].user_data != c.user_data)) {
                i++;
            }
            CHECK_LT(i, model_count);
            CHECK_EQ(c.status, model[i].expected);
            memmove(&model[i], &model[i + 1], (model_count - i - 1) * sizeof model[0]);
            model_count--;
        }
    }
    for (uint32_t i = 0; i < model_count; i++) {
        CHECK_EQ(model[i].expected, 1);
    }
    CHECK_EQ(tally.parked, model_count);
}

static void random_park(struct random *r, struct user *u, uint32_t word, uint64_t address,
                        uint32_t value)
{
    static uint64_t next_user_data = 1000;
    bool right = !random_chance(r, 4);
    uint64_t timeout_ns = random_chance(r, 2) ? FOREVER : 1 + random_below(r, 5000);
    uint64_t user_data = next_user_data++;
    model[model_count++] = (struct model_waiter){
        u, user_data, timeout_ns == FOREVER ? FOREVER : arch_now_ns() + timeout_ns, word,
        right ? 1 : -STATUS_VALUE_CHANGED};
    start(u, park_entry(user_data, address, right ? value : value + 1, timeout_ns));
}

static void random_cancel(struct random *r, struct user *u)
{
    if (model_count == 0) {
        return;
    }
    uint32_t i = (uint32_t)random_below(r, model_count);
    bool mine = model[i].user == u;
    if (mine) {
        expect(i, -STATUS_CANCELLED);
    }
    struct ring_entry e = {
        .opcode = RING_OP_CANCEL, .interface_id = model[i].user_data, .user_data = 5};
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 0, 0), USER_RETURNED);
    model[model_count++] =
        (struct model_waiter){u, 5, FOREVER, WORDS, mine ? 0 : -STATUS_NOT_FOUND};
}

TEST(park_agrees_with_a_model_on_random_programs)
{
    sim_boot(NULL);
    struct random r = {test_seed(6)};
    struct process *p = sim_process(NULL, 0);
    p->time_granted = true;
    struct user *users[USERS] = {user_of(p)};
    for (int i = 1; i < USERS; i++) {
        users[i] = user_thread(p);
    }
    uint32_t values[WORDS] = {0};
    uint64_t address = user_place(users[0], values, sizeof values);
    for (int step = 0; step < 3000; step++) {
        struct user *u = users[random_below(&r, USERS)];
        uint32_t word = (uint32_t)random_below(&r, WORDS);
        uint64_t at = address + word * sizeof(uint32_t);
        uint64_t ns = random_below(&r, 2000);
        uint32_t woken;
        switch (random_below(&r, 5)) {
        case 0:
        case 1:
            if (model_count < WAITERS - 2) {
                random_park(&r, u, word, at, values[word]);
            }
            break;
        case 2:
            values[word]++;
            CHECK(user_write(p, at, &values[word], sizeof values[word]));
            model_wake(word, (uint32_t)(ns % 4), &woken);
            start(u, unpark_entry(7, at, (uint32_t)(ns % 4)));
            model[model_count++] = (struct model_waiter){u, 7, FOREVER, WORDS, 0};
            break;
        case 3:
            random_cancel(&r, u);
            break;
        default:
            for (uint32_t i = 0; i < model_count; i++) {
                if (model[i].deadline_ns <= arch_now_ns() + ns) {
                    expect(i, -STATUS_TIMED_OUT);
                }
            }
            sim_advance(ns);
            break;
        }
        reap_all(users);
    }
}

static struct user *failing;

static void park_and_wake(void)
{
    struct ring_entry e = park_entry(1, failing->scratch, 0, 1000);
    user_submit(failing, &e);
    struct ring_completion c;
    CHECK_EQ(user_enter(failing, 0, 0), USER_RETURNED);
    (void)user_reap(failing, &c); /* refused for lack of memory */
    (void)user_run(failing, unpark_entry(2, failing->scratch + 4, 1));
}

static void make_failing(void)
{
    struct process *p = sim_process(NULL, 0);
    p->time_granted = true;
    failing = user_of(p);
    uint32_t word = 0;
    CHECK(user_write(p, failing->scratch, &word, sizeof word));
}

TEST(park_survives_every_failing_allocation)
{
    sim_boot(NULL);
    for_each_allocation_failure(make_failing, park_and_wake);
}
