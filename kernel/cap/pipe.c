/* Pipes: the buffer, the calls that wait, life and death. See pipe.h. */
#include "kernel/cap/pipe.h"

#include "kernel/arch/arch.h"
#include "kernel/cap/root_objects.h"
#include "kernel/core/address_space.h"
#include "kernel/core/frame.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "lib/wire/gen/pipe_reader.h"
#include "lib/wire/gen/pipe_writer.h"

/* --- the buffer --- */

static struct pipe_page *page_at(struct pipe *p, uint32_t position)
{
    return &p->pages[position / PAGE_SIZE % PIPE_PAGES];
}

static status_t page_make(struct pipe_page *page, struct account *a)
{
    frame_t f;
    status_t s = ledger_charge(a, LEDGER_QUEUED_BYTES, PAGE_SIZE);
    if (s != STATUS_OK) {
        return s;
    }
    s = ledger_charge(a, LEDGER_FRAMES, 1);
    if (s == STATUS_OK) {
        s = frame_alloc(&f);
        if (s == STATUS_OK) {
            *page = (struct pipe_page){.frame = f, .account = a};
            return STATUS_OK;
        }
        ledger_refund(a, LEDGER_FRAMES, 1);
    }
    ledger_refund(a, LEDGER_QUEUED_BYTES, PAGE_SIZE);
    return s;
}

static void page_free(struct pipe_page *page)
{
    struct account *a = page->account;
    KASSERT(page->frame != FRAME_NONE);
    frame_put(page->frame);
    ledger_refund(a, LEDGER_FRAMES, 1);
    ledger_refund(a, LEDGER_QUEUED_BYTES, PAGE_SIZE);
    *page = (struct pipe_page){0};
}

/* Bytes from `position` to the end of its page, but at most `size`. */
static uint32_t span(uint32_t position, uint32_t size)
{
    uint32_t left = (uint32_t)PAGE_SIZE - position % (uint32_t)PAGE_SIZE;
    return size < left ? size : left;
}

/* `size` bytes out of the pipe, which has them. */
static void take(struct pipe *p, uint8_t *to, uint32_t size)
{
    KASSERT(size <= pipe_used(p));
    while (size > 0) {
        struct pipe_page *page = page_at(p, p->head);
        uint32_t step = span(p->head, size);
        uint8_t *from = (uint8_t *)arch_frame_address(page->frame) + p->head % PAGE_SIZE;
        __builtin_memcpy(to, from, step);
        p->head += step;
        to += step;
        size -= step;
        /* a nearly full pipe has its newest bytes in the page of the oldest, before them */
        bool shared = pipe_used(p) > PIPE_CAPACITY - PAGE_SIZE;
        if (p->head == p->tail || (p->head % PAGE_SIZE == 0 && !shared)) {
            page_free(page);
        }
    }
    if (p->head == p->tail) {
        p->head = p->tail = 0; /* the next byte begins a page */
    }
}

status_t pipe_put(struct pipe *p, struct account *a, struct address_space *as, uint64_t from,
                  uint32_t size, uint32_t *done)
{
    uint32_t room = PIPE_CAPACITY - pipe_used(p);
    size = size < room ? size : room;
    for (*done = 0; *done < size;) {
        struct pipe_page *page = page_at(p, p->tail);
        uint32_t step = span(p->tail, size - *done);
        bool fresh = page->frame == FRAME_NONE;
        status_t s = fresh ? page_make(page, a) : STATUS_OK;
        if (s != STATUS_OK) {
            return s;
        }
        uint8_t *to = (uint8_t *)arch_frame_address(page->frame) + p->tail % PAGE_SIZE;
        if (as == NULL) {
            __builtin_memcpy(to, (const void *)(uintptr_t)(from + *done), step);
        } else {
            s = user_copy_in(as, to, from + *done, step);
        }
        if (s != STATUS_OK) {
            if (fresh) {
                page_free(page);
            }
            return s;
        }
        p->tail += step;
        *done += step;
    }
    return STATUS_OK;
}

/* --- readiness --- */

uint32_t pipe_reader_state(const struct pipe *p)
{
    if (pipe_used(p) != 0) {
        return READINESS_READABLE;
    }
    return p->writer_gone ? READINESS_READABLE | READINESS_CLOSED : 0;
}

uint32_t pipe_writer_state(const struct pipe *p)
{
    if (p->reader_gone) {
        return READINESS_WRITABLE | READINESS_CLOSED;
    }
    return pipe_used(p) < PIPE_CAPACITY && list_empty(&p->writes) ? READINESS_WRITABLE : 0;
}

/* --- calls that wait --- */

void pipe_answer_read(struct pipe *p, const struct call *call, uint32_t max_bytes,
                      struct wire_builder results)
{
    uint32_t size = stream_fit(call, pipe_used(p), max_bytes);
    void *to = pipe_reader_read_results_init_data(results, size);
    KASSERT(to != NULL && (size > 0 || max_bytes == 0 || p->writer_gone));
    take(p, to, size);
    pipe_reader_read_results_set_end_of_file(results, size == 0 && max_bytes > 0);
}

/* Whether something was done. */
static bool serve_read(struct pipe *p)
{
    if (list_empty(&p->reads) || (pipe_used(p) == 0 && !p->writer_gone)) {
        return false;
    }
    struct call *call = LIST_FIRST(&p->reads, struct call, queue);
    list_remove(&call->queue);
    pipe_answer_read(p, call, (uint32_t)call->value[0], call_reply(call));
    call_finish(call, STATUS_OK);
    return true;
}

static bool serve_write(struct pipe *p)
{
    if (list_empty(&p->writes) || (pipe_used(p) == PIPE_CAPACITY && !p->reader_gone)) {
        return false;
    }
    struct call *call = LIST_FIRST(&p->writes, struct call, queue);
    status_t s = STATUS_DISCONNECTED;
    if (!p->reader_gone) {
        uint32_t done;
        s = pipe_put(p, call_account(call), call->process->space, call->value[0],
                     (uint32_t)call->value[1], &done);
        stream_took(call, done);
        if (s == STATUS_OK && call->value[1] > 0) {
            return true;
        }
    }
    stream_finish_write(call, s, pipe_writer_write_results_set_written);
    return true;
}

void pipe_serve(struct pipe *p)
{
    while (serve_read(p) || serve_write(p)) {
        /* each round takes bytes or a call away */
    }
    stream_wake_ready(&p->reader_readies, pipe_reader_state(p), pipe_reader_ready_results_set_mask);
    stream_wake_ready(&p->writer_readies, pipe_writer_state(p), pipe_writer_ready_results_set_mask);
}

/* --- life and death --- */

status_t pipe_create(struct account *a, struct object **reader, struct object **writer)
{
    void *memory;
    status_t s = kmem_alloc(a, sizeof(struct pipe), &memory);
    if (s != STATUS_OK) {
        return s;
    }
    struct pipe *p = memory;
    object_init(&p->reader, &pipe_reader_class);
    object_init(&p->writer, &pipe_writer_class);
    p->account = a;
    list_init(&p->reads);
    list_init(&p->writes);
    list_init(&p->reader_readies);
    list_init(&p->writer_readies);
    *reader = &p->reader;
    *writer = &p->writer;
    return STATUS_OK;
}

static void free_bytes(struct pipe *p)
{
    for (uint32_t i = 0; i < PIPE_PAGES; i++) {
        if (p->pages[i].frame != FRAME_NONE) {
            page_free(&p->pages[i]);
        }
    }
    p->head = p->tail = 0;
}

struct pipe *pipe_of(struct object *end)
{
    KASSERT(end->class == &pipe_reader_class || end->class == &pipe_writer_class);
    return end->class == &pipe_reader_class ? CONTAINER_OF(end, struct pipe, reader)
                                            : CONTAINER_OF(end, struct pipe, writer);
}

void pipe_end_destroy(struct object *end)
{
    struct pipe *p = pipe_of(end);
    bool *gone = end == &p->reader ? &p->reader_gone : &p->writer_gone;
    KASSERT(!*gone);
    *gone = true;
    if (p->reader_gone) {
        free_bytes(p); /* nobody can read them */
    }
    if (!p->reader_gone || !p->writer_gone) {
        pipe_serve(p);
        return;
    }
    KASSERT(list_empty(&p->reads) && list_empty(&p->writes));
    KASSERT(list_empty(&p->reader_readies) && list_empty(&p->writer_readies));
    kmem_free(p->account, p, sizeof(*p));
}
