/* check.h: what the programs of the boot tests share. Each check that a program makes prints a
 * line, `ok WHAT`; the first that does not hold prints `not ok FILE:LINE: WHY` and ends the program
 * with status 1. The test then compares what was printed, so that a check that was left out is seen
 * too.
 *
 * For the programs in this folder only. */
#pragma once

#include <capos.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/capos/thread_self.h"
#include "lib/wire/gen/messages.h"

static inline _Noreturn void check_fail(const char *file, int line, const char *what,
                                        const char *got)
{
    const char *slash = strrchr(file, '/');
    printf("not ok %s:%d: %s is %s\n", slash == NULL ? file : slash + 1, line, what, got);
    fflush(stdout);
    exit(1);
}

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_fail(__FILE__, __LINE__, #condition, "false");                                   \
        }                                                                                          \
    } while (0)

#define CHECK_STATUS(expression, expected)                                                         \
    do {                                                                                           \
        status_t check_status = (expression);                                                      \
        if (check_status != (expected)) {                                                          \
            check_fail(__FILE__, __LINE__, #expression, capos_status_name(check_status));          \
        }                                                                                          \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(expression, STATUS_OK)

/* A synchronous call that answers an exception of this type. */
#define CHECK_EXCEPTION(expression, type)                                                          \
    do {                                                                                           \
        CHECK_STATUS(expression, STATUS_EXCEPTION);                                                \
        if (exception_type(capos_self()->call.results) != (type)) {                                \
            check_fail(__FILE__, __LINE__, #expression, "an exception of another type");           \
        }                                                                                          \
    } while (0)
#define CHECK_INVALID(expression) CHECK_EXCEPTION(expression, EXCEPTION_TYPE_INVALID_ARGUMENT)

static inline void ok(const char *what)
{
    printf("ok %s\n", what);
    fflush(stdout);
}

/* A call with empty parameters. */
static inline status_t check_call(cap_t cap, uint64_t interface_id, uint16_t method)
{
    return capos_invoke(capos_call_begin(), cap, interface_id, method);
}

/* What every object of the kernel answers, whatever it is: `other` is an interface that it has not.
 */
static inline void check_object(cap_t cap, uint64_t interface_id, uint64_t other)
{
    CHECK_STATUS(check_call(cap, other, 0), STATUS_WRONG_INTERFACE);
    CHECK_STATUS(check_call(cap, interface_id, 1000), STATUS_UNKNOWN_METHOD);
    ok("wrong interface and unknown method are refused");
}

static inline bool check_same(struct wire_span got, const char *expected)
{
    return got.size == strlen(expected) && memcmp(got.data, expected, got.size) == 0;
}

/* The process has exited with 0. */
static inline void check_exited(cap_t handle, int32_t code)
{
    struct capos_process_handle_wait_results ended;
    CHECK_OK(capos_process_handle_wait(handle, &ended));
    CHECK(exit_status_kind(ended.status_) == EXIT_KIND_EXITED);
    CHECK(exit_status_code(ended.status_) == code);
}

/* Does `role` in a copy of this process and waits for its end. */
static inline void check_in_child(cap_t spawner, void (*role)(void))
{
    bool is_child;
    cap_t handle;
    CHECK_OK(capos_fork(spawner, &is_child, &handle));
    if (is_child) {
        role();
        exit(0);
    }
    check_exited(handle, 0);
    capos_release(handle);
}

/* The image of a program of the boot package. */
static inline cap_t check_image(const char *name)
{
    cap_t boot = capos_need("boot", BOOT_PACKAGE_INTERFACE_ID);
    struct capos_boot_package_binary_results binary;
    CHECK_OK(capos_boot_package_binary(boot, name, strlen(name), &binary));
    return binary.image;
}

/* --- a byte that may not be there --- */

#define PAGE 4096ull

static inline volatile uint8_t *at(uint64_t address)
{
    return (volatile uint8_t *)address;
}

/* The handler goes on behind the one instruction that touches memory. */
bool check_read(const volatile void *address);
bool check_write(const volatile void *address);
uint64_t check_run(const volatile void *address);
extern char check_read_end[], check_write_end[], check_run_end[];
__asm__(".text\n"
        "check_read: movb (%rdi), %al\n"
        "check_read_end: ret\n"
        "check_write: movb $1, (%rdi)\n"
        "check_write_end: ret\n"
        "check_run: call *%rdi\n"
        "check_run_end: ret\n");

static volatile int check_faults;

static void check_skip(void *context, struct upcall_frame *frame)
{
    (void)context;
    check_faults++;
    uint64_t rip = frame->registers.rip;
    if (frame->access == UPCALL_ACCESS_EXECUTE) {
        frame->registers.rsp += 8; /* the call has happened */
        frame->registers.rip = (uintptr_t)check_run_end;
    } else {
        frame->registers.rip =
            (uintptr_t)(rip == (uintptr_t)check_read ? check_read_end : check_write_end);
    }
}

static inline void check_catch_faults(void)
{
    static uint8_t stack[32 * 1024];
    CHECK_OK(capos_upcall_set(check_skip, NULL, stack, sizeof stack));
}

static inline bool can_read(uint64_t address)
{
    int before = check_faults;
    (void)check_read(at(address));
    return check_faults == before;
}

static inline bool can_write(uint64_t address)
{
    int before = check_faults;
    (void)check_write(at(address));
    return check_faults == before;
}

static inline bool can_run(uint64_t address)
{
    int before = check_faults;
    (void)check_run(at(address));
    return check_faults == before;
}
