/* Virtio over memory-mapped registers, version 2: QEMU's microvm, at the address that abi/qemu.h
 * fixes. */
#include "kernel/arch/x86_64/virtio.h"

#include "abi/qemu.h"

#define MAGIC 0x74726976u /* "virt" */

enum mmio_register {
    REGISTER_MAGIC = 0x00,
    REGISTER_VERSION = 0x04,
    REGISTER_DEVICE = 0x08,
    REGISTER_DEVICE_FEATURES = 0x10,
    REGISTER_DEVICE_FEATURES_SELECT = 0x14,
    REGISTER_DRIVER_FEATURES = 0x20,
    REGISTER_DRIVER_FEATURES_SELECT = 0x24,
    REGISTER_QUEUE_SELECT = 0x30,
    REGISTER_QUEUE_MAX = 0x34,
    REGISTER_QUEUE_SIZE = 0x38,
    REGISTER_QUEUE_READY = 0x44,
    REGISTER_NOTIFY = 0x50,
    REGISTER_INTERRUPT = 0x60,
    REGISTER_INTERRUPT_ACKNOWLEDGE = 0x64,
    REGISTER_STATUS = 0x70,
    REGISTER_DESCRIPTORS = 0x80,
    REGISTER_AVAILABLE = 0x90,
    REGISTER_USED = 0xa0,
};

static volatile uint32_t *registers;

static uint32_t get(enum mmio_register r)
{
    return registers[(uint32_t)r / 4];
}

static void set(enum mmio_register r, uint32_t value)
{
    registers[(uint32_t)r / 4] = value;
}

static void set_address(enum mmio_register r, const void *in_image)
{
    uint64_t physical = x86_physical_of_image(in_image);
    set(r, (uint32_t)physical);
    registers[(uint32_t)r / 4 + 1] = (uint32_t)(physical >> 32);
}

static void set_status(uint8_t status)
{
    set(REGISTER_STATUS, status);
}

static uint8_t status(void)
{
    return (uint8_t)get(REGISTER_STATUS);
}

static uint64_t features(void)
{
    set(REGISTER_DEVICE_FEATURES_SELECT, 1);
    uint64_t high = get(REGISTER_DEVICE_FEATURES);
    set(REGISTER_DEVICE_FEATURES_SELECT, 0);
    return high << 32 | get(REGISTER_DEVICE_FEATURES);
}

static void accept(uint64_t accepted)
{
    set(REGISTER_DRIVER_FEATURES_SELECT, 1);
    set(REGISTER_DRIVER_FEATURES, (uint32_t)(accepted >> 32));
    set(REGISTER_DRIVER_FEATURES_SELECT, 0);
    set(REGISTER_DRIVER_FEATURES, (uint32_t)accepted);
}

static bool set_queue(uint16_t index, const struct virtio_rings *rings)
{
    set(REGISTER_QUEUE_SELECT, index);
    if (get(REGISTER_QUEUE_MAX) < VIRTIO_QUEUE_SIZE) {
        return false;
    }
    set(REGISTER_QUEUE_SIZE, VIRTIO_QUEUE_SIZE);
    set_address(REGISTER_DESCRIPTORS, rings->descriptors);
    set_address(REGISTER_AVAILABLE, &rings->available);
    set_address(REGISTER_USED, &rings->used);
    set(REGISTER_QUEUE_READY, 1);
    return true;
}

static void enable_interrupt(void)
{
    x86_apic_route(QEMU_LINK_GSI, VECTOR_LINK);
}

static void notify(uint16_t index)
{
    set(REGISTER_NOTIFY, index);
}

static void acknowledge(void)
{
    set(REGISTER_INTERRUPT_ACKNOWLEDGE, get(REGISTER_INTERRUPT));
}

static const struct virtio_transport transport = {
    .set_status = set_status,
    .status = status,
    .features = features,
    .accept = accept,
    .set_queue = set_queue,
    .enable_interrupt = enable_interrupt,
    .notify = notify,
    .acknowledge = acknowledge,
};

const struct virtio_transport *virtio_mmio_find(void)
{
    registers = x86_map_device(QEMU_LINK_MMIO, QEMU_LINK_MMIO_SIZE);
    bool found = get(REGISTER_MAGIC) == MAGIC && get(REGISTER_VERSION) == 2 &&
                 get(REGISTER_DEVICE) == VIRTIO_CONSOLE_ID;
    return found ? &transport : NULL;
}
