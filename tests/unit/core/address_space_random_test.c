/* Random programs of operations on address spaces, compared with a model that knows pages only.
 *
 * The model covers a window of pages around a border at which every level of page tables changes.
 * For each operation it foretells the status, the address, what each page then is and holds, how
 * many regions there are (runs of equal pages), and what is charged. With injected failures an
 * operation may also be refused for lack of memory, and then nothing may have changed. */
#include "tests/unit/core/address_space_model.h"

/* --- the operations --- */

static bool range_is(const struct model *m, uint64_t first, uint64_t count,
                     bool (*fits)(const struct page *))
{
    for (uint64_t p = first; p < first + count; p++) {
        if (!fits(&m->pages[p])) {
            return false;
        }
    }
    return true;
}

static bool is_free(const struct page *p)
{
    return p->kind == NOTHING;
}

static bool is_reservable(const struct page *p)
{
    return p->kind == REGION_RESERVED || p->kind == REGION_ANONYMOUS;
}

static bool is_code(const struct page *p)
{
    return p->kind == REGION_CODE;
}

static bool is_user(const struct page *p)
{
    return p->kind != REGION_KERNEL;
}

static void fill(struct model *m, uint64_t first, uint64_t count, const struct page *like)
{
    for (uint64_t k = 0; k < count; k++) {
        m->pages[first + k] = *like;
        m->pages[first + k].object_page =
            (uint8_t)(like->object_page + (like->kind == REGION_OBJECT ? k : 0));
    }
}

/* Where the kernel puts `count` pages: at the hint if that is free, else the lowest place. WINDOW:
 * beyond the window. */
static uint64_t foretell_place(const struct model *m, uint64_t hint, uint64_t count)
{
    if (hint < WINDOW && hint + count <= WINDOW && range_is(m, hint, count, is_free)) {
        return hint;
    }
    for (uint64_t p = 0; p + count <= WINDOW; p++) {
        if (range_is(m, p, count, is_free)) {
            return p;
        }
    }
    return WINDOW;
}

static const struct page anonymous = {
    .kind = REGION_ANONYMOUS, .sharing = SHARING_PRIVATE, .charged = true, .object = -1};

enum placed_operation { PLACE_MAP, PLACE_RESERVE, PLACE_CODE, PLACE_OPERATIONS };

static void do_place(int i, uint64_t first, uint64_t count, enum placed_operation what,
                     enum protection p)
{
    struct page like = anonymous;
    uint64_t hint = any(2) == 0 ? first : WINDOW;
    hint = what == PLACE_CODE ? WINDOW : hint;
    uint64_t place = foretell_place(&models[i], hint, count);
    if (place == WINDOW) {
        return; /* it would land outside of the window, where the model is blind */
    }
    uint64_t address = 0, hint_address = hint == WINDOW ? 0 : at(hint);
    status_t status = STATUS_OK;
    like.protection = (uint8_t)p;
    inject();
    switch (what) {
    case PLACE_MAP:
        status = address_space_map(spaces[i], hint_address, false, count * PAGE_SIZE, p, &address);
        break;
    case PLACE_RESERVE:
        like.kind = REGION_RESERVED;
        like.protection = PROTECTION_NONE;
        like.charged = false;
        status = address_space_reserve(spaces[i], hint_address, count * PAGE_SIZE, &address);
        break;
    default:
        like.kind = REGION_CODE;
        like.protection = PROTECTION_READ_EXECUTE;
        like.may_execute = true;
        status = address_space_map_code(spaces[i], NULL, count * PAGE_SIZE, &address);
        break;
    }
    struct model after = models[i];
    fill(&after, place, count, &like);
    bool wrong = what == PLACE_MAP && p == PROTECTION_READ_EXECUTE;
    if (settle(i, status, wrong ? STATUS_WRONG_INTERFACE : STATUS_OK, &after)) {
        CHECK_EQ(address, at(place));
    }
}

static void do_map_fixed(int i, uint64_t first, uint64_t count, enum protection p)
{
    struct model after = models[i];
    struct page like = anonymous;
    like.protection = (uint8_t)p;
    status_t expected = range_is(&after, first, count, is_free) ? STATUS_OK : STATUS_ALREADY_EXISTS;
    expected = p == PROTECTION_READ_EXECUTE ? STATUS_WRONG_INTERFACE : expected;
    fill(&after, first, count, &like);
    inject();
    (void)settle(i, address_space_map(spaces[i], at(first), true, count * PAGE_SIZE, p,
                                      &(uint64_t){0}), expected,
                 &after);
}

static void do_map_object(int i, uint64_t first, uint64_t count, enum protection p)
{
    int o = any(2) == 0 ? IMAGE : (int)any(OBJECTS);
    bool writable_face = o != IMAGE && any(2) == 0;
    enum sharing sharing = any(2) == 0 ? SHARING_SHARED : SHARING_PRIVATE;
    uint64_t offset = any(OBJECT_PAGES);
    struct object *face = o == IMAGE || writable_face ? faces[o] : read_only[o];
    struct model after = models[i];
    struct page like = {.kind = REGION_OBJECT,
                        .protection = (uint8_t)p,
                        .sharing = (uint8_t)sharing,
                        .charged = sharing == SHARING_PRIVATE && p == PROTECTION_READ_WRITE,
                        .may_write = sharing == SHARING_SHARED && writable_face,
                        .may_execute = o == IMAGE && p != PROTECTION_READ_WRITE,
                        .object = (int8_t)o,
                        .object_page = (uint8_t)offset};
    status_t expected = range_is(&after, first, count, is_free) ? STATUS_OK : STATUS_ALREADY_EXISTS;
    if (offset + count > OBJECT_PAGES) {
        expected = STATUS_OVERFLOW;
    }
    if ((p == PROTECTION_READ_EXECUTE && o != IMAGE)
        || (p == PROTECTION_READ_WRITE && sharing == SHARING_SHARED && !writable_face)) {
        expected = STATUS_WRONG_INTERFACE;
    }
    if (expected == STATUS_OK) {
        fill(&after, first, count, &like);
    }
    uint64_t address = 0;
    inject();
    status_t got = address_space_map_object(spaces[i], face, NULL, true, at(first), true,
                                            offset * PAGE_SIZE, count * PAGE_SIZE, p, sharing,
                                            &address);
    (void)settle(i, got, expected, &after);
}

static void do_kernel_pages(int i, uint64_t first, uint64_t count)
{
    struct model after = models[i];
    if (!range_is(&after, first, count, is_free)) {
        return;
    }
    frame_t frames[WINDOW];
    for (uint64_t k = 0; k < count; k++) {
        CHECK_OK(frame_alloc_zeroed(&frames[k]));
    }
    struct page like = {.kind = REGION_KERNEL,
                        .protection = PROTECTION_READ,
                        .sharing = SHARING_SHARED,
                        .object = -1};
    like.mapping = ++kernel_mappings;
    fill(&after, first, count, &like);
    uint64_t address;
    inject();
    status_t got = address_space_map_kernel_pages(spaces[i], at(first), frames, count,
                                                  PROTECTION_READ, &address);
    (void)settle(i, got, STATUS_OK, &after);
    for (uint64_t k = 0; k < count; k++) {
        frame_put(frames[k]); /* the mapping has its own references */
    }
}

static void do_kernel_unmap(int i, uint64_t first)
{
    struct model after = models[i];
    if (after.pages[first].kind != REGION_KERNEL) {
        return;
    }
    uint32_t mapping = after.pages[first].mapping;
    while (first > 0 && after.pages[first - 1].mapping == mapping) {
        first--;
    }
    uint64_t count = 0;
    while (first + count < WINDOW && after.pages[first + count].mapping == mapping) {
        count++;
    }
    fill(&after, first, count, &(struct page){.kind = NOTHING, .object = -1});
    (void)settle(i, address_space_unmap_kernel_pages(spaces[i], at(first), count), STATUS_OK,
                 &after);
}

static void do_unmap(int i, uint64_t first, uint64_t count, bool code)
{
    struct model after = models[i];
    bool allowed = range_is(&after, first, count, code ? is_code : is_user);
    fill(&after, first, count, &(struct page){.kind = NOTHING, .object = -1});
    inject();
    status_t got = code ? address_space_unmap_code(spaces[i], at(first), count * PAGE_SIZE)
                        : address_space_unmap(spaces[i], at(first), count * PAGE_SIZE);
    (void)settle(i, got, allowed ? STATUS_OK : STATUS_BAD_STATE, &after);
}

/* One page's part of protect(). */
static status_t protect_page(struct page *page, enum protection p)
{
    if (page->kind == NOTHING || page->kind == REGION_RESERVED || page->kind == REGION_KERNEL) {
        return STATUS_BAD_STATE;
    }
    bool private = page->sharing == SHARING_PRIVATE;
    if ((p == PROTECTION_READ_EXECUTE && !page->may_execute)
        || (p == PROTECTION_READ_WRITE
            && (page->kind == REGION_CODE || !(private || page->may_write)))) {
        return STATUS_WRONG_INTERFACE;
    }
    page->protection = (uint8_t)p;
    if (p == PROTECTION_READ_WRITE) {
        page->may_execute = false;
        page->charged = page->charged || private;
    }
    return STATUS_OK;
}

static void do_protect(int i, uint64_t first, uint64_t count, enum protection p)
{
    struct model after = models[i];
    status_t expected = STATUS_OK;
    for (uint64_t k = first; k < first + count && expected == STATUS_OK; k++) {
        expected = protect_page(&after.pages[k], p);
    }
    inject();
    (void)settle(i, address_space_change(spaces[i], CHANGE_PROTECT, at(first), count * PAGE_SIZE,
                                         p), expected,
                 &after);
}

static void do_commit(int i, uint64_t first, uint64_t count, enum protection p)
{
    struct model after = models[i];
    status_t expected =
        range_is(&after, first, count, is_reservable) ? STATUS_OK : STATUS_BAD_STATE;
    expected = p == PROTECTION_READ_EXECUTE ? STATUS_WRONG_INTERFACE : expected;
    for (uint64_t k = first; k < first + count && expected == STATUS_OK; k++) {
        if (after.pages[k].kind == REGION_RESERVED) {
            after.pages[k] = anonymous;
        }
        after.pages[k].protection = (uint8_t)p;
    }
    inject();
    (void)settle(i, address_space_change(spaces[i], CHANGE_COMMIT, at(first), count * PAGE_SIZE,
                                         p), expected,
                 &after);
}

static void do_decommit(int i, uint64_t first, uint64_t count)
{
    struct model after = models[i];
    status_t expected =
        range_is(&after, first, count, is_reservable) ? STATUS_OK : STATUS_BAD_STATE;
    struct page like = anonymous;
    like.kind = REGION_RESERVED;
    like.protection = PROTECTION_NONE;
    like.charged = false;
    fill(&after, first, count, &like);
    inject();
    (void)settle(i, address_space_change(spaces[i], CHANGE_DECOMMIT, at(first), count * PAGE_SIZE,
                                         PROTECTION_NONE), expected,
                 &after);
}

static uint8_t *model_byte(struct page *page)
{
    bool of_object = page->kind == REGION_OBJECT && !page->own;
    return of_object ? &contents[page->object][page->object_page] : &page->value;
}

/* False: refused. With injected failures that may happen to an access that is allowed. */
static bool accessed(status_t got, bool allowed)
{
    bool failed = kmem_fail_after < 0 && injecting;
    kmem_fail_after = -1;
    if (allowed && got != STATUS_OK && failed) {
        return false;
    }
    CHECK_STATUS(got, allowed ? STATUS_OK : STATUS_BAD_ADDRESS);
    return allowed;
}

static void do_read(int i, uint64_t first)
{
    struct page *page = &models[i].pages[first];
    uint8_t value = 0xee;
    bool allowed = page->kind != NOTHING && page->kind != REGION_RESERVED
                   && page->protection != PROTECTION_NONE;
    inject();
    if (accessed(user_copy_in(spaces[i], &value, at(first) + MARK, 1), allowed)) {
        CHECK_EQ(value, *model_byte(page));
    }
}

static void do_write(int i, uint64_t first)
{
    struct page *page = &models[i].pages[first];
    uint8_t value = (uint8_t)any(256);
    bool allowed = page->kind != NOTHING && page->kind != REGION_RESERVED
                   && page->protection == PROTECTION_READ_WRITE;
    inject();
    if (accessed(user_copy_out(spaces[i], at(first) + MARK, &value, 1), allowed)) {
        page->own = page->own || (page->kind == REGION_OBJECT && page->sharing == SHARING_PRIVATE);
        *model_byte(page) = value;
    }
}

static void do_write_code(int i, uint64_t first)
{
    struct page *page = &models[i].pages[first];
    uint8_t value = (uint8_t)any(256);
    inject();
    status_t got = address_space_write_code(spaces[i], at(first) + MARK, &value, 1);
    struct model after = models[i];
    after.pages[first].value = value;
    (void)settle(i, got, page->kind == REGION_CODE ? STATUS_OK : STATUS_BAD_STATE, &after);
}

static void do_copy_across(int i, int j, uint64_t from, uint64_t to)
{
    struct page *source = &models[i].pages[from], *target = &models[j].pages[to];
    bool allowed = source->kind != NOTHING && source->kind != REGION_RESERVED
                   && source->protection != PROTECTION_NONE && target->kind != NOTHING
                   && target->kind != REGION_RESERVED
                   && target->protection == PROTECTION_READ_WRITE;
    inject();
    enum user_copied copied =
        user_copy_across(spaces[j], at(to) + MARK, spaces[i], at(from) + MARK, 1);
    if (accessed(copied == USER_COPIED ? STATUS_OK : STATUS_BAD_ADDRESS, allowed)) {
        uint8_t value = *model_byte(source);
        target->own =
            target->own || (target->kind == REGION_OBJECT && target->sharing == SHARING_PRIVATE);
        *model_byte(target) = value;
    }
}

static void do_fork(int i)
{
    int child = 0;
    while (child < SPACES && spaces[child] != NULL) {
        child++;
    }
    if (child == SPACES) {
        child = (int)any(SPACES);
        if (child != i) {
            address_space_destroy(spaces[child]);
            spaces[child] = NULL;
        }
        return;
    }
    if (all_frames() + 1 > FRAMES_LIMIT) {
        return;
    }
    CHECK_OK(address_space_create(account, &spaces[child]));
    fill(&models[child], 0, WINDOW, &(struct page){.kind = NOTHING, .object = -1});
    /* The places of kernel pages are charged until the fork's end. */
    struct model whole = models[i];
    inject();
    if (settle(child, address_space_fork(spaces[i], spaces[child]), STATUS_OK, &whole)) {
        region_check(spaces[child]);
        address_space_fork_end(spaces[child]);
        for (int p = 0; p < WINDOW; p++) {
            if (models[child].pages[p].kind == REGION_KERNEL) {
                models[child].pages[p] = (struct page){.kind = NOTHING, .object = -1};
            }
        }
    }
    spaces[child]->next_hint = BASE;
}

/* --- the programs --- */

static uint64_t run_of_kind(const struct model *m, uint64_t first, uint64_t count)
{
    uint64_t run = 1;
    while (run < count && m->pages[first + run].kind == m->pages[first].kind) {
        run++;
    }
    return run;
}

static void one_step(void)
{
    int i = (int)any(SPACES), j = (int)any(SPACES);
    i = spaces[i] != NULL ? i : 0;
    i = spaces[i] != NULL ? i : spaces[1] != NULL ? 1 : 2;
    j = spaces[j] != NULL ? j : i;
    uint64_t first = any(WINDOW), count = 1 + any(any(2) == 0 ? 4 : 16);
    count = count <= WINDOW - first ? count : WINDOW - first;
    if (any(2) == 0) {
        count =
            run_of_kind(&models[i], first, count); /* else few changes of many pages are allowed */
    }
    enum protection p = (enum protection)any(PROTECTION_COUNT);
    p = any(2) == 0 ? PROTECTION_READ_WRITE : p;
    switch (any(20)) {
    case 0:
        do_place(i, first, count, (enum placed_operation)any(PLACE_OPERATIONS), p);
        break;
    case 1:
        do_map_fixed(i, first, count, p);
        break;
    case 2:
    case 3:
        do_map_object(i, first, count, p);
        break;
    case 4:
        do_kernel_pages(i, first, count > 3 ? 3 : count);
        break;
    case 5:
        do_kernel_unmap(i, first);
        break;
    case 6:
        do_unmap(i, first, count, any(4) == 0);
        break;
    case 7:
        do_protect(i, first, count, p);
        break;
    case 8:
        do_commit(i, first, count, p);
        break;
    case 9:
        do_decommit(i, first, count);
        break;
    case 10:
        do_write_code(i, first);
        break;
    case 11:
        do_copy_across(i, j, first, any(WINDOW));
        break;
    case 12:
        do_fork(i);
        break;
    case 13:
        do_read(i, first);
        break;
    case 14:
    case 15:
    case 16:
        do_protect(i, first, run_of_kind(&models[i], first, count), p);
        break;
    default:
        do_write(i, first);
        break;
    }
}

static void set_up(void)
{
    static const uint64_t limits[LEDGER_KINDS] = {[LEDGER_FRAMES] = FRAMES_LIMIT};
    sim_boot(NULL);
    CHECK_OK(account_create(&ledger_root, limits, &account));
    for (int o = 0; o < OBJECTS; o++) {
        if (o == IMAGE) {
            for (int p = 0; p < OBJECT_PAGES; p++) {
                contents[o][p] = (uint8_t)(17 * p + 1);
                *((uint8_t *)arch_frame_address(SIM_FIRST_FRAME - OBJECT_PAGES + (frame_t)p)
                  + MARK) = contents[o][p];
            }
            CHECK_OK(memory_object_create_boot(SIM_FIRST_FRAME - OBJECT_PAGES,
                                               OBJECT_PAGES * PAGE_SIZE, &faces[o]));
        } else {
            memset(contents[o], 0, sizeof(contents[o]));
            CHECK_OK(memory_object_create(account, OBJECT_PAGES * PAGE_SIZE, &faces[o]));
            CHECK_OK(
                memory_object_make_read_only(memory_object_of(faces[o]), account, &read_only[o]));
        }
    }
    CHECK_OK(address_space_create(account, &spaces[0]));
    spaces[0]->next_hint = BASE;
    fill(&models[0], 0, WINDOW, &(struct page){.kind = NOTHING, .object = -1});
}

static void tear_down(void)
{
    for (int o = 0; o < OBJECTS; o++) {
        object_put(faces[o]);
        object_put(read_only[o]);
    }
    for (int i = 0; i < SPACES; i++) {
        if (spaces[i] != NULL) {
            address_space_destroy(spaces[i]);
        }
    }
    sim_settle();
    for (int kind = 0; kind < LEDGER_KINDS; kind++) {
        CHECK_EQ(account->used[kind], 0);
    }
    account_put(account);
}

static void run(uint64_t seed, uint64_t steps)
{
    randomness = (struct random){test_seed(seed)};
    set_up();
    for (step = 0; step < steps; step++) {
        sim_machine.prefers_runs = any(2) == 0; /* nobody may see the difference */
        one_step();
        check_totals();
    }
    tear_down();
}

TEST(random_programs_do_what_a_model_of_pages_does)
{
    run(1, test_number("STEPS", 60000));
}

TEST(random_programs_with_failing_allocations)
{
    injecting = true;
    run(2, test_number("STEPS", 60000));
}
