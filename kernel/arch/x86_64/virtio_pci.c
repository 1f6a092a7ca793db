/* Virtio over PCI, modern: QEMU's q35. Bus 0 is searched for a console; its registers are found
 * by its capabilities; one MSI-X message serves all queues. What the device says of itself is
 * checked against the size of its BARs' mappings. */
#include "kernel/arch/x86_64/virtio.h"

#include "abi/qemu.h"

#define CONFIG_ADDRESS 0xcf8
#define CONFIG_DATA 0xcfc
#define VENDOR_VIRTIO 0x1af4u
#define DEVICE_CONSOLE_MODERN 0x1043u
#define DEVICE_CONSOLE_TRANSITIONAL 0x1003u
#define COMMAND 0x04
#define COMMAND_MEMORY_MASTER 6u
#define FIRST_CAPABILITY 0x34
#define BAR 0x10
#define CAPABILITY_MSIX 0x11
#define CAPABILITY_VENDOR 0x09
#define CAPABILITIES_MAX 48
#define MSIX_ENABLE 0x80000000u
#define NO_VECTOR 0xffffu
#define PART_COMMON 1
#define PART_NOTIFY 2

/* struct virtio_pci_common_cfg of the standard. */
struct common {
    uint32_t device_features_select, device_features, driver_features_select, driver_features;
    uint16_t config_vector, queue_count;
    uint8_t status, generation;
    uint16_t queue, queue_size, queue_vector, queue_enable, queue_notify_offset;
    uint32_t descriptors[2], available[2], used[2];
};

static uint32_t device; /* configuration address of the function */
static uint32_t msix;   /* its capability there; 0: none */
static volatile struct common *common;
static volatile uint8_t *notify_area;
static uint32_t notify_multiplier, notify_size;
static uint32_t notify_offset[QEMU_LINK_QUEUE_OUT + 1];

static uint32_t config_read(uint32_t offset)
{
    out32(CONFIG_ADDRESS, 0x80000000u | device | (offset & 0xfc));
    return in32(CONFIG_DATA);
}

static void config_write(uint32_t offset, uint32_t value)
{
    out32(CONFIG_ADDRESS, 0x80000000u | device | (offset & 0xfc));
    out32(CONFIG_DATA, value);
}

static uint8_t config_byte(uint32_t offset)
{
    return (uint8_t)(config_read(offset) >> 8 * (offset & 3));
}

/* Maps a part of a memory BAR; NULL if the BAR is none or was not given an address. */
static volatile void *map_bar(uint32_t bar, uint32_t offset, uint32_t size)
{
    if (bar > 5 || size == 0 || size > 64 * 1024 || offset > (1u << 24)) {
        return NULL;
    }
    uint32_t low = config_read(BAR + 4 * bar);
    uint64_t base = low & ~15u;
    if ((low & 6) == 4 && bar < 5) {
        base |= (uint64_t)config_read(BAR + 4 * bar + 4) << 32;
    }
    return (low & 1) || base == 0 ? NULL : x86_map_device(base + offset, size);
}

static void take_capability(uint32_t at)
{
    uint8_t kind = config_byte(at + 3);
    uint32_t bar = config_byte(at + 4), offset = config_read(at + 8), size = config_read(at + 12);
    if (kind == PART_COMMON && common == NULL && size >= sizeof(struct common)) {
        common = map_bar(bar, offset, sizeof(struct common));
    } else if (kind == PART_NOTIFY && notify_area == NULL) {
        notify_multiplier = config_read(at + 16);
        notify_size = size < 4096 ? size : 4096;
        notify_area = map_bar(bar, offset, notify_size);
    }
}

static void read_capabilities(void)
{
    uint32_t at = config_byte(FIRST_CAPABILITY) & 0xfc;
    for (int i = 0; at >= 0x40 && i < CAPABILITIES_MAX; i++) {
        uint8_t id = config_byte(at);
        if (id == CAPABILITY_VENDOR) {
            take_capability(at);
        } else if (id == CAPABILITY_MSIX) {
            msix = at;
        }
        at = config_byte(at + 1) & 0xfc;
    }
}

static void set_status(uint8_t value)
{
    common->status = value;
    for (int i = 0; value == 0 && common->status != 0 && i < 1000000; i++) {
        __asm__ volatile("pause");
    }
}

static uint8_t status(void)
{
    return common->status;
}

static struct virtio_features features(void)
{
    common->config_vector = NO_VECTOR; /* how many rows the console has is not asked */
    return (struct virtio_features){
        &common->device_features_select, &common->device_features,
        &common->driver_features_select, &common->driver_features};
}

static bool set_queue(uint16_t index, const struct virtio_rings *rings)
{
    common->queue = index;
    if (index >= ARRAY_SIZE(notify_offset) || common->queue_size < VIRTIO_QUEUE_SIZE) {
        return false;
    }
    uint64_t offset = (uint64_t)common->queue_notify_offset * notify_multiplier;
    if (offset + sizeof(uint16_t) > notify_size) {
        return false;
    }
    notify_offset[index] = (uint32_t)offset;
    common->queue_size = VIRTIO_QUEUE_SIZE;
    common->queue_vector = 0;
    if (common->queue_vector == NO_VECTOR) {
        return false;
    }
    virtio_set_address(common->descriptors, rings->descriptors);
    virtio_set_address(common->available, &rings->available);
    virtio_set_address(common->used, &rings->used);
    common->queue_enable = 1;
    return true;
}

/* Message 0 of the device's table: to this CPU, VECTOR_LINK. Comes before set_queue. */
static bool start_msix(void)
{
    uint32_t table = config_read(msix + 4);
    volatile uint32_t *entry = map_bar(table & 7, table & ~7u, 16);
    if (entry == NULL) {
        return false;
    }
    uint64_t address = x86_apic_message_address();
    entry[0] = (uint32_t)address;
    entry[1] = (uint32_t)(address >> 32);
    entry[2] = VECTOR_LINK;
    entry[3] = 0; /* not masked */
    config_write(msix, config_read(msix) | MSIX_ENABLE);
    return true;
}

static void notify(uint16_t index)
{
    *(volatile uint16_t *)(notify_area + notify_offset[index]) = index;
}

static const struct virtio_transport transport = {
    .set_status = set_status, .status = status, .features = features, .set_queue = set_queue,
    .notify = notify,
};

const struct virtio_transport *virtio_pci_find(void)
{
    for (uint32_t slot = 0; slot < 32; slot++) {
        device = slot << 11;
        uint32_t id = config_read(0);
        if (id == (DEVICE_CONSOLE_MODERN << 16 | VENDOR_VIRTIO) ||
            id == (DEVICE_CONSOLE_TRANSITIONAL << 16 | VENDOR_VIRTIO)) {
            config_write(COMMAND, (config_read(COMMAND) & 0xffff) | COMMAND_MEMORY_MASTER);
            read_capabilities();
            bool complete = common != NULL && notify_area != NULL && msix != 0;
            return complete && start_msix() ? &transport : NULL;
        }
    }
    return NULL;
}
