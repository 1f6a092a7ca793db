/* What a panic says on each machine: a backtrace with the names of functions, and the last ring
 * entries. No lock, no memory; what is read may be broken.
 *
 * Names come from a table that the build makes from the linked kernel (symbols.awk): a count, the
 * upper halves of all addresses, then pairs of 32-bit numbers, ascending (lower half of an address,
 * offset of the name from the end of the pairs), then the names. */
#include "kernel/arch/arch.h"
#include "kernel/core/log.h"
#include "kernel/core/sched.h"

#define FRAMES_MAX 32
#define TEXT_MAX 200
#define TRACE_ENTRIES 8u

extern const struct {
    uint32_t count, high;
    struct {
        uint32_t address, name;
    } symbols[];
} kernel_symbols;

void panic_say(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    arch_log(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* With the function that the address lies in, and how far into it. The last is where code ends. */
static void say_address(const char *what, uint64_t address)
{
    uint32_t wanted = (uint32_t)address, low = 0, high = kernel_symbols.count - 1;
    const char *name = "?", *names = (const char *)(kernel_symbols.symbols + high + 1);
    bool ours = address >> 32 == kernel_symbols.high;
    if (ours && wanted >= kernel_symbols.symbols[0].address &&
        wanted < kernel_symbols.symbols[high].address) {
        while (high - low > 1) {
            uint32_t middle = low + (high - low) / 2;
            *(kernel_symbols.symbols[middle].address <= wanted ? &low : &high) = middle;
        }
        name = names + kernel_symbols.symbols[low].name;
        wanted -= kernel_symbols.symbols[low].address;
    }
    panic_say("  %s %016lx %s+0x%x\n", what, (unsigned long)address, name, wanted);
}

static void say_backtrace(uint64_t rip, uint64_t rbp, bool (*in_stack)(uint64_t frame))
{
    panic_say("backtrace:\n");
    say_address("at", rip);
    for (int i = 0; i < FRAMES_MAX && in_stack(rbp); i++) {
        const uint64_t *frame = (const uint64_t *)rbp;
        if (frame[1] == 0) {
            return;
        }
        say_address("by", frame[1] - 1); /* inside the call */
        if (frame[0] <= rbp) {
            return;
        }
        rbp = frame[0];
    }
}

/* What the current thread asked for last: often the cause of a panic. */
static void say_ring_entries(void)
{
    const struct cpu *cpu = arch_cpu();
    const struct thread *t = cpu != NULL ? cpu->current : NULL;
    const struct ring *r = t != NULL ? &t->ring : NULL;
    const struct ring_entry *sq = r != NULL ? (const void *)r->sq : NULL;
    panic_say("last ring entries, newest first:\n"); /* a larger ring is not in one piece */
    for (uint32_t i = 0; sq != NULL && i < TRACE_ENTRIES && i < r->sq_head; i++) {
        const struct ring_entry *e = &sq[(r->sq_head - 1 - i) & (r->sq_entries - 1)];
        panic_say("  -%u: opcode %u cap %x interface %lx method %u user_data %lx\n", i,
                  (unsigned)e->opcode, e->cap, e->interface_id, (unsigned)e->method, e->user_data);
    }
}

void panic_end(uint64_t rip, uint64_t rbp, bool (*in_stack)(uint64_t frame))
{
    say_backtrace(rip, rbp, in_stack);
    say_ring_entries();
    panic_say("end of panic\n");
}
