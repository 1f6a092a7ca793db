/* Address spaces' page tables, as the kernel sees them: four levels of 512 words, like a
 * processor's, but walked by software only. The Linux process of a space has the same pages mapped
 * (mirror.c); it is told of every change here.
 *
 * A table below the top one is there only while it holds something; how many of its words are in
 * use is kept in the word that points to it, in bits 52 to 61. A page's word has the number of its
 * frame, its protection, and the bit PRESENT, whatever the protection. What takes a right away is
 * done in the process before the frame can get another owner: unmapping and replacing wait for it.
 */
#include "kernel/arch/linux/linux.h"

#include "kernel/core/frame.h"

#include <linux/uio.h>

#define TABLE_ENTRIES 512ull
#define ENTRY_PRESENT 1ull
#define ENTRY_PROTECTION_SHIFT 1
#define ENTRY_PROTECTION_MASK 7ull
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define ENTRY_COUNT_SHIFT 52
#define ENTRY_COUNT_MASK (0x3ffull << ENTRY_COUNT_SHIFT)
#define LEVELS 4
#define BATCH_PAGES 512u

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

static uint64_t page_entry(frame_t f, enum protection p)
{
    return f << PAGE_SHIFT | (uint64_t)p << ENTRY_PROTECTION_SHIFT | ENTRY_PRESENT;
}

static frame_t frame_of(uint64_t entry)
{
    return (entry & ENTRY_ADDRESS) >> PAGE_SHIFT;
}

static uint64_t *table_at(uint64_t entry)
{
    return arch_frame_address(frame_of(entry));
}

static enum protection protection_of(uint64_t entry)
{
    return (enum protection)(entry >> ENTRY_PROTECTION_SHIFT & ENTRY_PROTECTION_MASK);
}

/* Walks as far as there are tables. Returns the level of the last entry reached: 1 if all are
 * there. */
static int walk(const struct arch_address_space *as, uint64_t address, struct path *path)
{
    uint64_t *table = arch_frame_address(as->root);
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

/* One entry of the table at `level` came into use; the top table is not counted. */
static void count_up(struct path *path, int level, uint64_t entries)
{
    if (level < LEVELS) {
        *path->entry[level + 1] += entries << ENTRY_COUNT_SHIFT;
    }
}

/* Entries of the table at `level` went out of use. Tables that are empty now are taken out and
 * kept in `gone`. */
static void count_down(struct path *path, int level, uint64_t entries, frame_t *gone,
                       uint32_t *gone_count)
{
    while (level < LEVELS) {
        uint64_t *above = path->entry[level + 1];
        *above -= entries << ENTRY_COUNT_SHIFT;
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
                frame_put_zeroed(gone[--count]);
            }
            return s;
        }
        *path->entry[level] = f << PAGE_SHIFT | ENTRY_PRESENT;
        count_up(path, level, 1);
        level = walk(as, address, path);
    }
    return STATUS_OK;
}

status_t arch_address_space_create(struct arch_address_space *as)
{
    frame_t f;
    status_t s = frame_alloc_zeroed(&f);
    if (s == STATUS_OK) {
        as->root = f;
        as->process = NULL;
        as->breaks = (struct hosted_breaks){.pages = 1};
    }
    return s;
}

void arch_address_space_destroy(struct arch_address_space *as)
{
    if (as->root == FRAME_NONE) {
        return;
    }
    if (arch_is_current(as)) {
        linux_cpu()->space = NULL;
    }
    if (as->process != NULL) {
        linux_process_end(as->process);
        as->process = NULL;
    }
    frame_put_zeroed(as->root); /* arch_unmap has emptied it */
    as->root = FRAME_NONE;
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

static void unmap_nothing(void *context, frame_t f)
{
    (void)context;
    (void)f;
}

/* Into the tables: the frames, or if there are none first, first + 1, ... */
static status_t enter(struct arch_address_space *as, uint64_t address, const frame_t *frames,
                      frame_t first, uint64_t pages, enum protection p)
{
    uint64_t done = 0;
    while (done < pages) {
        struct path path;
        uint64_t at = address + done * PAGE_SIZE;
        status_t s = walk_and_make(as, at, &path);
        if (s != STATUS_OK) {
            struct linux_process *process = as->process;
            as->process = NULL; /* it was not told of these pages */
            arch_unmap(as, address, done, unmap_nothing, NULL);
            as->process = process;
            return s;
        }
        uint64_t room = TABLE_ENTRIES - index_of(at, 1);
        uint64_t count = pages - done < room ? pages - done : room;
        uint64_t *entry = path.entry[1];
        for (uint64_t i = 0; i < count; i++) {
            KASSERT(entry[i] == 0);
            entry[i] = page_entry(frames != NULL ? frames[done + i] : first + done + i, p);
        }
        count_up(&path, 1, count);
        done += count;
    }
    return STATUS_OK;
}

status_t arch_map(struct arch_address_space *as, uint64_t address, const frame_t *frames,
                  uint64_t pages, enum protection p)
{
    status_t s = enter(as, address, frames, FRAME_NONE, pages, p);
    if (s == STATUS_OK && as->process != NULL) {
        linux_mirror_map(as->process, address, frames, pages, p, true);
    }
    return s;
}

status_t arch_map_run(struct arch_address_space *as, uint64_t address, frame_t first,
                      uint64_t pages, enum protection p)
{
    status_t s = enter(as, address, NULL, first, pages, p);
    if (s == STATUS_OK && as->process != NULL) {
        linux_mirror_map_run(as->process, address, first, pages, p, false);
    }
    return s;
}

/* Before pages go: a process that nobody runs in ends instead of being told of each change. */
static void drop_idle_process(struct arch_address_space *as)
{
    if (as->process != NULL && (as->process->attached == 0 || as->process->dead)) {
        linux_process_end(as->process);
        as->process = NULL;
    }
}

/* Pages that were taken out of the tables and are still mapped in the process. */
struct batch {
    uint64_t first, end; /* addresses */
    uint32_t count;
    frame_t page[BATCH_PAGES];
};

static void batch_finish(struct arch_address_space *as, struct batch *b,
                         void (*gone)(void *context, frame_t f), void *context)
{
    if (b->count > 0 && as->process != NULL) {
        linux_mirror_unmap(as->process, b->first, b->end);
        linux_process_flush(as->process);
    }
    for (uint32_t i = 0; i < b->count; i++) {
        gone(context, b->page[i]);
    }
    b->count = 0;
}

void arch_unmap(struct arch_address_space *as, uint64_t address, uint64_t pages,
                void (*gone)(void *context, frame_t f), void *context)
{
    uint64_t end = address + pages * PAGE_SIZE;
    struct batch b;
    struct path path;
    uint64_t *entry;
    frame_t tables[LEVELS];
    b.count = 0;
    drop_idle_process(as);
    while ((entry = next_entry(as, &address, end, &path)) != NULL) {
        uint64_t cleared = 0;
        b.first = b.count == 0 ? address : b.first;
        do {
            if (*entry != 0) {
                b.page[b.count++] = frame_of(*entry);
                *entry = 0;
                cleared++;
            }
            entry++;
            address += PAGE_SIZE;
        } while (address < end && index_of(address, 1) != 0 && b.count < BATCH_PAGES);
        b.end = address;
        uint32_t table_count = 0;
        count_down(&path, 1, cleared, tables, &table_count);
        while (table_count > 0) {
            frame_put_zeroed(tables[--table_count]);
        }
        if (b.count == BATCH_PAGES) {
            batch_finish(as, &b, gone, context);
        }
    }
    batch_finish(as, &b, gone, context);
}

/* Its page is not there yet, or code, which is mapped in another way (mirror.c). */
static bool mapped_afresh(uint64_t entry)
{
    return linux_debugged || protection_of(entry) == PROTECTION_NONE;
}

/* The process learns of it before the next thread of any process runs. */
void arch_protect(struct arch_address_space *as, uint64_t address, uint64_t pages,
                  enum protection p)
{
    uint64_t end = address + pages * PAGE_SIZE;
    struct path path;
    uint64_t *entry;
    while ((entry = next_entry(as, &address, end, &path)) != NULL) {
        uint64_t first = address;
        bool afresh = mapped_afresh(*entry);
        do { /* pages that lie together and were mapped alike */
            frame_t f = frame_of(*entry);
            *entry = page_entry(f, p);
            if (as->process != NULL && afresh) {
                linux_mirror_map(as->process, address, &f, 1, p, true);
            }
            entry++;
            address += PAGE_SIZE;
        } while (address < end && index_of(address, 1) != 0 && *entry != 0 &&
                 mapped_afresh(*entry) == afresh);
        if (as->process != NULL && !afresh) {
            linux_mirror_protect(as->process, first, address, p);
        }
    }
}

void arch_remap_run(struct arch_address_space *as, uint64_t address, frame_t first, uint64_t pages,
                    enum protection p)
{
    bool others = false;
    for (uint64_t i = 0; i < pages; i++) {
        struct path path;
        int level = walk(as, address + (i << PAGE_SHIFT), &path);
        KASSERT(level == 1 && *path.entry[1] != 0);
        others = others || frame_of(*path.entry[1]) != first + i;
        *path.entry[1] = page_entry(first + i, p);
    }
    if (as->process != NULL) {
        linux_mirror_map_run(as->process, address, first, pages, p, true);
        if (others) {
            linux_process_flush(as->process); /* before somebody else gets the frames */
            linux_wanted_frame = first + pages;
        }
    }
}

/* In one call of Linux, because the frames may be holes of the file still. */
bool arch_copy_frames(frame_t first, const frame_t *from, uint64_t count)
{
    struct iovec pieces[HOSTED_COPY_PAGES];
    KASSERT(count <= HOSTED_COPY_PAGES);
    for (uint64_t i = 0; i < count; i++) {
        pieces[i] = (struct iovec){arch_frame_address(from[i]), PAGE_SIZE};
    }
    int64_t done = LINUX_CALL(__NR_pwritev, MEMORY_FD, pieces, count, first << PAGE_SHIFT, 0);
    return done == (int64_t)(count << PAGE_SHIFT);
}

void arch_remap(struct arch_address_space *as, uint64_t address, frame_t f, enum protection p)
{
    arch_remap_run(as, address, f, 1, p);
}

/* The walk without its path, straight: each copy to or from a space asks for a page. */
bool arch_lookup(const struct arch_address_space *as, uint64_t address, frame_t *f,
                 enum protection *p)
{
    const uint64_t *table = arch_frame_address(as->root);
#pragma GCC unroll 4
    for (int level = LEVELS; level > 1; level--) {
        uint64_t entry = table[index_of(address, level)];
        if (entry == 0) {
            return false;
        }
        table = table_at(entry);
    }
    uint64_t entry = table[index_of(address, 1)];
    *f = frame_of(entry);
    *p = protection_of(entry);
    return entry != 0;
}

uint8_t *arch_reach(uint64_t address, size_t size, enum upcall_access access)
{
    frame_t f;
    enum protection p;
    KASSERT((address & (PAGE_SIZE - 1)) + size <= PAGE_SIZE);
    if (!arch_lookup(linux_cpu()->space, address, &f, &p)) {
        return NULL;
    }
    bool writes = access == UPCALL_ACCESS_WRITE;
    bool allowed = writes ? p == PROTECTION_READ_WRITE : p != PROTECTION_NONE;
    return allowed ? (uint8_t *)arch_frame_address(f) + (address & (PAGE_SIZE - 1)) : NULL;
}

uint64_t arch_present_run(const struct arch_address_space *as, uint64_t address, uint64_t end,
                          frame_t *frames, uint64_t max)
{
    struct path path;
    if (walk(as, address, &path) != 1) {
        return 0;
    }
    uint64_t count = 0, room = TABLE_ENTRIES - index_of(address, 1);
    uint64_t pages = (end - address) >> PAGE_SHIFT;
    room = pages < room ? pages : room;
    room = max < room ? max : room;
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

/* All pages, in runs that are alike. */
void linux_mirror_all(struct arch_address_space *as, struct linux_process *p)
{
    uint64_t address = 0;
    struct path path;
    uint64_t *entry;
    while ((entry = next_entry(as, &address, HELPER_BASE, &path)) != NULL) {
        uint64_t first = address, pages = 0;
        frame_t frames[BATCH_PAGES];
        enum protection protection = protection_of(*entry);
        do {
            frames[pages++] = frame_of(*entry);
            entry++;
            address += PAGE_SIZE;
        } while (index_of(address, 1) != 0 && *entry != 0 && protection_of(*entry) == protection);
        /* Much of what can be written was committed only, and is not there yet. */
        linux_mirror_map(p, first, frames, pages, protection, protection != PROTECTION_READ_WRITE);
    }
}
