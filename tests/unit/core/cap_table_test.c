/* The capability table: each rule by itself, and random programs against a model that keeps
 * every id it ever saw. */
#include "kernel/core/cap_table.h"

#include "kernel/cap/root_objects.h"
#include "kernel/core/kmem.h"
#include "tests/lib/ipc.h"

static struct cap_table t;

/* --- objects that count --- */

static int destroyed, rebound;

static void thing_destroy(struct object *o)
{
    destroyed++;
    CHECK_EQ(o->references, 0);
}

static struct object fresh;

static struct object *thing_rebind(struct object *o, struct process *child)
{
    (void)child;
    CHECK(o != &fresh);
    rebound++;
    return object_get(&fresh);
}

static const struct interface interfaces[FORK_POLICY_COUNT] = {
    {.id = 1, .name = "copied", .fork = FORK_POLICY_COPY},
    {.id = 2, .name = "rebound", .fork = FORK_POLICY_REBIND},
    {.id = 3, .name = "dropped", .fork = FORK_POLICY_DROP},
};
static const struct object_class classes[FORK_POLICY_COUNT] = {
    {.interface = &interfaces[0], .destroy = thing_destroy},
    {.interface = &interfaces[1], .destroy = thing_destroy, .rebind = thing_rebind},
    {.interface = &interfaces[2], .destroy = thing_destroy},
};

#define THINGS 16
static struct object things[THINGS];

static void reap(void *context)
{
    (void)context;
}

static void boot_pages(uint64_t pages)
{
    sim_boot(&(struct sim_options){.pages = pages});
    for (int i = 0; i < THINGS; i++) {
        object_init(&things[i], &classes[0]);
    }
    object_init(&fresh, &classes[0]);
    cap_table_init(&t, &ledger_root);
}

static void boot(void)
{
    boot_pages(0);
}

static void end(void)
{
    cap_table_destroy(&t);
    sim_enter_kernel(0, reap, NULL);
}

static cap_id_t insert(struct object *o)
{
    cap_id_t id;
    CHECK_OK(cap_table_insert(&t, object_get(o), &id));
    return id;
}

static status_t look_up(cap_id_t id)
{
    struct object *o;
    return cap_table_look_up(&t, id, &o);
}

/* --- ids --- */

TEST(an_id_works_until_released_and_never_again)
{
    boot();
    CHECK_STATUS(look_up(CAP_ID(1, 1)), STATUS_BAD_CAPABILITY);
    cap_id_t a = insert(&things[0]), b = insert(&things[1]);
    CHECK_EQ(a, CAP_ID(1, 1));
    CHECK_EQ(b, CAP_ID(2, 1));
    CHECK_OK(cap_table_release(&t, a));
    CHECK_EQ(things[0].references, 1);
    CHECK_STATUS(look_up(a), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_release(&t, a), STATUS_STALE_CAPABILITY);
    cap_id_t c = insert(&things[2]);
    CHECK_EQ(c, CAP_ID(1, 2));
    CHECK_STATUS(look_up(a), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(look_up(CAP_ID(1, 3)), STATUS_BAD_CAPABILITY);
    CHECK_OK(look_up(c));
    CHECK_EQ(t.live, 2);
    end();
    CHECK_EQ(things[0].references, 1);
    CHECK_EQ(destroyed, 0);
}

TEST(reserved_slots_are_nobodys_yet)
{
    boot();
    cap_id_t a, b;
    struct object *o;
    CHECK_OK(cap_table_reserve(&t, &a));
    CHECK_STATUS(look_up(a), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(cap_table_release(&t, a), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(cap_table_move_begin(&t, a, &o), STATUS_BAD_CAPABILITY);
    cap_table_cancel(&t, a);
    CHECK_OK(cap_table_reserve(&t, &b));
    CHECK_EQ(a, b); /* it was never given out, so it need not be stale */
    cap_table_commit(&t, b, object_get(&things[0]));
    CHECK_OK(look_up(b));
    end();
}

TEST(moves_end_one_way_or_the_other)
{
    boot();
    struct object *o;
    cap_id_t a = insert(&things[0]);
    CHECK_OK(cap_table_move_begin(&t, a, &o));
    CHECK(o == &things[0]);
    CHECK_STATUS(look_up(a), STATUS_IN_TRANSIT);
    CHECK_STATUS(cap_table_release(&t, a), STATUS_IN_TRANSIT);
    CHECK_STATUS(cap_table_move_begin(&t, a, &o), STATUS_IN_TRANSIT);
    CHECK_EQ(t.live, 1); /* still charged */
    cap_table_move_cancel(&t, a);
    CHECK_OK(look_up(a));
    CHECK_OK(cap_table_move_begin(&t, a, &o));
    CHECK(cap_table_move_commit(&t, a) == &things[0]);
    CHECK_STATUS(look_up(a), STATUS_STALE_CAPABILITY);
    CHECK_EQ(t.live, 0);
    object_put(&things[0]);
    end();
}

TEST(generations_are_used_up)
{
    boot();
    for (uint32_t generation = 1; generation <= CAP_GENERATION_MAX; generation++) {
        cap_id_t id = insert(&things[0]);
        CHECK_EQ(id, CAP_ID(1, generation));
        CHECK_OK(cap_table_release(&t, id));
    }
    CHECK_STATUS(look_up(CAP_ID(1, CAP_GENERATION_MAX)), STATUS_STALE_CAPABILITY);
    CHECK_EQ(insert(&things[0]), CAP_ID(2, 1));
    end();
}

TEST(a_page_of_retired_slots_is_given_back)
{
    boot();
    uint64_t bytes = tally.kernel_bytes;
    for (uint32_t i = 0; i < 255 * CAP_GENERATION_MAX; i++) {
        CHECK_OK(cap_table_release(&t, insert(&things[0])));
    }
    uint64_t grown = tally.kernel_bytes - bytes;
    CHECK_LT(grown, PAGE_SIZE); /* the directory only */
    CHECK_STATUS(look_up(CAP_ID(7, 9)), STATUS_STALE_CAPABILITY);
    CHECK_EQ(insert(&things[0]), CAP_ID(256, 1));
    CHECK_STATUS(look_up(CAP_ID(255, CAP_GENERATION_MAX)), STATUS_STALE_CAPABILITY);
    end();
}

TEST(very_many_slots)
{
    boot_pages(32768);
    const uint32_t count = 300000; /* more than two directories */
    for (uint32_t i = 1; i <= count; i++) {
        CHECK_EQ(insert(&things[i % THINGS]), CAP_ID(i, 1));
    }
    CHECK_EQ(t.live, count);
    for (uint32_t i = 1; i <= count; i += 7) {
        struct object *o;
        CHECK_OK(cap_table_look_up(&t, CAP_ID(i, 1), &o));
        CHECK(o == &things[i % THINGS]);
    }
    CHECK_STATUS(look_up(CAP_ID(count + 1, 1)), STATUS_BAD_CAPABILITY);
    end();
}

TEST(slots_are_charged)
{
    boot();
    struct account *a;
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_SLOTS] = 3};
    CHECK_OK(account_create(&ledger_root, limits, &a));
    struct cap_table small;
    cap_id_t id[4];
    cap_table_init(&small, a);
    for (int i = 0; i < 3; i++) {
        CHECK_OK(cap_table_reserve(&small, &id[i]));
    }
    CHECK_STATUS(cap_table_reserve(&small, &id[3]), STATUS_SLOTS_EXHAUSTED);
    CHECK_STATUS(cap_table_insert(&small, &things[0], &id[3]), STATUS_SLOTS_EXHAUSTED);
    cap_table_cancel(&small, id[1]);
    CHECK_OK(cap_table_insert(&small, object_get(&things[0]), &id[3]));
    for (int i = 0; i < 3; i += 2) {
        cap_table_cancel(&small, id[i]);
    }
    CHECK_EQ(a->used[LEDGER_SLOTS], 1);
    cap_table_destroy(&small);
    CHECK_EQ(a->used[LEDGER_SLOTS], 0);
    account_put(a);
    end();
}

/* --- fork and exec --- */

TEST(fork_follows_each_interface)
{
    boot();
    struct cap_table child;
    struct object *o;
    object_init(&things[1], &classes[FORK_POLICY_REBIND]);
    object_init(&things[2], &classes[FORK_POLICY_DROP]);
    cap_id_t copied = insert(&things[0]), again = insert(&things[1]), dropped = insert(&things[2]);
    cap_id_t gone = insert(&things[3]), moving = insert(&things[4]), reserved;
    CHECK_OK(cap_table_release(&t, gone));
    CHECK_OK(cap_table_move_begin(&t, moving, &o));
    CHECK_OK(cap_table_reserve(&t, &reserved));
    uint64_t charged = ledger_root.used[LEDGER_SLOTS];
    cap_table_init(&child, &ledger_root);
    CHECK_OK(cap_table_fork(&t, &child, NULL));
    CHECK_OK(cap_table_look_up(&child, copied, &o));
    CHECK(o == &things[0]);
    CHECK_OK(cap_table_look_up(&child, again, &o));
    CHECK(o == &fresh && rebound == 1);
    CHECK_STATUS(cap_table_look_up(&child, dropped, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&child, gone, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&child, moving, &o), STATUS_STALE_CAPABILITY);
    CHECK_STATUS(cap_table_look_up(&child, reserved, &o), STATUS_BAD_CAPABILITY);
    CHECK_EQ(child.live, 2);
    CHECK_EQ(ledger_root.used[LEDGER_SLOTS], charged + 2);
    cap_table_destroy(&child);
    cap_table_move_cancel(&t, moving);
    cap_table_cancel(&t, reserved);
    CHECK_EQ(t.live, 4);
    end();
}

TEST(fork_of_retired_and_many_pages)
{
    boot();
    struct cap_table child;
    for (uint32_t i = 0; i < 255 * CAP_GENERATION_MAX + 100; i++) {
        CHECK_OK(cap_table_release(&t, insert(&things[0])));
    }
    for (int i = 0; i < 1000; i++) {
        (void)insert(&things[i % THINGS]);
    }
    cap_table_init(&child, &ledger_root);
    CHECK_OK(cap_table_fork(&t, &child, NULL));
    CHECK_EQ(child.live, t.live);
    uint32_t a = 0, b = 0;
    cap_id_t x, y;
    struct object *o, *p;
    do {
        a = cap_table_next(&t, a, &x, &o);
        b = cap_table_next(&child, b, &y, &p);
        CHECK_EQ(a, b);
        CHECK(a == 0 || (x == y && o == p));
    } while (a != 0);
    struct object *found;
    CHECK_STATUS(cap_table_look_up(&child, CAP_ID(9, 9), &found), STATUS_STALE_CAPABILITY);
    cap_table_destroy(&child);
    end();
}

static struct cap_table forked;

static void fork_body(void)
{
    cap_table_init(&forked, &ledger_root);
    status_t s = cap_table_fork(&t, &forked, NULL);
    CHECK(s == STATUS_OK || (forked.live == 0 && forked.frontier == 0));
    cap_table_destroy(&forked);
}

TEST(fork_that_fails_leaves_nothing)
{
    boot();
    for (int i = 0; i < 2500; i++) {
        (void)insert(&things[i % THINGS]);
    }
    for_each_allocation_failure(NULL, fork_body);
    struct account *a;
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_SLOTS] = 2499};
    CHECK_OK(account_create(&ledger_root, limits, &a));
    cap_table_init(&forked, a);
    CHECK_STATUS(cap_table_fork(&t, &forked, NULL), STATUS_SLOTS_EXHAUSTED);
    CHECK_EQ(forked.live, 0);
    cap_table_destroy(&forked);
    account_put(a);
    end();
}

TEST(keep_releases_all_but_the_listed)
{
    boot();
    cap_id_t id[10];
    for (int i = 0; i < 10; i++) {
        id[i] = insert(&things[i]);
    }
    cap_id_t keep[] = {id[6], id[8], id[6]};
    CHECK_OK(cap_table_keep_check(&t, keep, 3));
    CHECK_STATUS(cap_table_keep_check(&t, (cap_id_t[]){id[6], 77}, 2), STATUS_BAD_CAPABILITY);
    CHECK_EQ(t.live, 10);
    cap_table_keep_commit(&t, keep, 3);
    for (int i = 0; i < 10; i++) {
        bool kept = i < 4 || i == 6 || i == 8;
        CHECK_STATUS(look_up(id[i]), kept ? STATUS_OK : STATUS_STALE_CAPABILITY);
    }
    cap_table_keep_commit(&t, NULL, 0); /* the marks are gone */
    CHECK_EQ(t.live, 4);
    end();
}

static void insert_many(void)
{
    struct cap_table small;
    cap_table_init(&small, &ledger_root);
    for (int i = 0; i < 3000; i++) {
        cap_id_t id;
        if (cap_table_insert(&small, object_get(&things[0]), &id) != STATUS_OK) {
            object_put(&things[0]);
        }
    }
    cap_table_destroy(&small);
}

TEST(each_allocation_may_fail)
{
    boot();
    for_each_allocation_failure(NULL, insert_many);
    CHECK_EQ(things[0].references, 1);
    end();
}

/* --- against a model --- */

enum model_state { NEVER, LIVE, RESERVED, TRANSIT, STALE };

#define IDS 4096
static struct {
    cap_id_t id;
    enum model_state state;
    int thing;
} model[IDS];
static int ids;

static status_t model_status(int i)
{
    static const status_t answers[] = {STATUS_BAD_CAPABILITY, STATUS_OK, STATUS_BAD_CAPABILITY,
                                       STATUS_IN_TRANSIT, STATUS_STALE_CAPABILITY};
    return answers[model[i].state];
}

static void model_check(int i)
{
    struct object *o;
    status_t s = cap_table_look_up(&t, model[i].id, &o);
    CHECK_STATUS(s, model_status(i));
    CHECK(s != STATUS_OK || o == &things[model[i].thing]);
}

static int model_add(cap_id_t id, enum model_state state, int thing)
{
    /* an id comes a second time only if its reservation was taken back */
    for (int i = 0; i < ids; i++) {
        if (model[i].id == id) {
            CHECK_EQ(model[i].state, NEVER);
            model[i].state = state;
            model[i].thing = thing;
            return i;
        }
    }
    CHECK_LT(ids, IDS);
    model[ids].id = id;
    model[ids].state = state;
    model[ids].thing = thing;
    return ids++;
}

static void step_new(struct random *r)
{
    cap_id_t id;
    int thing = (int)random_below(r, THINGS);
    if (random_chance(r, 2)) {
        CHECK_OK(cap_table_insert(&t, object_get(&things[thing]), &id));
        model_add(id, LIVE, thing);
    } else {
        CHECK_OK(cap_table_reserve(&t, &id));
        model_add(id, RESERVED, thing);
    }
}

static void step_end(struct random *r, int i)
{
    bool forward = random_chance(r, 2);
    struct object *o;
    switch (model[i].state) {
    case LIVE:
        if (forward) {
            CHECK_OK(cap_table_release(&t, model[i].id));
            model[i].state = STALE;
        } else {
            CHECK_OK(cap_table_move_begin(&t, model[i].id, &o));
            model[i].state = TRANSIT;
        }
        break;
    case RESERVED:
        if (forward) {
            cap_table_commit(&t, model[i].id, object_get(&things[model[i].thing]));
        } else {
            cap_table_cancel(&t, model[i].id);
        }
        model[i].state = forward ? LIVE : NEVER;
        break;
    case TRANSIT:
        if (forward) {
            object_put(cap_table_move_commit(&t, model[i].id));
        } else {
            cap_table_move_cancel(&t, model[i].id);
        }
        model[i].state = forward ? STALE : LIVE;
        break;
    default:
        CHECK_STATUS(cap_table_release(&t, model[i].id), model_status(i));
        CHECK_STATUS(cap_table_move_begin(&t, model[i].id, &o), model_status(i));
        break;
    }
}

static void model_check_all(void)
{
    uint32_t in_use = 0, references[THINGS] = {0};
    for (int i = 0; i < ids; i++) {
        model_check(i);
        bool holds = model[i].state == LIVE || model[i].state == TRANSIT;
        in_use += holds || model[i].state == RESERVED;
        references[model[i].thing] += holds;
    }
    CHECK_EQ(t.live, in_use);
    for (int i = 0; i < THINGS; i++) {
        CHECK_EQ(things[i].references, references[i] + 1);
    }
}

TEST(random_programs_do_what_the_model_does)
{
    struct random r = {test_seed(20)};
    boot();
    for (uint64_t round = 0; round < test_number("ROUNDS", 20); round++) {
        ids = 0;
        cap_table_destroy(&t);
        cap_table_init(&t, &ledger_root);
        for (int step = 0; step < 3000; step++) {
            if (ids == 0 || random_chance(&r, 3)) {
                step_new(&r);
            } else {
                step_end(&r, (int)random_below(&r, (uint64_t)ids));
            }
            model_check((int)random_below(&r, (uint64_t)ids));
            if (step % 256 == 0) {
                model_check_all();
            }
        }
        model_check_all();
        for (int i = 0; i < ids; i++) {
            if (model[i].state == RESERVED) {
                cap_table_cancel(&t, model[i].id);
            }
        }
    }
    end();
}
