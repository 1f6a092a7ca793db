/* Page tables of the simulated machine: four levels of 512 words, as x86_64 has them, walked by
 * software.
 *
 * A word is 0 or a frame number << 12 with bits: present, and at the last level the protection.
 * Tables come from the frame allocator and go back when they are empty, so their cost in tests is
 * what it is on the real machine. */
#include <string.h>

#include "kernel/arch/hosted/hosted.h"
#include "kernel/core/entry.h"
#include "kernel/core/frame.h"

#define LEVELS 4
#define FANOUT_BITS 9
#define FANOUT (1u << FANOUT_BITS)
#define WORD_PRESENT 1ull
#define WORD_PROTECTION_SHIFT 1
#define WORD_PROTECTION_MASK 7ull

static uint64_t *table_at(frame_t f)
{
    return arch_frame_address(f);
}

static uint32_t word_index(uint64_t address, int level)
{
    return (uint32_t)(address >> (PAGE_SHIFT + FANOUT_BITS * level)) & (FANOUT - 1);
}

static uint64_t level_span(int level) /* bytes that one word of this level covers */
{
    return PAGE_SIZE << (FANOUT_BITS * level);
}

static uint64_t word_make(frame_t f, enum protection p)
{
    return f << PAGE_SHIFT | (uint64_t)p << WORD_PROTECTION_SHIFT | WORD_PRESENT;
}

static frame_t word_frame(uint64_t word)
{
    return word >> PAGE_SHIFT;
}

static enum protection word_protection(uint64_t word)
{
    return (enum protection)(word >> WORD_PROTECTION_SHIFT & WORD_PROTECTION_MASK);
}

static void check_range(uint64_t address, uint64_t pages)
{
    KASSERT(page_aligned(address));
    KASSERT(address >= USER_BASE && address <= USER_END);
    KASSERT(pages <= (USER_END - address) >> PAGE_SHIFT);
}

/* The last-level word of an address, or NULL where a table is missing; *missing_end is then the end
 * of the hole. */
static uint64_t *find_word(const struct arch_address_space *as, uint64_t address,
                           uint64_t *missing_end)
{
    KASSERT(as->root != FRAME_NONE);
    frame_t table = as->root;
    for (int level = LEVELS - 1; level > 0; level--) {
        uint64_t word = table_at(table)[word_index(address, level)];
        if (word == 0) {
            if (missing_end != NULL) {
                *missing_end = (address & ~(level_span(level) - 1)) + level_span(level);
            }
            return NULL;
        }
        table = word_frame(word);
    }
    return &table_at(table)[word_index(address, 0)];
}

static status_t make_word(struct arch_address_space *as, uint64_t address, uint64_t **out)
{
    frame_t table = as->root;
    for (int level = LEVELS - 1; level > 0; level--) {
        uint64_t *word = &table_at(table)[word_index(address, level)];
        if (*word == 0) {
            frame_t below;
            status_t s = frame_alloc_zeroed(&below);
            if (s != STATUS_OK) {
                return s;
            }
            *word = below << PAGE_SHIFT | WORD_PRESENT;
        }
        table = word_frame(*word);
    }
    *out = &table_at(table)[word_index(address, 0)];
    return STATUS_OK;
}

static bool table_empty(frame_t table)
{
    for (uint32_t i = 0; i < FANOUT; i++) {
        if (table_at(table)[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Frees the tables on the way to an address that have become empty, from below. */
static void prune(struct arch_address_space *as, uint64_t address)
{
    for (int keep = 1; keep < LEVELS; keep++) {
        frame_t table = as->root;
        uint64_t *word = NULL;
        for (int level = LEVELS - 1; level >= keep; level--) {
            word = &table_at(table)[word_index(address, level)];
            if (*word == 0) {
                break;
            }
            table = word_frame(*word);
        }
        if (*word == 0) {
            continue;
        }
        if (!table_empty(table)) {
            return;
        }
        *word = 0;
        frame_put_zeroed(table);
    }
}

status_t arch_address_space_create(struct arch_address_space *as)
{
    as->breaks = (struct hosted_breaks){.pages = 1};
    return frame_alloc_zeroed(&as->root);
}

void arch_address_space_destroy(struct arch_address_space *as)
{
    KASSERT(as->root != FRAME_NONE);
    KASSERT(table_empty(as->root)); /* arch_unmap frees the tables that it empties */
    for (uint32_t i = 0; i < sim_machine.cpu_count; i++) {
        if (arch_cpu_by_number(i)->arch.loaded == as) {
            arch_cpu_by_number(i)->arch.loaded = NULL;
        }
    }
    frame_put_zeroed(as->root);
    as->root = FRAME_NONE;
}

uint64_t arch_tables_needed(uint64_t address, uint64_t pages)
{
    uint64_t total = 0;
    if (pages == 0) {
        return 0;
    }
    uint64_t last = address + (pages << PAGE_SHIFT) - 1;
    for (int level = 1; level < LEVELS; level++) {
        int shift = PAGE_SHIFT + FANOUT_BITS * level;
        total += (last >> shift) - (address >> shift) + 1;
    }
    return total;
}

static void ignore_page(void *context, frame_t f)
{
    (void)context;
    (void)f;
}

status_t arch_map(struct arch_address_space *as, uint64_t address, const frame_t *frames,
                  uint64_t pages, enum protection p)
{
    check_range(address, pages);
    for (uint64_t i = 0; i < pages; i++) {
        KASSERT(frames[i] != FRAME_NONE && frames[i] < sim_machine.frame_count);
        uint64_t *word;
        status_t s = make_word(as, address + (i << PAGE_SHIFT), &word);
        if (s != STATUS_OK) {
            arch_unmap(as, address, i, ignore_page, NULL);
            prune(as, address + (i << PAGE_SHIFT));
            return s;
        }
        KASSERT(*word == 0);
        *word = word_make(frames[i], p);
    }
    return STATUS_OK;
}

status_t arch_map_run(struct arch_address_space *as, uint64_t address, frame_t first,
                      uint64_t pages, enum protection p)
{
    for (uint64_t i = 0; i < pages; i++) {
        frame_t f = first + i;
        status_t s = arch_map(as, address + (i << PAGE_SHIFT), &f, 1, p);
        if (s != STATUS_OK) {
            arch_unmap(as, address, i, ignore_page, NULL);
            return s;
        }
    }
    return STATUS_OK;
}

void arch_remap_run(struct arch_address_space *as, uint64_t address, frame_t first, uint64_t pages,
                    enum protection p)
{
    for (uint64_t i = 0; i < pages; i++) {
        arch_remap(as, address + (i << PAGE_SHIFT), first + i, p);
    }
}

void arch_unmap(struct arch_address_space *as, uint64_t address, uint64_t pages,
                void (*gone)(void *context, frame_t f), void *context)
{
    check_range(address, pages);
    uint64_t end = address + (pages << PAGE_SHIFT);
    while ((address = arch_next_present(as, address, end)) < end) {
        uint64_t *word = find_word(as, address, NULL);
        frame_t f = word_frame(*word);
        *word = 0;
        prune(as, address);
        gone(context, f);
        address += PAGE_SIZE;
    }
}

void arch_protect(struct arch_address_space *as, uint64_t address, uint64_t pages,
                  enum protection p)
{
    check_range(address, pages);
    uint64_t end = address + (pages << PAGE_SHIFT);
    while ((address = arch_next_present(as, address, end)) < end) {
        uint64_t *word = find_word(as, address, NULL);
        *word = word_make(word_frame(*word), p);
        address += PAGE_SIZE;
    }
}

bool arch_copy_frames(frame_t first, const frame_t *from, uint64_t count)
{
    (void)first, (void)from, (void)count;
    return false;
}

void arch_remap(struct arch_address_space *as, uint64_t address, frame_t f, enum protection p)
{
    check_range(address, 1);
    uint64_t *word = find_word(as, address, NULL);
    KASSERT(word != NULL && *word != 0);
    *word = word_make(f, p);
}

bool arch_lookup(const struct arch_address_space *as, uint64_t address, frame_t *f,
                 enum protection *p)
{
    uint64_t *word = find_word(as, address, NULL);
    if (word == NULL || *word == 0) {
        return false;
    }
    *f = word_frame(*word);
    *p = word_protection(*word);
    return true;
}

uint64_t arch_present_run(const struct arch_address_space *as, uint64_t address, uint64_t end,
                          frame_t *frames, uint64_t max)
{
    uint64_t count = 0;
    enum protection p;
    while (count < max && address < end && arch_lookup(as, address, &frames[count], &p)) {
        count++;
        address += PAGE_SIZE;
    }
    return count;
}

uint64_t arch_next_present(const struct arch_address_space *as, uint64_t address, uint64_t end)
{
    KASSERT(page_aligned(address) && page_aligned(end));
    while (address < end) {
        uint64_t hole_end = 0;
        uint64_t *word = find_word(as, address, &hole_end);
        if (word != NULL && *word != 0) {
            return address;
        }
        address = word != NULL ? address + PAGE_SIZE : hole_end;
    }
    return end;
}

uint8_t *sim_translate(const struct arch_address_space *as, uint64_t address,
                       enum upcall_access access)
{
    frame_t f;
    enum protection p;
    if (as == NULL || address < USER_BASE || address >= USER_END
        || !arch_lookup(as, address, &f, &p)) {
        return NULL;
    }
    bool allowed = access == UPCALL_ACCESS_READ    ? p != PROTECTION_NONE
                   : access == UPCALL_ACCESS_WRITE ? p == PROTECTION_READ_WRITE
                                                   : p == PROTECTION_READ_EXECUTE;
    return allowed ? (uint8_t *)arch_frame_address(f) + (address & (PAGE_SIZE - 1)) : NULL;
}

uint8_t *arch_reach(uint64_t address, size_t size, enum upcall_access access)
{
    sim_edge(access == UPCALL_ACCESS_WRITE ? SIM_EDGE_COPY_OUT : SIM_EDGE_COPY_IN, address, size);
    return sim_translate(arch_cpu()->arch.loaded, address, access);
}

static uint64_t count_tables(frame_t table, int level) /* at most LEVELS deep */
{
    uint64_t count = 1;
    for (uint32_t i = 0; level > 0 && i < FANOUT; i++) {
        uint64_t word = table_at(table)[i];
        count += word != 0 ? count_tables(word_frame(word), level - 1) : 0;
    }
    return count;
}

uint64_t sim_table_count(const struct arch_address_space *as)
{
    return count_tables(as->root, LEVELS - 1);
}

void sim_each_page(const struct arch_address_space *as,
                   void (*each)(void *context, uint64_t address, frame_t f, enum protection p),
                   void *context)
{
    uint64_t address = 0;
    while ((address = arch_next_present(as, address, USER_END)) < USER_END) {
        uint64_t word = *find_word(as, address, NULL);
        each(context, address, word_frame(word), word_protection(word));
        address += PAGE_SIZE;
    }
}
