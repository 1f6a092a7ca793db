/* The end by our own mistake: says on the serial port what happened, with registers, a backtrace
 * with names, the thread that was served and the last ring entries, then ends the machine with a
 * status of its own. No lock, no memory, no other CPU; a panic in the panic ends at once.
 *
 * Names come from a table that the build makes from the linked kernel (symbols.awk): a count,
 * then pairs of 32-bit numbers, ascending (address less KERNEL_BASE, offset of the name from the
 * end of the pairs), then the names. */
#include "abi/qemu.h"
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/log.h"

#define FRAMES_MAX 32
#define TEXT_MAX 200

struct symbol {
    uint32_t address, name;
};

struct symbol_table {
    uint32_t count, zero;
    struct symbol symbols[];
};

extern const char x86_symbols_start[], x86_image_start[], x86_text_end[];
extern const char x86_data_start[], x86_image_end[];

static bool panicking;

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char text[TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    int n = format_text_v(text, sizeof(text), format, arguments);
    va_end(arguments);
    arch_log(text, n < 0 ? 0 : (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

static void say_line(const char *text)
{
    say("  %s\n", text);
}

/* With the function that the address lies in, and how far into it. */
static void say_address(const char *what, uint64_t address)
{
    const struct symbol_table *t = (const void *)x86_symbols_start;
    const char *name = "?";
    uint32_t wanted = (uint32_t)(address - KERNEL_BASE), low = 0, high = t->count, offset = 0;
    if (address >= (uint64_t)x86_image_start && address < (uint64_t)x86_text_end && high > 0) {
        while (high - low > 1) {
            uint32_t middle = low + (high - low) / 2;
            if (t->symbols[middle].address <= wanted) {
                low = middle;
            } else {
                high = middle;
            }
        }
        name = (const char *)(t->symbols + t->count) + t->symbols[low].name;
        offset = wanted - t->symbols[low].address;
    }
    say("  %s %016lx %s+0x%x\n", what, (unsigned long)address, name, offset);
}

static bool in_stack(uint64_t frame)
{
    return frame >= (uint64_t)x86_data_start && frame < (uint64_t)x86_image_end - 16 &&
           frame % 8 == 0;
}

static void say_backtrace(uint64_t rip, uint64_t rbp)
{
    say("backtrace:\n");
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

static void say_registers(const struct arch_frame *f)
{
    static const char *const names[] = { /* as they lie in the frame */
        "r15", "r14", "r13", "r12", "r10", "r9 ", "r8 ", "rbp", "rdi", "rsi", "rdx",
        "rbx", "rax", "r11", "rcx", "vec", "err", "rip", "cs ", "flg", "rsp", "ss ",
    };
    const uint64_t *values = (const uint64_t *)(const void *)f;
    _Static_assert(ARRAY_SIZE(names) * sizeof(*values) == sizeof(*f), "a name for each");
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        say("%s%s %016lx", i % 3 == 0 ? "\n  " : "  ", names[i], (unsigned long)values[i]);
    }
    say("\n");
}

static void say_machine(void)
{
    const struct arch_cpu *c = x86_cpu();
    say("  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", (unsigned long)read_cr2(),
        (unsigned long)read_cr3(), (unsigned long)read_cr4());
    if (c == NULL || c->running == NULL) {
        say("no thread is loaded\n");
        return;
    }
    say("user registers of the loaded thread:");
    say_registers((const struct arch_frame *)(const void *)c->running);
}

static void begin(const char *text)
{
    __asm__ volatile("cli");
    if (__atomic_exchange_n(&panicking, true, __ATOMIC_SEQ_CST)) {
        arch_log("\npanic in a panic\n", 18);
        x86_machine_end(QEMU_EXIT_PANIC);
    }
    arch_log("\nKERNEL PANIC: ", 15);
    arch_log(text, strlen(text));
    arch_log("\n", 1);
}

_Noreturn static void finish(uint64_t rip, uint64_t rbp)
{
    say_machine();
    say_backtrace(rip, rbp);
    say("last ring entries, newest first:\n");
    trace_dump(say_line);
    say("end of panic\n");
    x86_machine_end(QEMU_EXIT_PANIC);
}

_Noreturn void arch_panic(const char *text)
{
    struct arch_frame f = {.rflags = 0};
    __asm__ volatile("movq %%rbx, %0\n\tmovq %%rsp, %1\n\tmovq %%r12, %2\n\t"
                     "movq %%r13, %3\n\tmovq %%r14, %4\n\tmovq %%r15, %5\n\tpushfq\n\tpopq %6"
                     : "=m"(f.rbx), "=m"(f.rsp), "=m"(f.r12), "=m"(f.r13), "=m"(f.r14),
                       "=m"(f.r15), "=r"(f.rflags));
    f.rbp = (uint64_t)__builtin_frame_address(0);
    f.rip = (uint64_t)__builtin_return_address(0);
    begin(text);
    say("registers where it was called:");
    say_registers(&f);
    finish(f.rip, *(uint64_t *)f.rbp);
}

_Noreturn void x86_trap_panic(const struct arch_frame *f)
{
    char text[TEXT_MAX];
    format_text(text, sizeof(text), "trap %lu, error %lx, at %lx in the %s",
                (unsigned long)f->vector, (unsigned long)f->error, (unsigned long)f->rip,
                f->cs & 3 ? "program" : "kernel");
    begin(text);
    say("registers:");
    say_registers(f);
    finish(f->rip, f->rbp);
}
