/* A thread that says it waits in the kernel and runs on, to look at memory after it was taken away:
 * what was unmapped must be gone for it before anybody else gets the frames. A pipe gets them, in
 * the same entry to the kernel: whatever the kernel owes the process is made up for before the next
 * thread runs. Prints `all ok`. */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/syscall.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/types.h"

#define ROUNDS 40
#define PAGES 64
#define PAGE 4096
#define SECRET 0x5ec4e7
#define FILLS 2 /* of the pipe, in one go */
#define SOON_NS 3000000

/* kernel/arch/linux/layout.h */
#define STATE_WORD 0
#define STATE_CAUSE 8
#define STATE_RAX 48
#define STATE_RDI 56
#define STATE_RSI 64
#define STATE_RDX 72
#define STATE_SELF 96
#define WORD_POSTED 2

static cap_t spawner, timer;
static volatile uint64_t *window;
static volatile uint64_t seen, looks;

static void put(uint64_t state, size_t offset, uint64_t value)
{
    *(volatile uint64_t *)(uintptr_t)(state + offset) = value;
}

/* Enters the kernel as the gate does, for a wait without end, and does not wait. */
static uint64_t rogue(void *argument)
{
    uint64_t state;
    (void)argument;
    __asm__ volatile("movq %%gs:%c1, %0" : "=r"(state) : "i"(STATE_SELF));
    put(state, STATE_RAX, SYSCALL_CAP_ENTER);
    put(state, STATE_RDI, 1);
    put(state, STATE_RSI, CAP_ENTER_FOREVER);
    put(state, STATE_RDX, capos_self()->ring->upcalls);
    *(volatile uint32_t *)(uintptr_t)(state + STATE_CAUSE) = 0;
    __atomic_exchange_n((uint32_t *)(uintptr_t)(state + STATE_WORD), WORD_POSTED, __ATOMIC_SEQ_CST);
    for (;;) {
        for (size_t i = 0; i < PAGES; i++) {
            if (window[i * PAGE / sizeof(uint64_t)] == SECRET) {
                seen = 1;
            }
        }
        looks++;
    }
}

/* Unmaps the window and fills a pipe, in one entry: the pipe's pages are those that were freed
 * last. */
static bool unmap_and_fill_pipe(void)
{
    static uint64_t secret[STREAM_CHUNK_MAX / sizeof(uint64_t)];
    static char requests[FILLS][STREAM_CHUNK_MAX + PAGE], replies[FILLS][256], unmap_buffer[2][256];
    struct capos_call unmap, write[FILLS];
    struct capos_process_spawner_create_pipe_results pipe;
    if (capos_process_spawner_create_pipe(spawner, &pipe) != STATUS_OK) {
        return false;
    }
    for (size_t i = 0; i < sizeof(secret) / sizeof(*secret); i++) {
        secret[i] = SECRET;
    }
    capos_call_init(&unmap, unmap_buffer[0], 256, unmap_buffer[1], 256);
    bool ok = capos_virtual_memory_unmap_submit(&unmap, CAPOS_MEMORY, (uintptr_t)window,
                                                PAGES * PAGE) == STATUS_OK;
    for (int i = 0; i < FILLS; i++) {
        capos_call_init(&write[i], requests[i], sizeof(requests[i]), replies[i], 256);
        ok = ok && capos_pipe_writer_write_submit(&write[i], pipe.writer, secret,
                                                  sizeof(secret)) == STATUS_OK;
    }
    ok = ok && capos_virtual_memory_unmap_await(&unmap) == STATUS_OK;
    for (int i = 0; ok && i < FILLS; i++) {
        struct capos_pipe_writer_write_results written;
        ok = capos_pipe_writer_write_await(&write[i], &written) == STATUS_OK &&
             written.written == sizeof(secret);
    }
    return ok;
}

static int one_round(void)
{
    struct capos_thread *thread;
    window = capos_pages_map(PAGES * PAGE);
    if (window == NULL) {
        return 1;
    }
    memset((void *)window, 1, PAGES * PAGE);
    if (capos_thread_spawn(rogue, NULL, NULL, &thread) != STATUS_OK) {
        return 1;
    }
    (void)!capos_timer_sleep(timer, SOON_NS);
    uint64_t before = looks;
    (void)!capos_timer_sleep(timer, SOON_NS);
    bool runs_on = looks != before;
    if (!unmap_and_fill_pipe()) {
        return 2;
    }
    (void)!capos_timer_sleep(timer, SOON_NS);
    return seen ? 3 : runs_on ? 4 : 5;
}

int main(void)
{
    int wrong = 0, ran_on = 0;
    spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    for (int i = 0; i < ROUNDS; i++) {
        bool is_child;
        cap_t handle;
        struct capos_process_handle_wait_results ended;
        if (capos_fork(spawner, &is_child, &handle) != STATUS_OK) {
            return 1;
        }
        if (is_child) {
            exit(one_round());
        }
        if (capos_process_handle_wait(handle, &ended) != STATUS_OK) {
            return 1;
        }
        int code = exit_status_kind(ended.status_) == EXIT_KIND_EXITED
                       ? exit_status_code(ended.status_) : 0;
        wrong += code < 4;
        ran_on += code == 4;
        capos_release(handle);
    }
    if (ran_on == 0) {
        puts("the rogue never ran on: nothing was tried");
    }
    puts(wrong == 0 && ran_on > 0 ? "all ok" : "not ok");
    return wrong != 0;
}
