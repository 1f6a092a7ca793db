/* A model of address spaces that knows pages only, for address_space_random_test.c: what each page
 * of a window is and holds, and what follows from that for regions and charges. */
#pragma once

#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "tests/lib/sim.h"
#include "tests/unit/core/region_check.h"

#define WINDOW 48
#define BORDER (1ull << 39)
#define BASE (BORDER - WINDOW / 2 * PAGE_SIZE)
#define SPACES 3
#define OBJECTS 3
#define OBJECT_PAGES 15 /* below SIM_FIRST_FRAME lie as many frames, but for frame 0 */
#define IMAGE 2         /* the sealed one of the objects */
#define MARK 100        /* the byte of a page that programs write and read */
#define NOTHING 0xff    /* kind of a page where nothing is */
#define FRAMES_LIMIT 90

struct page {
    uint8_t kind, protection, sharing;
    bool charged, may_write, may_execute;
    int8_t object;
    uint8_t object_page;
    bool own;         /* private page of an object that was written */
    uint8_t value;    /* unless it is an object's */
    uint32_t mapping; /* of kernel pages: one region each */
};

struct model {
    struct page pages[WINDOW];
};

static struct account *account;
static struct address_space *spaces[SPACES];
static struct model models[SPACES];
static struct object *faces[OBJECTS], *read_only[OBJECTS];
static uint8_t contents[OBJECTS][OBJECT_PAGES];
static struct random randomness;
static uint32_t kernel_mappings;
static bool injecting;
static uint64_t step;

static uint64_t any(uint64_t n)
{
    return random_below(&randomness, n);
}

static uint64_t at(uint64_t page)
{
    return BASE + page * PAGE_SIZE;
}

/* --- what the model foretells of the totals --- */

static bool same_region(const struct page *a, const struct page *b)
{
    return a->kind == b->kind && a->kind != NOTHING && a->protection == b->protection
           && a->sharing == b->sharing && a->charged == b->charged && a->may_write == b->may_write
           && a->may_execute == b->may_execute && a->object == b->object
           && (a->kind != REGION_OBJECT || a->object_page + 1 == b->object_page)
           && a->mapping == b->mapping;
}

static uint64_t model_regions(const struct model *m)
{
    uint64_t count = 0;
    for (int i = 0; i < WINDOW; i++) {
        count +=
            m->pages[i].kind != NOTHING && (i == 0 || !same_region(&m->pages[i - 1], &m->pages[i]));
    }
    return count;
}

static uint64_t model_frames(const struct model *m)
{
    uint64_t frames = 1;
    bool low = false, high = false;
    for (int i = 0; i < WINDOW; i++) {
        bool mapped = m->pages[i].kind != NOTHING && m->pages[i].kind != REGION_RESERVED;
        frames += m->pages[i].charged;
        low = low || (mapped && i < WINDOW / 2);
        high = high || (mapped && i >= WINDOW / 2);
    }
    return frames + 3 * low + 3 * high;
}

static uint64_t all_frames(void)
{
    uint64_t frames =
        2 * (OBJECT_PAGES + 1); /* two objects; the image is a boot image's, which costs none */
    for (int i = 0; i < SPACES; i++) {
        frames += spaces[i] != NULL ? model_frames(&models[i]) : 0;
    }
    return frames;
}

static void check_totals(void)
{
    uint64_t regions = 0;
    for (int i = 0; i < SPACES; i++) {
        if (spaces[i] != NULL) {
            region_check(spaces[i]);
            CHECK_EQ(spaces[i]->region_count, model_regions(&models[i]));
            regions += model_regions(&models[i]);
        }
    }
    CHECK_EQ(account->used[LEDGER_MAPPINGS], regions);
    CHECK_EQ(account->used[LEDGER_FRAMES], all_frames());
}

/* Compares the status with the foretold one. True: the model shall follow. `after`: the model of
 * space i if all goes well. */
static bool settle(int i, status_t got, status_t expected, const struct model *after)
{
    kmem_fail_after = -1;
    if (expected == STATUS_OK) {
        struct model before = models[i];
        models[i] = *after;
        if (all_frames() > FRAMES_LIMIT) {
            expected = STATUS_FRAMES_EXHAUSTED;
        }
        models[i] = before;
    }
    if (injecting && got != expected && expected == STATUS_OK) {
        CHECK(got == STATUS_FRAMES_EXHAUSTED || got == STATUS_BYTES_EXHAUSTED);
        return false;
    }
    CHECK_STATUS(got, expected);
    if (got == STATUS_OK) {
        models[i] = *after;
    }
    return got == STATUS_OK;
}

static void inject(void)
{
    if (injecting && any(3) == 0) {
        kmem_fail_after = (int64_t)any(8);
    }
}
