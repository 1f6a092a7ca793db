/* VirtualMemory and MemoryObject. Faults are caught with an upcall, so that a part can see that
 * memory is gone. */
#include "smoke.h"

#define PAGE 4096ull

static uint8_t upcall_stack[32 * 1024];
static volatile int faults;
extern char smoke_touch_end[];

/* Reads a byte; the handler skips the one instruction that does it. */
bool smoke_touch(const volatile void *address);
__asm__(".text\n"
        ".globl smoke_touch, smoke_touch_end\n"
        "smoke_touch: movb (%rdi), %al\n"
        "smoke_touch_end: ret\n");

static void skip(void *context, struct upcall_frame *frame)
{
    (void)context;
    faults++;
    frame->registers.rip = (uintptr_t)smoke_touch_end;
}

static bool faults_at(const volatile void *address)
{
    int before = faults;
    (void)smoke_touch(address);
    return faults != before;
}

static volatile uint8_t *at(uint64_t address)
{
    return (volatile uint8_t *)address;
}

bool smoke_memory(void)
{
    struct capos_virtual_memory_map_results map;
    CHECK_OK(capos_upcall_set(skip, NULL, upcall_stack, sizeof upcall_stack));
    CHECK_OK(capos_virtual_memory_map(CAPOS_MEMORY, 0, 3 * PAGE, PROTECTION_READ_WRITE, &map));
    for (uint64_t i = 0; i < 3 * PAGE; i += 512) {
        CHECK(*at(map.address + i) == 0);
        *at(map.address + i) = (uint8_t)i;
    }
    CHECK_OK(capos_virtual_memory_protect(CAPOS_MEMORY, map.address + PAGE, PAGE, PROTECTION_NONE));
    CHECK(!faults_at(at(map.address)) && faults_at(at(map.address + PAGE))
          && !faults_at(at(map.address + 2 * PAGE)));
    CHECK_OK(capos_virtual_memory_protect(CAPOS_MEMORY, map.address + PAGE, PAGE, PROTECTION_READ));
    CHECK(!faults_at(at(map.address + PAGE)));
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, map.address, PAGE));
    CHECK(faults_at(at(map.address)) && !faults_at(at(map.address + PAGE)));
    CHECK_OK(
        capos_virtual_memory_unmap(CAPOS_MEMORY, map.address, 3 * PAGE)); /* holes are no error */
    /* what nobody may have */
    CHECK(capos_virtual_memory_map(CAPOS_MEMORY, 0, PAGE, PROTECTION_READ_EXECUTE, &map)
          != STATUS_OK);
    CHECK(capos_virtual_memory_map(CAPOS_MEMORY, 0, 0, PROTECTION_READ, &map) != STATUS_OK);
    CHECK(capos_virtual_memory_map(CAPOS_MEMORY, 0, 100, PROTECTION_READ, &map) != STATUS_OK);
    CHECK(capos_virtual_memory_map(CAPOS_MEMORY, 0, UINT64_MAX & ~(PAGE - 1), PROTECTION_READ, &map)
          != STATUS_OK);
    CHECK(capos_virtual_memory_unmap(CAPOS_MEMORY, UINT64_MAX & ~(PAGE - 1), 2 * PAGE)
          != STATUS_OK);
    CHECK(capos_virtual_memory_unmap(CAPOS_MEMORY, 1, PAGE) != STATUS_OK);
    CHECK(capos_virtual_memory_protect(CAPOS_MEMORY, 0x20000, PAGE, PROTECTION_READ) != STATUS_OK);
    CHECK_OK(capos_upcall_set(NULL, NULL, NULL, 0));
    return true;
}

bool smoke_reservation(void)
{
    struct capos_virtual_memory_reserve_results area;
    CHECK_OK(capos_upcall_set(skip, NULL, upcall_stack, sizeof upcall_stack));
    CHECK_OK(capos_virtual_memory_reserve(CAPOS_MEMORY, 0, 64ull << 30,
                                          &area)); /* 64 GiB cost next to nothing */
    CHECK(faults_at(at(area.address)));
    uint64_t part = area.address + (32ull << 30);
    CHECK_OK(capos_virtual_memory_commit(CAPOS_MEMORY, part, 2 * PAGE, PROTECTION_READ_WRITE));
    *at(part + PAGE) = 7;
    CHECK(*at(part + PAGE) == 7 && *at(part) == 0);
    CHECK(faults_at(at(part - 1)) && faults_at(at(part + 2 * PAGE)));
    CHECK_OK(capos_virtual_memory_decommit(CAPOS_MEMORY, part, 2 * PAGE));
    CHECK(faults_at(at(part + PAGE)));
    CHECK_OK(capos_virtual_memory_commit(CAPOS_MEMORY, part, 2 * PAGE, PROTECTION_READ_WRITE));
    CHECK(*at(part + PAGE) == 0); /* zeroed again */
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, area.address, 64ull << 30));
    CHECK(faults_at(at(part)));
    CHECK_OK(capos_upcall_set(NULL, NULL, NULL, 0));
    return true;
}

bool smoke_memory_object(void)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_map_results first, second, copy;
    struct capos_memory_object_info_results info;
    struct capos_memory_object_read_only_results narrow;
    struct capos_read_only_memory_map_results readable;
    struct capos_memory_object_seal_results image;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, 2 * PAGE, &made));
    CHECK_OK(capos_memory_object_info(made.object, &info));
    CHECK(info.size == 2 * PAGE && !info.sealed);
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, 2 * PAGE, PROTECTION_READ_WRITE,
                                     SHARING_SHARED, &first));
    CHECK_OK(capos_memory_object_map(made.object, 0, PAGE, PAGE, PROTECTION_READ_WRITE,
                                     SHARING_SHARED, &second));
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, 2 * PAGE, PROTECTION_READ_WRITE,
                                     SHARING_PRIVATE, &copy));
    *at(first.address + PAGE) = 1;
    CHECK(*at(second.address) == 1 && *at(copy.address + PAGE) == 1);
    *at(copy.address + PAGE) = 2;
    CHECK(*at(second.address) == 1); /* copied on write */
    *at(second.address) = 3;
    CHECK(*at(first.address + PAGE) == 3 && *at(copy.address + PAGE) == 2);
    CHECK_OK(capos_memory_object_read_only(made.object, &narrow));
    CHECK(capos_read_only_memory_map(narrow.object, 0, 0, PAGE, PROTECTION_READ_WRITE,
                                     SHARING_SHARED, &readable)
          != STATUS_OK);
    CHECK_OK(capos_read_only_memory_map(narrow.object, 0, PAGE, PAGE, PROTECTION_READ,
                                        SHARING_SHARED, &readable));
    CHECK(*at(readable.address) == 3);
    CHECK(capos_memory_object_seal(made.object, &image) != STATUS_OK); /* it is mapped writable */
    CHECK_OK(capos_memory_object_unmap(made.object, first.address, 2 * PAGE));
    CHECK_OK(capos_memory_object_unmap(made.object, second.address, PAGE));
    CHECK_OK(capos_memory_object_seal(made.object, &image));
    CHECK(capos_memory_object_map(made.object, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED,
                                  &first)
          != STATUS_OK);
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, copy.address, 2 * PAGE));
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, readable.address, PAGE));
    capos_release(image.image);
    capos_release(narrow.object);
    capos_release(made.object);
    return true;
}
