/* The kernel's end of the host link. Protocol: abi/host_link.h; contract:
 * kernel/core/host_link.h.
 *
 * Sending: frames are put whole into the ring `out`, in order, and pumped from there into the
 * transport. Data leaves CONTROL_ROOM of it free, so that records and credits find room while a
 * stream is blocked. Credits and the exit record are state (`owed`, `exit_waits`) that becomes a
 * frame when there is room, so they are never lost.
 *
 * Receiving: a header, then its payload, straight into the place where it belongs: the ring `in`
 * for input, `control` for everything else. A header that is not acceptable now breaks the link
 * before one byte of its payload is read.
 *
 * Invariants: in.used + input_credit + owed == HOST_LINK_INPUT_CREDIT, once the bytes of a frame
 * under way are counted as used; output_credit <= HOST_LINK_OUTPUT_CREDIT. */
#include "kernel/core/host_link.h"

#include "kernel/arch/arch.h"

/* three data frames and the control room: the pump empties it at once */
#define OUT_SIZE 16384u
#define CONTROL_ROOM 2048u  /* two faults, a denial and some credits */
#define OWED_MIN (HOST_LINK_INPUT_CREDIT / 4) /* credit is given back in steps of a page */

struct byte_ring {
    uint8_t *bytes;
    uint32_t size, first, used;
};

struct receiver {
    struct host_link_header header;
    uint32_t header_got, payload_got;
    union {
        struct host_link_host_hello hello;
        struct host_link_window window;
        uint32_t word;
        uint8_t byte;
    } control;
};

static uint8_t in_bytes[HOST_LINK_INPUT_CREDIT];
static uint8_t out_bytes[OUT_SIZE];

static struct {
    bool started, broken, greeted, input_ended, ending, exit_waits, program_started;
    bool transport_full;   /* it took less than it was given: host_link_input() will come */
    bool input_wanted;     /* somebody has looked for input: the host may send */
    bool output_closed[3]; /* by host_link_stream */
    bool refused[3];       /* a write met that, and the host knows */
    uint32_t input_credit, owed, output_credit;
    uint32_t events;       /* for the listener, gathered while receiving */
    uint32_t interrupts;
    uint32_t denials_lost;
    uint64_t first_run_ns;
    uint8_t terminal;
    struct host_link_window window;
    struct host_link_exit exit;
    struct byte_ring in, out;
    struct receiver receiver;
    void (*notify)(uint32_t events);
} link;

/* --- rings --- */

/* The longest run of free (or used) bytes at the end (or start) of the ring. */
static uint8_t *ring_free_span(struct byte_ring *r, uint32_t *size)
{
    uint32_t at = (r->first + r->used) % r->size;
    uint32_t to_edge = r->size - at;
    uint32_t free = r->size - r->used;
    *size = free < to_edge ? free : to_edge;
    return r->bytes + at;
}

static uint8_t *ring_used_span(struct byte_ring *r, uint32_t *size)
{
    uint32_t to_edge = r->size - r->first;
    *size = r->used < to_edge ? r->used : to_edge;
    return r->bytes + r->first;
}

static void ring_drop(struct byte_ring *r, uint32_t size)
{
    KASSERT(size <= r->used);
    r->first = (r->first + size) % r->size;
    r->used -= size;
}

static void ring_put(struct byte_ring *r, const void *bytes, uint32_t size)
{
    const uint8_t *from = bytes;
    KASSERT(size <= r->size - r->used);
    while (size > 0) {
        uint32_t span;
        uint8_t *to = ring_free_span(r, &span);
        uint32_t step = span < size ? span : size;
        __builtin_memcpy(to, from, step);
        r->used += step;
        from += step;
        size -= step;
    }
}

/* --- the state of the link --- */

static void link_break(const char *why)
{
    static const char prefix[] = "host link: broken: ";
    if (link.broken) {
        return;
    }
    link.broken = true;
    link.input_ended = true;
    link.greeted = true;
    link.terminal = 0;
    link.window = (struct host_link_window){0};
    link.output_closed[HOST_LINK_STREAM_OUT] = link.output_closed[HOST_LINK_STREAM_ERR] = true;
    link.events |= HOST_LINK_EVENT_INPUT | HOST_LINK_EVENT_OUTPUT | HOST_LINK_EVENT_TERMINAL;
    arch_log(prefix, sizeof(prefix) - 1);
    arch_log(why, __builtin_strlen(why));
    arch_log("\n", 1);
}

static bool link_works(void)
{
    return link.started && !link.broken;
}

/* --- sending --- */

static bool has_room(uint32_t payload)
{
    return link.out.size - link.out.used >= payload + sizeof(struct host_link_header);
}

static void put_frame(enum host_link_type type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = (uint8_t)type, .length = size};
    KASSERT(size <= HOST_LINK_MAX_PAYLOAD && has_room(size));
    ring_put(&link.out, &header, sizeof(header));
    ring_put(&link.out, payload, size);
}

/* Turns what is owed into frames and hands the ring to the transport, as far as both go.
 *
 * A full transport is left alone until host_link_input() says that it has room again. Were it
 * filled from elsewhere in between, it would owe nobody an interrupt, and who waits for room
 * would wait for ever. */
static void pump_out(void)
{
    if (link.input_wanted && link.owed >= OWED_MIN && !link.ending &&
        has_room(sizeof(link.owed))) {
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
        const uint8_t *bytes = ring_used_span(&link.out, &span);
        if (span == 0 || link.transport_full) {
            return;
        }
        size_t sent = arch_link_write(bytes, span);
        KASSERT(sent <= span);
        ring_drop(&link.out, (uint32_t)sent);
        link.transport_full = sent < span;
    }
}

/* A record: queued now or not at all. */
static bool send_record(enum host_link_type type, const void *payload, uint32_t size)
{
    if (!link_works() || link.ending || !has_room(size)) {
        return false;
    }
    put_frame(type, payload, size);
    pump_out();
    return true;
}

size_t host_link_output_room(void)
{
    uint32_t free = link.out.size - link.out.used;
    uint32_t overhead = CONTROL_ROOM + sizeof(struct host_link_header);
    if (!link_works() || link.ending || free <= overhead) {
        return 0;
    }
    uint32_t room = free - overhead;
    room = room < HOST_LINK_MAX_PAYLOAD ? room : HOST_LINK_MAX_PAYLOAD;
    return room < link.output_credit ? room : link.output_credit;
}

size_t host_link_write(enum host_link_stream stream, const void *bytes, size_t size)
{
    const uint8_t *from = bytes;
    size_t done = 0;
    KASSERT(stream == HOST_LINK_STREAM_OUT || stream == HOST_LINK_STREAM_ERR);
    while (done < size && !link.output_closed[stream]) {
        size_t room = host_link_output_room();
        uint32_t step = (uint32_t)(room < size - done ? room : size - done);
        if (step == 0) {
            break;
        }
        put_frame(stream == HOST_LINK_STREAM_OUT ? HOST_LINK_STDOUT : HOST_LINK_STDERR, from + done,
                  step);
        link.output_credit -= step;
        done += step;
        pump_out();
    }
    if (link.output_closed[stream] && !link.refused[stream]) {
        uint8_t which = (uint8_t)stream;
        link.refused[stream] = send_record(HOST_LINK_REFUSED, &which, sizeof(which));
    }
    return done;
}

bool host_link_closed(enum host_link_stream stream)
{
    KASSERT(stream <= HOST_LINK_STREAM_ERR);
    return link.output_closed[stream] || link.ending;
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
        arch_log("host link: no room for a fault record\n", 38);
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

void host_link_claim_interrupts(bool claimed)
{
    uint8_t value = claimed;
    (void)send_record(HOST_LINK_CLAIM, &value, sizeof(value));
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
    if (!link_works()) {
        arch_machine_exit(0);
    }
    link.exit_waits = true;
    pump_out();
}

/* --- receiving --- */

/* The length a control frame must have, or -1. */
static int64_t control_length(uint8_t type)
{
    switch (type) {
    case HOST_LINK_HELLO:
        return sizeof(struct host_link_host_hello);
    case HOST_LINK_CREDIT:
    case HOST_LINK_INTERRUPT:
        return sizeof(uint32_t);
    case HOST_LINK_CLOSED:
        return sizeof(uint8_t);
    case HOST_LINK_WINDOW:
        return sizeof(struct host_link_window);
    case HOST_LINK_STDIN_END:
    case HOST_LINK_EXIT_ACK:
        return 0;
    default:
        return -1;
    }
}

/* Checks a header that has come whole; NULL: acceptable. */
static const char *header_error(const struct host_link_header *h)
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
        return link.input_ended ? "input after its end" : NULL;
    }
    return control_length(h->type) == h->length ? NULL
                                                : "an unknown frame, or one of a wrong length";
}

static const char *take_hello(const struct host_link_host_hello *hello)
{
    if (link.greeted) {
        return "a second HELLO";
    }
    if (hello->magic != HOST_LINK_MAGIC || hello->version != HOST_LINK_VERSION) {
        return "another protocol or version";
    }
    link.greeted = true;
    link.terminal = hello->terminal;
    link.window = hello->window;
    link.events |= HOST_LINK_EVENT_TERMINAL;
    return NULL;
}

static const char *take_credit(uint32_t more)
{
    if (more > HOST_LINK_OUTPUT_CREDIT - link.output_credit) {
        return "more output credit than there is";
    }
    link.output_credit += more;
    link.events |= HOST_LINK_EVENT_OUTPUT;
    return NULL;
}

static const char *take_closed(uint8_t stream)
{
    if ((stream != HOST_LINK_STREAM_OUT && stream != HOST_LINK_STREAM_ERR) ||
        link.output_closed[stream]) {
        return "CLOSED for what is no open output";
    }
    link.output_closed[stream] = true;
    link.events |= HOST_LINK_EVENT_OUTPUT;
    return NULL;
}

static const char *take_interrupt(uint32_t kind)
{
    if (kind < HOST_LINK_INTERRUPT_INT || kind > HOST_LINK_INTERRUPT_QUIT) {
        return "an unknown interrupt";
    }
    link.interrupts |= 1u << kind;
    link.events |= HOST_LINK_EVENT_INTERRUPT;
    return NULL;
}

/* Acts on a control frame that has come whole; NULL: it was good. */
static const char *take_control(const struct receiver *r)
{
    switch (r->header.type) {
    case HOST_LINK_HELLO:
        return take_hello(&r->control.hello);
    case HOST_LINK_CREDIT:
        return take_credit(r->control.word);
    case HOST_LINK_CLOSED:
        return take_closed(r->control.byte);
    case HOST_LINK_INTERRUPT:
        return take_interrupt(r->control.word);
    case HOST_LINK_WINDOW:
        link.window = r->control.window;
        link.events |= HOST_LINK_EVENT_TERMINAL;
        return NULL;
    case HOST_LINK_STDIN_END:
        if (link.input_ended) {
            return "a second end of input";
        }
        link.input_ended = true;
        link.events |= HOST_LINK_EVENT_INPUT;
        return NULL;
    default:
        KASSERT(r->header.type == HOST_LINK_EXIT_ACK);
        if (!link.ending || link.exit_waits) {
            return "EXIT_ACK before EXIT";
        }
        arch_machine_exit(0);
    }
}

/* Where the next bytes of the frame under way go, and how many. */
static uint8_t *receive_place(struct receiver *r, uint32_t *size)
{
    if (r->header_got < sizeof(r->header)) {
        *size = (uint32_t)sizeof(r->header) - r->header_got;
        return (uint8_t *)&r->header + r->header_got;
    }
    uint32_t left = r->header.length - r->payload_got;
    if (r->header.type == HOST_LINK_STDIN) {
        uint32_t span;
        uint8_t *to = ring_free_span(&link.in, &span);
        KASSERT(span > 0); /* the credit was checked */
        *size = left < span ? left : span;
        return to;
    }
    *size = left;
    return (uint8_t *)&r->control + r->payload_got;
}

/* `size` bytes have come to receive_place(). */
static void receive_advance(struct receiver *r, uint32_t size)
{
    const char *error = NULL;
    if (r->header_got < sizeof(r->header)) {
        r->header_got += size;
        if (r->header_got < sizeof(r->header)) {
            return;
        }
        r->payload_got = 0;
        error = header_error(&r->header);
        if (error == NULL && r->header.type == HOST_LINK_STDIN) {
            link.input_credit -= r->header.length;
        }
    } else {
        r->payload_got += size;
        if (r->header.type == HOST_LINK_STDIN) {
            link.in.used += size;
            link.events |= HOST_LINK_EVENT_INPUT;
        }
    }
    if (error == NULL && r->payload_got == r->header.length) {
        error = r->header.type == HOST_LINK_STDIN ? NULL : take_control(r);
        r->header_got = 0;
    }
    if (error != NULL) {
        link_break(error);
    }
}

static void pump_in(void)
{
    while (!link.broken) {
        uint32_t size;
        uint8_t *to = receive_place(&link.receiver, &size);
        size_t got = arch_link_read(to, size);
        if (got == 0) {
            return;
        }
        KASSERT(got <= size);
        receive_advance(&link.receiver, (uint32_t)got);
    }
}

/* Every byte of input credit is somewhere. */
static void check_credit(void)
{
    const struct receiver *r = &link.receiver;
    bool under_way = r->header_got == sizeof(r->header) && r->header.type == HOST_LINK_STDIN;
    uint32_t coming = under_way ? r->header.length - r->payload_got : 0;
    KASSERT(link.in.used + coming + link.input_credit + link.owed == HOST_LINK_INPUT_CREDIT);
    KASSERT(link.output_credit <= HOST_LINK_OUTPUT_CREDIT);
}

void host_link_input(void)
{
    if (!link_works()) {
        return;
    }
    check_credit();
    pump_in();
    if (link.transport_full) {
        link.transport_full = false;
        link.events |= HOST_LINK_EVENT_OUTPUT;
    }
    if (!link.broken) {
        pump_out();
    } else if (link.ending) {
        arch_machine_exit(0);
    }
    uint32_t events = link.events;
    link.events = 0;
    if (events != 0 && link.notify != NULL && !link.ending) {
        link.notify(events);
    }
}

void host_link_init(void)
{
    __builtin_memset(&link, 0, sizeof(link));
}

void host_link_start(uint32_t cpus, uint64_t memory_bytes)
{
    struct host_link_machine_hello hello = {.magic = HOST_LINK_MAGIC,
                                            .version = HOST_LINK_VERSION,
                                            .cpus = cpus,
                                            .memory_bytes = memory_bytes};
    KASSERT(!link.started);
    link.in = (struct byte_ring){.bytes = in_bytes, .size = sizeof(in_bytes)};
    link.out = (struct byte_ring){.bytes = out_bytes, .size = sizeof(out_bytes)};
    link.owed = HOST_LINK_INPUT_CREDIT;
    link.output_credit = HOST_LINK_OUTPUT_CREDIT;
    link.started = true;
    put_frame(HOST_LINK_HELLO, &hello, sizeof(hello));
    host_link_input();
}

void host_link_listen(void (*notify)(uint32_t events))
{
    link.notify = notify;
}

/* --- input, terminal, interrupts --- */

static void want_input(void)
{
    if (!link.input_wanted && link_works()) {
        link.input_wanted = true;
        pump_out();
    }
}

size_t host_link_input_size(bool *end)
{
    want_input();
    *end = link.input_ended;
    return link.in.used;
}

size_t host_link_read(void *to, size_t size, bool *end)
{
    uint8_t *bytes = to;
    size_t done = 0;
    want_input();
    while (done < size && link.in.used > 0) {
        uint32_t span;
        const uint8_t *from = ring_used_span(&link.in, &span);
        uint32_t step = (uint32_t)(span < size - done ? span : size - done);
        __builtin_memcpy(bytes + done, from, step);
        ring_drop(&link.in, step);
        link.owed += step;
        done += step;
    }
    if (done > 0 && link_works()) {
        pump_out();
    }
    *end = link.input_ended && link.in.used == 0 && done == 0;
    return done;
}

bool host_link_terminal(enum host_link_stream stream, bool *is_terminal)
{
    *is_terminal = ((uint32_t)link.terminal >> (uint32_t)stream & 1u) != 0;
    return link.greeted;
}

bool host_link_window(struct host_link_window *out)
{
    *out = link.window;
    return link.greeted;
}

uint32_t host_link_take_interrupts(void)
{
    uint32_t taken = link.interrupts;
    link.interrupts = 0;
    return taken;
}
