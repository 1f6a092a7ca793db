/* The end by our own mistake: says on the serial port what happened, with registers, those of the
 * thread that was served, and what core/panic.c adds, then ends the machine with a status of its
 * own. No lock, no memory, no other CPU; a panic in the panic ends at once. */
#include "abi/qemu.h"
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/log.h"

#define TEXT_MAX 200

extern const char x86_data_start[], x86_image_end[];

static bool panicking;

static bool in_stack(uint64_t frame)
{
    return frame >= (uint64_t)x86_data_start && frame < (uint64_t)x86_image_end - 16 &&
           frame % 8 == 0;
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
        panic_say("%s%s %016lx", i % 3 == 0 ? "\n  " : "  ", names[i], (unsigned long)values[i]);
    }
    panic_say("\n");
}

static void say_machine(void)
{
    const struct arch_cpu *c = x86_cpu();
    panic_say("  cr2 %016lx  cr3 %016lx  cr4 %016lx\n", (unsigned long)read_cr2(),
              (unsigned long)read_cr3(), (unsigned long)read_cr4());
    if (c == NULL || c->running == NULL) {
        panic_say("no thread is loaded\n");
        return;
    }
    panic_say("user registers of the loaded thread:");
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
    panic_end(rip, rbp, in_stack);
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
    panic_say("registers where it was called:");
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
    panic_say("registers:");
    say_registers(f);
    finish(f->rip, f->rbp);
}
