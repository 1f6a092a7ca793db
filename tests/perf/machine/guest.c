/* What tests/perf/native/native.c measures on the host, measured inside a machine. The argument
 * says which; prints nanoseconds and a number that must be what the native one prints. A result
 * that is wrong ends it with status 1 and no figure. */
#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ring.h"
#include "abi/syscall.h"
#include "lib/capos/thread_self.h"
#include "lib/wire/gen/types.h"
#include "work.h"

#define ASLEEP_NS 200000 /* longer than anybody spins */
#define COLD_CALLS 40u

static cap_t timer;

static uint64_t now_ns(void)
{
    uint64_t now;
    if (capos_clock(timer, &now) != STATUS_OK) {
        exit(1);
    }
    return now;
}

static void need(bool right)
{
    if (!right) {
        exit(1);
    }
}

static uint64_t compute(uint64_t *check)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < WORK_TRIES; i++) {
        uint64_t start = now_ns();
        *check = work_compute();
        uint64_t took = now_ns() - start;
        best = took < best ? took : best;
    }
    return best;
}

static uint64_t touch(uint64_t *check)
{
    uint64_t start = now_ns();
    char *pages = capos_pages_map(TOUCH_BYTES);
    need(pages != NULL && work_touch(pages, TOUCH_BYTES));
    *check = TOUCH_BYTES;
    return now_ns() - start;
}

/* An entry that asks for nothing, without the gate. */
static int64_t bare_enter(void)
{
    int64_t result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(SYSCALL_CAP_ENTER), "D"(0), "S"(0),
                       "d"((uint64_t)capos_self()->ring->upcalls)
                     : "rcx", "r11", "r10", "r8", "r9", "memory");
    return result;
}

static uint64_t call(uint64_t *check)
{
    uint64_t samples[SAMPLES];
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t k = 0; k < CALLS; k++) {
            *check += bare_enter() == 0;
        }
        samples[i] = (now_ns() - start) / CALLS;
    }
    return work_median(samples, SAMPLES);
}

static uint64_t map(uint64_t *check)
{
    uint64_t samples[SAMPLES];
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t k = 0; k < MAPS; k++) {
            char *pages = capos_pages_map(MAP_BYTES);
            need(pages != NULL && pages[1] == 0);
            pages[0] = 1;
            capos_pages_unmap(pages, MAP_BYTES);
        }
        samples[i] = (now_ns() - start) / MAPS;
    }
    *check = MAPS;
    return work_median(samples, SAMPLES);
}

/* A child writes to memory that it shares with its parent, who waits for it. */
static uint64_t faults(uint64_t *check, uint32_t stride)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID), child;
    bool is_child;
    struct capos_process_handle_wait_results ended;
    char *pages = capos_pages_map(FAULT_PAGES * PAGE_BYTES);
    need(pages != NULL);
    memset(pages, 1, FAULT_PAGES * PAGE_BYTES);
    uint64_t *took = capos_pages_map(PAGE_BYTES);
    need(took != NULL && capos_fork(spawner, &is_child, &child) == STATUS_OK);
    if (is_child) {
        uint64_t start = now_ns();
        bool right = work_copy(pages, 1, stride);
        uint64_t each = (now_ns() - start) / FAULTS;
        exit(right ? (int)(each < 1000000 ? each : 1000000) : 0);
    }
    need(capos_process_handle_wait(child, &ended) == STATUS_OK);
    need(exit_status_kind(ended.status_) == EXIT_KIND_EXITED);
    for (uint32_t i = 0; i < FAULT_PAGES; i++) {
        need(pages[i * PAGE_BYTES] == 1);
    }
    *check = FAULT_PAGES;
    need(exit_status_code(ended.status_) != 0);
    return (uint64_t)exit_status_code(ended.status_);
}

static uint64_t fault(uint64_t *check)
{
    return faults(check, FAR);
}

static uint64_t fault_near(uint64_t *check)
{
    return faults(check, NEAR);
}

/* A NOP through the ring, when the kernel has gone to sleep. */
static uint64_t cold(uint64_t *check)
{
    uint64_t samples[COLD_CALLS];
    const struct ring_entry nop = {.opcode = RING_OP_NOP};
    *check = 0;
    for (uint32_t i = 0; i < COLD_CALLS; i++) {
        struct capos_wait wait = {.done = false};
        uint64_t start = now_ns();
        while (now_ns() - start < ASLEEP_NS) {
        }
        start = now_ns();
        capos_do_entry(&nop, &wait);
        samples[i] = now_ns() - start;
        *check += wait.completion.status == 0;
    }
    return work_median(samples, COLD_CALLS);
}

/* The file of a folder of the host's: from the host's memory into the program's, and back. */
static cap_t open_file(void)
{
    cap_t folder = capos_need("/data", DIRECTORY_INTERFACE_ID);
    struct capos_directory_open_results opened;
    need(capos_directory_open(folder, "file", 4, OPEN_FLAGS_WRITE, &opened) == STATUS_OK);
    need(opened.error == FILE_ERROR_NONE);
    return opened.file;
}

static uint64_t dir_read(uint64_t *check)
{
    uint64_t samples[SAMPLES];
    struct capos_file_read_results got;
    cap_t file = open_file();
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t at = 0; at < FILE_BYTES; at += CHUNK_BYTES) {
            need(capos_file_read(file, at, CHUNK_BYTES, &got) == STATUS_OK);
            need(got.error == FILE_ERROR_NONE && got.data.size == CHUNK_BYTES);
            *check += *((const uint8_t *)got.data.data + at / CHUNK_BYTES);
        }
        samples[i] = now_ns() - start;
    }
    return work_median(samples, SAMPLES);
}

static uint64_t dir_write(uint64_t *check)
{
    static const uint8_t bytes[CHUNK_BYTES] = {1};
    uint64_t samples[SAMPLES];
    struct capos_file_write_results put;
    cap_t file = open_file();
    *check = 0;
    for (uint32_t i = 0; i < SAMPLES; i++) {
        uint64_t start = now_ns();
        for (uint32_t at = 0; at < FILE_BYTES; at += CHUNK_BYTES) {
            need(capos_file_write(file, at, bytes, CHUNK_BYTES, &put) == STATUS_OK);
            need(put.error == FILE_ERROR_NONE && put.written == CHUNK_BYTES);
            *check += put.written;
        }
        samples[i] = now_ns() - start;
    }
    return work_median(samples, SAMPLES);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        uint64_t (*measure)(uint64_t *check);
    } all[] = {
        {"compute", compute}, {"touch", touch}, {"call", call},     {"map", map},
        {"fault", fault},     {"cold", cold},   {"read", dir_read}, {"write", dir_write},
        {"fault-near", fault_near}};
    timer = capos_need("timer", TIMER_INTERFACE_ID);
    for (size_t i = 0; argc == 2 && i < sizeof all / sizeof *all; i++) {
        if (strcmp(argv[1], all[i].name) == 0) {
            uint64_t check, ns = all[i].measure(&check);
            printf("%llu %llu\n", (unsigned long long)ns, (unsigned long long)check);
            return 0;
        }
    }
    return 2;
}
