/* The host's end of the link, the queue of outputs, and suggestions: what a machine may say, and
 * what streams must keep. */
#include "tools/capos/link.c"
#include "tools/capos/streams.c"
#include "tools/capos/suggest.c"
#include "tests/unit/tools/failing_base.h"

#include "tests/lib/test.h"

static struct link link_under_test;
static int machine; /* its end of the socket */
static uint32_t data_bytes, records;

static void on_data(void *context, enum host_link_stream stream, const uint8_t *bytes, size_t size)
{
    (void)context, (void)stream, (void)bytes;
    data_bytes += (uint32_t)size;
}

static void on_bytes(void *context, const uint8_t *bytes, size_t size)
{
    (void)context, (void)bytes, (void)size;
    records++;
}

static void on_started(void *context, const struct host_link_started *started)
{
    (void)context, (void)started;
    records++;
}

static void on_denial(void *context, const struct host_link_denial *denial)
{
    (void)context, (void)denial;
    records++;
}

static void on_fault(void *context, const struct host_link_fault *fault)
{
    (void)context, (void)fault;
    records++;
}

static void on_claim(void *context, bool claimed)
{
    (void)context, (void)claimed;
    records++;
}

static void on_refused(void *context, enum host_link_stream stream)
{
    (void)context, (void)stream;
    records++;
}

static void on_exit_record(void *context, const struct host_link_exit *exit)
{
    (void)context, (void)exit;
    records++;
}

static const struct link_events events = {NULL,     on_data,  on_bytes,   on_started,    on_denial,
                                          on_fault, on_claim, on_refused, on_exit_record};

static void begin(void)
{
    int pair[2];
    struct host_link_host_hello hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION};
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
    if (machine > 0) {
        close(machine);
        close(link_under_test.fd);
    }
    machine = pair[1];
    free(link_under_test.out);
    memset(&link_under_test, 0, sizeof(link_under_test));
    link_begin(&link_under_test, pair[0], &hello);
    data_bytes = records = 0;
}

static void say(uint8_t type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = type, .length = size};
    CHECK_EQ(send(machine, &header, sizeof(header), MSG_NOSIGNAL), sizeof(header));
    if (size > 0) {
        CHECK_EQ(send(machine, payload, size, MSG_NOSIGNAL), size);
    }
}

static void say_hello(void)
{
    struct host_link_machine_hello hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION};
    say(HOST_LINK_HELLO, &hello, sizeof(hello));
}

static enum link_result receive(void)
{
    return link_receive(&link_under_test, &events);
}

TEST(a_good_machine_is_heard)
{
    struct host_link_denial denial = {.name = "x"};
    struct host_link_fault fault = {.frame_count = BACKTRACE_MAX};
    struct host_link_exit exit = {0};
    uint32_t credit = 4096;
    begin();
    say_hello();
    struct host_link_started started = {.image_base = 0x1000};
    say(HOST_LINK_STARTED, &started, sizeof(started));
    say(HOST_LINK_STDOUT, "hello", 5);
    say(HOST_LINK_LOG, "line", 4);
    say(HOST_LINK_CREDIT, &credit, sizeof(credit));
    say(HOST_LINK_DENIAL, &denial, sizeof(denial));
    say(HOST_LINK_FAULT, &fault, sizeof(fault));
    say(HOST_LINK_EXIT, &exit, sizeof(exit));
    CHECK_EQ(receive(), LINK_OK);
    CHECK_EQ(data_bytes, 5);
    CHECK_EQ(records, 5);
    CHECK_EQ(link_under_test.input_credit, 4096);
    CHECK(link_under_test.exited);
    close(machine);
    CHECK_EQ(receive(), LINK_CLOSED);
    machine = 0;
}

TEST(what_is_not_of_the_protocol_is_refused)
{
    static uint8_t zero[HOST_LINK_MAX_PAYLOAD], full[sizeof(struct host_link_denial)];
    static const uint32_t much = HOST_LINK_INPUT_CREDIT + 1;
    static const struct {
        uint8_t type;
        const void *payload;
        uint32_t size;
        bool first; /* before HELLO */
    } rows[] = {
        {HOST_LINK_STDOUT, zero, 1, true},
        {HOST_LINK_HELLO, zero, sizeof(struct host_link_machine_hello), true},
        {HOST_LINK_HELLO, zero, sizeof(struct host_link_machine_hello), false},
        {99, zero, 0, false},
        {HOST_LINK_STDIN, zero, 1, false},
        {HOST_LINK_CREDIT, &much, 4, false},
        {HOST_LINK_CREDIT, &much, 3, false},
        {HOST_LINK_EXIT, zero, 8, false},
        {HOST_LINK_DENIAL, full, sizeof(full), false},
        {HOST_LINK_FAULT, zero, sizeof(struct host_link_fault) - 1, false},
    };
    memset(full, 'x', sizeof(full));
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin();
        if (!rows[i].first) {
            say_hello();
        }
        say(rows[i].type, rows[i].payload, rows[i].size);
        if (receive() != LINK_BROKEN || link_under_test.problem == NULL) {
            FAIL("row %zu was accepted", i);
        }
    }
}

TEST(output_beyond_its_credit_is_refused)
{
    static uint8_t zero[HOST_LINK_MAX_PAYLOAD];
    begin();
    say_hello();
    for (uint32_t i = 0; i < HOST_LINK_OUTPUT_CREDIT / sizeof(zero); i++) {
        say(HOST_LINK_STDERR, zero, sizeof(zero));
        CHECK_EQ(receive(), LINK_OK);
    }
    CHECK_EQ(data_bytes, HOST_LINK_OUTPUT_CREDIT);
    say(HOST_LINK_STDERR, zero, 1);
    CHECK_EQ(receive(), LINK_BROKEN);
}

TEST(a_frame_after_the_exit_is_refused)
{
    struct host_link_exit exit = {0};
    begin();
    say_hello();
    say(HOST_LINK_EXIT, &exit, sizeof(exit));
    say(HOST_LINK_STDOUT, "x", 1);
    CHECK_EQ(receive(), LINK_BROKEN);
}

TEST(random_bytes_never_harm)
{
    struct random random = {test_seed(1)};
    static uint8_t bytes[5000];
    for (int i = 0; i < 3000; i++) {
        begin();
        say_hello();
        for (int n = 0; n < 10; n++) {
            uint32_t size = (uint32_t)random_below(&random, random_chance(&random, 4) ? 4097 : 9);
            for (int b = 0; b < 16; b++) {
                bytes[b] = (uint8_t)random_next(&random);
            }
            say((uint8_t)(16 + random_below(&random, 10)), bytes, size);
            if (receive() != LINK_OK) {
                break;
            }
        }
    }
}

/* Two pipes stand for standard output and error; their bytes come out whole and in their order. */
TEST(outputs_keep_their_order)
{
    static struct streams s;
    struct random random = {test_seed(1)};
    int saved[3], ends[3][2];
    uint8_t expected[3] = {0}, next[3] = {0}, bytes[3000];
    size_t total = 0;
    for (int i = 1; i <= 2; i++) {
        saved[i] = dup(i);
        CHECK_EQ(pipe2(ends[i], O_CLOEXEC), 0);
        CHECK(fcntl(ends[i][0], F_SETFL, O_NONBLOCK) == 0);
        dup2(ends[i][1], i);
    }
    while (total < 500000) {
        enum host_link_stream stream =
            random_chance(&random, 2) ? HOST_LINK_STREAM_OUT : HOST_LINK_STREAM_ERR;
        size_t size = random_below(&random, sizeof(bytes));
        if (size <= sizeof(s.bytes) - s.used) {
            for (size_t i = 0; i < size; i++) {
                bytes[i] = next[stream]++;
            }
            streams_put(&s, stream, bytes, size);
        }
        streams_flush(&s);
        for (int i = 1; i <= 2; i++) {
            ssize_t got = random_chance(&random, 2) ? read(ends[i][0], bytes, sizeof(bytes)) : 0;
            for (ssize_t b = 0; b < got; b++) {
                if (bytes[b] != expected[i]++) {
                    dup2(saved[1], 1), dup2(saved[2], 2);
                    FAIL("stream %d is out of order", i);
                }
            }
            total += got > 0 ? (size_t)got : 0;
        }
    }
    dup2(saved[1], 1), dup2(saved[2], 2);
}

TEST(suggestions)
{
    static const char *const names[] = {"stdio", "timer", "random", "spawn"};
    CHECK(strcmp(suggest("timr", names, 4), "timer") == 0);
    CHECK(strcmp(suggest("tiemr", names, 4), "timer") == 0);
    CHECK(suggest("network", names, 4) == NULL);
    CHECK(suggest("", names, 4) == NULL);
    CHECK(suggest("a-very-long-word-that-is-longer-than-any-name-here", names, 4) == NULL);
}
