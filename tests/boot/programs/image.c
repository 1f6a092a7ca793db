/* Image: sealed memory, here this program's own file: it can be read and run, and nobody writes it.
 */
#include "check.h"

/* Needs nothing but the instructions themselves, so it runs wherever they are mapped. */
static __attribute__((noinline)) uint64_t answer(void)
{
    __asm__ volatile("");
    return 42;
}

static void runs(cap_t image)
{
    struct capos_image_map_results map;
    uint64_t offset = (uintptr_t)answer - (uintptr_t)__ehdr_start; /* in the file as in memory */
    CHECK(answer() == 42);
    CHECK_OK(capos_image_map(image, 0, offset & ~(PAGE - 1), PAGE, PROTECTION_READ_EXECUTE,
                             SHARING_SHARED, &map));
    uint64_t place = map.address + offset % PAGE;
    CHECK(place != (uintptr_t)answer);
    CHECK(can_run(place) && check_run(at(place)) == 42 && !can_write(place));
    CHECK_INVALID(
        capos_virtual_memory_protect(CAPOS_MEMORY, map.address, PAGE, PROTECTION_READ_WRITE));
    CHECK_OK(capos_image_unmap(image, map.address, PAGE));
    CHECK(!can_run(place));
    ok("run, never written");
}

int main(void)
{
    struct capos_image_info_results info;
    struct capos_image_map_results map, copy;
    check_catch_faults();
    cap_t image = check_image("image");
    CHECK_OK(capos_image_info(image, &info));
    CHECK(info.size > PAGE && info.sealed);
    CHECK_OK(capos_image_map(image, 0, 0, PAGE, PROTECTION_READ, SHARING_SHARED, &map));
    CHECK(memcmp((const void *)map.address,
                 "\x7f"
                 "ELF",
                 4)
          == 0);
    CHECK(!can_write(map.address) && !can_run(map.address));
    ok("the file of a program");
    CHECK_INVALID(capos_image_map(image, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_SHARED, &copy));
    CHECK_OK(capos_image_map(image, 0, 0, PAGE, PROTECTION_READ_WRITE, SHARING_PRIVATE, &copy));
    CHECK(can_write(copy.address) && *at(copy.address) == 1 && *at(map.address) == 0x7f);
    CHECK(!can_run(copy.address));
    CHECK_INVALID(
        capos_image_map(image, 0, info.size + PAGE, PAGE, PROTECTION_READ, SHARING_SHARED, &copy));
    ok("it is not written");
    CHECK_OK(capos_image_unmap(image, map.address, PAGE));
    CHECK(!can_read(map.address));
    CHECK_INVALID(capos_image_unmap(image, map.address, PAGE));
    ok("unmap");
    runs(image);
    check_object(image, IMAGE_INTERFACE_ID, MEMORY_OBJECT_INTERFACE_ID);
    return 0;
}
