/* CodeMemory through the ring: code runs, and only the kernel writes it. */
#include "tests/unit/cap/memory_user.h"

#define CODE CAP_ID(CAP_SLOT_FIRST_GRANT, 1)

static void begin(void)
{
    struct object *grants[] = {&code_memory_object};
    sim_boot(NULL);
    process = sim_process(grants, 1);
    user = user_of(process);
}

static status_t reserve(uint64_t size, uint64_t *address)
{
    struct wire_builder b = user_message(&message, CODE_MEMORY_RESERVE_PARAMS_DATA_WORDS, 0);
    code_memory_reserve_params_set_size(b, size);
    status_t status = user_call(user, CODE, CODE_MEMORY_INTERFACE_ID, CODE_MEMORY_METHOD_RESERVE,
                                &message, NULL, 0, &reply);
    *address = status == STATUS_OK ? code_memory_reserve_results_address(reply.root) : 0;
    return status;
}

static status_t write_code(uint64_t address, const void *bytes, size_t size)
{
    struct wire_builder b = user_message(&message, CODE_MEMORY_WRITE_PARAMS_DATA_WORDS,
                                         CODE_MEMORY_WRITE_PARAMS_POINTER_WORDS);
    code_memory_write_params_set_address(b, address);
    code_memory_write_params_set_bytes(b, (struct wire_span){bytes, size});
    return user_call(user, CODE, CODE_MEMORY_INTERFACE_ID, CODE_MEMORY_METHOD_WRITE, &message, NULL,
                     0, &reply);
}

static status_t free_code(uint64_t address, uint64_t size)
{
    struct wire_builder b = user_message(&message, CODE_MEMORY_FREE_PARAMS_DATA_WORDS, 0);
    code_memory_free_params_set_address(b, address);
    code_memory_free_params_set_size(b, size);
    return user_call(user, CODE, CODE_MEMORY_INTERFACE_ID, CODE_MEMORY_METHOD_FREE, &message, NULL,
                     0, &reply);
}

TEST(code_runs_and_is_never_written_by_its_process)
{
    begin();
    uint64_t code;
    CHECK_OK(reserve(4 * PAGE_SIZE, &code));
    CHECK_OK(write_code(code + PAGE_SIZE - 2, "\x0f\x0b\xc3\xcc", 4)); /* over a page's border */
    CHECK_EQ(memory_get(code + PAGE_SIZE + 1), 0xcc);
    CHECK(user_touch(user, code + PAGE_SIZE, UPCALL_ACCESS_EXECUTE));
    uint8_t byte = 1;
    CHECK(!user_write(process, code, &byte, 1));
    CHECK_INVALID(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, code, PAGE_SIZE, PROTECTION_READ_WRITE),
                  "does not allow");
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, code, PAGE_SIZE, PROTECTION_NONE));
    CHECK_OK(vm_range(VIRTUAL_MEMORY_METHOD_PROTECT, code, PAGE_SIZE, PROTECTION_READ_EXECUTE));
    CHECK_OK(free_code(code, PAGE_SIZE));
    CHECK(!user_read(process, code, &byte, 1));
    CHECK_OK(free_code(code + PAGE_SIZE, 3 * PAGE_SIZE));
}

TEST(only_code_is_written_and_freed)
{
    begin();
    uint64_t code, data;
    CHECK_OK(reserve(2 * PAGE_SIZE, &code));
    CHECK_OK(vm_map(0, PAGE_SIZE, PROTECTION_READ_WRITE, &data));
    CHECK_INVALID(write_code(data, "x", 1), "not mapped");
    CHECK_INVALID(write_code(code + 2 * PAGE_SIZE - 1, "xx", 2), "not mapped");
    CHECK_EQ(memory_get(code + 2 * PAGE_SIZE - 1), 0); /* nothing of it was written */
    CHECK_INVALID(write_code(UINT64_MAX, "xx", 2), "wraps");
    CHECK_INVALID(write_code(0, "xx", 2), "wraps");
    CHECK_INVALID(free_code(data, PAGE_SIZE), "not mapped");
    CHECK_INVALID(free_code(code, 3 * PAGE_SIZE), "not mapped");
    CHECK_INVALID(reserve(0, &code), "whole pages");
    CHECK_INVALID(reserve(77, &code), "whole pages");
    CHECK_STATUS(reserve(1ull << 40, &code), STATUS_FRAMES_EXHAUSTED);
}

TEST(a_forked_child_has_code_of_its_own)
{
    begin();
    uint64_t code;
    CHECK_OK(reserve(PAGE_SIZE, &code));
    CHECK_OK(write_code(code, "\x11", 1));
    struct address_space *child;
    CHECK_OK(address_space_create(&ledger_root, &child));
    CHECK_OK(address_space_fork(process->space, child));
    CHECK_OK(write_code(code, "\x22", 1));
    uint8_t byte;
    CHECK_OK(user_copy_in(child, &byte, code, 1));
    CHECK_EQ(byte, 0x11);
    CHECK_OK(address_space_write_code(child, code, "\x33", 1));
    CHECK_EQ(memory_get(code), 0x22);
    address_space_destroy(child);
}
