/* ReadOnlyMemory: sees what is written through the writable side, and writes nothing itself. */
#include "check.h"

int main(void)
{
    struct capos_virtual_memory_create_object_results made;
    struct capos_memory_object_map_results writable;
    struct capos_memory_object_read_only_results narrow;
    struct capos_read_only_memory_info_results info;
    struct capos_read_only_memory_map_results map, copy;
    check_catch_faults();
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, 2 * PAGE, &made));
    CHECK_OK(capos_memory_object_map(made.object, 0, 0, 2 * PAGE, PROTECTION_READ_WRITE,
                                     SHARING_SHARED, &writable));
    CHECK_OK(capos_memory_object_read_only(made.object, &narrow));
    cap_t object = narrow.object;
    CHECK_OK(capos_read_only_memory_info(object, &info));
    CHECK(info.size == 2 * PAGE && !info.sealed);
    ok("info");
    CHECK_OK(
        capos_read_only_memory_map(object, 0, PAGE, PAGE, PROTECTION_READ, SHARING_SHARED, &map));
    *at(writable.address + PAGE) = 9;
    CHECK(*at(map.address) == 9 && !can_write(map.address) && !can_run(map.address));
    CHECK_OK(capos_read_only_memory_map(object, 0, PAGE, PAGE, PROTECTION_READ_WRITE,
                                        SHARING_PRIVATE, &copy));
    *at(copy.address) = 10;
    CHECK(*at(map.address) == 9 && *at(copy.address) == 10);
    ok("map");
    CHECK_INVALID(capos_read_only_memory_map(object, 0, 0, PAGE, PROTECTION_READ_WRITE,
                                             SHARING_SHARED, &copy));
    CHECK_INVALID(capos_read_only_memory_map(object, 0, 0, PAGE, PROTECTION_READ_EXECUTE,
                                             SHARING_PRIVATE, &copy));
    CHECK_INVALID(capos_virtual_memory_protect(CAPOS_MEMORY, map.address, PAGE,
                                               PROTECTION_READ_WRITE)); /* not this way either */
    CHECK(!can_write(map.address));
    ok("it is not written");
    CHECK_OK(capos_read_only_memory_unmap(object, map.address, PAGE));
    CHECK(!can_read(map.address));
    CHECK_INVALID(capos_read_only_memory_unmap(object, map.address, PAGE));
    ok("unmap");
    check_object(object, READ_ONLY_MEMORY_INTERFACE_ID, MEMORY_OBJECT_INTERFACE_ID);
    return 0;
}
