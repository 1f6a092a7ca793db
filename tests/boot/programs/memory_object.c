/* MemoryObject: one memory in several places, and its two narrower sides. */
#include "check.h"

static cap_t make(uint64_t size)
{
    struct capos_virtual_memory_create_object_results made;
    CHECK_OK(capos_virtual_memory_create_object(CAPOS_MEMORY, size, &made));
    return made.object;
}

static uint64_t map(cap_t object, uint64_t offset, uint64_t size, enum protection protection,
                    enum sharing sharing)
{
    struct capos_memory_object_map_results map;
    CHECK_OK(capos_memory_object_map(object, 0, offset, size, protection, sharing, &map));
    return map.address;
}

static void sharing(void)
{
    cap_t object = make(2 * PAGE);
    uint64_t first = map(object, 0, 2 * PAGE, PROTECTION_READ_WRITE, SHARING_SHARED);
    uint64_t second = map(object, PAGE, PAGE, PROTECTION_READ, SHARING_SHARED);
    uint64_t copy = map(object, 0, 2 * PAGE, PROTECTION_READ_WRITE, SHARING_PRIVATE);
    *at(first + PAGE) = 3;
    CHECK(*at(second) == 3 && *at(copy + PAGE) == 3);
    CHECK(!can_write(second) && can_write(first));
    *at(copy + PAGE) = 4;
    CHECK(*at(second) == 3 && *at(copy + PAGE) == 4);
    ok("shared and private");
    CHECK_OK(capos_memory_object_protect(object, second, PAGE, PROTECTION_READ_WRITE));
    CHECK(can_write(second) && *at(first + PAGE) == 1);
    CHECK_OK(capos_memory_object_protect(object, first, PAGE, PROTECTION_NONE));
    CHECK(!can_read(first) && can_read(first + PAGE));
    CHECK_INVALID(capos_memory_object_protect(object, second, PAGE, PROTECTION_READ_EXECUTE));
    ok("protect");
    capos_release(object); /* what is mapped stays */
    capos_flush();
    CHECK(*at(second) == 1);
    object = make(PAGE);
    CHECK_INVALID(capos_memory_object_unmap(object, second, PAGE)); /* another object's */
    CHECK_INVALID(capos_memory_object_protect(object, second, PAGE, PROTECTION_NONE));
    uint64_t own = map(object, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED);
    CHECK_OK(capos_memory_object_unmap(object, own, PAGE));
    CHECK(!can_read(own));
    capos_release(object);
    ok("unmap");
}

static void sealing(void)
{
    cap_t object = make(PAGE);
    struct capos_memory_object_seal_results sealed;
    struct capos_memory_object_read_only_results narrow;
    struct capos_memory_object_info_results info;
    struct capos_memory_object_map_results map_results;
    uint64_t place = map(object, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED);
    *at(place) = 0xc3;
    CHECK_OK(capos_memory_object_read_only(object, &narrow));
    CHECK_EXCEPTION(capos_memory_object_seal(object, &sealed),
                    EXCEPTION_TYPE_FAILED); /* mapped writable */
    CHECK_OK(capos_memory_object_unmap(object, place, PAGE));
    CHECK_OK(capos_memory_object_seal(object, &sealed));
    CHECK_OK(capos_memory_object_info(object, &info));
    CHECK(info.sealed);
    CHECK_INVALID(capos_memory_object_map(object, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED,
                                          &map_results));
    /* Running what one made oneself is CodeMemory's authority, here not granted. */
    struct capos_image_map_results image_results;
    CHECK_INVALID(capos_image_map(sealed.image, 0, 0, PAGE, PROTECTION_READ_EXECUTE,
                                  SHARING_SHARED, &image_results));
    CHECK_OK(capos_image_map(sealed.image, 0, 0, PAGE, PROTECTION_READ, SHARING_SHARED,
                             &image_results));
    CHECK_INVALID(capos_virtual_memory_protect(CAPOS_MEMORY, image_results.address, PAGE,
                                               PROTECTION_READ_EXECUTE));
    CHECK(!can_run(image_results.address));
    capos_release(narrow.object), capos_release(sealed.image), capos_release(object);
    ok("seal and readOnly");
}

static void refusals(void)
{
    cap_t object = make(2 * PAGE);
    struct capos_memory_object_map_results m;
    CHECK_INVALID(
        capos_memory_object_map(object, 0, 0, 3 * PAGE, PROTECTION_READ, SHARING_SHARED, &m));
    CHECK_INVALID(
        capos_memory_object_map(object, 0, PAGE, 2 * PAGE, PROTECTION_READ, SHARING_SHARED, &m));
    CHECK_INVALID(capos_memory_object_map(object, 0, 1, PAGE, PROTECTION_READ, SHARING_SHARED, &m));
    CHECK_INVALID(capos_memory_object_map(object, 0, 0, 0, PROTECTION_READ, SHARING_SHARED, &m));
    CHECK_INVALID(capos_memory_object_map(object, 0, UINT64_MAX & ~(PAGE - 1), 2 * PAGE,
                                          PROTECTION_READ, SHARING_SHARED, &m));
    CHECK_INVALID(
        capos_memory_object_map(object, 0, 0, PAGE, PROTECTION_READ_EXECUTE, SHARING_SHARED, &m));
    CHECK_INVALID(
        capos_memory_object_map(object, 0, 0, PAGE, PROTECTION_READ, (enum sharing)5, &m));
    CHECK_INVALID(
        capos_memory_object_map(object, 0, 0, PAGE, (enum protection)77, SHARING_SHARED, &m));
    ok("refusals");
    check_object(object, MEMORY_OBJECT_INTERFACE_ID, IMAGE_INTERFACE_ID);
    capos_release(object);
}

int main(void)
{
    check_catch_faults();
    sharing();
    sealing();
    refusals();
    return 0;
}
