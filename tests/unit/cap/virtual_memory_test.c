/* VirtualMemory through the ring: each method, what it refuses and how it says so. */
#include "tests/unit/cap/memory_user.h"

TEST(map_and_unmap)
{
    memory_begin();
    uint64_t address, frames = process->account->used[LEDGER_FRAMES];
    CHECK_OK(vm_map(0, 3 * PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    CHECK(page_aligned(address) && address >= USER_BASE);
    memory_put(address + 5, 1);
    CHECK(user_touch(user, address + PAGE_SIZE, UPCALL_ACCESS_WRITE));
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, address, 3 * PAGE_SIZE, PROTECTION_NONE));
    CHECK_EQ(process->account->used[LEDGER_FRAMES], frames);
    uint8_t byte;
    CHECK(!user_read(process, address, &byte, 1));
    CHECK_OK(
        vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, address, 3 * PAGE_SIZE, PROTECTION_NONE)); /* holes */
}

TEST(a_hint_is_taken_if_it_is_free)
{
    memory_begin();
    uint64_t a, b;
    CHECK_OK(vm_map(0x200000000000, PAGE_SIZE, PROTECTION_READ, &a));
    CHECK_EQ(a, 0x200000000000);
    CHECK_OK(vm_map(0x200000000000, PAGE_SIZE, PROTECTION_READ, &b));
    CHECK_NE(b, a);
}

TEST(arguments_without_sense)
{
    memory_begin();
    uint64_t address;
    CHECK_INVALID(vm_map(0, 0, PROTECTION_READ, &address), "whole pages");
    CHECK_INVALID(vm_map(0, 100, PROTECTION_READ, &address), "whole pages");
    CHECK_INVALID(vm_map(1, PAGE_SIZE, PROTECTION_READ, &address), "whole pages");
    CHECK_INVALID(vm_map(0, UINT64_MAX & ~(PAGE_SIZE - 1), PROTECTION_READ, &address), "wraps");
    CHECK_INVALID(vm_map(0, PAGE_SIZE, (enum protection)4, &address), "no such protection");
    CHECK_INVALID(vm_reserve(0, 1ull << 48, &address), "wraps");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, 0, PAGE_SIZE, 0), "wraps");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, USER_END, PAGE_SIZE, 0), "wraps");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, 0x100000, PAGE_SIZE, PROTECTION_READ),
                  "not mapped");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, 0x100000, PAGE_SIZE, (enum protection)77),
                  "no such");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_COMMIT, 0x100000, PAGE_SIZE, PROTECTION_READ),
                  "not mapped");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_DECOMMIT, 0xffffffffffff0000, 0x20000, 0),
                  "wraps");
    cap_id_t object;
    CHECK_INVALID(vm_create_object(0, &object), "wraps");
    CHECK_INVALID(vm_create_object(77, &object), "whole pages");
}

TEST(own_memory_never_runs_and_the_refusal_names_the_grant)
{
    memory_begin();
    uint64_t address;
    CHECK_INVALID(vm_map(0, PAGE_SIZE, PROTECTION_READ_EXECUTE, &address), "does not allow");
    CHECK_EQ(process->denial_count, 1);
    CHECK_EQ(process->denials[0].reason, DENIAL_REASON_NOT_GRANTED);
    CHECK_EQ(process->denials[0].interface_id, VIRTUAL_MEMORY_INTERFACE_ID);
    CHECK(strcmp(process->denials[0].grant, "code") == 0);
    CHECK_OK(vm_map(0, PAGE_SIZE, PROTECTION_READ_WRITE, &address));
    CHECK_INVALID(
        vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, address, PAGE_SIZE, PROTECTION_READ_EXECUTE),
        "does not");
}

TEST(kernel_pages_stay)
{
    memory_begin();
    uint64_t ring = user->ring & ~(PAGE_SIZE - 1);
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, ring, PAGE_SIZE, 0), "not mapped in a way");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, ring, PAGE_SIZE, PROTECTION_NONE),
                  "not mapped in a way");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_DECOMMIT, ring, PAGE_SIZE, 0),
                  "not mapped in a way");
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, USER_BASE, USER_END - USER_BASE, 0),
                  "not mapped in a way");
}

TEST(reserve_commit_decommit)
{
    memory_begin();
    uint64_t address, frames = process->account->used[LEDGER_FRAMES];
    CHECK_OK(vm_reserve(0, 1ull << 40, &address));
    CHECK_EQ(process->account->used[LEDGER_FRAMES], frames);
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_COMMIT, address + (1 << 20), 2 * PAGE_SIZE,
                      PROTECTION_READ_WRITE));
    CHECK_GE(process->account->used[LEDGER_FRAMES], frames + 2);
    memory_put(address + (1 << 20), 5);
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_DECOMMIT, address, 1ull << 40, PROTECTION_NONE));
    CHECK_EQ(process->account->used[LEDGER_FRAMES], frames);
    CHECK_OK(
        vm_range(VIRTUAL_MEMORY_METHOD_COMMIT, address + (1 << 20), PAGE_SIZE, PROTECTION_READ));
    CHECK_EQ(memory_get(address + (1 << 20)), 0); /* not what it was */
}

TEST(budgets_are_statuses_not_exceptions)
{
    memory_begin();
    uint64_t address;
    CHECK_STATUS(vm_map(0, 1ull << 40, PROTECTION_READ_WRITE, &address), STATUS_FRAMES_EXHAUSTED);
    cap_id_t object;
    CHECK_STATUS(vm_create_object(1ull << 40, &object), STATUS_FRAMES_EXHAUSTED);
    process->account->limit[LEDGER_MAPPINGS] = process->account->used[LEDGER_MAPPINGS];
    CHECK_STATUS(vm_map(0x200000000000, PAGE_SIZE, PROTECTION_READ, &address),
                 STATUS_MAPPINGS_EXHAUSTED);
}

/* All memory there is, page by page with holes between, and back. */
TEST(exhaustion_is_survived)
{
    memory_begin();
    uint64_t address, reserved, frames = process->account->used[LEDGER_FRAMES], count = 0;
    CHECK_OK(vm_reserve(0, 1ull << 30, &reserved));
    status_t status;
    do {
        status = vm_range(VIRTUAL_MEMORY_METHOD_COMMIT, reserved + 2 * count * PAGE_SIZE, PAGE_SIZE,
                          PROTECTION_READ_WRITE);
        count++;
    } while (status == STATUS_OK);
    CHECK(status == STATUS_FRAMES_EXHAUSTED || status == STATUS_BYTES_EXHAUSTED);
    CHECK_GT(count, 1000);
    for (uint64_t i = 0; i + 1 < count; i++) {
        CHECK(user_touch(user, reserved + 2 * i * PAGE_SIZE, UPCALL_ACCESS_WRITE));
    }
    (void)vm_map(0, PAGE_SIZE, PROTECTION_READ, &address);
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_UNMAP, reserved, 1ull << 30, 0));
    CHECK_LE(process->account->used[LEDGER_FRAMES], frames + 4);
}
