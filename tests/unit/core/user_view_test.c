/* The page of a space that the kernel has looked at last: an answer or a request that comes after
 * the page was unmapped, protected, decommitted, forked or replaced goes by what is there then,
 * and the frame that was there before keeps what it has. */
#include "kernel/core/frame.h"
#include "kernel/core/memory_object.h"
#include "tests/lib/invariants.h"
#include "tests/lib/ipc.h"

#define OLD "from before"
#define NEW "from after."
#define HEAD sizeof(struct ring_request)

static struct ipc w;
static bool of_server; /* the page is where a request goes; else where an answer goes */
static uint64_t page;  /* the address that the kernel is made to remember */
static struct object *object; /* what is mapped there, in some tests; a reference */
static frame_t before;        /* what was there; a reference */
static uint8_t kept[PAGE_SIZE];

static struct process *owner(void)
{
    return of_server ? w.server_process : w.client_process;
}

static struct address_space *space(void)
{
    return owner()->space;
}

static struct ring_entry receive_entry(void)
{
    struct ring_entry e = ipc_receive(w.server, 2, w.endpoint);
    e.result = of_server ? page : e.result;
    return e;
}

static struct ring_entry call_entry(const char *text)
{
    struct ring_entry e = ipc_call(w.client, 1, w.facet, text);
    e.result = of_server ? e.result : page;
    return e;
}

static void wait_with(struct user *u, struct ring_entry e)
{
    user_submit(u, &e);
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_BLOCKED);
}

/* A whole call, during which the page changes: after the RECV waits, or after the CALL does. The
 * status of the entry whose buffer the page is. */
static status_t round_trip(const char *text, void (*change)(void))
{
    user_scratch_reset(w.client);
    user_scratch_reset(w.server);
    wait_with(w.server, receive_entry());
    if (of_server && change != NULL) {
        change();
    }
    wait_with(w.client, call_entry(text));
    struct ring_completion c = ipc_take(w.server, 2);
    status_t received = (status_t)-c.status;
    if (received != STATUS_OK) {
        c = user_run(w.server, ipc_receive(w.server, 4, w.endpoint));
        CHECK_OK(c.status);
    }
    if (!of_server && change != NULL) {
        change();
    }
    CHECK_OK(user_run(w.server, ipc_return(w.server, 3, c.aux, text)).status);
    c = ipc_take(w.client, 1);
    return of_server ? received : (status_t)-c.status;
}

static bool page_has(const char *text)
{
    char bytes[64];
    size_t size = strlen(text);
    CHECK(user_read(owner(), page + (of_server ? HEAD : 0), bytes, size));
    return memcmp(bytes, text, size) == 0;
}

/* The kernel remembers the page, by both ways, and the frame is held. */
static void remember(void)
{
    for (int i = 0; i < 4; i++) {
        CHECK_OK(round_trip(OLD, NULL));
        CHECK(page_has(OLD));
    }
    CHECK_EQ(space()->view_page, page);
    CHECK_EQ(space()->view_size, PAGE_SIZE);
    CHECK_OK(address_space_frame(space(), page, UPCALL_ACCESS_READ, &before));
    frame_get(before);
    memcpy(kept, arch_frame_address(before), PAGE_SIZE);
}

static void check_old_frame(void)
{
    CHECK_BYTES(arch_frame_address(before), kept, PAGE_SIZE);
    frame_put(before);
    invariants_check();
}

static void map_anonymous(void)
{
    CHECK_OK(address_space_map(space(), 0, false, 4 * PAGE_SIZE, PROTECTION_READ_WRITE, &page));
    page += PAGE_SIZE;
}

/* Each test twice: for the request's buffer and for the answer's. */
static void both(void (*map)(void), void (*body)(void))
{
    sim_boot(NULL);
    for (int i = 0; i < 2; i++) {
        of_server = i != 0;
        ipc_make(&w);
        map();
        remember();
        body();
        sim_end_all();
        object_put(object);
        object = NULL;
        sim_settle();
    }
}

static void check_lost(void (*change)(void))
{
    CHECK_STATUS(round_trip(NEW, change), STATUS_BAD_ADDRESS);
    check_old_frame();
}

static void check_elsewhere(void (*change)(void))
{
    CHECK_OK(round_trip(NEW, change));
    CHECK(page_has(NEW));
    check_old_frame();
}

/* --- the program's own changes --- */

static void unmap(void)
{
    CHECK_OK(address_space_unmap(space(), page, PAGE_SIZE));
}

static void unmap_all(void)
{
    CHECK_OK(address_space_unmap(space(), page - PAGE_SIZE, 4 * PAGE_SIZE));
}

static void map_anew(void)
{
    unmap();
    CHECK_OK(address_space_map(space(), page, true, PAGE_SIZE, PROTECTION_READ_WRITE,
                               &(uint64_t){0}));
}

static void protect_read(void)
{
    CHECK_OK(address_space_change(space(), CHANGE_PROTECT, page, PAGE_SIZE, PROTECTION_READ));
}

static void protect_none(void)
{
    CHECK_OK(address_space_change(space(), CHANGE_PROTECT, page - PAGE_SIZE, 2 * PAGE_SIZE,
                                  PROTECTION_NONE));
}

static void protect_and_back(void)
{
    protect_none();
    CHECK_OK(address_space_change(space(), CHANGE_PROTECT, page, PAGE_SIZE, PROTECTION_READ_WRITE));
}

static void body_unmap(void)
{
    check_lost(unmap);
}

static void body_unmap_all(void)
{
    check_lost(unmap_all);
}

static void body_map_anew(void)
{
    check_elsewhere(map_anew);
}

static void body_protect_read(void)
{
    check_lost(protect_read);
    CHECK(page_has(OLD));
}

static void body_protect_none(void)
{
    check_lost(protect_none);
}

static void body_protect_and_back(void)
{
    CHECK_OK(round_trip(NEW, protect_and_back));
    CHECK(page_has(NEW));
    frame_put(before);
}

TEST(unmapped)
{
    both(map_anonymous, body_unmap);
}

TEST(unmapped_with_those_around_it)
{
    both(map_anonymous, body_unmap_all);
}

TEST(unmapped_and_mapped_anew)
{
    both(map_anonymous, body_map_anew);
}

TEST(protected_against_writing)
{
    both(map_anonymous, body_protect_read);
}

TEST(protected_against_everything)
{
    both(map_anonymous, body_protect_none);
}

TEST(protected_and_writable_again)
{
    both(map_anonymous, body_protect_and_back);
}

static void map_committed(void)
{
    CHECK_OK(address_space_reserve(space(), 0, 4 * PAGE_SIZE, &page));
    page += PAGE_SIZE;
    CHECK_OK(address_space_change(space(), CHANGE_COMMIT, page, PAGE_SIZE, PROTECTION_READ_WRITE));
}

static void decommit(void)
{
    CHECK_OK(address_space_change(space(), CHANGE_DECOMMIT, page, PAGE_SIZE, PROTECTION_NONE));
}

static void commit_anew(void)
{
    decommit();
    CHECK_OK(address_space_change(space(), CHANGE_COMMIT, page, PAGE_SIZE, PROTECTION_READ_WRITE));
}

static void body_decommit(void)
{
    check_lost(decommit);
}

static void body_commit_anew(void)
{
    check_elsewhere(commit_anew);
}

TEST(decommitted)
{
    both(map_committed, body_decommit);
}

TEST(decommitted_and_committed_anew)
{
    both(map_committed, body_commit_anew);
}

/* --- fork --- */

static struct process *child;

static void fork_space(void)
{
    frame_put(before); /* the child has it instead, else its share would seem one more */
    child = sim_bare_process();
    CHECK_OK(address_space_fork(space(), child->space));
    address_space_fork_end(child->space);
}

static void fork_and_child_writes(void)
{
    fork_space();
    CHECK(user_write(child, page + 100, "the child's", 11));
}

static bool child_has(const char *text)
{
    char bytes[64];
    CHECK(user_read(child, page + (of_server ? HEAD : 0), bytes, strlen(text)));
    return memcmp(bytes, text, strlen(text)) == 0;
}

static void check_forked(void (*change)(void))
{
    CHECK_OK(round_trip(NEW, change));
    CHECK(page_has(NEW));
    CHECK(child_has(OLD));
    CHECK_OK(round_trip(NEW, NULL));
    CHECK(child_has(OLD));
}

static void body_fork(void)
{
    check_forked(fork_space);
}

static void body_fork_and_write(void)
{
    check_forked(fork_and_child_writes);
}

/* The parent's page is remembered again before the child takes its copy. */
static void body_child_after_parent(void)
{
    fork_space();
    CHECK_OK(round_trip("between....", NULL));
    CHECK(child_has(OLD));
    CHECK(user_write(child, page + (of_server ? HEAD : 0), OLD, sizeof(OLD)));
    CHECK(page_has("between...."));
    CHECK_OK(round_trip(NEW, NULL));
    CHECK(child_has(OLD));
}

/* A second fork shares what the parent has made its own since the first. */
static void body_forked_twice(void)
{
    fork_space();
    CHECK_OK(round_trip(OLD, NULL));
    CHECK_OK(address_space_frame(space(), page, UPCALL_ACCESS_READ, &before));
    frame_get(before);
    check_forked(fork_space);
}

TEST(forked)
{
    both(map_anonymous, body_fork);
}

TEST(forked_and_the_child_has_written)
{
    both(map_anonymous, body_fork_and_write);
}

TEST(forked_and_written_by_both)
{
    both(map_anonymous, body_child_after_parent);
}

TEST(forked_again)
{
    both(map_anonymous, body_forked_twice);
}

/* --- memory objects --- */

static void map_object(enum sharing sharing, struct object *through)
{
    CHECK_OK(memory_object_create(&ledger_root, 2 * PAGE_SIZE, &object));
    CHECK_OK(address_space_map_object(space(), object, through, false, 0, false, 0, 2 * PAGE_SIZE,
                                      PROTECTION_READ_WRITE, sharing, &page));
}

static void map_shared(void)
{
    map_object(SHARING_SHARED, NULL);
}

static void map_private(void)
{
    map_object(SHARING_PRIVATE, NULL);
}

static void replace_with_object(void)
{
    unmap();
    if (object == NULL) {
        CHECK_OK(memory_object_create(&ledger_root, 2 * PAGE_SIZE, &object));
    }
    CHECK_OK(address_space_map_object(space(), object, NULL, true, page, true, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &page));
}

static void replace_with_other_page(void)
{
    unmap();
    CHECK_OK(address_space_map_object(space(), object, NULL, true, page, true, PAGE_SIZE, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &page));
}

static frame_t object_frame(uint64_t index)
{
    return memory_object_frame(memory_object_of(object), index, false);
}

static void body_replace_with_object(void)
{
    check_elsewhere(replace_with_object);
    CHECK_NE(object_frame(0), before);
    CHECK(memcmp((char *)arch_frame_address(object_frame(0)) + (of_server ? HEAD : 0), NEW,
                 strlen(NEW))
          == 0);
}

static void body_shared(void)
{
    CHECK_EQ(object_frame(0), before);
    check_lost(unmap);
}

static void body_shared_moves_on(void)
{
    check_elsewhere(replace_with_other_page);
    CHECK_EQ(object_frame(0), before);
}

static void body_shared_read_only(void)
{
    check_lost(protect_read);
}

/* A private page is a copy from the first answer on; the object never changes. */
static void body_private(void)
{
    frame_put(before);
    CHECK_EQ(object_frame(0), FRAME_NONE);
    CHECK_OK(round_trip(NEW, NULL));
    CHECK_EQ(object_frame(0), FRAME_NONE);
}

static void body_private_read_first(void)
{
    uint64_t at;
    frame_put(before);
    CHECK_OK(address_space_map_object(space(), object, NULL, true, 0, false, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &at));
    CHECK(user_write(owner(), at, "the object's", 12));
    unmap();
    CHECK_OK(address_space_map_object(space(), object, NULL, true, page, true, 0, PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_PRIVATE, &page));
    CHECK(!page_has(NEW)); /* a read maps the object's own frame here */
    CHECK_OK(round_trip(NEW, NULL));
    CHECK(page_has(NEW));
    CHECK(memcmp(arch_frame_address(object_frame(0)), "the object's", 12) == 0);
}

TEST(replaced_by_an_object)
{
    both(map_anonymous, body_replace_with_object);
}

TEST(an_objects_page_unmapped)
{
    both(map_shared, body_shared);
}

TEST(an_objects_page_replaced_by_its_other)
{
    both(map_shared, body_shared_moves_on);
}

TEST(an_objects_page_protected)
{
    both(map_shared, body_shared_read_only);
}

TEST(a_private_page_of_an_object)
{
    both(map_private, body_private);
}

TEST(a_private_page_that_was_read_first)
{
    both(map_private, body_private_read_first);
}

static struct object *cutter;

static void map_through_forwarder(void)
{
    struct object *forwarder;
    CHECK_OK(memory_object_create(&ledger_root, 2 * PAGE_SIZE, &object));
    CHECK_OK(forwarder_create(&ledger_root, object, &forwarder, &cutter));
    CHECK_OK(address_space_map_object(space(), object, forwarder, false, 0, false, 0, 2 * PAGE_SIZE,
                                      PROTECTION_READ_WRITE, SHARING_SHARED, &page));
    object_put(forwarder); /* the mapping has one */
}

static void cut(void)
{
    forwarder_cut(cutter);
}

static void body_cut(void)
{
    check_lost(cut);
    object_put(cutter);
}

TEST(cut_off)
{
    both(map_through_forwarder, body_cut);
}

/* --- the kernel's own pages --- */

static struct thread *other;

/* Behind the header and both queues of another thread's ring. */
static void map_ring(void)
{
    CHECK_OK(thread_create(owner(), owner()->space, 1, &other));
    page = other->ring.user_address;
}

static void end_other(void)
{
    object_get(&other->object);
    thread_start(other);
    thread_exit(other, 0);
    object_put(&other->object);
}

static void body_ring(void)
{
    check_lost(end_other);
}

TEST(a_ring_that_goes_with_its_thread)
{
    both(map_ring, body_ring);
}
