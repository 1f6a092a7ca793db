/* The kernel's end of the host link, against a transport and a host that the test plays.
 *
 * The source is included, so that each test can look at the link's own state. */
#include "kernel/core/host_link.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/test.h"

#define WIRE_SIZE (1u << 20)

static uint8_t to_kernel[WIRE_SIZE], to_host[WIRE_SIZE];
static size_t to_kernel_first, to_kernel_end, to_host_first, to_host_end;
static size_t write_room = WIRE_SIZE; /* what the transport takes before it is full */
static size_t read_step = WIRE_SIZE;  /* at most so many bytes in one arch_link_read */
static bool told; /* the listener */
static jmp_buf machine_ended;

/* --- what the kernel needs of arch --- */

_Noreturn void panic(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char text[300];
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    FAIL("panic: %s", text);
}

_Noreturn void arch_machine_exit(int code)
{
    longjmp(machine_ended, 1 + code);
}

uint64_t arch_now_ns(void)
{
    static uint64_t now;
    return ++now;
}

void log_line(const char *format, ...)
{
    (void)format;
}

size_t arch_link_write(const void *bytes, size_t size)
{
    size_t step = size < write_room ? size : write_room;
    CHECK(to_host_end + step <= WIRE_SIZE);
    memcpy(to_host + to_host_end, bytes, step);
    to_host_end += step;
    write_room -= step;
    return step;
}

size_t arch_link_read(void *bytes, size_t size)
{
    size_t there = to_kernel_end - to_kernel_first;
    size_t step = size < there ? size : there;
    step = step < read_step ? step : read_step;
    memcpy(bytes, to_kernel + to_kernel_first, step);
    to_kernel_first += step;
    return step;
}

/* --- the host --- */

static void say(enum host_link_type type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = (uint8_t)type, .length = size};
    CHECK(to_kernel_end + sizeof(header) + size <= WIRE_SIZE);
    memcpy(to_kernel + to_kernel_end, &header, sizeof(header));
    to_kernel_end += sizeof(header);
    if (size > 0) {
        memcpy(to_kernel + to_kernel_end, payload, size);
        to_kernel_end += size;
    }
}

static void say_hello(void)
{
    struct host_link_host_hello hello = {.magic = HOST_LINK_MAGIC,
                                         .version = HOST_LINK_VERSION,
                                         .terminal = 1u << HOST_LINK_STREAM_ERR,
                                         .window = {.columns = 80, .rows = 25}};
    say(HOST_LINK_HELLO, &hello, sizeof(hello));
}

/* The next frame from the kernel: its type, or -1. */
static int hear(uint8_t *payload, uint32_t *size)
{
    struct host_link_header header;
    if (to_host_end - to_host_first < sizeof(header)) {
        return -1;
    }
    memcpy(&header, to_host + to_host_first, sizeof(header));
    CHECK(header.length <= HOST_LINK_MAX_PAYLOAD);
    if (to_host_end - to_host_first < sizeof(header) + header.length) {
        return -1;
    }
    memcpy(payload, to_host + to_host_first + sizeof(header), header.length);
    to_host_first += sizeof(header) + header.length;
    *size = header.length;
    return header.type;
}

static void note(void)
{
    told = true;
}

static void start(void)
{
    uint8_t payload[HOST_LINK_MAX_PAYLOAD];
    uint32_t size;
    host_link_init();
    host_link_listen(note);
    say_hello();
    host_link_start(2, 1u << 20);
    CHECK_EQ(hear(payload, &size), HOST_LINK_HELLO);
    struct host_link_machine_hello hello;
    CHECK_EQ(size, sizeof(hello));
    memcpy(&hello, payload, sizeof(hello));
    CHECK_EQ(hello.magic, HOST_LINK_MAGIC);
    CHECK_EQ(hello.cpus, 2);
    CHECK_EQ(hear(payload, &size), -1);
    bool end;
    uint32_t credit;
    CHECK_EQ(host_link_input_size(&end), 0);
    CHECK(!end);
    CHECK_EQ(hear(payload, &size), HOST_LINK_CREDIT);
    memcpy(&credit, payload, sizeof(credit));
    CHECK_EQ(credit, HOST_LINK_INPUT_CREDIT);
    told = false;
}

static void check_broken(void)
{
    bool end;
    char byte;
    host_link_input();
    CHECK(!link.works);
    CHECK(host_link_closed(HOST_LINK_STREAM_OUT) && host_link_closed(HOST_LINK_STREAM_ERR));
    while (host_link_read(&byte, 1, &end) > 0) {
    }
    CHECK(end);
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, "x", 1), 0);
    CHECK(host_link_greeted() && !host_link_terminal(HOST_LINK_STREAM_ERR));
    CHECK(told);
}

TEST(before_the_link_nothing_passes)
{
    bool end;
    char byte;
    host_link_init();
    host_link_input();
    CHECK_EQ(host_link_read(&byte, 1, &end), 0);
    CHECK(!end);
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, "x", 1), 0);
    CHECK(!host_link_log("x", 1));
    if (setjmp(machine_ended) == 0) {
        host_link_end(&(struct host_link_exit){.kind = HOST_LINK_BOOT_FAILED});
        FAIL("the machine goes on");
    }
}

TEST(terminal_and_window)
{
    struct host_link_window window;
    host_link_init();
    host_link_start(1, 1);
    CHECK(!host_link_greeted());
    say_hello();
    host_link_listen(note);
    host_link_input();
    CHECK(told);
    CHECK(host_link_greeted() && host_link_terminal(HOST_LINK_STREAM_ERR));
    CHECK(!host_link_terminal(HOST_LINK_STREAM_OUT));
    CHECK_EQ(host_link_window().columns, 80);
    window = (struct host_link_window){.columns = 132, .rows = 50};
    say(HOST_LINK_WINDOW, &window, sizeof(window));
    host_link_input();
    CHECK_EQ(host_link_window().columns, 132);
}

TEST(input_arrives_and_ends)
{
    char text[16] = "";
    bool end;
    start();
    say(HOST_LINK_STDIN, "hello", 5);
    say(HOST_LINK_STDIN_END, NULL, 0);
    host_link_input();
    CHECK(told);
    CHECK_EQ(host_link_input_size(&end), 5);
    CHECK(end);
    CHECK_EQ(host_link_read(text, 2, &end), 2);
    CHECK(!end);
    CHECK_EQ(host_link_read(text + 2, 10, &end), 3);
    CHECK(!end);
    CHECK(strcmp(text, "hello") == 0);
    CHECK_EQ(host_link_read(text, 10, &end), 0);
    CHECK(end);
}

/* Random steps of a host that obeys the credit and a program that reads; every byte arrives in
 * order. */
TEST(input_under_credit_is_whole)
{
    struct random random = {test_seed(1)};
    uint8_t payload[HOST_LINK_MAX_PAYLOAD], sent = 0, expected = 0;
    uint32_t credit = HOST_LINK_INPUT_CREDIT, size, total = 0;
    bool end;
    start();
    while (total < 600000) {
        uint32_t step = (uint32_t)random_below(&random, HOST_LINK_MAX_PAYLOAD) + 1;
        step = step < credit ? step : credit;
        for (uint32_t i = 0; i < step; i++) {
            payload[i] = sent++;
        }
        if (step > 0) {
            say(HOST_LINK_STDIN, payload, step);
            credit -= step;
        }
        read_step = random_below(&random, 700) + 1;
        host_link_input();
        size_t got = host_link_read(payload, random_below(&random, sizeof(payload)), &end);
        for (size_t i = 0; i < got; i++) {
            CHECK_EQ(payload[i], expected);
            expected++;
        }
        total += (uint32_t)got;
        while (hear(payload, &size) == HOST_LINK_CREDIT) {
            uint32_t more;
            memcpy(&more, payload, sizeof(more));
            credit += more;
            CHECK_LE(credit, HOST_LINK_INPUT_CREDIT);
        }
        memmove(to_kernel, to_kernel + to_kernel_first, to_kernel_end - to_kernel_first);
        to_kernel_end -= to_kernel_first;
        to_kernel_first = 0;
    }
}

/* A transport that is often full; stdout and stderr keep their order; credit is never overdrawn. */
TEST(output_keeps_order_and_credit)
{
    struct random random = {test_seed(2)};
    uint8_t bytes[9000], payload[HOST_LINK_MAX_PAYLOAD], next = 0, expected = 0;
    uint32_t size, owed = 0, total = 0;
    int credit = HOST_LINK_OUTPUT_CREDIT;
    start();
    while (total < 600000) {
        size_t wish = random_below(&random, sizeof(bytes));
        for (size_t i = 0; i < wish; i++) {
            bytes[i] = (uint8_t)(next + i);
        }
        write_room = random_below(&random, 9000);
        host_link_input();
        next = (uint8_t)(next + host_link_write(random_chance(&random, 2) ? HOST_LINK_STREAM_OUT
                                                                          : HOST_LINK_STREAM_ERR,
                                                bytes, wish));
        for (int type; (type = hear(payload, &size)) >= 0;) {
            CHECK(type == HOST_LINK_STDOUT || type == HOST_LINK_STDERR);
            credit -= (int)size;
            CHECK_GE(credit, 0);
            owed += size;
            total += size;
            for (uint32_t i = 0; i < size; i++) {
                CHECK_EQ(payload[i], expected);
                expected++;
            }
        }
        if (random_chance(&random, 3) && owed > 0) {
            say(HOST_LINK_CREDIT, &owed, sizeof(owed));
            credit += (int)owed;
            owed = 0;
        }
        memmove(to_host, to_host + to_host_first, to_host_end - to_host_first);
        to_host_end -= to_host_first;
        to_host_first = 0;
        memmove(to_kernel, to_kernel + to_kernel_first, to_kernel_end - to_kernel_first);
        to_kernel_end -= to_kernel_first;
        to_kernel_first = 0;
    }
}

TEST(without_credit_nothing_is_taken_and_records_still_pass)
{
    static uint8_t bytes[2 * HOST_LINK_OUTPUT_CREDIT];
    uint8_t payload[HOST_LINK_MAX_PAYLOAD];
    uint32_t size, total = 0, more = 100;
    int type;
    start();
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, bytes, sizeof(bytes)), HOST_LINK_OUTPUT_CREDIT);
    CHECK_EQ(host_link_output_room(), 0);
    host_link_send_denial(&(struct host_link_denial){.process = 7});
    while ((type = hear(payload, &size)) == HOST_LINK_STDOUT) {
        total += size;
    }
    CHECK_EQ(total, HOST_LINK_OUTPUT_CREDIT);
    CHECK_EQ(type, HOST_LINK_DENIAL);
    told = false;
    say(HOST_LINK_CREDIT, &more, sizeof(more));
    host_link_input();
    CHECK(told);
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, bytes, sizeof(bytes)), 100);
}

TEST(a_full_transport_still_takes_records_and_the_exit)
{
    static uint8_t bytes[HOST_LINK_OUTPUT_CREDIT];
    struct host_link_fault fault = {.process = 3, .frame_count = 1};
    uint8_t payload[HOST_LINK_MAX_PAYLOAD];
    uint32_t size;
    int type;
    start();
    write_room = 0;
    CHECK_GT(host_link_write(HOST_LINK_STREAM_OUT, bytes, sizeof(bytes)), 8000);
    for (int i = 0; i < 8; i++) {
        host_link_send_fault(&fault);
        host_link_send_denial(&(struct host_link_denial){.process = 7});
    }
    CHECK_GT(link.denials_lost, 0);
    host_link_end(&(struct host_link_exit){.kind = HOST_LINK_EXITED, .code = 5});
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, bytes, 1), 0);
    write_room = WIRE_SIZE;
    host_link_input();
    struct host_link_exit exit = {0};
    while ((type = hear(payload, &size)) != HOST_LINK_EXIT) {
        CHECK_NE(type, -1);
    }
    memcpy(&exit, payload, sizeof(exit));
    CHECK_EQ(exit.code, 5);
    CHECK_EQ(exit.denials_lost, link.denials_lost);
    CHECK_EQ(hear(payload, &size), -1);
}

/* Found by a cat that hung: reading gives credit back, whose frame must not use up the transport's
 * room behind the back of a writer that waits for it. */
TEST(who_waits_for_room_is_told_whatever_else_is_sent)
{
    static uint8_t bytes[HOST_LINK_MAX_PAYLOAD * 8];
    bool end;
    start();
    for (uint32_t i = 0; i < 2; i++) {
        say(HOST_LINK_STDIN, bytes, HOST_LINK_MAX_PAYLOAD);
    }
    host_link_input();
    write_room = 5000;
    CHECK_LT(host_link_write(HOST_LINK_STREAM_OUT, bytes, sizeof(bytes)), sizeof(bytes));
    write_room = WIRE_SIZE; /* the transport has room again, and is about to say so */
    CHECK_EQ(host_link_read(bytes, sizeof(bytes), &end), 2 * HOST_LINK_MAX_PAYLOAD);
    CHECK_EQ(write_room, WIRE_SIZE); /* nobody has taken it */
    told = false;
    host_link_input();
    CHECK(told);
    CHECK_GT(host_link_output_room(), 0);
}

TEST(a_closed_stream_refuses_and_the_other_goes_on)
{
    uint8_t out = HOST_LINK_STREAM_OUT, payload[HOST_LINK_MAX_PAYLOAD];
    uint32_t size;
    start();
    say(HOST_LINK_CLOSED, &out, 1);
    host_link_input();
    CHECK(told);
    CHECK(host_link_closed(HOST_LINK_STREAM_OUT));
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_OUT, "x", 1), 0);
    CHECK_EQ(hear(payload, &size), -1);
    CHECK(host_link_refuses(HOST_LINK_STREAM_OUT));
    CHECK(host_link_refuses(HOST_LINK_STREAM_OUT));
    CHECK(!host_link_refuses(HOST_LINK_STREAM_ERR));
    CHECK_EQ(hear(payload, &size), HOST_LINK_REFUSED);
    CHECK_EQ(payload[0], HOST_LINK_STREAM_OUT);
    CHECK_EQ(hear(payload, &size), -1);
    CHECK(!host_link_closed(HOST_LINK_STREAM_ERR));
    CHECK_EQ(host_link_write(HOST_LINK_STREAM_ERR, "x", 1), 1);
}

TEST(the_exit_waits_for_its_acknowledgement)
{
    start();
    host_link_end(&(struct host_link_exit){.kind = HOST_LINK_EXITED});
    host_link_end(&(struct host_link_exit){.kind = HOST_LINK_FAULTED});
    say(HOST_LINK_STDIN, "late", 4);
    host_link_input();
    if (setjmp(machine_ended) == 0) {
        say(HOST_LINK_EXIT_ACK, NULL, 0);
        host_link_input();
        FAIL("the machine goes on");
    }
}

TEST(an_interrupt_that_nobody_claims_is_no_harm)
{
    uint32_t kind = HOST_LINK_INTERRUPT_INT;
    start();
    say(HOST_LINK_INTERRUPT, &kind, sizeof(kind));
    host_link_input();
    CHECK(link.works);
}

TEST(started_is_said_once)
{
    uint8_t payload[HOST_LINK_MAX_PAYLOAD];
    uint32_t size;
    start();
    host_link_started(0x5000);
    host_link_started(0x6000);
    CHECK_EQ(hear(payload, &size), HOST_LINK_STARTED);
    struct host_link_started started;
    CHECK_EQ(size, sizeof(started));
    memcpy(&started, payload, sizeof(started));
    CHECK_EQ(started.image_base, 0x5000);
    CHECK_EQ(hear(payload, &size), -1);
}

/* Each thing a host may not say; the table's row is one frame after a good HELLO. */
TEST(what_is_not_of_the_protocol_breaks_the_link)
{
    static const struct {
        uint8_t type, reserved;
        uint32_t length;
        uint8_t payload[32];
    } rows[] = {
        {.type = 99},
        {.type = 0},
        {.type = HOST_LINK_STDOUT, .length = 1},
        {.type = HOST_LINK_STDIN, .length = 0},
        {.type = HOST_LINK_STDIN, .length = HOST_LINK_MAX_PAYLOAD + 1},
        {.type = HOST_LINK_STDIN, .length = UINT32_MAX},
        {.type = HOST_LINK_STDIN_END, .reserved = 1},
        {.type = HOST_LINK_STDIN_END, .length = 1},
        {.type = HOST_LINK_CREDIT, .length = 4, .payload = {1}},
        {.type = HOST_LINK_CREDIT, .length = 4, .payload = {255, 255, 255, 255}},
        {.type = HOST_LINK_CREDIT, .length = 3},
        {.type = HOST_LINK_CLOSED, .length = 1, .payload = {HOST_LINK_STREAM_IN}},
        {.type = HOST_LINK_CLOSED, .length = 1, .payload = {200}},
        {.type = HOST_LINK_INTERRUPT, .length = 4, .payload = {0}},
        {.type = HOST_LINK_INTERRUPT, .length = 4, .payload = {40}},
        {.type = HOST_LINK_EXIT_ACK},
        {.type = HOST_LINK_HELLO, .length = 24},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct host_link_header header = {.type = rows[i].type,
                                          .zero = {rows[i].reserved},
                                          .length = rows[i].length};
        to_kernel_first = to_kernel_end = to_host_first = to_host_end = 0;
        told = false;
        start();
        memcpy(to_kernel + to_kernel_end, &header, sizeof(header));
        memcpy(to_kernel + to_kernel_end + sizeof(header), rows[i].payload,
               sizeof(rows[i].payload));
        to_kernel_end += sizeof(header) + (header.length < 32 ? header.length : 32);
        check_broken();
    }
}

TEST(input_is_left_alone_until_somebody_reads)
{
    host_link_init();
    host_link_listen(note);
    say_hello();
    host_link_start(1, 1);
    say(HOST_LINK_STDIN, "x", 1);
    check_broken();
}

TEST(input_beyond_the_credit_breaks_the_link)
{
    static uint8_t bytes[HOST_LINK_MAX_PAYLOAD];
    start();
    for (uint32_t i = 0; i < HOST_LINK_INPUT_CREDIT / sizeof(bytes); i++) {
        say(HOST_LINK_STDIN, bytes, sizeof(bytes));
    }
    host_link_input();
    CHECK(link.works);
    say(HOST_LINK_STDIN, bytes, 1);
    check_broken();
}

TEST(another_version_breaks_the_link)
{
    struct host_link_host_hello hello = {.magic = HOST_LINK_MAGIC,
                                         .version = HOST_LINK_VERSION + 1};
    host_link_init();
    host_link_listen(note);
    say(HOST_LINK_HELLO, &hello, sizeof(hello));
    host_link_start(1, 1);
    check_broken();
}

/* Whatever bytes the host sends, nothing is overrun (AddressSanitizer) and no assert is reached. */
TEST(random_bytes_never_harm)
{
    static const uint8_t types[] = {HOST_LINK_CREDIT, HOST_LINK_STDIN,  HOST_LINK_STDIN_END,
                                    HOST_LINK_CLOSED, HOST_LINK_WINDOW, HOST_LINK_INTERRUPT,
                                    HOST_LINK_HELLO,  HOST_LINK_STDOUT};
    struct random random = {test_seed(3)};
    static uint8_t scratch[HOST_LINK_MAX_PAYLOAD];
    bool end;
    for (int round = 0; round < 3000; round++) {
        to_kernel_first = to_kernel_end = to_host_first = to_host_end = 0;
        write_room = WIRE_SIZE;
        start();
        for (int i = 0; i < 20; i++) {
            uint32_t size = (uint32_t)random_below(&random, random_chance(&random, 4) ? 5000 : 5);
            size = size < sizeof(scratch) ? size : (uint32_t)sizeof(scratch);
            for (int b = 0; b < 4; b++) {
                scratch[b] = (uint8_t)random_below(&random, 4);
            }
            say(types[random_below(&random, sizeof(types))], scratch, size);
            host_link_input();
            host_link_read(scratch, random_below(&random, sizeof(scratch)), &end);
            host_link_write(HOST_LINK_STREAM_OUT, scratch, random_below(&random, sizeof(scratch)));
        }
    }
}
