/* Threads' registers: where they are, and how they come from and go to the Linux thread.
 *
 * A thread that waits in the gate has its registers in the processor; all but the result are as it
 * needs them, so a call costs no more. Whoever asks for them makes it show them (linux_deepen).
 * In a signal's frame they lie in memory that the process may write: what is read there is its own
 * claim, and only the frame's place is checked, because the kernel reads and writes it. */
#include "kernel/arch/linux/linux.h"

#include "kernel/core/kmem.h"
#include "kernel/core/process.h"

#include <asm/signal.h>

#define EXTENDED_LEGACY 512u
#define EXTENDED_HEADER 64u
#define EXTENDED_SOFTWARE 464u /* Linux's own words in the legacy area */
#define MAGIC_BEGIN 0x46505853u
#define MAGIC_END 0x46505845u
#define MXCSR_OFFSET 24
#define MXCSR_START 0x1f80u
#define COMPONENTS 0xe7ull /* x87, SSE, AVX and the three of AVX-512 */
#define FRAME_FLAGS 7u     /* of the ucontext: extended state; ss is there, and strict */
#define SEGMENT_CODE 0x33
#define SEGMENT_DATA 0x2b
#define FLAG_RESERVED 0x2ull
#define FLAG_TF 0x100ull
#define FLAG_IF 0x200ull
#define FLAGS_USER 0x240dd5ull /* what a program may set: CF PF AF ZF SF TF DF OF AC ID */
#define FRESH_EXTENDED 1024u   /* of a frame that we make: from the stack's lower end */
#define SYSCALL_SIZE 2

struct software_words {
    uint32_t magic, size;
    uint64_t components;
    uint32_t extended_size, zero[7];
};

_Static_assert(sizeof(struct linux_signal_frame) <= FRESH_EXTENDED, "a frame ends below it");
_Static_assert(offsetof(struct linux_signal_frame, rip) == 176, "stub.S: FRAME_RIP");
_Static_assert(offsetof(struct linux_state, r10) == STATE_R10, "layout.h");
_Static_assert(offsetof(struct linux_state, cpu) == STATE_CPU, "layout.h");
_Static_assert(offsetof(struct linux_state, set_bases) == STATE_SET_BASES, "layout.h");
_Static_assert(offsetof(struct linux_state, self) == STATE_SELF, "layout.h");
_Static_assert(offsetof(struct linux_state, frame) == STATE_FRAME, "layout.h");
_Static_assert(offsetof(struct linux_setup, filter_count) == SETUP_PROGRAM, "layout.h");
_Static_assert(offsetof(struct linux_setup, tsc) == SETUP_TSC, "layout.h");
_Static_assert(offsetof(struct linux_commands, cpu) == COMMANDS_CPU, "layout.h");
_Static_assert(offsetof(struct linux_commands, wake) == COMMANDS_WAKE, "layout.h");
_Static_assert(offsetof(struct linux_commands, expected) == COMMANDS_EXPECTED, "layout.h");
_Static_assert(offsetof(struct linux_commands, bases) == COMMANDS_BASES, "layout.h");
_Static_assert(SIGSEGV == SIGNAL_FAULT && SIGUSR1 == SIGNAL_PREEMPT, "layout.h");
_Static_assert(offsetof(struct linux_commands, command) == COMMANDS_FIRST, "layout.h");
_Static_assert(sizeof(struct linux_command) == COMMAND_SIZE, "layout.h");
_Static_assert(sizeof(struct linux_commands) == PAGE_SIZE, "layout.h");
_Static_assert(HELPER_BASE == USER_END, "layout.h");

static uint64_t components;
static uint32_t extended_size;

static void cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    __asm__ volatile("cpuid"
                     : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3])
                     : "a"(leaf), "c"(sub));
}

void linux_extended_detect(void)
{
    uint32_t r[4];
    cpuid(0xd, 0, r);
    components = r[0] & COMPONENTS;
    if ((components & 0xe0) != 0xe0 || !(components & 4)) {
        components &= 7;
    }
    extended_size = EXTENDED_LEGACY + EXTENDED_HEADER;
    for (uint32_t i = 2; i < 8; i++) {
        cpuid(0xd, i, r);
        if ((components >> i & 1) != 0 && r[0] + r[1] > extended_size) {
            extended_size = r[0] + r[1];
        }
    }
    if (extended_size > PAGE_SIZE || FRESH_EXTENDED + extended_size > AREA_SIZE - AREA_STACK) {
        linux_fail("the processor's registers are too many", 0);
    }
}

static struct linux_signal_frame *frame_memory(const struct thread *t)
{
    const struct linux_slot *s = t->arch.slot;
    return (struct linux_signal_frame *)(void *)(linux_slot_memory(s) +
                                                 (t->arch.frame - linux_slot_area(s)));
}

static uint64_t own_gs(const struct thread *t)
{
    return linux_slot_area(t->arch.slot) + AREA_STATE;
}

/* --- to the process --- */

static void fill_frame(const struct thread *t, struct linux_signal_frame *f)
{
    const struct user_registers *r = &t->arch.registers;
    f->rax = r->rax, f->rbx = r->rbx, f->rcx = r->rcx, f->rdx = r->rdx;
    f->rsi = r->rsi, f->rdi = r->rdi, f->rbp = r->rbp, f->rsp = r->rsp;
    f->r8 = r->r8, f->r9 = r->r9, f->r10 = r->r10, f->r11 = r->r11;
    f->r12 = r->r12, f->r13 = r->r13, f->r14 = r->r14, f->r15 = r->r15;
    f->rip = r->rip;
    f->rflags = r->rflags;
    f->cs = SEGMENT_CODE;
    f->gs = f->fs = 0;
    f->ss = SEGMENT_DATA;
    f->mask = 0;
}

static void write_extended(const struct thread *t, uint8_t *to)
{
    struct software_words words = {.magic = MAGIC_BEGIN,
                                   .size = extended_size + (uint32_t)sizeof(uint32_t),
                                   .components = components,
                                   .extended_size = extended_size};
    uint32_t end = MAGIC_END;
    memcpy(to, t->arch.extended, extended_size);
    memcpy(to + EXTENDED_SOFTWARE, &words, sizeof(words));
    memcpy(to + extended_size, &end, sizeof(end));
}

/* At the lower end of the signal stack: signals are pushed at the upper one. */
static void make_frame(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    uint64_t stack = linux_slot_area(a->slot) + AREA_STACK;
    a->frame = stack;
    struct linux_signal_frame *f = frame_memory(t);
    memset(f, 0, sizeof(*f));
    f->flags = FRAME_FLAGS;
    f->stack = (struct linux_stack){.address = stack, .size = AREA_SIZE - AREA_STACK};
    fill_frame(t, f);
    if (a->has_extended) {
        f->extended = stack + FRESH_EXTENDED;
        write_extended(t, (uint8_t *)f + FRESH_EXTENDED);
    }
}

static void load_bases(const struct thread *t, struct linux_state *s)
{
    const struct user_registers *r = &t->arch.registers;
    struct linux_slot *slot = t->arch.slot;
    s->fs = r->fs_base;
    s->gs = r->gs_base != 0 ? r->gs_base : own_gs(t);
    if (linux_bases_by_call) {
        s->set_bases = slot->fs != s->fs || slot->gs != s->gs;
        slot->fs = s->fs;
        slot->gs = s->gs;
        if (r->gs_base != 0) {
            linux_process_foreign_gs(slot->process);
        }
    }
}

void linux_thread_load(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    struct linux_state *s = linux_slot_state(a->slot);
    if (a->mode == LINUX_GATE) {
        s->result = a->registers.rax;
        s->kind = KIND_LIGHT;
        return;
    }
    if (a->mode == LINUX_FRESH) {
        make_frame(t);
    } else if (a->dirty) {
        fill_frame(t, frame_memory(t));
    }
    a->dirty = false;
    load_bases(t, s);
    s->frame = a->frame;
    s->kind = KIND_FRAME;
}

/* --- from the process --- */

static bool in_code(uint64_t address, const char *from, const char *end)
{
    return address >= linux_stub_address(from) && address < linux_stub_address(end);
}

/* The kernel wanted it in the middle of the gate, or on its way to its first instruction. */
static void take_out_of_gate(struct thread *t, const struct linux_state *s, enum linux_mode before)
{
    struct user_registers *r = &t->arch.registers;
    if (in_code(r->rip, linux_stub, linux_gate_posted)) {
        r->rip = HELPER_STUB; /* again; nothing has happened but that rcx and r11 are lost */
    } else if (in_code(r->rip, linux_gate_posted, linux_gate_end) && before == LINUX_GATE) {
        r->rax = s->result;
        r->rdi = s->rdi;
        r->rsi = s->rsi;
        r->rdx = s->rdx;
        r->r10 = s->r10;
        r->rip = linux_stub_address(linux_gate_returns);
    } else {
        return;
    }
    t->arch.dirty = true;
}

static void take_frame(struct thread *t, const struct linux_state *s)
{
    struct arch_thread *a = &t->arch;
    struct linux_signal_frame f;
    memcpy(&f, frame_memory(t), sizeof(f));
    uint64_t area = linux_slot_area(a->slot);
    uint64_t fs = a->registers.fs_base, gs = a->registers.gs_base;
    if (!linux_bases_by_call) {
        fs = s->fs;
        gs = s->gs != own_gs(t) ? s->gs : 0;
    }
    a->registers = (struct user_registers){
        .rax = f.rax, .rbx = f.rbx, .rcx = f.rcx, .rdx = f.rdx, .rsi = f.rsi, .rdi = f.rdi,
        .rbp = f.rbp, .rsp = f.rsp, .r8 = f.r8, .r9 = f.r9, .r10 = f.r10, .r11 = f.r11,
        .r12 = f.r12, .r13 = f.r13, .r14 = f.r14, .r15 = f.r15, .rip = f.rip,
        .rflags = f.rflags, .fs_base = fs, .gs_base = gs,
    };
    a->dirty = false;
    uint64_t last = area + AREA_SIZE - EXTENDED_LEGACY - EXTENDED_HEADER;
    bool good = f.extended >= area + AREA_STACK && f.extended <= last && (f.extended & 63) == 0;
    a->extended_at = good ? f.extended : 0;
}

void linux_thread_take(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    const struct linux_state *in_process = linux_slot_state(a->slot);
    struct linux_state s;
    memcpy(&s, in_process, sizeof(s));
    a->pending = true;
    a->cause = s.cause;
    linux_process_serve(a->slot, s.cause == SIGNAL_FAULT);
    if (s.cause == CAUSE_GATE) {
        a->registers.rax = s.rax;
        a->registers.rdi = s.rdi;
        a->registers.rsi = s.rsi;
        a->registers.rdx = s.rdx;
        a->mode = LINUX_GATE;
        return;
    }
    uint64_t area = linux_slot_area(a->slot);
    uint64_t last = area + AREA_SIZE - sizeof(struct linux_signal_frame);
    if (s.frame < area + AREA_STACK || s.frame > last || s.frame % 8 != 0) {
        linux_process_kill(a->slot->process); /* nobody but the stub says where */
        return;
    }
    enum linux_mode before = a->before;
    struct user_registers kept = a->registers;
    uint64_t kept_frame = a->frame;
    a->frame = s.frame;
    take_frame(t, &s);
    a->mode = LINUX_FRAME;
    if (s.cause == SIGNAL_PREEMPT) {
        uint64_t rip = a->registers.rip;
        if (before == LINUX_FRESH && (in_code(rip, linux_stub_goes, linux_stub_goes_end) ||
                                      in_code(rip, linux_gate_posted, linux_gate_end))) {
            a->registers = kept; /* it has not begun yet */
            a->frame = kept_frame;
            a->mode = LINUX_FRESH;
            a->slot->fs = BASE_UNKNOWN; /* one may be set and the other not */
            return;
        }
        take_out_of_gate(t, &s, before);
    }
    a->has_extended = false;
}

/* Without extended state that can be read: what it is after reset. */
static void reset_extended(uint8_t *out)
{
    uint32_t mxcsr = MXCSR_START;
    memset(out, 0, extended_size);
    memcpy(out + MXCSR_OFFSET, &mxcsr, sizeof(mxcsr));
}

/* FRAME: from the signal's frame. */
static void read_extended(const struct thread *t, uint8_t *out)
{
    const struct arch_thread *a = &t->arch;
    reset_extended(out);
    if (a->extended_at == 0) {
        return;
    }
    const uint64_t offset = a->extended_at - linux_slot_area(a->slot);
    const uint8_t *in = linux_slot_memory(a->slot) + offset;
    struct software_words words;
    memcpy(&words, in + EXTENDED_SOFTWARE, sizeof(words));
    uint64_t size = words.extended_size < extended_size ? words.extended_size : extended_size;
    if (words.magic != MAGIC_BEGIN || size < EXTENDED_LEGACY + EXTENDED_HEADER ||
        size > AREA_SIZE - offset) {
        size = EXTENDED_LEGACY;
        words.components = 3;
    }
    memcpy(out, in, size);
    memset(out + EXTENDED_SOFTWARE, 0, sizeof(words));
    uint64_t there = 3;
    if (size > EXTENDED_LEGACY) {
        memcpy(&there, out + EXTENDED_LEGACY, sizeof(there));
    }
    there &= words.components & components;
    memset(out + EXTENDED_LEGACY, 0, EXTENDED_HEADER);
    memcpy(out + EXTENDED_LEGACY, &there, sizeof(there));
}

/* All registers come into its struct. What it had come for and core does not know is undone: it
 * does it again when it runs on. */
static void settle(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    if (a->mode == LINUX_RUNNING) {
        linux_stop(t);
    }
    bool again = a->pending;
    a->pending = false;
    if (a->mode == LINUX_GATE) {
        uint64_t rax = a->registers.rax;
        linux_deepen(t);
        a->registers.rax = rax;
        a->registers.rip = again ? HELPER_STUB : linux_stub_address(linux_gate_returns);
        a->dirty = true;
    } else if (again && a->mode == LINUX_FRAME && a->cause == SIGSYS) {
        a->registers.rip -= SYSCALL_SIZE;
        a->dirty = true;
    }
}

void linux_thread_unload(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    settle(t);
    if (a->mode == LINUX_FRAME) {
        read_extended(t, a->extended);
        a->has_extended = true;
    }
    a->mode = LINUX_FRESH;
    linux_slot_release(a->slot);
    a->slot = NULL;
}

/* --- what core asks for --- */

status_t arch_thread_init(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    *a = (struct arch_thread){.mode = LINUX_FRESH};
    return kmem_alloc(t->account, extended_size, &a->extended);
}

void arch_thread_destroy(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    KASSERT(a->slot == NULL);
    if (a->extended != NULL) {
        kmem_free(t->account, a->extended, extended_size);
        a->extended = NULL;
    }
}

void arch_thread_forget(struct thread *t)
{
    struct arch_thread *a = &t->arch;
    if (a->slot == NULL) {
        return;
    }
    if (a->mode == LINUX_RUNNING) {
        linux_stop(t);
    }
    linux_slot_release(a->slot);
    a->slot = NULL;
    a->mode = LINUX_FRESH;
    a->pending = false;
}

void arch_thread_start(struct thread *t, uint64_t entry, uint64_t stack, uint64_t argument,
                       uint64_t ring, uint64_t extra, uint64_t fs_base)
{
    KASSERT(t->arch.mode == LINUX_FRESH);
    t->arch.registers = (struct user_registers){
        .rip = entry, .rsp = stack, .rdi = argument, .rsi = ring, .rdx = extra,
        .fs_base = fs_base, .rflags = FLAG_IF | FLAG_RESERVED};
    t->arch.has_extended = false;
}

void arch_thread_fork(struct thread *child, struct thread *parent)
{
    settle(parent);
    struct arch_thread *a = &child->arch;
    a->registers = parent->arch.registers;
    arch_thread_extended(parent, a->extended);
    a->has_extended = true;
}

void arch_thread_registers(struct thread *t, struct user_registers *out)
{
    settle(t);
    *out = t->arch.registers;
}

void arch_thread_set_registers(struct thread *t, const struct user_registers *in)
{
    settle(t);
    struct user_registers *r = &t->arch.registers;
    *r = *in;
    r->rflags = (in->rflags & FLAGS_USER) | FLAG_IF | FLAG_RESERVED;
    r->fs_base = in->fs_base < USER_END ? in->fs_base : 0;
    r->gs_base = in->gs_base < USER_END ? in->gs_base : 0;
    t->arch.dirty = true;
}

void arch_thread_set_bases(struct thread *t, uint64_t fs, uint64_t gs)
{
    settle(t);
    t->arch.registers.fs_base = fs < USER_END ? fs : 0;
    t->arch.registers.gs_base = gs < USER_END ? gs : 0;
}

uint32_t arch_extended_size(void)
{
    return extended_size;
}

void arch_thread_extended(struct thread *t, void *out)
{
    settle(t);
    if (t->arch.mode == LINUX_FRAME) {
        read_extended(t, out);
    } else if (t->arch.has_extended) {
        memcpy(out, t->arch.extended, extended_size);
    } else {
        reset_extended(out);
    }
}

void arch_time_open(struct process *p)
{
    p->arch.time_open = true; /* linux_resume() gives its threads others */
}
