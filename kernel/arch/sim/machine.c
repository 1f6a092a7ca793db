/* The simulated machine: CPUs, time, log, link, entropy. See sim.h. */
#include "kernel/arch/sim/sim.h"

#include <sanitizer/asan_interface.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kernel/arch/arch.h"
#include "kernel/core/entry.h"
#include "kernel/core/process.h"

struct sim_machine sim_machine;

static _Noreturn void fatal(const char *text)
{
    fprintf(stderr, "sim: %s\n", text);
    abort();
}

void sim_machine_start(uint64_t frames, uint32_t cpus, uint64_t seed)
{
    if (cpus == 0 || cpus > CPUS_MAX || frames <= SIM_FIRST_FRAME) {
        fatal("a machine needs CPUs and memory");
    }
    memset(&sim_machine, 0, sizeof(sim_machine));
    sim_machine.memory = mmap(NULL, frames * PAGE_SIZE, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    sim_machine.cpus = aligned_alloc(64, ALIGN_UP(cpus * sizeof(struct cpu), (size_t)64));
    if (sim_machine.memory == MAP_FAILED || sim_machine.cpus == NULL) {
        fatal("no memory for the machine");
    }
    memset(sim_machine.cpus, 0, cpus * sizeof(struct cpu));
    sim_machine.frame_count = frames;
    sim_machine.cpu_count = cpus;
    for (uint32_t i = 0; i < cpus; i++) {
        sim_machine.cpus[i].arch.timer_ns = UINT64_MAX;
    }
    sim_machine.entropy = seed * 2 + 1;
    sim_machine.to_host.limit = sim_machine.from_host.limit = SIM_LINK_SIZE;
    sim_machine.log_to_stderr = getenv("SIM_LOG") != NULL;
}

void sim_machine_stop(void)
{
    ASAN_UNPOISON_MEMORY_REGION(sim_machine.memory, sim_machine.frame_count * PAGE_SIZE);
    munmap(sim_machine.memory, sim_machine.frame_count * PAGE_SIZE);
    free(sim_machine.cpus);
    sim_machine.memory = NULL;
    sim_machine.cpus = NULL;
}

struct cpu *sim_cpu(void)
{
    return &sim_machine.cpus[sim_machine.cpu];
}

uint32_t arch_cpu_count(void)
{
    return sim_machine.cpu_count;
}

struct cpu *arch_cpu_by_number(uint32_t n)
{
    KASSERT(n < sim_machine.cpu_count);
    return &sim_machine.cpus[n];
}

void arch_cpu_poke(uint32_t n)
{
    arch_cpu_by_number(n)->arch.poked = true;
}

/* Only one CPU of the simulated machine runs at a time; the others are between two instructions, or
 * idle. */
void arch_cpu_stop(uint32_t n)
{
    KASSERT(n != sim_machine.cpu);
    arch_cpu_poke(n);
}

void arch_machine_exit(int code)
{
    if (sim_machine.ended != NULL) {
        sim_machine.ended(code);
    }
    fatal("the machine ended");
}

void arch_panic(const char *text)
{
    if (sim_machine.panicked != NULL) {
        sim_machine.panicked(text);
    }
    fatal(text);
}

uint64_t arch_now_ns(void)
{
    return sim_machine.now_ns;
}

uint64_t arch_tick(void)
{
    return sim_machine.now_ns * SIM_TICKS_PER_NS;
}

void arch_timer_arm(uint64_t deadline_ns)
{
    arch_cpu()->arch.timer_ns = deadline_ns;
}

void arch_time_page(struct time_page *out)
{
    out->shift = 1; /* ns = tick * 1 >> 1 */
    out->base_tsc = 0;
    out->base_ns = 0;
    out->scale = 1;
    out->tick_hz = SIM_TICKS_PER_NS * 1000000000ull;
}

void arch_time_open(struct process *p)
{
    p->arch.time_open = true;
}

/* xorshift64*: enough for a test, and the same for each seed. */
void arch_entropy(void *out, size_t size)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < size; i++) {
        sim_machine.entropy ^= sim_machine.entropy >> 12;
        sim_machine.entropy ^= sim_machine.entropy << 25;
        sim_machine.entropy ^= sim_machine.entropy >> 27;
        bytes[i] = (uint8_t)((sim_machine.entropy * 0x2545f4914f6cdd1dull) >> 56);
    }
}

void arch_log(const char *text, size_t size)
{
    if (sim_machine.log_to_stderr) {
        fwrite(text, 1, size, stderr);
    }
    if (size == 0) {
        return;
    }
    if (size >= SIM_LOG_SIZE) {
        text += size - (SIM_LOG_SIZE - 1);
        size = SIM_LOG_SIZE - 1;
    }
    if (sim_machine.log_size + size >= SIM_LOG_SIZE) { /* keeps the younger half */
        size_t keep =
            SIM_LOG_SIZE - 1 - size < SIM_LOG_SIZE / 2 ? SIM_LOG_SIZE - 1 - size : SIM_LOG_SIZE / 2;
        keep = keep < sim_machine.log_size ? keep : sim_machine.log_size;
        memmove(sim_machine.log, sim_machine.log + sim_machine.log_size - keep, keep);
        sim_machine.log_size = keep;
    }
    memcpy(sim_machine.log + sim_machine.log_size, text, size);
    sim_machine.log_size += size;
    sim_machine.log[sim_machine.log_size] = 0;
}

size_t sim_bytes_put(struct sim_bytes *queue, const void *bytes, size_t size)
{
    size_t room = queue->limit > queue->count ? queue->limit - queue->count : 0;
    size = size < room ? size : room;
    for (size_t i = 0; i < size; i++) {
        queue->bytes[(queue->start + queue->count + i) % SIM_LINK_SIZE] =
            ((const uint8_t *)bytes)[i];
    }
    queue->count += size;
    return size;
}

size_t sim_bytes_get(struct sim_bytes *queue, void *bytes, size_t size)
{
    size = size < queue->count ? size : queue->count;
    for (size_t i = 0; i < size; i++) {
        ((uint8_t *)bytes)[i] = queue->bytes[(queue->start + i) % SIM_LINK_SIZE];
    }
    queue->start = (queue->start + size) % SIM_LINK_SIZE;
    queue->count -= size;
    return size;
}

size_t arch_link_write(const void *bytes, size_t size)
{
    return sim_bytes_put(&sim_machine.to_host, bytes, size);
}

size_t arch_link_read(void *bytes, size_t size)
{
    return sim_bytes_get(&sim_machine.from_host, bytes, size);
}

uint64_t arch_gate_address(void)
{
    return SIM_GATE_ADDRESS;
}

void sim_memory_freed(void *memory, size_t size)
{
    ASAN_POISON_MEMORY_REGION(memory, size);
}

void sim_memory_taken(void *memory, size_t size)
{
    ASAN_UNPOISON_MEMORY_REGION(memory, size);
}

void sim_edge(enum sim_edge_kind kind, uint64_t address, size_t size)
{
    if (sim_machine.edge != NULL) {
        sim_machine.edge(kind, address, size);
    }
}
