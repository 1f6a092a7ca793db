/* Processes of a test, and the test as their user code. See sim.h. */
#include <elf.h>
#include <stdlib.h>

#include "abi/start.h"
#include "kernel/core/frame.h"
#include "tests/lib/sim.h"
#include "tests/lib/sim_internal.h"

#define PROGRAM_ADDRESS 0x400000ull
#define PROGRAM_DATA_SIZE 0x100 /* of the file, in its second page */
#define PROGRAM_DATA_PAGES 3    /* with what is zeroed */
#define PROCESSES_MAX 4096

static struct object *image;
static struct process *held[PROCESSES_MAX]; /* a reference each */
static bool bare[PROCESSES_MAX];
static unsigned held_count;
static struct user *users;

/* --- the program --- */

size_t sim_program(uint8_t *bytes, size_t room)
{
    CHECK_GE(room, 2 * PAGE_SIZE);
    Elf64_Ehdr *header = (void *)bytes;
    Elf64_Phdr *segments = (void *)(bytes + sizeof(*header));
    *header = (Elf64_Ehdr){
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_EXEC,
        .e_machine = EM_X86_64,
        .e_version = EV_CURRENT,
        .e_entry = PROGRAM_ADDRESS + 0x800,
        .e_phoff = sizeof(*header),
        .e_ehsize = sizeof(*header),
        .e_phentsize = sizeof(*segments),
        .e_phnum = 2,
    };
    segments[0] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_X,
        .p_vaddr = PROGRAM_ADDRESS,
        .p_filesz = PAGE_SIZE,
        .p_memsz = PAGE_SIZE,
        .p_align = PAGE_SIZE,
    };
    segments[1] = (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W,
        .p_offset = PAGE_SIZE,
        .p_vaddr = PROGRAM_ADDRESS + PAGE_SIZE,
        .p_filesz = PROGRAM_DATA_SIZE,
        .p_memsz = PROGRAM_DATA_PAGES * PAGE_SIZE,
        .p_align = PAGE_SIZE,
    };
    for (unsigned i = 0; i < PROGRAM_DATA_SIZE; i++) {
        bytes[PAGE_SIZE + i] = (uint8_t)i;
    }
    return PAGE_SIZE + PROGRAM_DATA_SIZE;
}

struct object *sim_image(void)
{
    if (image == NULL) {
        size_t size = sim_program(arch_frame_address(SIM_FIRST_FRAME), SIM_IMAGE_PAGES * PAGE_SIZE);
        CHECK_OK(memory_object_create_boot(SIM_FIRST_FRAME, size, &image));
    }
    return image;
}

/* --- processes --- */

static struct process *hold(struct process *p, bool by_hand)
{
    CHECK_LT(held_count, PROCESSES_MAX);
    bare[held_count] = by_hand;
    held[held_count++] = p;
    return p;
}

status_t sim_process_try(struct account *parent, struct object *const *grants, uint32_t count,
                         const uint64_t *limits, struct process **out)
{
    const char *reason = "";
    uint64_t start[2] = {1ull << 32, 0}; /* a message whose root is null */
    status_t s = process_create(parent, "sim", 3, sim_image(), start, sizeof(start), grants, count,
                                limits, out, &reason);
    if (s == STATUS_OK) {
        process_start(hold(*out, false));
    }
    return s;
}

struct process *sim_process(struct object *const *grants, uint32_t count)
{
    struct process *p;
    CHECK_OK(sim_process_try(&ledger_root, grants, count, NULL, &p));
    return p;
}

void sim_let_go(struct process *p)
{
    for (unsigned i = 0; i < held_count; i++) {
        if (held[i] == p && !bare[i]) {
            held[i] = held[--held_count];
            bare[i] = bare[held_count];
            object_put(&p->object);
            return;
        }
    }
    FAIL("the driver does not hold that process");
}

struct process *sim_bare_process(void)
{
    struct process *p = calloc(1, sizeof(*p));
    CHECK(p != NULL);
    CHECK_OK(account_create(&ledger_root, NULL, &p->account));
    CHECK_OK(address_space_create(p->account, &p->space));
    cap_table_init(&p->table, p->account);
    list_init(&p->threads);
    list_init(&p->waiters);
    list_init(&p->all);
    p->time_granted = true;
    return hold(p, true);
}

static void free_bare(struct process *p)
{
    cap_table_destroy(&p->table);
    object_reap();
    address_space_destroy(p->space);
    account_put(p->account);
    free(p);
}

cap_id_t sim_grant(struct process *p, struct object *o)
{
    cap_id_t id;
    CHECK_OK(cap_table_insert(&p->table, object_get(o), &id));
    return id;
}

static struct process *first_alive(void)
{
    for (struct list *l = process_all.next; l != NULL && l != &process_all; l = l->next) {
        struct process *p = CONTAINER_OF(l, struct process, all);
        if (!p->ended) {
            return p;
        }
    }
    return NULL;
}

static void end_processes(void *context)
{
    (void)context;
    const struct exit_record record = {.kind = EXIT_KIND_TERMINATED};
    struct process *p;
    while ((p = first_alive()) != NULL) {
        process_end(p, &record);
        CHECK(p->ended);
    }
}

void sim_end_all(void)
{
    bool real = !list_empty(&process_all);
    for (unsigned i = 0; i < held_count; i++) {
        real = real || !bare[i];
    }
    if (real) {
        sim_enter_kernel(sim_machine.cpu, end_processes, NULL);
    }
    while (users != NULL) {
        struct user *u = users;
        users = u->next;
        object_put(&u->thread->object);
        free(u);
    }
    while (held_count > 0) {
        struct process *p = held[--held_count];
        if (bare[held_count]) {
            free_bare(p);
        } else {
            object_put(&p->object);
        }
    }
    object_put(image);
    image = NULL;
    if (real) {
        sim_settle();
    } else {
        object_reap();
    }
}

/* --- user code --- */

struct user *user_of_thread(struct thread *t)
{
    for (struct user *u = users; u != NULL; u = u->next) {
        if (u->thread == t) {
            return u;
        }
    }
    struct user *u = calloc(1, sizeof(*u));
    CHECK(u != NULL);
    CHECK(t->process != NULL);
    u->thread = t;
    object_get(&t->object);
    u->process = t->process;
    u->ring = t->ring.user_address;
    CHECK_OK(address_space_map(u->process->space, 0, false, USER_SCRATCH_SIZE,
                               PROTECTION_READ_WRITE, &u->scratch));
    u->next = users;
    users = u;
    return u;
}

struct user *user_of(struct process *p)
{
    CHECK(!list_empty(&p->threads));
    return user_of_thread(LIST_FIRST(&p->threads, struct thread, of_process));
}

struct user *user_thread(struct process *p)
{
    struct thread *t;
    CHECK_OK(thread_create(p, p->space, 0, &t));
    arch_thread_start(t, PROGRAM_ADDRESS + 0x800, 0, 0, t->ring.user_address, 0, 0);
    thread_start(t);
    struct user *u = user_of_thread(t);
    return u;
}

void user_switch_to(struct user *u)
{
    struct thread *t = u->thread;
    CHECK_NE(t->state, THREAD_DEAD);
    CHECK_NE(t->state, THREAD_BLOCKED);
    CHECK_NE(t->state, THREAD_NEW);
    struct cpu *cpu = arch_cpu_by_number(t->cpu);
    sim_machine.cpu = t->cpu;
    if (cpu->current != t) {
        struct thread *before = cpu->current;
        sched_remove(t);
        cpu->current = t;
        t->state = THREAD_RUNNING;
        t->started_ns = arch_now_ns();
        if (before != NULL) {
            sched_charge(before, arch_now_ns());
            before->state = THREAD_READY; /* as if its slice were over */
            sched_ready(before);
        }
    }
    cpu->space = u->process->space;
    cpu->arch.loaded = &u->process->space->arch;
}

enum outcome user_state(const struct user *u)
{
    return u->thread->state == THREAD_DEAD      ? USER_DIED
           : u->thread->state == THREAD_BLOCKED ? USER_BLOCKED
                                                : USER_RETURNED;
}

int64_t user_result(const struct user *u)
{
    return (int64_t)u->thread->arch.registers.rax;
}

static void syscall_entry(void *context)
{
    const uint64_t *words = context;
    kernel_syscall(words[0], words[1], words[2], words[3]);
}

enum outcome user_syscall(struct user *u, uint64_t number, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t words[4] = {number, a, b, c};
    user_switch_to(u);
    struct user_registers *r = &u->thread->arch.registers;
    r->rax = number;
    r->rdi = a;
    r->rsi = b;
    r->rdx = c;
    sim_enter_kernel(u->thread->cpu, syscall_entry, words);
    return user_state(u);
}

enum outcome user_enter(struct user *u, uint32_t min_complete, uint64_t timeout_ns)
{
    return user_syscall(u, SYSCALL_CAP_ENTER, min_complete, timeout_ns, user_ring(u).upcalls);
}

struct fault {
    uint64_t address;
    enum upcall_access access;
};

static void fault_entry(void *context)
{
    const struct fault *f = context;
    kernel_fault(UPCALL_PAGE_FAULT, f->access, f->address);
}

bool user_touch(struct user *u, uint64_t address, enum upcall_access access)
{
    for (int i = 0; i < 4; i++) {
        if (u->process->space != NULL
            && sim_translate(&u->process->space->arch, address, access) != NULL) {
            return true;
        }
        struct fault f = {address, access};
        user_switch_to(u);
        uint32_t upcalls = u->thread->upcalls;
        sim_enter_kernel(u->thread->cpu, fault_entry, &f);
        if (user_state(u) != USER_RETURNED || u->thread->upcalls != upcalls) {
            return false;
        }
    }
    FAIL("the fault at 0x%llx comes again and again", (unsigned long long)address);
}

static uint8_t *reach(struct process *p, uint64_t address, enum upcall_access access)
{
    if (p->space == NULL || address < USER_BASE || address >= USER_END) {
        return NULL;
    }
    for (int i = 0; i < 4; i++) {
        uint8_t *bytes = sim_translate(&p->space->arch, address, access);
        if (bytes != NULL) {
            return bytes;
        }
        if (address_space_fault(p->space, address, access) != STATUS_OK) {
            return NULL;
        }
    }
    FAIL("the fault at 0x%llx comes again and again", (unsigned long long)address);
}

bool user_read(struct process *p, uint64_t address, void *out, size_t size)
{
    for (size_t done = 0; done < size;) {
        uint8_t *bytes = reach(p, address + done, UPCALL_ACCESS_READ);
        if (bytes == NULL) {
            return false;
        }
        size_t room = (size_t)(PAGE_SIZE - ((address + done) & (PAGE_SIZE - 1)));
        size_t part = size - done < room ? size - done : room;
        memcpy((uint8_t *)out + done, bytes, part);
        done += part;
    }
    return true;
}

bool user_write(struct process *p, uint64_t address, const void *from, size_t size)
{
    for (size_t done = 0; done < size;) {
        uint8_t *bytes = reach(p, address + done, UPCALL_ACCESS_WRITE);
        if (bytes == NULL) {
            return false;
        }
        size_t room = (size_t)(PAGE_SIZE - ((address + done) & (PAGE_SIZE - 1)));
        size_t part = size - done < room ? size - done : room;
        memcpy(bytes, (const uint8_t *)from + done, part);
        done += part;
    }
    return true;
}

uint64_t user_place(struct user *u, const void *bytes, size_t size)
{
    uint64_t at = ALIGN_UP(u->scratch_used, (uint64_t)16);
    CHECK_LE(at + size, USER_SCRATCH_SIZE);
    u->scratch_used = at + size;
    if (bytes != NULL) {
        CHECK(user_write(u->process, u->scratch + at, bytes, size));
    }
    return u->scratch + at;
}

void user_scratch_reset(struct user *u)
{
    u->scratch_used = 0;
}
