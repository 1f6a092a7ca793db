/* How many instructions the common messages cost: counted one by one, so the same in every run. A
 * call to a kernel object has 450 for everything; decoding its parameters and encoding its results
 * may take 80 of them with gcc. COST_MAX comes from rules.mk. */
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/test.h"
#include "tests/perf/wire/paths.h"

#define INSTRUCTIONS_MAX 100000

static uint64_t request[16], answer[16];
static const uint8_t payload[64] = "sixty-four bytes";
static size_t request_size, answer_size;

static void decode(void)
{
    path_decode(request, request_size);
}

static void encode(void)
{
    path_encode(answer, sizeof(answer), 5);
}

static void build_request(void)
{
    path_build_request(request, sizeof(request), 5);
}

static void read_answer(void)
{
    path_read_answer(answer, answer_size);
}

static void put_data(void)
{
    path_put_data(request, sizeof(request), payload);
}

static void get_data(void)
{
    path_get_data(request, request_size);
}

static void nothing(void)
{
    path_nothing(request, request_size);
}

/* Steps a child from one stop to the next. The stops' own instructions are counted with `nothing`.
 */
static long count_with_stops(void (*path)(void))
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        path();
        raise(SIGUSR1);
        _exit(0);
    }
    int status;
    long count = 0;
    CHECK(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
    while (count < INSTRUCTIONS_MAX) {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL), 0);
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK(WIFSTOPPED(status));
        if (WSTOPSIG(status) == SIGUSR1) {
            break;
        }
        count++;
    }
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return count;
}

static long count(const char *name, void (*path)(void))
{
    path(); /* symbols are resolved */
    long instructions = count_with_stops(path) - count_with_stops(nothing);
    printf("# %s: %ld instructions\n", name, instructions);
    return instructions;
}

TEST(kernel_call)
{
    request_size = path_build_request(request, sizeof(request), 5);
    CHECK_EQ(path_decode(request, request_size), 5);
    long decoding = count("decode one number", decode);
    long encoding = count("encode two numbers", encode);
    CHECK_GT(decoding, 10); /* it was really counted */
    CHECK_GT(encoding, 10);
    CHECK_LE(decoding + encoding, COST_MAX);
}

TEST(client_call)
{
    answer_size = path_encode(answer, sizeof(answer), 5);
    CHECK_EQ(path_read_answer(answer, answer_size), 5 ^ 6);
    CHECK_LE(count("build one number", build_request) + count("read two numbers", read_answer),
             COST_MAX);
}

TEST(endpoint_payload)
{
    request_size = path_put_data(request, sizeof(request), payload);
    const void *data = path_get_data(request, request_size);
    CHECK(data != NULL);
    CHECK_BYTES(data, payload, 64);
    CHECK_LE(count("put 64 bytes", put_data), 170);
    CHECK_LE(count("get 64 bytes", get_data), 130);
}
