/* Virtio 1.x as far as a console needs it: the split queue, and what a transport (mmio, pci)
 * does for it. Names and numbers are those of the OASIS standard. */
#pragma once

#include "kernel/arch/x86_64/x86.h"

#define VIRTIO_CONSOLE_ID 3
#define VIRTIO_STATUS_ACKNOWLEDGE 1
#define VIRTIO_STATUS_DRIVER 2
#define VIRTIO_STATUS_DRIVER_OK 4
#define VIRTIO_STATUS_FEATURES_OK 8
#define VIRTIO_STATUS_FAILED 128
#define VIRTIO_FEATURE_VERSION_1 (1ull << 32)
#define VIRTIO_FEATURE_MULTIPORT (1ull << 1) /* of a console */
#define VIRTIO_DESCRIPTOR_WRITE 2 /* the device writes */
#define VIRTIO_NO_INTERRUPT 1     /* avail.flags */

#define VIRTIO_QUEUE_SIZE 16u /* a power of two */

struct virtio_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct virtio_available {
    uint16_t flags, index;
    uint16_t ring[VIRTIO_QUEUE_SIZE];
    uint16_t event;
};

struct virtio_used {
    uint16_t flags, index;
    struct {
        uint32_t id, length;
    } ring[VIRTIO_QUEUE_SIZE];
    uint16_t event;
};

/* What both sides see. */
struct virtio_rings {
    _Alignas(16) struct virtio_descriptor descriptors[VIRTIO_QUEUE_SIZE];
    _Alignas(2) struct virtio_available available;
    _Alignas(4) struct virtio_used used;
};

/* Where a transport has the features, 32 of them at a time: those that were selected. */
struct virtio_features {
    volatile uint32_t *offered_select, *offered, *accepted_select, *accepted;
};

/* Interrupts come as VECTOR_LINK once it was found. */
struct virtio_transport {
    void (*set_status)(uint8_t status); /* 0: reset, waits until done */
    uint8_t (*status)(void);
    struct virtio_features (*features)(void);
    bool (*set_queue)(uint16_t index, const struct virtio_rings *rings); /* false: no such queue */
    void (*notify)(uint16_t index);
    void (*acknowledge)(void); /* the interrupt; NULL: it needs none */
};

/* Into the two halves of a register. */
static inline void virtio_set_address(volatile uint32_t where[2], const void *in_image)
{
    uint64_t physical = x86_physical_of_image(in_image);
    where[0] = (uint32_t)physical;
    where[1] = (uint32_t)(physical >> 32);
}

/* NULL: there is no console on this transport. Boot only. */
const struct virtio_transport *virtio_mmio_find(void);
const struct virtio_transport *virtio_pci_find(void);
