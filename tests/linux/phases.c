/* What killed.test kills the machine of: goes through what makes processes, threads and memory, and
 * says by a letter what comes next. */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORKS 12
#define THREADS 8
#define CHANGES 40
#define BYTES (64 * 4096)

static cap_t spawner;

static void next(char phase)
{
    putchar(phase);
    fflush(stdout);
}

static void need(bool right)
{
    if (!right) {
        exit(1);
    }
}

/* All alive at a time; each writes to memory that it shares with us. */
static void forks(char *shared)
{
    cap_t child[FORKS];
    struct capos_process_handle_wait_results ended;
    for (int i = 0; i < FORKS; i++) {
        bool is_child;
        need(capos_fork(spawner, &is_child, &child[i]) == STATUS_OK);
        if (is_child) {
            memset(shared, i, BYTES);
            exit(0);
        }
    }
    for (int i = 0; i < FORKS; i++) {
        need(capos_process_handle_wait(child[i], &ended) == STATUS_OK);
        capos_release(child[i]);
    }
}

static uint64_t thread(void *argument)
{
    return (uint64_t)(uintptr_t)argument;
}

static void threads(void)
{
    struct capos_thread *all[THREADS];
    uint64_t result;
    for (int i = 0; i < THREADS; i++) {
        need(capos_thread_spawn(thread, NULL, NULL, &all[i]) == STATUS_OK);
    }
    for (int i = 0; i < THREADS; i++) {
        need(capos_thread_join(all[i], &result) == STATUS_OK);
    }
}

static void changes(void)
{
    for (int i = 0; i < CHANGES; i++) {
        char *pages = capos_pages_map(BYTES);
        need(pages != NULL);
        memset(pages, i, BYTES);
        capos_pages_unmap(pages, BYTES);
    }
}

int main(void)
{
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    next('f');
    char *shared = capos_pages_map(BYTES);
    need(shared != NULL);
    memset(shared, 1, BYTES);
    forks(shared);
    next('t');
    for (int i = 0; i < 4; i++) {
        threads();
    }
    next('m');
    changes();
    next('e');
    return 0;
}
