/* From the loader's hand-over (PVH: Xen's "x86/HVM direct boot ABI") to core's kernel_start().
 * First CPU, once.
 *
 * Everything that the loader says is read before the memory it lies in is handed out; memory ranges
 * are clipped and what is in use is cut out of them. Nothing is cleared and nothing is copied. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/entry.h"

#define START_INFO_MAGIC 0x336ec578u
#define MEMORY_RAM 1u
#define LOW_FIRST 0x1000ull  /* frame 0 is never given out */
#define TRAMPOLINE 0x8000ull /* page in low memory where other CPUs will start */
#define HOLES 3
#define RANGES ARRAY_SIZE(((struct boot_info *)0)->memory)
#define LOADER_RANGES_MAX 128u

struct start_info {
    uint32_t magic, version, flags, module_count;
    uint64_t modules, command_line, rsdp, memory_map;
    uint32_t memory_map_count, reserved;
};

struct start_module {
    uint64_t address, size, command_line, reserved;
};

struct start_memory {
    uint64_t address, size;
    uint32_t type, reserved;
};

struct range {
    uint64_t first, end; /* bytes */
};

extern const char x86_image_start[], x86_image_end[];
_Noreturn void x86_boot(uint64_t start_info);

bool x86_test_panic;

static struct cpu first_cpu;
static struct boot_info info;

uint32_t arch_cpu_count(void)
{
    return 1; /* that run; the others are not started yet */
}

struct cpu *arch_cpu_by_number(uint32_t n)
{
    KASSERT(n == 0);
    return &first_cpu;
}

void arch_cpu_poke(uint32_t n)
{
    x86_apic_send(arch_cpu_by_number(n)->arch.apic_id, VECTOR_POKE);
}

void arch_cpu_stop(uint32_t n)
{
    panic("CPU %u is to be stopped, and only one runs", n);
}

static void append(uint64_t first, uint64_t end)
{
    if (first < end && info.memory_count < RANGES) {
        info.memory[info.memory_count].first = first >> PAGE_SHIFT;
        info.memory[info.memory_count++].end = end >> PAGE_SHIFT;
    }
}

/* Appends a range to what core gets, without what lies in the holes, which ascend. */
static void add_memory(uint64_t first, uint64_t end, const struct range holes[HOLES])
{
    first = ALIGN_UP(first, PAGE_SIZE);
    end &= ~(PAGE_SIZE - 1);
    for (uint32_t h = 0; h < HOLES; h++) {
        append(first, holes[h].first < end ? holes[h].first : end);
        first = holes[h].end > first ? holes[h].end : first;
    }
    append(first, end);
}

/* The loader's range with the lowest address at or above `from`, so that they come ascending,
 * whatever their order. */
static const struct start_memory *next_range(const struct start_info *s, uint64_t from)
{
    const struct start_memory *all = x86_physical(s->memory_map), *best = NULL;
    for (uint32_t i = 0; i < s->memory_map_count && i < LOADER_RANGES_MAX; i++) {
        const struct start_memory *m = &all[i];
        if (m->type == MEMORY_RAM && m->size > 0 && m->address >= from &&
            m->address + m->size > m->address && (best == NULL || m->address < best->address)) {
            best = m;
        }
    }
    return best;
}

/* A page for a table of the direct map: from the end of the last range below 1 GiB. */
static uint64_t take_page(void)
{
    for (uint32_t i = info.memory_count; i-- > 0;) {
        if (info.memory[i].end <= (1ull << 30) >> PAGE_SHIFT &&
            info.memory[i].end > info.memory[i].first) {
            return --info.memory[i].end << PAGE_SHIFT;
        }
    }
    panic("boot: no memory below 1 GiB for page tables");
}

static void read_memory_map(const struct start_info *s)
{
    uint64_t package = info.package_first << PAGE_SHIFT;
    const struct range holes[HOLES] = {
        {TRAMPOLINE, TRAMPOLINE + PAGE_SIZE},
        {(uint64_t)x86_image_start - KERNEL_BASE, (uint64_t)x86_image_end - KERNEL_BASE},
        {package, ALIGN_UP(package + info.package_size, PAGE_SIZE)},
    };
    const struct start_memory *m;
    uint64_t from = 0, memory_end = LOW_FIRST; /* of what was added; nothing below is */
    while ((m = next_range(s, from)) != NULL) {
        uint64_t first = m->address > memory_end ? m->address : memory_end;
        from = m->address + 1;
        if (m->address + m->size > first) {
            memory_end = m->address + m->size;
            add_memory(first, memory_end, holes);
        }
    }
    x86_paging_extend(memory_end, take_page);
}

static void read_module(const struct start_info *s)
{
    if (s->module_count == 0) {
        panic("boot: no boot package (QEMU's -initrd)");
    }
    const struct start_module *m = x86_physical(s->modules);
    if (!page_aligned(m->address) || m->address < (uint64_t)x86_image_end - KERNEL_BASE ||
        m->address + m->size < m->address) {
        panic("boot: the boot package lies at %lx, %lu bytes", (unsigned long)m->address,
              (unsigned long)m->size);
    }
    info.package_first = m->address >> PAGE_SHIFT;
    info.package_size = m->size;
}

static bool has_word(const char *line, const char *word)
{
    for (const char *at = line; *at != 0; at++) {
        size_t n = 0;
        while (word[n] != 0 && at[n] == word[n]) {
            n++;
        }
        if ((at == line || at[-1] == ' ') && word[n] == 0 && (at[n] == 0 || at[n] == ' ')) {
            return true;
        }
    }
    return false;
}

_Noreturn void x86_boot(uint64_t start_info)
{
    x86_detect_features();
    x86_paging_start();
    x86_cpu_start(&first_cpu, 0, cpuid(1, 0).b >> 24);
    x86_serial_start();
    x86_apic_start();
    x86_clock_start();
    const struct start_info *s = x86_physical(start_info);
    if (s->magic != START_INFO_MAGIC || s->version < 1) {
        panic("boot: not started by the PVH protocol, version 1");
    }
    x86_test_panic =
        s->command_line != 0 && has_word(x86_physical(s->command_line), "test=panic");
    read_module(s);
    read_memory_map(s);
    info.cpu_count = arch_cpu_count();
    x86_link_start();
    __atomic_store_n(&kernel_lock, 1, __ATOMIC_RELAXED);
    kernel_start(&info);
    x86_clock_settle();
    x86_leave_boot();
}
