/* Pipes: bytes in order, waiting on both sides, the end of each end, budgets, and random
 * programs against a model. */
#include "kernel/cap/pipe.h"

#include "kernel/cap/root_objects.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "lib/wire/gen/pipe_reader.h"
#include "lib/wire/gen/pipe_writer.h"
#include "tests/lib/ipc.h"

static struct process *rp, *wp;
static struct user *ru, *wu;
static cap_id_t reader, writer;
static struct user_message message;
static struct user_reply reply;
static uint8_t pattern[STREAM_CHUNK_MAX + 1];

static void make(void)
{
    struct object *r, *w;
    rp = sim_process(NULL, 0);
    wp = sim_process(NULL, 0);
    ru = user_of(rp);
    wu = user_of(wp);
    ipc_touch(ru);
    ipc_touch(wu);
    CHECK_OK(pipe_create(rp->account, &r, &w));
    reader = sim_grant(rp, r);
    writer = sim_grant(wp, w);
    object_put(r);
    object_put(w);
    for (size_t i = 0; i < sizeof(pattern); i++) {
        pattern[i] = (uint8_t)(i * 31 + i / 256);
    }
}

static void boot(void)
{
    sim_boot(NULL);
    make();
}

/* Less room for the answer: scratch memory is not without end. */
static struct ring_entry small(struct user *u, struct ring_entry e)
{
    e.result_size = 128;
    u->scratch_used = e.result - u->scratch + e.result_size;
    return e;
}

static struct ring_entry write_entry(const void *bytes, size_t size)
{
    struct wire_builder b = user_message(&message, PIPE_WRITER_WRITE_PARAMS_DATA_WORDS,
                                         PIPE_WRITER_WRITE_PARAMS_POINTER_WORDS);
    pipe_writer_write_params_set_data(b, (struct wire_span){bytes, size});
    return small(wu, user_call_entry(wu, writer, PIPE_WRITER_INTERFACE_ID, PIPE_WRITER_METHOD_WRITE,
                                     &message, NULL, 0));
}

static struct ring_entry read_entry(uint32_t max_bytes)
{
    struct wire_builder b = user_message(&message, PIPE_READER_READ_PARAMS_DATA_WORDS,
                                         PIPE_READER_READ_PARAMS_POINTER_WORDS);
    pipe_reader_read_params_set_max_bytes(b, max_bytes);
    return user_call_entry(ru, reader, PIPE_READER_INTERFACE_ID, PIPE_READER_METHOD_READ, &message,
                           NULL, 0);
}

static struct ring_entry ready_entry(bool of_reader, uint32_t mask)
{
    struct wire_builder b = user_message(&message, 1, 0);
    if (of_reader) {
        pipe_reader_ready_params_set_mask(b, mask);
        return small(ru, user_call_entry(ru, reader, PIPE_READER_INTERFACE_ID,
                                         PIPE_READER_METHOD_READY, &message, NULL, 0));
    }
    pipe_writer_ready_params_set_mask(b, mask);
    return small(wu, user_call_entry(wu, writer, PIPE_WRITER_INTERFACE_ID, PIPE_WRITER_METHOD_READY,
                                     &message, NULL, 0));
}

/* The whole of a call that does not wait. */
static status_t do_write(const void *bytes, size_t size)
{
    user_scratch_reset(wu);
    struct ring_entry e = write_entry(bytes, size);
    struct ring_completion c = user_run(wu, e);
    user_take_reply(wu, &e, &c, &reply);
    return (status_t)-c.status;
}

static struct wire_span take_read(const struct ring_entry *e, const struct ring_completion *c)
{
    user_take_reply(ru, e, c, &reply);
    CHECK_OK(c->status);
    return pipe_reader_read_results_data(reply.root);
}

static struct wire_span do_read(uint32_t max_bytes)
{
    user_scratch_reset(ru);
    struct ring_entry e = read_entry(max_bytes);
    struct ring_completion c = user_run(ru, e);
    return take_read(&e, &c);
}

static void release(struct user *u, cap_id_t id)
{
    CHECK_OK(user_run(u, (struct ring_entry){.opcode = RING_OP_RELEASE, .cap = id, .user_data = 9})
                 .status);
}

static bool is_end(void)
{
    return pipe_reader_read_results_end_of_file(reply.root);
}

TEST(what_is_written_is_read)
{
    boot();
    CHECK_OK(do_write("marker", 6));
    CHECK_EQ(pipe_writer_write_results_written(reply.root), 6);
    struct wire_span got = do_read(4);
    CHECK_EQ(got.size, 4);
    CHECK_BYTES(got.data, "mark", 4);
    got = do_read(100);
    CHECK_EQ(got.size, 2);
    CHECK_BYTES(got.data, "er", 2);
    CHECK(!is_end());
    release(wu, writer);
    got = do_read(100);
    CHECK_EQ(got.size, 0);
    CHECK(is_end());
}

TEST(bytes_before_the_end_are_read_first)
{
    boot();
    CHECK_OK(do_write("last words", 10));
    CHECK_EQ(user_syscall(wu, SYSCALL_EXIT, 0, 0, 0), USER_DIED);
    sim_settle();
    CHECK_EQ(do_read(100).size, 10);
    CHECK(!is_end());
    CHECK_EQ(do_read(100).size, 0);
    CHECK(is_end());
}

TEST(a_read_waits_for_bytes_or_the_end)
{
    boot();
    struct ring_entry a = read_entry(100), b = read_entry(100);
    ipc_start(ru, a);
    ipc_start(ru, b);
    ipc_take_none(ru);
    CHECK_OK(do_write("x", 1));
    /* its own answer, not the reader's */
    CHECK_EQ(pipe_writer_write_results_written(reply.root), 1);
    struct ring_completion c = ipc_take(ru, a.user_data);
    struct wire_span got = take_read(&a, &c);
    CHECK_EQ(got.size, 1);
    CHECK_BYTES(got.data, "x", 1);
    ipc_take_none(ru);
    release(wu, writer);
    c = ipc_take(ru, b.user_data);
    CHECK_EQ(take_read(&b, &c).size, 0);
    CHECK(is_end());
}

TEST(a_write_waits_until_all_is_taken)
{
    boot();
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    struct ring_entry e = write_entry(pattern, 5000);
    ipc_start(wu, e);
    ipc_take_none(wu);
    CHECK_EQ(do_read(STREAM_CHUNK_MAX).size, STREAM_CHUNK_MAX);
    CHECK_BYTES(pipe_reader_read_results_data(reply.root).data, pattern, STREAM_CHUNK_MAX);
    struct ring_completion c = ipc_take(wu, e.user_data);
    user_take_reply(wu, &e, &c, &reply);
    CHECK_OK(c.status);
    CHECK_EQ(c.aux, 0);
    CHECK_EQ(pipe_writer_write_results_written(reply.root), 5000);
    CHECK_EQ(do_read(STREAM_CHUNK_MAX).size, STREAM_CHUNK_MAX);
    struct wire_span got = do_read(STREAM_CHUNK_MAX);
    CHECK_EQ(got.size, 5000);
    CHECK_BYTES(got.data, pattern, 5000);
}

TEST(a_write_without_readers_is_disconnected)
{
    boot();
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    struct ring_entry e = write_entry(pattern, 10);
    ipc_start(wu, e);
    release(ru, reader);
    CHECK_STATUS(ipc_take(wu, e.user_data).status, -STATUS_DISCONNECTED);
    CHECK_STATUS(do_write("x", 1), STATUS_DISCONNECTED);
    CHECK_EQ(wp->account->used[LEDGER_QUEUED_BYTES], 0); /* what nobody can read is given back */
}

TEST(bytes_are_the_writers_expense)
{
    boot();
    uint64_t frames = wp->account->used[LEDGER_FRAMES];
    CHECK_OK(do_write(pattern, 5000));
    CHECK_EQ(wp->account->used[LEDGER_QUEUED_BYTES], 2 * PAGE_SIZE);
    CHECK_EQ(wp->account->used[LEDGER_FRAMES], frames + 2);
    CHECK_EQ(rp->account->used[LEDGER_QUEUED_BYTES], 0);
    CHECK_EQ(do_read(4096).size, 4096);
    CHECK_EQ(wp->account->used[LEDGER_QUEUED_BYTES], PAGE_SIZE);
    CHECK_EQ(do_read(4096).size, 904);
    CHECK_EQ(wp->account->used[LEDGER_QUEUED_BYTES], 0);
}

TEST(a_writer_out_of_budget_hears_of_it)
{
    struct object *r, *w;
    uint64_t limits[LEDGER_KINDS] = {[LEDGER_QUEUED_BYTES] = PAGE_SIZE};
    sim_boot(NULL);
    make();
    CHECK_OK(sim_process_try(&ledger_root, NULL, 0, limits, &wp));
    wu = user_of(wp);
    CHECK_OK(pipe_create(rp->account, &r, &w));
    reader = sim_grant(rp, r);
    writer = sim_grant(wp, w);
    object_put(r);
    object_put(w);
    CHECK_OK(do_write(pattern, 5000)); /* as much as there is budget for */
    CHECK_EQ(pipe_writer_write_results_written(reply.root), 4096);
    CHECK_STATUS(do_write("x", 1), STATUS_BYTES_EXHAUSTED);
    CHECK_EQ(do_read(5000).size, 4096);
    CHECK_OK(do_write("x", 1));
}

TEST(ready_says_what_holds)
{
    boot();
    struct ring_entry r = ready_entry(true, READINESS_READABLE),
                      w = ready_entry(false, READINESS_WRITABLE);
    CHECK_OK(user_run(wu, w).status);
    ipc_start(ru, r);
    ipc_take_none(ru);
    CHECK_OK(do_write("x", 1));
    struct ring_completion c = ipc_take(ru, r.user_data);
    user_take_reply(ru, &r, &c, &reply);
    CHECK_EQ(pipe_reader_ready_results_mask(reply.root), READINESS_READABLE);
    CHECK_OK(user_run(ru, r).status); /* level, not edge */
    ru->next_user_data++;
    struct ring_entry closed = ready_entry(true, READINESS_CLOSED);
    ipc_start(ru, closed);
    ipc_take_none(ru);
    ipc_start(ru, ipc_cancel(4, closed.user_data));
    CHECK_STATUS(ipc_take(ru, closed.user_data).status, -STATUS_CANCELLED);
    CHECK_OK(ipc_take(ru, 4).status);
    CHECK_EQ(do_read(5).size, 1); /* cancelling took nothing */
    closed = ready_entry(true, READINESS_CLOSED | READINESS_WRITABLE);
    ipc_start(ru, closed);
    release(wu, writer);
    c = ipc_take(ru, closed.user_data);
    user_take_reply(ru, &closed, &c, &reply);
    CHECK_EQ(pipe_reader_ready_results_mask(reply.root), READINESS_CLOSED);
    CHECK_STATUS(user_run(ru, ready_entry(true, 0)).status, -STATUS_EXCEPTION);
    CHECK_STATUS(user_run(ru, ready_entry(true, 8)).status, -STATUS_EXCEPTION);
}

TEST(ready_of_a_full_pipe)
{
    boot();
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    struct ring_entry w = ready_entry(false, READINESS_WRITABLE);
    ipc_start(wu, w);
    ipc_take_none(wu);
    CHECK_EQ(do_read(1).size, 1);
    CHECK_OK(ipc_take(wu, w.user_data).status);
}

TEST(sizes_are_bounded)
{
    boot();
    CHECK_STATUS(do_write(pattern, STREAM_CHUNK_MAX + 1), STATUS_EXCEPTION);
    struct ring_entry e = read_entry(STREAM_CHUNK_MAX + 1);
    CHECK_STATUS(user_run(ru, e).status, -STATUS_EXCEPTION);
    CHECK_OK(do_write(NULL, 0));
    CHECK_EQ(do_read(0).size, 0);
    CHECK(!is_end());
    CHECK_OK(do_write(pattern, 1000));
    e = read_entry(1000);
    e.result_size = 100; /* a small buffer brings less, and loses nothing */
    struct ring_completion c = user_run(ru, e);
    struct wire_span got = take_read(&e, &c);
    CHECK_EQ(got.size, 64);
    CHECK_EQ(do_read(1000).size, 936);
    e = read_entry(1000);
    e.result_size = 32;
    CHECK_STATUS(user_run(ru, e).status, -STATUS_EXCEPTION);
}

TEST(a_cancelled_write_says_how_much_was_taken)
{
    boot();
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    struct ring_entry e = write_entry(pattern, STREAM_CHUNK_MAX), more = write_entry(pattern, 100);
    ipc_start(wu, e);
    CHECK_OK(ipc_take(wu, e.user_data).status);
    ipc_start(wu, more);
    ipc_start(wu, ipc_cancel(4, more.user_data));
    struct ring_completion c = ipc_take(wu, more.user_data);
    CHECK_STATUS(c.status, -STATUS_CANCELLED);
    CHECK_EQ(c.aux, 0);
    CHECK_OK(ipc_take(wu, 4).status);
    CHECK_EQ(do_read(10).size, 10);
    ipc_start(wu, more);
    ipc_start(wu, ipc_cancel(4, more.user_data));
    c = ipc_take(wu, more.user_data);
    CHECK_STATUS(c.status, -STATUS_CANCELLED);
    CHECK_EQ(c.aux, 10);
    CHECK_OK(ipc_take(wu, 4).status);
}

TEST(a_write_whose_buffer_goes_away_is_its_own_error)
{
    boot();
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    CHECK_OK(do_write(pattern, STREAM_CHUNK_MAX));
    struct ring_entry e = write_entry(pattern, 8000);
    ipc_start(wu, e);
    uint64_t page = (e.message + 4096) & ~(PAGE_SIZE - 1);
    CHECK_OK(address_space_unmap(wp->space, page, PAGE_SIZE));
    CHECK_EQ(do_read(STREAM_CHUNK_MAX).size, STREAM_CHUNK_MAX);
    CHECK_STATUS(ipc_take(wu, e.user_data).status, -STATUS_BAD_ADDRESS);
    CHECK_GE(do_read(STREAM_CHUNK_MAX).size, 1);
}

/* --- against a model: a byte has the low bits of its position --- */

static uint64_t put, got;
static uint64_t waiting_write; /* its size; 0: none waits */
static struct ring_entry waits;

static void check_bytes(struct wire_span s)
{
    const uint8_t *bytes = s.data;
    for (size_t i = 0; i < s.size; i++) {
        CHECK_EQ(bytes[i], (uint8_t)((got + i) * 7));
    }
    got += s.size;
}

static void random_write(struct random *r)
{
    uint8_t bytes[9000];
    size_t size = 1 + random_below(r, random_chance(r, 4) ? sizeof(bytes) : 50);
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)((put + i) * 7);
    }
    user_scratch_reset(wu);
    waits = write_entry(bytes, size);
    ipc_start(wu, waits);
    put += size;
    if (put - got <= PIPE_CAPACITY) {
        CHECK_OK(ipc_take(wu, waits.user_data).status);
    } else {
        ipc_take_none(wu);
        waiting_write = size;
    }
}

TEST(random_programs_keep_every_byte_in_order)
{
    struct random r = {test_seed(4)};
    uint64_t waited = 0;
    boot();
    for (uint64_t step = 0; step < test_number("STEPS", 20000); step++) {
        bool filling = step / 300 % 2 == 0; /* so that it is full at times, and empty at others */
        if (waiting_write == 0 && random_below(&r, 8) < (filling ? 7 : 1)) {
            random_write(&r);
            waited += waiting_write != 0;
        } else if (put > got) {
            uint32_t size =
                (uint32_t)(1 + random_below(&r, random_chance(&r, 8) ? STREAM_CHUNK_MAX : 5000));
            check_bytes(do_read(size));
            if (waiting_write != 0 && put - got <= PIPE_CAPACITY) {
                CHECK_OK(ipc_take(wu, waits.user_data).status);
                waiting_write = 0;
            }
        }
        uint64_t inside = put - got < PIPE_CAPACITY ? put - got : PIPE_CAPACITY;
        CHECK_GE(wp->account->used[LEDGER_QUEUED_BYTES], inside);
        CHECK_LE(wp->account->used[LEDGER_QUEUED_BYTES], inside + 2 * PAGE_SIZE);
        CHECK(inside != 0 || wp->account->used[LEDGER_QUEUED_BYTES] == 0);
    }
    CHECK_GT(waited, 100);
}

static void write_and_read(void)
{
    struct ring_completion c;
    struct ring_entry r = read_entry(9000), w = write_entry(pattern, 9000);
    ipc_start(ru, r);
    ipc_start(wu, w);
    while (user_reap(ru, &c) || user_reap(wu, &c)) {
    }
}

TEST(each_allocation_may_fail)
{
    sim_boot(NULL);
    for_each_allocation_failure(make, write_and_read);
}
