/* CodeMemory: code made at run time runs, the kernel alone writes it, and it changes while it is
 * mapped. */
#include "check.h"

static const uint8_t returns_42[] = {0xb8, 0x2a, 0, 0, 0, 0xc3}; /* mov $42, %eax; ret */
static const uint8_t returns_43[] = {0xb8, 0x2b, 0, 0, 0, 0xc3};

int main(void)
{
    cap_t code = capos_need("code", CODE_MEMORY_INTERFACE_ID);
    struct capos_code_memory_reserve_results area;
    static uint8_t big[2 * PAGE];
    check_catch_faults();
    CHECK_OK(capos_code_memory_reserve(code, 3 * PAGE, &area));
    CHECK_OK(capos_code_memory_write(code, area.address, returns_42, sizeof returns_42));
    CHECK(check_run(at(area.address)) == 42);
    CHECK(!can_write(area.address));
    CHECK_OK(capos_code_memory_write(code, area.address, returns_43, sizeof returns_43));
    CHECK(check_run(at(area.address)) == 43);
    ok("write and run");
    uint64_t across = area.address + PAGE - 3; /* over the edge of a page */
    CHECK_OK(capos_code_memory_write(code, across, returns_42, sizeof returns_42));
    CHECK(check_run(at(across)) == 42);
    memset(big, 0xc3, sizeof big);
    CHECK_OK(capos_code_memory_write(code, area.address + PAGE, big, sizeof big));
    CHECK(can_run(area.address + 3 * PAGE - 1));
    ok("across pages");
    CHECK_INVALID(capos_code_memory_write(code, area.address + 3 * PAGE - 1, big, 2));
    CHECK_INVALID(capos_code_memory_write(code, (uintptr_t)big, returns_42, sizeof returns_42));
    CHECK_INVALID(capos_code_memory_write(code, (uintptr_t)main, returns_42, sizeof returns_42));
    CHECK_INVALID(
        capos_virtual_memory_protect(CAPOS_MEMORY, area.address, PAGE, PROTECTION_READ_WRITE));
    CHECK_INVALID(capos_code_memory_reserve(code, 0, &area));
    CHECK_INVALID(capos_code_memory_reserve(code, 100, &area));
    ok("refusals");
    CHECK_OK(capos_code_memory_reserve(code, PAGE, &area));
    CHECK_OK(capos_code_memory_free(code, area.address, PAGE));
    CHECK(!can_read(area.address) && !can_run(area.address));
    CHECK_INVALID(capos_code_memory_free(code, (uintptr_t)big & ~(PAGE - 1), PAGE));
    ok("free");
    check_object(code, CODE_MEMORY_INTERFACE_ID, VIRTUAL_MEMORY_INTERFACE_ID);
    return 0;
}
