/* The simulated machine, as its test sees it: a machine inside one process, in which nothing
 * happens by itself.
 *
 * Memory is one mapping of the test process; a frame's number is its place in it. Page tables are
 * walked by software. Time stands still unless the test advances it. The test plays the host of the
 * link. A panic and the end of the machine come back to the test through functions that it sets.
 * One thread of the host only.
 *
 * tests/lib/sim.h builds processes, user code and time on top of this; most tests need only that.
 */
#pragma once

#include "abi/upcall.h"
#include "kernel/arch/arch_types.h"
#include "kernel/core/types.h"

struct cpu;
struct thread;

#define SIM_FIRST_FRAME 16 /* below: not given to the kernel; frame 0 is never used */
#define SIM_LOG_SIZE (64 * 1024)
#define SIM_LINK_SIZE (256 * 1024)
#define SIM_GATE_ADDRESS (USER_END - PAGE_SIZE)
#define SIM_TICKS_PER_NS 2

/* Where a simulated second user thread may act in the middle of the kernel: it may write user
 * memory, no more, since everything else needs the kernel's lock. */
enum sim_edge_kind {
    SIM_EDGE_RING,    /* before words of a ring are read; no address */
    SIM_EDGE_COPY_IN, /* before bytes of one page are copied */
    SIM_EDGE_COPY_OUT,
};

/* Bytes in order; full or empty ends are short counts. */
struct sim_bytes {
    uint8_t bytes[SIM_LINK_SIZE];
    size_t start, count;
    size_t limit; /* of count; at most SIM_LINK_SIZE */
};

struct sim_machine {
    uint8_t *memory;
    uint64_t frame_count;
    struct cpu *cpus;
    uint32_t cpu_count;
    uint32_t cpu; /* the one that runs */
    uint64_t now_ns;
    uint64_t entropy;
    char log[SIM_LOG_SIZE]; /* the latest of it, terminated */
    size_t log_size;
    bool log_to_stderr;
    bool prefers_runs; /* ARCH_PREFERS_RUNS */
    struct sim_bytes to_host, from_host;
    void (*edge)(enum sim_edge_kind kind, uint64_t address, size_t size); /* NULL: nobody acts */
    void (*panicked)(const char *text);                                   /* must not return */
    void (*ended)(int code);                                              /* must not return */
};

extern struct sim_machine sim_machine;

/* A new machine: all of sim_machine is as after power-on. Core's own state is not touched. */
void sim_machine_start(uint64_t frames, uint32_t cpus, uint64_t seed);
void sim_machine_stop(void);

/* The page's bytes if the loaded tables allow the access, else NULL. */
uint8_t *sim_translate(const struct arch_address_space *as, uint64_t address,
                       enum upcall_access access);
uint64_t sim_table_count(const struct arch_address_space *as); /* frames that its page tables use */
/* Calls each(context, address, frame, protection) for each present page, ascending. */
void sim_each_page(const struct arch_address_space *as,
                   void (*each)(void *context, uint64_t address, frame_t f, enum protection p),
                   void *context);

struct cpu *sim_cpu(void); /* the one that runs */
size_t sim_bytes_put(struct sim_bytes *queue, const void *bytes, size_t size);
size_t sim_bytes_get(struct sim_bytes *queue, void *bytes, size_t size);

void sim_memory_freed(void *memory, size_t size);
void sim_memory_taken(void *memory, size_t size);
void sim_edge(enum sim_edge_kind kind, uint64_t address, size_t size);
