/* The kernel's own mappings, made once at boot.
 *
 * Three ranges, the same in every address space: all of memory at X86_DIRECT_MAP (2 MiB and 1
 * GiB pages), the image in the last 2 GiB by 4 KiB pages, and device registers at MMIO_BASE.
 * Nothing is writable and executable: the image's text and constants can be written through
 * neither mapping, and nothing but the image's text can be executed. Below the first kernel
 * stack one page is left out. Kernel pages are global.
 *
 * The gate, a page of code (`syscall; ret`), lies among the devices and is the one page of the
 * kernel's half that user mode may read and run. So it is in every address space from the start,
 * through tables that all of them share, and costs none of them anything. Nobody can write it: the
 * kernel's own view of it is read-only data. */
#include "kernel/arch/x86_64/tables.h"
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/sched.h"

#define GIB (1ull << 30)
#define LARGE_PAGE (1ull << 21)
#define DIRECT_L3_MAX 512u /* one top-level entry: 512 GiB */
#define TABLE (ENTRY_PRESENT | ENTRY_WRITE | ENTRY_ACCESSED)
#define CODE (ENTRY_PRESENT | ENTRY_GLOBAL | ENTRY_ACCESSED | ENTRY_DIRTY)
#define CONSTANT (CODE | ENTRY_NO_EXECUTE)
#define DATA (CONSTANT | ENTRY_WRITE)

extern uint64_t x86_root_table[TABLE_ENTRIES];
extern uint64_t x86_image_l3[TABLE_ENTRIES], x86_image_l2[TABLE_ENTRIES];
extern const char x86_image_start[], x86_text_end[], x86_rodata_start[], x86_data_start[];
extern const char x86_image_end[], x86_stack_guard[];
extern const char x86_gate_code[]; /* entry.S: a page of its own */

static _Alignas(PAGE_SIZE) uint64_t image_l1[TABLE_ENTRIES];
static _Alignas(PAGE_SIZE) uint64_t direct_l3[TABLE_ENTRIES];
static _Alignas(PAGE_SIZE) uint64_t direct_l2[TABLE_ENTRIES]; /* of the first GiB */
static _Alignas(PAGE_SIZE) uint64_t direct_l1[TABLE_ENTRIES]; /* of its first 2 MiB */
static _Alignas(PAGE_SIZE) uint64_t device_l2[TABLE_ENTRIES];
static _Alignas(PAGE_SIZE) uint64_t device_l1[TABLE_ENTRIES];
static uint32_t device_pages;

static uint64_t table_entry(const uint64_t *table_in_image)
{
    return x86_physical_of_image(table_in_image) | TABLE;
}

/* Both views of the 4 KiB pages that the image lies in. */
static void map_image(void)
{
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
        direct_l1[i] = i << PAGE_SHIFT | DATA;
    }
    for (uint64_t at = (uint64_t)x86_image_start; at < (uint64_t)x86_image_end; at += PAGE_SIZE) {
        uint64_t physical = at - KERNEL_BASE, i = physical >> PAGE_SHIFT;
        if (at >= (uint64_t)x86_data_start) {
            image_l1[i] = physical | DATA;
        } else {
            image_l1[i] = physical | (at < (uint64_t)x86_rodata_start ? CODE : CONSTANT);
            direct_l1[i] = physical | CONSTANT;
        }
    }
    image_l1[((uint64_t)x86_stack_guard - KERNEL_BASE) >> PAGE_SHIFT] = 0;
}

static void map_gib(uint64_t *l2, uint64_t number)
{
    for (uint64_t i = 0; i < TABLE_ENTRIES; i++) {
        l2[i] = (number * GIB + i * LARGE_PAGE) | DATA | ENTRY_LARGE;
    }
}

/* The first GiB of the direct map, so that the boot information can be read wherever the loader
 * has put it. */
void x86_paging_start(void)
{
    map_image();
    map_gib(direct_l2, 0);
    direct_l2[0] = table_entry(direct_l1);
    direct_l3[0] = table_entry(direct_l2);
    x86_root_table[X86_DIRECT_INDEX] = table_entry(direct_l3);
    x86_image_l2[0] = table_entry(image_l1);
    x86_image_l3[0] = 0;
    x86_root_table[0] = 0;
    /* User mode may follow this path, to the gate; every other page at its ends is the kernel's. */
    x86_root_table[X86_IMAGE_INDEX] |= ENTRY_USER;
    x86_image_l3[511] = table_entry(device_l2) | ENTRY_USER;
    device_l2[0] = table_entry(device_l1) | ENTRY_USER;
    device_l1[TABLE_ENTRIES - 1] = x86_physical_of_image(x86_gate_code) | ENTRY_PRESENT |
                                   ENTRY_USER | ENTRY_GLOBAL | ENTRY_ACCESSED;
    write_cr3(x86_physical_of_image(x86_root_table));
}

/* The rest of the direct map. take_page gives pages below 1 GiB for tables, where the processor
 * has no pages of 1 GiB. */
void x86_paging_extend(uint64_t memory_end, uint64_t (*take_page)(void))
{
    for (uint64_t g = 1; g < DIRECT_L3_MAX && g * GIB < memory_end; g++) {
        if (x86_features.huge_pages) {
            direct_l3[g] = g * GIB | DATA | ENTRY_LARGE;
        } else {
            uint64_t page = take_page();
            map_gib(x86_physical(page), g);
            direct_l3[g] = page | TABLE;
        }
    }
}

volatile void *x86_map_device(uint64_t physical, uint64_t size)
{
    uint64_t first = physical & ~(PAGE_SIZE - 1);
    uint64_t count = PAGES(physical + size - first);
    KASSERT(device_pages + count < TABLE_ENTRIES); /* the last one is the gate's */
    uint64_t address = MMIO_BASE + device_pages * PAGE_SIZE + (physical - first);
    for (uint64_t i = 0; i < count; i++) {
        device_l1[device_pages++] = (first + i * PAGE_SIZE) | DATA | ENTRY_UNCACHED;
    }
    return (volatile void *)address;
}

void x86_load_space(struct arch_address_space *as)
{
    struct arch_cpu *c = x86_cpu();
    uint64_t bit = 1ull << ((struct cpu *)(void *)c)->number;
    if (c->space != NULL) {
        __atomic_and_fetch(&c->space->active, ~bit, __ATOMIC_SEQ_CST);
    }
    if (as != NULL) {
        __atomic_or_fetch(&as->active, bit, __ATOMIC_SEQ_CST);
    }
    c->space = as;
    write_cr3(as != NULL ? as->root : x86_physical_of_image(x86_root_table));
}

uint64_t arch_gate_address(void)
{
    return MMIO_BASE + (TABLE_ENTRIES - 1) * PAGE_SIZE; /* the last page of the devices' 2 MiB */
}
