/* Address spaces' page tables: four levels, 4 KiB pages.
 *
 * Every table below the top one is there only while it holds something; how many of its entries
 * are in use is kept in the entry that points to it. A walk keeps the path of entries from the
 * top, so that the counts can be kept without looking again. Frames of pages and tables are
 * given back only after no CPU can have a translation through them. Accessed and dirty bits are
 * set from the start: nobody reads them. Kernel lock held. */
#include "kernel/arch/x86_64/tables.h"
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/frame.h"

#define LEVELS 4
#define BATCH_PAGES INVALIDATE_MAX
#define BATCH_TABLES (BATCH_PAGES * (LEVELS - 1)) /* each page may be the last in all its tables */

extern uint64_t x86_root_table[TABLE_ENTRIES];

struct path {
    uint64_t *entry[LEVELS + 1]; /* [4]: in the top table ... [1]: the page's own */
};

static uint32_t index_of(uint64_t address, int level)
{
    return (uint32_t)(address >> (PAGE_SHIFT + 9 * (level - 1))) & (TABLE_ENTRIES - 1);
}

static uint64_t span_of(int level) /* bytes that one entry of the level stands for */
{
    return 1ull << (PAGE_SHIFT + 9 * (level - 1));
}

static uint64_t *table_at(uint64_t entry)
{
    return x86_physical(entry & ENTRY_ADDRESS);
}

static uint64_t page_entry(frame_t f, enum protection p)
{
    static const uint64_t bits[PROTECTION_COUNT] = {
        [PROTECTION_READ] = ENTRY_NO_EXECUTE,
        [PROTECTION_READ_WRITE] = ENTRY_NO_EXECUTE | ENTRY_WRITE,
    };
    uint64_t address = f << PAGE_SHIFT;
    if (p == PROTECTION_NONE) {
        return (~address & ENTRY_ADDRESS) | ENTRY_HELD;
    }
    return address | bits[p] | ENTRY_PRESENT | ENTRY_USER | ENTRY_ACCESSED | ENTRY_DIRTY;
}

static frame_t frame_of(uint64_t entry)
{
    uint64_t address = entry & ENTRY_PRESENT ? entry : ~entry;
    return (address & ENTRY_ADDRESS) >> PAGE_SHIFT;
}

static enum protection protection_of(uint64_t entry)
{
    return !(entry & ENTRY_PRESENT)      ? PROTECTION_NONE
           : entry & ENTRY_WRITE         ? PROTECTION_READ_WRITE
           : !(entry & ENTRY_NO_EXECUTE) ? PROTECTION_READ_EXECUTE
                                         : PROTECTION_READ;
}

/* Walks as far as there are tables. Returns the level of the last entry reached: 1 if all are
 * there. */
static int walk(const struct arch_address_space *as, uint64_t address, struct path *path)
{
    uint64_t *table = x86_physical(as->root);
    int level = LEVELS;
    for (;;) {
        path->entry[level] = &table[index_of(address, level)];
        if (level == 1 || !(*path->entry[level] & ENTRY_PRESENT)) {
            return level;
        }
        table = table_at(*path->entry[level]);
        level--;
    }
}

/* The first entry in use of a page in [*address, end); *address becomes the page's, *path leads to
 * its table. NULL: none. Skips empty tables. */
static uint64_t *next_entry(const struct arch_address_space *as, uint64_t *address, uint64_t end,
                            struct path *path)
{
    while (*address < end) {
        int level = walk(as, *address, path);
        if (level > 1) {
            *address = (*address | (span_of(level) - 1)) + 1;
            continue;
        }
        uint64_t *entry = path->entry[1];
        do {
            if (*entry != 0) {
                return entry;
            }
            entry++;
            *address += PAGE_SIZE;
        } while (*address < end && index_of(*address, 1) != 0);
    }
    return NULL;
}

/* Entries of the table at `level` went out of use. Tables that are empty now are taken out and
 * kept in `gone`. */
static void count_down(struct path *path, int level, uint64_t entries, frame_t *gone,
                       uint32_t *gone_count)
{
    while (level < LEVELS) {
        uint64_t *above = path->entry[level + 1];
        *above -= entries * ENTRY_COUNT_ONE;
        if (*above & ENTRY_COUNT_MASK) {
            return;
        }
        gone[(*gone_count)++] = frame_of(*above);
        *above = 0;
        entries = 1;
        level++;
    }
}

/* Makes the tables that are missing on the way to the address. On failure none of them stays. */
static status_t walk_and_make(struct arch_address_space *as, uint64_t address, struct path *path)
{
    int level = walk(as, address, path);
    while (level > 1) {
        frame_t f;
        status_t s = frame_alloc_zeroed(&f);
        if (s != STATUS_OK) {
            frame_t gone[LEVELS];
            uint32_t count = 0;
            count_down(path, level, 0, gone, &count);
            while (count > 0) {
                frame_put_zeroed(gone[--count]); /* never held a page: no CPU knows it */
            }
            return s;
        }
        *path->entry[level] =
            f << PAGE_SHIFT | ENTRY_PRESENT | ENTRY_WRITE | ENTRY_USER | ENTRY_ACCESSED;
        if (level < LEVELS) { /* the top table's are not counted */
            *path->entry[level + 1] += ENTRY_COUNT_ONE;
        }
        level = walk(as, address, path);
    }
    return STATUS_OK;
}

status_t arch_address_space_create(struct arch_address_space *as)
{
    frame_t f;
    status_t s = frame_alloc_zeroed(&f);
    if (s != STATUS_OK) {
        return s;
    }
    uint64_t *root = arch_frame_address(f);
    root[X86_DIRECT_INDEX] = x86_root_table[X86_DIRECT_INDEX];
    root[X86_IMAGE_INDEX] = x86_root_table[X86_IMAGE_INDEX];
    as->root = f << PAGE_SHIFT;
    as->active = 0;
    return STATUS_OK;
}

void arch_address_space_destroy(struct arch_address_space *as)
{
    if (as->root == 0) {
        return;
    }
    if (arch_is_current(as)) {
        x86_load_space(NULL);
    }
    KASSERT(as->active == 0);
    uint64_t *root = x86_physical(as->root);
    root[X86_DIRECT_INDEX] = root[X86_IMAGE_INDEX] = 0;
    frame_put_zeroed(as->root >> PAGE_SHIFT); /* arch_unmap has emptied the rest */
    as->root = 0;
}

uint64_t arch_tables_needed(uint64_t address, uint64_t pages)
{
    uint64_t needed = 0;
    for (int level = 2; level <= LEVELS; level++) {
        uint64_t last = address + (pages - 1) * PAGE_SIZE;
        needed += last / span_of(level) - address / span_of(level) + 1;
    }
    return pages == 0 ? 0 : needed;
}

status_t arch_map(struct arch_address_space *as, uint64_t address, const frame_t *frames,
                  uint64_t pages, enum protection p)
{
    uint64_t done = 0;
    while (done < pages) {
        struct path path;
        uint64_t at = address + done * PAGE_SIZE;
        status_t s = walk_and_make(as, at, &path);
        if (s != STATUS_OK) {
            arch_unmap(as, address, done, NULL, NULL);
            return s;
        }
        uint64_t room = TABLE_ENTRIES - index_of(at, 1);
        uint64_t count = pages - done < room ? pages - done : room;
        uint64_t *entry = path.entry[1];
        for (uint64_t i = 0; i < count; i++) {
            KASSERT(entry[i] == 0);
            entry[i] = page_entry(frames[done + i], p);
        }
        *path.entry[2] += count * ENTRY_COUNT_ONE;
        done += count;
    }
    return STATUS_OK;
}

/* What was unmapped and may not be given back before the translations are gone. gone NULL: the
 * frames stay the caller's. */
struct batch {
    uint32_t page_count, table_count;
    uint64_t address[BATCH_PAGES];
    frame_t page[BATCH_PAGES];
    frame_t table[BATCH_TABLES];
};

static void batch_finish(struct arch_address_space *as, struct batch *b,
                         void (*gone)(void *context, frame_t f), void *context)
{
    if (b->page_count == 0) {
        return;
    }
    x86_invalidate(as, b->address, b->page_count);
    for (uint32_t i = 0; i < b->table_count; i++) {
        frame_put_zeroed(b->table[i]);
    }
    for (uint32_t i = 0; gone != NULL && i < b->page_count; i++) {
        gone(context, b->page[i]);
    }
    b->page_count = b->table_count = 0;
}

void arch_unmap(struct arch_address_space *as, uint64_t address, uint64_t pages,
                void (*gone)(void *context, frame_t f), void *context)
{
    uint64_t end = address + pages * PAGE_SIZE;
    struct batch b;
    struct path path;
    uint64_t *entry;
    b.page_count = b.table_count = 0;
    while ((entry = next_entry(as, &address, end, &path)) != NULL) {
        uint64_t cleared = 0;
        do {
            if (*entry != 0) {
                b.address[b.page_count] = address;
                b.page[b.page_count++] = frame_of(*entry);
                *entry = 0;
                cleared++;
            }
            entry++;
            address += PAGE_SIZE;
        } while (address < end && index_of(address, 1) != 0 && b.page_count < BATCH_PAGES);
        count_down(&path, 1, cleared, b.table, &b.table_count);
        if (b.page_count == BATCH_PAGES) {
            batch_finish(as, &b, gone, context);
        }
    }
    batch_finish(as, &b, gone, context);
}

/* Whether a translation with protection `from` allows what `to` does not. */
static bool takes_away(enum protection from, enum protection to)
{
    return from != to && from != PROTECTION_NONE &&
           !(from == PROTECTION_READ && to != PROTECTION_NONE);
}

void arch_protect(struct arch_address_space *as, uint64_t address, uint64_t pages,
                  enum protection p)
{
    uint64_t end = address + pages * PAGE_SIZE;
    uint64_t stale[BATCH_PAGES];
    uint32_t count = 0;
    struct path path;
    uint64_t *entry;
    while ((entry = next_entry(as, &address, end, &path)) != NULL) {
        do {
            if (*entry != 0) {
                if (takes_away(protection_of(*entry), p)) {
                    stale[count < BATCH_PAGES ? count : 0] = address;
                    count++;
                }
                *entry = page_entry(frame_of(*entry), p);
            }
            entry++;
            address += PAGE_SIZE;
        } while (address < end && index_of(address, 1) != 0);
    }
    if (count > 0) {
        x86_invalidate(as, stale, count);
    }
}

void arch_remap(struct arch_address_space *as, uint64_t address, frame_t f, enum protection p)
{
    struct path path;
    int level = walk(as, address, &path);
    KASSERT(level == 1 && *path.entry[1] != 0);
    *path.entry[1] = page_entry(f, p);
    x86_invalidate(as, &address, 1);
}

/* The walk without its path, straight: each copy to or from another space asks for a page. */
bool arch_lookup(const struct arch_address_space *as, uint64_t address, frame_t *f,
                 enum protection *p)
{
    const uint64_t *table = x86_physical(as->root);
#pragma GCC unroll 4
    for (int level = LEVELS; level > 1; level--) {
        uint64_t entry = table[index_of(address, level)];
        if (!(entry & ENTRY_PRESENT)) {
            return false;
        }
        table = table_at(entry);
    }
    uint64_t entry = table[index_of(address, 1)];
    *f = frame_of(entry);
    *p = protection_of(entry);
    return entry != 0;
}

uint64_t arch_present_run(const struct arch_address_space *as, uint64_t address, uint64_t end,
                          frame_t *frames, uint64_t max)
{
    struct path path;
    if (walk(as, address, &path) != 1) {
        return 0;
    }
    uint64_t count = 0, pages = (end - address) >> PAGE_SHIFT;
    uint64_t room = MIN(MIN(pages, max), TABLE_ENTRIES - index_of(address, 1));
    const uint64_t *entry = path.entry[1];
    while (count < room && entry[count] != 0) {
        frames[count] = frame_of(entry[count]);
        count++;
    }
    return count;
}

uint64_t arch_next_present(const struct arch_address_space *as, uint64_t address, uint64_t end)
{
    struct path path;
    return next_entry(as, &address, end, &path) != NULL ? address : end;
}
