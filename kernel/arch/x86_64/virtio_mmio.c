/* Virtio over memory-mapped registers, version 2: QEMU's microvm, at the address that abi/qemu.h
 * fixes. */
#include "kernel/arch/x86_64/virtio.h"

#include "abi/qemu.h"

#define MAGIC 0x74726976u /* "virt" */

struct registers {
    uint32_t magic, version, device, vendor;
    uint32_t device_features, device_features_select, unused1[2];
    uint32_t driver_features, driver_features_select, unused2[2];
    uint32_t queue, queue_max, queue_size, unused3[2], queue_ready, unused4[2];
    uint32_t notify, unused5[3], interrupt, interrupt_acknowledge, unused6[2];
    uint32_t status, unused7[3];
    uint32_t descriptors[2], unused8[2], available[2], unused9[2], used[2];
};
_Static_assert(offsetof(struct registers, queue_ready) == 0x44
                   && offsetof(struct registers, status) == 0x70
                   && offsetof(struct registers, used) == 0xa0,
               "where the standard has them");

static volatile struct registers *registers;

static void set_status(uint8_t status)
{
    registers->status = status;
}

static uint8_t status(void)
{
    return (uint8_t)registers->status;
}

static struct virtio_features features(void)
{
    return (struct virtio_features){
        &registers->device_features_select, &registers->device_features,
        &registers->driver_features_select, &registers->driver_features};
}

static bool set_queue(uint16_t index, const struct virtio_rings *rings)
{
    registers->queue = index;
    if (registers->queue_max < VIRTIO_QUEUE_SIZE) {
        return false;
    }
    registers->queue_size = VIRTIO_QUEUE_SIZE;
    virtio_set_address(registers->descriptors, rings->descriptors);
    virtio_set_address(registers->available, &rings->available);
    virtio_set_address(registers->used, &rings->used);
    registers->queue_ready = 1;
    return true;
}

static void notify(uint16_t index)
{
    registers->notify = index;
}

static void acknowledge(void)
{
    registers->interrupt_acknowledge = registers->interrupt;
}

static const struct virtio_transport transport = {
    .set_status = set_status, .status = status, .features = features, .set_queue = set_queue,
    .notify = notify, .acknowledge = acknowledge,
};

const struct virtio_transport *virtio_mmio_find(void)
{
    registers = x86_map_device(QEMU_LINK_MMIO, QEMU_LINK_MMIO_SIZE);
    if (registers->magic != MAGIC || registers->version != 2 ||
        registers->device != VIRTIO_CONSOLE_ID) {
        return NULL;
    }
    x86_apic_route(QEMU_LINK_GSI, VECTOR_LINK);
    return &transport;
}
