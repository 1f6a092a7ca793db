/* Works on in /data while something else of a folder does not come to an end.
 *
 *   patient slow     three names of /slow are asked for, and nobody answers
 *   patient stopped  while the host has the folder process stopped: the file "stop" asks for that,
 *                    and a byte of standard input says that it is */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static cap_t data, timer;

static void need(bool right, int line)
{
    if (!right) {
        printf("not ok, line %d\n", line);
        exit(1);
    }
}
#define NEED(condition) need(condition, __LINE__)

static struct capos_call calls[3];
static _Alignas(8) uint8_t buffers[3][2][256];

static void ask(cap_t folder, int i)
{
    capos_call_init(&calls[i], buffers[i][0], 256, buffers[i][1], 256);
    NEED(capos_directory_stat_submit(&calls[i], folder, "x", 1) == STATUS_OK);
}

static void slow(void)
{
    struct capos_directory_open_results got;
    cap_t folder = capos_need("/slow", DIRECTORY_INTERFACE_ID);
    for (int i = 0; i < 3; i++) {
        ask(folder, i);
    }
    capos_flush();
    for (int i = 0; i < 200; i++) {
        NEED(capos_directory_open(data, "file", 4, 3, &got) == STATUS_OK);
        NEED(got.error == FILE_ERROR_NONE);
        capos_release(got.file);
    }
    NEED(!capos_is_complete(&calls[0]) && !capos_is_complete(&calls[2]));
    NEED(capos_cancel(&calls[1]) == STATUS_OK && capos_await(&calls[1]) == STATUS_CANCELLED);
    puts("ok others go on, and who waits can be cancelled");
}

static void stopped(void)
{
    struct capos_directory_open_results got;
    struct capos_directory_stat_results status;
    NEED(capos_directory_open(data, "stop", 4, 3, &got) == STATUS_OK);
    NEED(getchar() == '\n');
    ask(data, 0);
    capos_flush();
    for (int i = 0; i < 50; i++) {
        NEED(capos_timer_sleep(timer, 10000000) == STATUS_OK);
    }
    NEED(!capos_is_complete(&calls[0]));
    puts("ok the machine goes on");
    fflush(stdout);
    NEED(capos_directory_stat_await(&calls[0], &status) == STATUS_OK);
    NEED(status.error == FILE_ERROR_NOT_FOUND);
    puts("ok and so does the call");
}

int main(int argc, char **argv)
{
    data = capos_need("/data", DIRECTORY_INTERFACE_ID);
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    if (argc > 2) { /* "stay": killed from outside */
        ask(capos_need("/slow", DIRECTORY_INTERFACE_ID), 0);
        NEED(capos_await(&calls[0]) == STATUS_OK);
    }
    if (argc > 1 && strcmp(argv[1], "slow") == 0) {
        slow();
    } else {
        stopped();
    }
    return 0;
}
