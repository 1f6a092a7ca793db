/* The transport of the host link: port 1 of a virtio console (abi/qemu.h says why), one queue to
 * us, one from us, and one for the two control messages that open the port.
 *
 * Bytes to the host are copied into the buffers of free descriptors. Bytes from the host come in
 * buffers that go back to the device once they are read. The device must finish what it was given
 * in order, so an entry, its descriptor and its buffer have one number. It may say anything: an id,
 * a length or an index that cannot be is the end of the link, which then neither takes nor gives
 * bytes.
 *
 * Completed output interrupts only after a write that found no room; input always does. Reading
 * and writing look at the queues themselves, so they work without interrupts too. Kernel lock
 * held; boot. */
#include "kernel/arch/x86_64/virtio.h"

#include "abi/qemu.h"
#include "kernel/core/log.h"

#define QUEUE_IN QEMU_LINK_QUEUE_IN
#define QUEUE_OUT QEMU_LINK_QUEUE_OUT
#define QUEUE_CONTROL 3 /* from us */
#define IN_BUFFER_SIZE 1024u
#define OUT_BUFFER_SIZE 2048u
#define MASK (VIRTIO_QUEUE_SIZE - 1)
#define FEATURES (VIRTIO_FEATURE_VERSION_1 | VIRTIO_FEATURE_MULTIPORT)

/* Our side of a queue. Indices run freely, as the rings' do. */
struct queue {
    struct virtio_rings rings;
    uint16_t given, taken; /* what we made available; what we saw used */
};

/* As the device reads it. */
struct control {
    uint32_t port;
    uint16_t event, value;
};
#define CONTROL_PORT_READY 3
#define CONTROL_PORT_OPEN 6

static struct queue in, out, control;
static struct control opening[] = {{QEMU_LINK_PORT, CONTROL_PORT_READY, 1},
                                   {QEMU_LINK_PORT, CONTROL_PORT_OPEN, 1}};
static uint8_t in_bytes[VIRTIO_QUEUE_SIZE][IN_BUFFER_SIZE];
static uint8_t out_bytes[VIRTIO_QUEUE_SIZE][OUT_BUFFER_SIZE];
static uint32_t in_at, in_length; /* of the buffer being read; in_at == in_length: none */
static const struct virtio_transport *transport; /* NULL: no link */

static void broken(const char *why)
{
    transport->set_status(VIRTIO_STATUS_FAILED);
    transport = NULL;
    log_line("host link: the device %s", why);
}

static void give(struct queue *q, const void *buffer, size_t size, uint16_t flags)
{
    uint16_t id = q->given++ & MASK;
    q->rings.descriptors[id] = (struct virtio_descriptor){
        .address = x86_physical_of_image(buffer), .length = (uint32_t)size, .flags = flags};
    q->rings.available.ring[id] = id;
    /* release: the device sees the descriptor and the ring before the index */
    __atomic_store_n(&q->rings.available.index, q->given, __ATOMIC_RELEASE);
}

/* Takes back the oldest that was given, and how many bytes the device says it wrote. False: it is
 * not done with it. */
static bool take(struct queue *q, uint32_t *length)
{
    uint16_t done = (uint16_t)(__atomic_load_n(&q->rings.used.index, __ATOMIC_ACQUIRE) - q->taken);
    uint16_t id = q->taken & MASK;
    if (done == 0) {
        return false;
    }
    if (done > (uint16_t)(q->given - q->taken) || q->rings.used.ring[id].id != id) {
        broken("used what it was not given, or out of order");
        return false;
    }
    /* read once: the device may change its mind after a check */
    *length = __atomic_load_n(&q->rings.used.ring[id].length, __ATOMIC_RELAXED);
    q->taken++;
    return true;
}

static void set_out_interrupt(bool on)
{
    __atomic_store_n(&out.rings.available.flags, on ? 0 : VIRTIO_NO_INTERRUPT, __ATOMIC_SEQ_CST);
}

/* As much as there are free descriptors for. */
static size_t send(const uint8_t *bytes, size_t size)
{
    size_t sent = 0;
    uint32_t length;
    while (take(&out, &length)) {
        /* its room is free */
    }
    while (transport != NULL && sent < size &&
           (uint16_t)(out.given - out.taken) < VIRTIO_QUEUE_SIZE) {
        uint8_t *buffer = out_bytes[out.given & MASK];
        size_t step = size - sent < OUT_BUFFER_SIZE ? size - sent : OUT_BUFFER_SIZE;
        memcpy(buffer, bytes + sent, step);
        give(&out, buffer, step, 0);
        sent += step;
    }
    if (sent > 0) {
        transport->notify(QUEUE_OUT);
    }
    return sent;
}

size_t arch_link_write(const void *bytes, size_t size)
{
    if (transport == NULL || size == 0) {
        return 0;
    }
    size_t sent = send(bytes, size);
    set_out_interrupt(sent < size);
    if (sent < size && transport != NULL) {
        /* what left before the device saw that we want to know */
        sent += send((const uint8_t *)bytes + sent, size - sent);
    }
    return sent;
}

/* The next buffer that the device has filled. False: none. */
static bool take_in_buffer(void)
{
    uint32_t length;
    if (!take(&in, &length)) {
        return false;
    }
    if (length > IN_BUFFER_SIZE) {
        broken("filled more than a buffer");
        return false;
    }
    in_at = 0;
    in_length = length;
    return true;
}

size_t arch_link_read(void *bytes, size_t size)
{
    size_t got = 0;
    bool given_back = false;
    while (transport != NULL && got < size && (in_at < in_length || take_in_buffer())) {
        const uint8_t *buffer = in_bytes[in.given & MASK]; /* all others are the device's */
        size_t step = in_length - in_at < size - got ? in_length - in_at : size - got;
        memcpy((uint8_t *)bytes + got, buffer + in_at, step);
        got += step;
        in_at += (uint32_t)step;
        if (in_at == in_length) {
            give(&in, buffer, IN_BUFFER_SIZE, VIRTIO_DESCRIPTOR_WRITE);
            given_back = true;
        }
    }
    if (given_back && transport != NULL) {
        transport->notify(QUEUE_IN);
    }
    return got;
}

void x86_link_interrupt(void)
{
    if (transport != NULL && transport->acknowledge != NULL) {
        transport->acknowledge();
    }
}

static bool negotiate(const struct virtio_transport *t)
{
    uint8_t status = VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER;
    t->set_status(0);
    t->set_status(status);
    const struct virtio_features f = t->features();
    for (uint32_t half = 0; half < 2; half++) {
        uint32_t wanted = (uint32_t)(FEATURES >> 32 * half);
        *f.offered_select = half;
        *f.accepted_select = half;
        if ((*f.offered & wanted) != wanted) {
            return false;
        }
        *f.accepted = wanted;
    }
    status |= VIRTIO_STATUS_FEATURES_OK;
    t->set_status(status);
    if (!(t->status() & VIRTIO_STATUS_FEATURES_OK) || !t->set_queue(QUEUE_IN, &in.rings) ||
        !t->set_queue(QUEUE_OUT, &out.rings) || !t->set_queue(QUEUE_CONTROL, &control.rings)) {
        return false;
    }
    t->set_status(status | VIRTIO_STATUS_DRIVER_OK);
    return true;
}

void x86_link_start(void)
{
    const struct virtio_transport *t = virtio_mmio_find();
    if (t == NULL) {
        t = virtio_pci_find();
    }
    if (t == NULL || !negotiate(t)) {
        log_line("host link: no virtio console");
        return;
    }
    transport = t;
    set_out_interrupt(false);
    for (uint32_t i = 0; i < VIRTIO_QUEUE_SIZE; i++) {
        give(&in, in_bytes[i], IN_BUFFER_SIZE, VIRTIO_DESCRIPTOR_WRITE);
    }
    /* What the device answers would come by a queue that it was not given; it has nothing to say
     * that we wait for. */
    for (uint32_t i = 0; i < ARRAY_SIZE(opening); i++) {
        give(&control, &opening[i], sizeof(opening[i]), 0);
    }
    transport->notify(QUEUE_CONTROL);
    transport->notify(QUEUE_IN);
}
