/* The simulated machine in a test: boot, kernel entries, time, link, counts. See sim.h. */
#include "tests/lib/sim.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/boot_package.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/boot_package.h"
#include "kernel/core/frame.h"
#include "kernel/core/host_link.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim_internal.h"

#define PAGES_DEFAULT 8192
#define PANIC_TEXT_SIZE 1000
#define LOG_SHOWN 3000 /* bytes of the kernel's log that a failing test shows */

static struct counts counts_at_boot;
static uint64_t frames_of_machine;
static bool booted, machine_ended;
static int machine_code;
static jmp_buf *entry_jump, *panic_jump;
static char panic_text[PANIC_TEXT_SIZE];

static void show_log(void)
{
    size_t size = sim_machine.log_size;
    size_t shown = size < LOG_SHOWN ? size : LOG_SHOWN;
    fprintf(stderr, "%s", sim_machine.log + size - shown);
}

static void panicked(const char *text)
{
    snprintf(panic_text, sizeof(panic_text), "%s", text);
    if (panic_jump != NULL) {
        longjmp(*panic_jump, 1);
    }
    show_log();
    FAIL("panic: %s", panic_text);
}

static void ended(int code)
{
    machine_ended = true;
    machine_code = code;
    if (entry_jump == NULL) {
        FAIL("the machine ended with %d outside of an entry to the kernel", code);
    }
    longjmp(*entry_jump, 1);
}

bool sim_ended(int *code)
{
    if (code != NULL) {
        *code = machine_code;
    }
    return machine_ended;
}

const char *sim_panic_text(void)
{
    return panic_text;
}

bool sim_panics(void (*fn)(void))
{
    jmp_buf here;
    panic_text[0] = 0;
    volatile bool panics = true;
    panic_jump = &here;
    if (setjmp(here) == 0) {
        fn();
        panics = false;
    }
    panic_jump = NULL;
    return panics;
}

/* --- boot --- */

static void at_end(void)
{
    if (booted && !machine_ended && panic_text[0] == 0) {
        sim_end_all();
        counts_check(&counts_at_boot);
    }
}

static struct boot_info start_machine(const struct sim_options *options, const void *package,
                                      size_t package_size)
{
    struct sim_options o = options != NULL ? *options : (struct sim_options){0};
    uint64_t pages = o.pages != 0 ? o.pages : PAGES_DEFAULT;
    uint64_t package_pages = SIM_IMAGE_PAGES + PAGES(package_size);
    sim_machine_start(pages, o.cpus != 0 ? o.cpus : 1, o.seed);
    sim_machine.panicked = panicked;
    sim_machine.ended = ended;
    frame_t first = SIM_FIRST_FRAME + package_pages;
    if (package_size > 0) {
        memcpy(arch_frame_address(SIM_FIRST_FRAME + SIM_IMAGE_PAGES), package, package_size);
    }
    return (struct boot_info){
        .objects = {{o.extra_name, o.extra}},
        .object_count = o.extra != NULL ? 1 : 0,
        .memory = {{first, pages}},
        .memory_count = 1,
        .package_first = SIM_FIRST_FRAME + SIM_IMAGE_PAGES,
        .package_size = package_size,
        .cpu_count = sim_machine.cpu_count,
    };
}

/* The kernel makes a binary's Image when it is first asked for, and keeps it: so it is not counted
 * with the test. */
static void make_images(const struct boot_package_header *package)
{
    for (uint32_t i = 0; i < package->count; i++) {
        const char *name = package->entries[i].name;
        struct object *image;
        if (strcmp(name, BOOT_PACKAGE_MANIFEST) != 0) {
            CHECK_OK(boot_package_image(name, strlen(name), &image));
            object_put(image);
        }
    }
}

void sim_boot(const struct sim_options *options)
{
    size_t package_size = options != NULL ? options->package_size : 0;
    struct boot_info info =
        start_machine(options, options != NULL ? options->package : NULL, package_size);
    kernel_bring_up(&info);
    if (package_size > 0) {
        const char *reason = "";
        if (boot_package_open(info.package_first, package_size, &reason) != STATUS_OK) {
            FAIL("%s", reason);
        }
        make_images(options->package);
    }
    booted = true;
    counts_start();
    test_at_end(at_end);
}

struct start_arguments {
    const struct boot_info *info;
};

static void start_kernel(void *context)
{
    kernel_start(((struct start_arguments *)context)->info);
}

void sim_boot_package(const struct sim_options *options, const void *package, size_t size)
{
    struct boot_info info = start_machine(options, package, size);
    struct start_arguments arguments = {&info};
    sim_enter_kernel(0, start_kernel, &arguments);
    booted = true;
}

/* --- entries --- */

static void load_address_space(struct cpu *cpu, const struct thread *next)
{
    if (next == NULL) {
        return; /* idle: the tables stay loaded until they go or others come */
    }
    CHECK(next->process != NULL && next->process->space != NULL);
    CHECK_EQ(next->state, THREAD_RUNNING);
    CHECK_EQ(next->cpu, cpu->number);
    cpu->arch.loaded = &next->process->space->arch;
}

void sim_enter_kernel(uint32_t cpu, void (*fn)(void *context), void *context)
{
    jmp_buf here;
    jmp_buf *outer = entry_jump;
    CHECK(!machine_ended);
    sim_machine.cpu = cpu;
    entry_jump = &here;
    if (setjmp(here) == 0) {
        fn(context);
        struct thread *next = kernel_leave();
        CHECK(next == sim_machine.cpus[cpu].current);
        load_address_space(&sim_machine.cpus[cpu], next);
    }
    entry_jump = outer;
}

static void tick(void *context)
{
    (void)context;
    kernel_tick();
}

void sim_tick(uint32_t cpu)
{
    sim_enter_kernel(cpu, tick, NULL);
}

#define SETTLE_ROUNDS                                                                              \
    10000 /* more than any test has threads: beyond, CPUs poke each other for ever */

void sim_settle(void)
{
    bool again = true;
    sim_tick(sim_machine.cpu); /* reaps what died outside of an entry */
    for (int round = 0; again && !machine_ended; round++) {
        CHECK_LT(round, SETTLE_ROUNDS);
        again = false;
        for (uint32_t i = 0; i < sim_machine.cpu_count && !machine_ended; i++) {
            struct cpu *cpu = &sim_machine.cpus[i];
            if (cpu->arch.poked || (cpu->current == NULL && cpu->ready_count > 0)) {
                cpu->arch.poked = false;
                sim_tick(i);
                again = true;
            }
        }
    }
}

void sim_advance(uint64_t ns)
{
    uint64_t end = sim_machine.now_ns + ns;
    while (!machine_ended) {
        struct cpu *first = NULL;
        for (uint32_t i = 0; i < sim_machine.cpu_count; i++) {
            struct cpu *cpu = &sim_machine.cpus[i];
            if (cpu->arch.timer_ns <= end
                && (first == NULL || cpu->arch.timer_ns < first->arch.timer_ns)) {
                first = cpu;
            }
        }
        if (first == NULL) {
            break;
        }
        if (first->arch.timer_ns > sim_machine.now_ns) {
            sim_machine.now_ns = first->arch.timer_ns;
        }
        first->arch.timer_ns = UINT64_MAX; /* one shot */
        sim_tick((uint32_t)(first - sim_machine.cpus));
    }
    sim_machine.now_ns = end;
    if (!machine_ended) {
        sim_settle();
    }
}

static void link_input(void *context)
{
    (void)context;
    kernel_link_input();
}

void sim_host_sends(const void *bytes, size_t size)
{
    while (size > 0 && !machine_ended) {
        size_t put = sim_bytes_put(&sim_machine.from_host, bytes, size);
        sim_enter_kernel(0, link_input, NULL);
        CHECK(put > 0 || sim_machine.from_host.count < sim_machine.from_host.limit);
        bytes = (const uint8_t *)bytes + put;
        size -= put;
    }
}

void sim_host_greets(void)
{
    struct {
        struct host_link_header header;
        struct host_link_host_hello hello;
    } greeting = {
        {.type = HOST_LINK_HELLO, .length = sizeof(greeting.hello)},
        {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION},
    };
    sim_host_sends(&greeting, sizeof(greeting));
}

void sim_host_connect(void)
{
    host_link_start(sim_machine.cpu_count, tally.frames * PAGE_SIZE);
    sim_host_greets();
}

size_t sim_host_takes(void *bytes, size_t size)
{
    size_t got = sim_bytes_get(&sim_machine.to_host, bytes, size);
    if (got > 0 && !machine_ended) {
        sim_enter_kernel(0, link_input, NULL); /* room again */
    }
    return got;
}

/* --- counts --- */

struct counts counts_take(void)
{
    struct counts c = {
        .frames_free = tally.frames_free,
        .kernel_bytes = tally.kernel_bytes,
        .timers = tally.timers,
        .processes = tally.processes,
        .threads = tally.threads,
    };
    memcpy(c.used, ledger_root.used, sizeof(c.used));
    return c;
}

void counts_start(void)
{
    counts_at_boot = counts_take();
    uint64_t used = tally.frames - tally.frames_free - tally.kernel_frames;
    uint64_t charged = ledger_root.used[LEDGER_FRAMES];
    frames_of_machine = used > charged ? used - charged : 0;
}

void sim_drop_time_page(void)
{
    if (timer_page_frame != FRAME_NONE) {
        frame_put(timer_page_frame);
        timer_page_frame = FRAME_NONE;
    }
}

uint64_t sim_frames_of_machine(void)
{
    return frames_of_machine;
}

void counts_check(const struct counts *before)
{
    static const char *const kinds[LEDGER_KINDS] = {"frames",       "reserved pages", "mappings",
                                                    "slots",        "threads",        "calls",
                                                    "queued bytes", "kernel bytes"};
    struct counts now = counts_take();
    char text[600];
    int size = 0;
#define COUNT_COMPARE_(name, was, is)                                                              \
    if ((was) != (is)) {                                                                           \
        size += snprintf(text + size, sizeof(text) - (size_t)size, "%s%s: %llu, was %llu",         \
                         size > 0 ? "; " : "", (name), (unsigned long long)(is),                   \
                         (unsigned long long)(was));                                               \
    }
    COUNT_COMPARE_("free frames", before->frames_free, now.frames_free);
    COUNT_COMPARE_("bytes of kmem", before->kernel_bytes, now.kernel_bytes);
    COUNT_COMPARE_("timers", before->timers, now.timers);
    COUNT_COMPARE_("processes", before->processes, now.processes);
    COUNT_COMPARE_("thread structs", before->threads, now.threads);
    for (int i = 0; i < LEDGER_KINDS; i++) {
        COUNT_COMPARE_(kinds[i], before->used[i], now.used[i]);
    }
    if (size > 0) {
        show_log();
        FAIL("counts are not back: %s", text);
    }
}

void for_each_allocation_failure(void (*setup)(void), void (*body)(void))
{
    struct counts before = counts_take();
    for (int64_t n = 0;; n++) {
        if (setup != NULL) {
            setup();
        }
        kmem_fail_after = n;
        body();
        bool fired = kmem_fail_after < 0;
        kmem_fail_after = -1;
        sim_end_all();
        counts_check(&before);
        if (!fired) {
            return;
        }
    }
}
