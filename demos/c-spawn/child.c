/* The roles of a child. Each ends in a way that its parent waits for. */
#include <stdlib.h>

#include "spawn.h"

/* Its arguments, environment, directory and grants are what the parent said. Exits with the number
 * of what is wrong. */
static int check_start(int argc, char **argv, char **environment)
{
    static const char *const names[] = {CAP_NAME_MEMORY, CAP_NAME_THREADS, CAP_NAME_THREAD,
                                        CAP_NAME_PARK,   "clock",          "output"};
    if (argc != 3 || strcmp(argv[0], "role") != 0
        || strcmp(argv[2], "with spaces and \xc3\xa9") != 0) {
        return 1;
    }
    if (environment[0] == NULL || strcmp(environment[0], "KEY=value") != 0
        || environment[1] != NULL) {
        return 2;
    }
    if (strcmp(capos_current_directory(), "/somewhere") != 0) {
        return 3;
    }
    if (capos_grant_count() != sizeof names / sizeof names[0]) {
        return 4;
    }
    for (size_t i = 0; i < capos_grant_count(); i++) {
        if (strcmp(capos_grant_at(i)->name, names[i]) != 0
            || capos_grant_at(i)->cap != CAP_ID(i + 1, 1)) {
            return 5;
        }
    }
    struct capos_timer_now_results now;
    if (capos_timer_now(CAP_ID(CAP_SLOT_FIRST_GRANT, 1), &now) != STATUS_OK) {
        return 6;
    }
    /* and nothing beyond: the next slot was never used */
    if (capos_timer_now(CAP_ID(CAP_SLOT_FIRST_GRANT + 2, 1), &now) != STATUS_BAD_CAPABILITY) {
        return 7;
    }
    return 0;
}

static int write_to(const char *text)
{
    struct capos_pipe_writer_write_results written;
    cap_t pipe = capos_need("pipe", PIPE_WRITER_INTERFACE_ID);
    return capos_pipe_writer_write(pipe, text, strlen(text), &written) == STATUS_OK ? 0 : 1;
}

/* Takes more memory than its account has: an error of its own, and it lives on. */
static int exhaust(void)
{
    struct capos_virtual_memory_map_results map;
    for (int i = 0; i < 100000; i++) {
        status_t status =
            capos_virtual_memory_map(CAPOS_MEMORY, 0, 64 * 4096, PROTECTION_READ_WRITE, &map);
        if (status != STATUS_OK) {
            return status == STATUS_FRAMES_EXHAUSTED && i > 0 ? 0 : 1;
        }
        *(volatile char *)map.address = 1;
    }
    return 2;
}

static int time_outs_are_refused(void)
{
    uint32_t word = 0;
    return capos_wait_any(1000) == STATUS_TIME_NOT_GRANTED
                   && capos_park(&word, 0, 1000) == STATUS_TIME_NOT_GRANTED
                   && capos_park(&word, 0, 0) == STATUS_TIMED_OUT
               ? 0
               : 1;
}

static __attribute__((noinline)) void fault_deep(uint64_t address, int depth)
{
    if (depth == 0) {
        *(volatile char *)address = 1;
    } else {
        fault_deep(address, depth - 1);
    }
    __asm__ volatile("" ::: "memory"); /* so that the call above is one */
}

/* Ends by the processor's hand. */
static void fault(const char *how)
{
    if (strcmp(how, "page") == 0) {
        fault_deep(0x1238, 5);
    } else if (strcmp(how, "divide") == 0) {
        __asm__ volatile("xorl %%edx, %%edx\n\txorl %%ecx, %%ecx\n\tdivl %%ecx" ::
                             : "eax", "ecx", "edx");
    } else if (strcmp(how, "illegal") == 0) {
        __asm__ volatile("ud2");
    } else if (strcmp(how, "breakpoint") == 0) {
        __asm__ volatile("int3");
    } else if (strcmp(how, "protection") == 0) {
        __asm__ volatile("hlt");
    } else if (strcmp(how, "foreign") == 0) {
        __asm__ volatile("syscall" ::"a"(60), "D"(0) : "rcx", "r11", "memory");
    } else if (strcmp(how, "text") == 0) {
        *(volatile char *)(uintptr_t)&fault = 0; /* code is not written */
    } else if (strcmp(how, "data") == 0) {
        static unsigned char code[] = {0xc3}; /* and data is not run */
        ((void (*)(void))(uintptr_t)code)();
    } else if (strcmp(how, "time") == 0) {
        __asm__ volatile("rdtsc" ::: "eax", "edx"); /* closed without a Timer */
    } else if (strcmp(how, "kernel") == 0) {
        *(volatile char *)0xffffffff80000000 = 1;
    } else if (strcmp(how, "stack") == 0) {
        volatile char big[4096];
        big[0] = how[0];
        fault(big[0] == 0 ? "" : how); /* for ever, down to the guard */
        big[1] = 1;
    }
}

/* Replaces itself: the parent's handle stays. Keeps the pipe under its id. */
static int exec(const char *role)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    cap_t image = capos_need("image", IMAGE_INTERFACE_ID);
    cap_t pipe = capos_need("pipe", PIPE_WRITER_INTERFACE_ID);
    const char *const arguments[] = {"role", role, "after exec", NULL};
    const struct capos_child_grant keep[] = {
        {"pipe", PIPE_WRITER_INTERFACE_ID, pipe, CAP_TRANSFER_COPY}};
    const struct capos_child child = {
        .image = image, .arguments = arguments, .grants = keep, .grant_count = 1};
    return capos_exec(spawner, &child) == STATUS_OK ? 1 : 2; /* it has failed */
}

_Noreturn void spawn_child(int argc, char **argv, char **environment)
{
    const char *role = argv[1];
    const char *argument = argc > 2 ? argv[2] : "";
    if (strcmp(role, "start") == 0) {
        exit(check_start(argc, argv, environment));
    } else if (strcmp(role, "exit") == 0) {
        exit(atoi(argument));
    } else if (strcmp(role, "write") == 0) {
        exit(write_to(argument));
    } else if (strcmp(role, "fault") == 0) {
        fault(argument);
    } else if (strcmp(role, "loop") == 0) {
        for (;;) {
            __asm__ volatile("pause");
        }
    } else if (strcmp(role, "block") == 0) {
        status_t status = capos_wait_any(CAP_ENTER_FOREVER);
        exit(status);
    } else if (strcmp(role, "deny") == 0) {
        (void)capos_need("timer", TIMER_INTERFACE_ID);
    } else if (strcmp(role, "panic") == 0) {
        capos_panic("a child gives up, as it was told");
    } else if (strcmp(role, "exhaust") == 0) {
        exit(exhaust());
    } else if (strcmp(role, "timeless") == 0) {
        exit(time_outs_are_refused());
    } else if (strcmp(role, "exec") == 0) {
        exit(exec(argument));
    }
    exit(99); /* no such role, or a fault that did not come */
}
