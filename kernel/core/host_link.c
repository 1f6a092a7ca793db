/* The kernel's end of the host link. Protocol: abi/host_link.h; contract: kernel/core/host_link.h.
 *
 * Sending: frames are put whole into the ring `output`, in order, and pumped from there into the
 * transport. Data leaves CONTROL_ROOM of it free, so that records and credits find room while a
 * stream is blocked. Credits and the exit record are state (`owed`, `exit_waits`) that becomes a
 * frame when there is room, so they are never lost.
 *
 * Receiving: a header, then its payload, straight into the place where it belongs: the ring `input`
 * for input, `frame` for everything else. A header that is not acceptable now breaks the link
 * before one byte of its payload is read.
 *
 * Invariants: input.used + input_credit + owed == HOST_LINK_INPUT_CREDIT, once the bytes of a frame
 * under way are counted as used; output_credit <= HOST_LINK_OUTPUT_CREDIT. */
#include "kernel/core/host_link.h"

#include "kernel/arch/arch.h"
#include "kernel/core/log.h"

#define RING_SIZE HOST_LINK_INPUT_CREDIT /* output: three data frames and the control room */
#define CONTROL_ROOM 2048u               /* two faults, a denial and some credits */
#define OWED_MIN (HOST_LINK_INPUT_CREDIT / 4) /* credit is given back in steps of a page */

struct byte_ring {
    uint32_t first, used;
    uint8_t bytes[RING_SIZE];
};

/* The frame under way, as it lies on the wire; the payload of STDIN goes to `input` instead. */
struct frame {
    struct host_link_header header;
    union {
        struct host_link_host_hello hello;
        struct host_link_window window;
        uint32_t word;
        uint8_t byte;
    };
};
_Static_assert(offsetof(struct frame, hello) == sizeof(struct host_link_header), "no hole");

static struct byte_ring input, output;

static struct {
    bool works; /* it was started, and is not broken */
    bool greeted, input_ended, ending, exit_waits, program_started;
    bool transport_full;   /* it took less than it was given: host_link_input() will come */
    bool input_wanted;     /* somebody has looked for input: the host may send */
    bool output_closed[3]; /* by host_link_stream */
    bool refused[3];       /* a write met that, and the host knows */
    uint32_t input_credit, owed, output_credit;
    uint32_t denials_lost;
    uint64_t first_run_ns;
    uint8_t terminal;
    struct host_link_window window;
    struct host_link_exit exit;
    struct frame frame;
    uint32_t frame_got;    /* bytes of it, the header included */
    void (*notify)(void);
} link;

/* --- rings --- */

/* The longest run of free (or used) bytes at the end (or start) of the ring. */
static uint8_t *ring_free_span(struct byte_ring *r, uint32_t *size)
{
    uint32_t at = (r->first + r->used) % RING_SIZE;
    *size = MIN(RING_SIZE - r->used, RING_SIZE - at);
    return r->bytes + at;
}

static uint8_t *ring_used_span(struct byte_ring *r, uint32_t *size)
{
    *size = MIN(r->used, RING_SIZE - r->first);
    return r->bytes + r->first;
}

static void ring_drop(struct byte_ring *r, uint32_t size)
{
    KASSERT(size <= r->used);
    r->first = (r->first + size) % RING_SIZE;
    r->used -= size;
}

static void ring_put(struct byte_ring *r, const void *bytes, uint32_t size)
{
    const uint8_t *from = bytes;
    KASSERT(size <= RING_SIZE - r->used);
    while (size > 0) {
        uint32_t span;
        uint8_t *to = ring_free_span(r, &span);
        uint32_t step = MIN(span, size);
        __builtin_memcpy(to, from, step);
        r->used += step;
        from += step;
        size -= step;
    }
}

/* --- the state of the link --- */

static void link_break(const char *why)
{
    KASSERT(link.works);
    link.works = false;
    link.input_ended = link.greeted = true;
    link.terminal = 0;
    link.window = (struct host_link_window){0};
    link.output_closed[HOST_LINK_STREAM_OUT] = link.output_closed[HOST_LINK_STREAM_ERR] = true;
    log_line("host link: broken: %s", why);
}

/* --- sending --- */

static bool has_room(uint32_t payload)
{
    return RING_SIZE - output.used >= payload + sizeof(struct host_link_header);
}

static void put_frame(enum host_link_type type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = (uint8_t)type, .length = size};
    KASSERT(size <= HOST_LINK_MAX_PAYLOAD && has_room(size));
    ring_put(&output, &header, sizeof(header));
    ring_put(&output, payload, size);
}

/* Turns what is owed into frames and hands the ring to the transport, as far as both go.
 *
 * A full transport is left alone until host_link_input() says that it has room again. Were it
 * filled from elsewhere in between, it would owe nobody an interrupt, and who waits for room
 * would wait for ever. */
static void pump_out(void)
{
    if (link.input_wanted && link.owed >= OWED_MIN && !link.ending && has_room(sizeof(link.owed))) {
        put_frame(HOST_LINK_CREDIT, &link.owed, sizeof(link.owed));
        link.input_credit += link.owed;
        link.owed = 0;
    }
    for (;;) {
        if (link.exit_waits && has_room(sizeof(link.exit))) {
            link.exit.denials_lost = link.denials_lost;
            put_frame(HOST_LINK_EXIT, &link.exit, sizeof(link.exit));
            link.exit_waits = false;
        }
        uint32_t span;
        const uint8_t *bytes = ring_used_span(&output, &span);
        if (span == 0 || link.transport_full) {
            return;
        }
        size_t sent = arch_link_write(bytes, span);
        KASSERT(sent <= span);
        ring_drop(&output, (uint32_t)sent);
        link.transport_full = sent < span;
    }
}

/* A record: queued now or not at all. */
static bool send_record(enum host_link_type type, const void *payload, uint32_t size)
{
    if (!link.works || link.ending || !has_room(size)) {
        return false;
    }
    put_frame(type, payload, size);
    pump_out();
    return true;
}

size_t host_link_output_room(void)
{
    uint32_t overhead = CONTROL_ROOM + sizeof(struct host_link_header);
    uint32_t free = RING_SIZE - output.used;
    if (!link.works || link.ending || free <= overhead) {
        return 0;
    }
    return MIN(MIN(free - overhead, HOST_LINK_MAX_PAYLOAD), link.output_credit);
}

size_t host_link_write(enum host_link_stream stream, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t done = 0;
    KASSERT(stream == HOST_LINK_STREAM_OUT || stream == HOST_LINK_STREAM_ERR);
    size_t room;
    while (done < size && !link.output_closed[stream] && (room = host_link_output_room()) > 0) {
        uint32_t step = (uint32_t)(room < size - done ? room : size - done);
        put_frame(stream == HOST_LINK_STREAM_OUT ? HOST_LINK_STDOUT : HOST_LINK_STDERR, from + done,
                  step);
        link.output_credit -= step;
        done += step;
        pump_out();
    }
    return done;
}

bool host_link_closed(enum host_link_stream stream)
{
    KASSERT(stream == HOST_LINK_STREAM_OUT || stream == HOST_LINK_STREAM_ERR);
    return link.output_closed[stream] || link.ending;
}

bool host_link_refuses(enum host_link_stream stream)
{
    bool refuses = host_link_closed(stream);
    uint8_t which = (uint8_t)stream;
    if (link.output_closed[stream] && !link.refused[stream]) {
        link.refused[stream] = send_record(HOST_LINK_REFUSED, &which, sizeof(which));
    }
    return refuses;
}

bool host_link_log(const char *text, size_t size)
{
    /* Lines may not take the room of the records. */
    if (size > HOST_LINK_MAX_PAYLOAD || !has_room((uint32_t)size + CONTROL_ROOM)) {
        return false;
    }
    return send_record(HOST_LINK_LOG, text, (uint32_t)size);
}

void host_link_send_denial(const struct host_link_denial *denial)
{
    if (!send_record(HOST_LINK_DENIAL, denial, sizeof(*denial))) {
        link.denials_lost++;
    }
}

void host_link_send_fault(const struct host_link_fault *fault)
{
    KASSERT(fault->frame_count <= BACKTRACE_MAX);
    if (!send_record(HOST_LINK_FAULT, fault, sizeof(*fault))) {
        log_line("host link: no room for a fault record");
    }
}

void host_link_started(uint64_t image_base)
{
    struct host_link_started started = {.image_base = image_base};
    if (!link.program_started) {
        link.program_started = true;
        link.first_run_ns = arch_now_ns();
        (void)send_record(HOST_LINK_STARTED, &started, sizeof(started));
    }
}

void host_link_end(const struct host_link_exit *record)
{
    if (link.ending) {
        return;
    }
    link.ending = true;
    link.exit = *record;
    link.exit.first_run_ns = link.first_run_ns;
    link.exit.end_ns = arch_now_ns();
    if (!link.works) {
        arch_machine_exit(0);
    }
    link.exit_waits = true;
    pump_out();
}

/* --- receiving --- */

/* Each acts on a frame that has come whole. NULL: it was good; else what was wrong with it. */
static const char *take_hello(const struct frame *f)
{
    const struct host_link_host_hello *hello = &f->hello;
    if (link.greeted) {
        return "a second HELLO";
    }
    if (hello->magic != HOST_LINK_MAGIC || hello->version != HOST_LINK_VERSION) {
        return "another protocol or version";
    }
    link.greeted = true;
    link.terminal = hello->terminal;
    link.window = hello->window;
    return NULL;
}

static const char *take_credit(const struct frame *f)
{
    if (f->word > HOST_LINK_OUTPUT_CREDIT - link.output_credit) {
        return "more output credit than there is";
    }
    link.output_credit += f->word;
    return NULL;
}

static const char *take_closed(const struct frame *f)
{
    if ((f->byte != HOST_LINK_STREAM_OUT && f->byte != HOST_LINK_STREAM_ERR) ||
        link.output_closed[f->byte]) {
        return "CLOSED for what is no open output";
    }
    link.output_closed[f->byte] = true;
    return NULL;
}

/* The machine claims none (HOST_LINK_CLAIM), so an interrupt is nobody's. */
static const char *take_interrupt(const struct frame *f)
{
    bool known = f->word >= HOST_LINK_INTERRUPT_INT && f->word <= HOST_LINK_INTERRUPT_QUIT;
    return known ? NULL : "an unknown interrupt";
}

static const char *take_window(const struct frame *f)
{
    link.window = f->window;
    return NULL;
}

static const char *take_input_end(const struct frame *f)
{
    KASSERT(f->header.length == 0);
    if (link.input_ended) {
        return "a second end of input";
    }
    link.input_ended = true;
    return NULL;
}

static const char *take_exit_ack(const struct frame *f)
{
    KASSERT(f->header.length == 0);
    if (!link.ending || link.exit_waits) {
        return "EXIT_ACK before EXIT";
    }
    arch_machine_exit(0);
}

/* What the host may send, with the length it must have. STDIN is not among it: its length varies,
 * and its bytes are where they belong as soon as they come. */
static const struct {
    uint32_t length;
    const char *(*take)(const struct frame *f);
} frames[] = {
    [HOST_LINK_HELLO] = {sizeof(struct host_link_host_hello), take_hello},
    [HOST_LINK_CREDIT] = {sizeof(uint32_t), take_credit},
    [HOST_LINK_STDIN_END] = {0, take_input_end},
    [HOST_LINK_CLOSED] = {sizeof(uint8_t), take_closed},
    [HOST_LINK_WINDOW] = {sizeof(struct host_link_window), take_window},
    [HOST_LINK_INTERRUPT] = {sizeof(uint32_t), take_interrupt},
    [HOST_LINK_EXIT_ACK] = {0, take_exit_ack},
};

/* A header that has come whole; NULL: its payload may come. */
static const char *take_header(const struct host_link_header *h)
{
    if (h->zero[0] != 0 || h->zero[1] != 0 || h->zero[2] != 0) {
        return "a header with reserved bits";
    }
    if (!link.greeted && h->type != HOST_LINK_HELLO) {
        return "a frame before HELLO";
    }
    if (h->type == HOST_LINK_STDIN) {
        if (h->length == 0 || h->length > HOST_LINK_MAX_PAYLOAD || h->length > link.input_credit) {
            return "more input than its credit";
        }
        if (link.input_ended) {
            return "input after its end";
        }
        link.input_credit -= h->length;
        return NULL;
    }
    bool known = h->type < ARRAY_SIZE(frames) && frames[h->type].take != NULL &&
                 frames[h->type].length == h->length;
    return known ? NULL : "an unknown frame, or one of a wrong length";
}

static uint32_t frame_left(void)
{
    uint32_t header = sizeof(link.frame.header);
    return link.frame_got < header ? header - link.frame_got
                                   : header + link.frame.header.length - link.frame_got;
}

static bool input_under_way(void)
{
    return link.frame_got >= sizeof(link.frame.header) &&
           link.frame.header.type == HOST_LINK_STDIN;
}

/* More of the frame under way has come. */
static void advance(uint32_t size)
{
    const struct host_link_header *h = &link.frame.header;
    const char *error = NULL;
    link.frame_got += size;
    if (link.frame_got == sizeof(*h)) {
        error = take_header(h);
    }
    if (error == NULL && frame_left() == 0) {
        link.frame_got = 0;
        error = h->type == HOST_LINK_STDIN ? NULL : frames[h->type].take(&link.frame);
    }
    if (error != NULL) {
        link_break(error);
    }
}

/* Whether something came. */
static bool pump_in(void)
{
    bool news = false;
    while (link.works) {
        bool data = input_under_way();
        uint32_t size = frame_left(), span = size;
        uint8_t *to =
            data ? ring_free_span(&input, &span) : (uint8_t *)&link.frame + link.frame_got;
        size = MIN(size, span);
        KASSERT(size > 0); /* there is room for input: the credit was checked */
        size_t got = arch_link_read(to, size);
        if (got == 0) {
            break;
        }
        KASSERT(got <= size);
        news = true;
        if (data) {
            input.used += (uint32_t)got;
        }
        advance((uint32_t)got);
    }
    return news;
}

void host_link_input(void)
{
    if (!link.works) {
        return;
    }
    /* every byte of input credit is somewhere */
    uint32_t coming = input_under_way() ? frame_left() : 0;
    KASSERT(input.used + coming + link.input_credit + link.owed == HOST_LINK_INPUT_CREDIT);
    KASSERT(link.output_credit <= HOST_LINK_OUTPUT_CREDIT);
    bool news = pump_in() || link.transport_full;
    link.transport_full = false;
    if (link.works) {
        pump_out();
    } else if (link.ending) {
        arch_machine_exit(0);
    }
    if (news && link.notify != NULL && !link.ending) {
        link.notify();
    }
}

void host_link_init(void)
{
    __builtin_memset(&link, 0, sizeof(link));
    input.first = input.used = output.first = output.used = 0;
}

void host_link_start(uint32_t cpus, uint64_t memory_bytes)
{
    struct host_link_machine_hello hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION,
                                            .cpus = cpus, .memory_bytes = memory_bytes};
    KASSERT(!link.works);
    link.owed = HOST_LINK_INPUT_CREDIT;
    link.output_credit = HOST_LINK_OUTPUT_CREDIT;
    link.works = true;
    put_frame(HOST_LINK_HELLO, &hello, sizeof(hello));
    host_link_input();
}

void host_link_listen(void (*notify)(void))
{
    link.notify = notify;
}

/* --- input, terminal --- */

static void want_input(void)
{
    if (!link.input_wanted && link.works) {
        link.input_wanted = true;
        pump_out();
    }
}

size_t host_link_input_size(bool *end)
{
    want_input();
    *end = link.input_ended;
    return input.used;
}

size_t host_link_read(void *to, size_t size, bool *end)
{
    uint8_t *bytes = to;
    size_t done = 0;
    want_input();
    while (done < size && input.used > 0) {
        uint32_t span;
        const uint8_t *from = ring_used_span(&input, &span);
        uint32_t step = (uint32_t)(span < size - done ? span : size - done);
        __builtin_memcpy(bytes + done, from, step);
        ring_drop(&input, step);
        link.owed += step;
        done += step;
    }
    if (done > 0 && link.works) {
        pump_out();
    }
    *end = link.input_ended && input.used == 0 && done == 0;
    return done;
}

bool host_link_greeted(void)
{
    return link.greeted;
}

bool host_link_terminal(enum host_link_stream stream)
{
    KASSERT(link.greeted);
    return (link.terminal >> (uint32_t)stream & 1) != 0;
}

struct host_link_window host_link_window(void)
{
    KASSERT(link.greeted);
    return link.window;
}
