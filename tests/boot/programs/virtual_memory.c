/* VirtualMemory: each method's effect is seen through the processor: what can be read, written and
 * run. */
#include "check.h"

static void map(void)
{
    struct capos_virtual_memory_map_results map, hinted;
    CHECK_OK(capos_virtual_memory_map(CAPOS_MEMORY, 0, 3 * PAGE, PROTECTION_READ_WRITE, &map));
    for (uint64_t i = 0; i < 3 * PAGE; i++) {
        CHECK(*at(map.address + i) == 0);
    }
    *at(map.address + PAGE) = 42;
    CHECK(!can_run(map.address)); /* never writable and executable */
    CHECK_OK(capos_virtual_memory_map(CAPOS_MEMORY, map.address, PAGE, PROTECTION_READ, &hinted));
    CHECK(hinted.address != map.address
          && *at(map.address + PAGE) == 42); /* taken: another place */
    CHECK(can_read(hinted.address) && !can_write(hinted.address));
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, hinted.address, PAGE));
    CHECK(!can_read(hinted.address));
    ok("map");
    CHECK_OK(capos_virtual_memory_protect(CAPOS_MEMORY, map.address + PAGE, PAGE, PROTECTION_READ));
    CHECK(can_write(map.address) && !can_write(map.address + PAGE)
          && can_write(map.address + 2 * PAGE));
    CHECK_OK(capos_virtual_memory_protect(CAPOS_MEMORY, map.address, PAGE, PROTECTION_NONE));
    CHECK(!can_read(map.address) && *at(map.address + PAGE) == 42);
    CHECK_OK(
        capos_virtual_memory_protect(CAPOS_MEMORY, map.address, 3 * PAGE, PROTECTION_READ_WRITE));
    CHECK(can_write(map.address + PAGE) && *at(map.address + PAGE) == 1);
    ok("protect");
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, map.address + PAGE, PAGE));
    CHECK(can_read(map.address) && !can_read(map.address + PAGE)
          && can_read(map.address + 2 * PAGE));
    CHECK_INVALID(capos_virtual_memory_protect(CAPOS_MEMORY, map.address, 3 * PAGE,
                                               PROTECTION_READ));              /* a hole */
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, map.address, 3 * PAGE)); /* no error here */
    CHECK(!can_read(map.address) && !can_read(map.address + 2 * PAGE));
    ok("unmap");
}

static void reserve(void)
{
    struct capos_virtual_memory_reserve_results area;
    CHECK_OK(capos_virtual_memory_reserve(CAPOS_MEMORY, 0, 1ull << 40, &area)); /* a TiB */
    uint64_t part = area.address + (1ull << 39);
    CHECK(!can_read(area.address) && !can_read(part));
    CHECK_OK(capos_virtual_memory_commit(CAPOS_MEMORY, part, 2 * PAGE, PROTECTION_READ_WRITE));
    *at(part) = 7;
    CHECK(!can_read(part - 1) && can_write(part + PAGE) && !can_read(part + 2 * PAGE));
    ok("reserve and commit");
    CHECK_OK(capos_virtual_memory_decommit(CAPOS_MEMORY, part, 2 * PAGE));
    CHECK(!can_read(part));
    CHECK_OK(capos_virtual_memory_commit(CAPOS_MEMORY, part, PAGE, PROTECTION_READ_WRITE));
    CHECK(*at(part) == 0); /* not what was there before */
    CHECK_OK(capos_virtual_memory_unmap(CAPOS_MEMORY, area.address, 1ull << 40));
    CHECK(!can_read(part));
    CHECK_INVALID(capos_virtual_memory_commit(CAPOS_MEMORY, part, PAGE, PROTECTION_READ_WRITE));
    ok("decommit");
}

static void objects(void)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_info_results info;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, 5 * PAGE, &made));
    CHECK_OK(capos_memory_object_info(made.object, &info));
    CHECK(info.size == 5 * PAGE && !info.sealed);
    capos_release(made.object);
    CHECK_INVALID(capos_virtual_memory_create_object(CAPOS_MEMORY, 0, &made));
    CHECK_INVALID(capos_virtual_memory_create_object(CAPOS_MEMORY, 100, &made));
    ok("createObject");
}

static void refusals(void)
{
    struct capos_virtual_memory_map_results map;
    const uint64_t wrap = UINT64_MAX & ~(PAGE - 1);
    CHECK_INVALID(capos_virtual_memory_map(CAPOS_MEMORY, 0, 0, PROTECTION_READ, &map));
    CHECK_INVALID(capos_virtual_memory_map(CAPOS_MEMORY, 0, 100, PROTECTION_READ, &map));
    CHECK_INVALID(capos_virtual_memory_map(CAPOS_MEMORY, 0, wrap, PROTECTION_READ, &map));
    CHECK_INVALID(capos_virtual_memory_map(CAPOS_MEMORY, 0, PAGE, PROTECTION_READ_EXECUTE, &map));
    CHECK_INVALID(capos_virtual_memory_map(CAPOS_MEMORY, 0, PAGE, (enum protection)9, &map));
    CHECK_INVALID(capos_virtual_memory_unmap(CAPOS_MEMORY, 1, PAGE));
    CHECK_INVALID(capos_virtual_memory_unmap(CAPOS_MEMORY, wrap, 2 * PAGE));
    CHECK_INVALID(capos_virtual_memory_unmap(CAPOS_MEMORY, USER_END, PAGE));
    CHECK_INVALID(capos_virtual_memory_protect(CAPOS_MEMORY, 0x20000, PAGE, PROTECTION_READ));
    CHECK_INVALID(capos_virtual_memory_protect(CAPOS_MEMORY, (uintptr_t)objects & ~(PAGE - 1), PAGE,
                                               PROTECTION_READ_EXECUTE + 1));
    CHECK_STATUS(capos_virtual_memory_map(CAPOS_MEMORY, 0, 1ull << 40, PROTECTION_READ_WRITE, &map),
                 STATUS_FRAMES_EXHAUSTED); /* committed memory is charged at once */
    ok("refusals");
}

int main(void)
{
    check_catch_faults();
    map();
    reserve();
    objects();
    refusals();
    check_object(CAPOS_MEMORY, VIRTUAL_MEMORY_INTERFACE_ID, CONSOLE_INTERFACE_ID);
    return 0;
}
