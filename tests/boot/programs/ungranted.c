/* What a program finds that was not granted an interface: nothing of it under any name, no id that
 * leads to it, and no other capability that answers for it. Then it asks as a program does that
 * cannot do without, and is ended as denied.
 *
 *   ungranted STEM         asks by name
 *   ungranted STEM blind   calls without looking: the id 0
 *
 * What it says goes to standard output, or to the log if there is only a Console. */
#include "check.h"

static const struct target {
    const char *stem, *name;
    uint64_t id;
} targets[] = {
    {"console", "console", CONSOLE_INTERFACE_ID},
    {"std_io", "stdio", STD_IO_INTERFACE_ID},
    {"timer", "timer", TIMER_INTERFACE_ID},
    {"entropy_source", "random", ENTROPY_SOURCE_INTERFACE_ID},
    {"code_memory", "code", CODE_MEMORY_INTERFACE_ID},
    {"boot_package", "boot", BOOT_PACKAGE_INTERFACE_ID},
    {"process_spawner", "spawn", PROCESS_SPAWNER_INTERFACE_ID},
    {"restricted_launcher", "launch", RESTRICTED_LAUNCHER_INTERFACE_ID},
    {"directory", "dir", DIRECTORY_INTERFACE_ID},
    {"file", "file", FILE_INTERFACE_ID},
    {"memory_object", "object", MEMORY_OBJECT_INTERFACE_ID},
    {"read_only_memory", "object", READ_ONLY_MEMORY_INTERFACE_ID},
    {"image", "image", IMAGE_INTERFACE_ID},
    {"process_handle", "child", PROCESS_HANDLE_INTERFACE_ID},
    {"pipe_reader", "pipe", PIPE_READER_INTERFACE_ID},
    {"pipe_writer", "pipe", PIPE_WRITER_INTERFACE_ID},
    {"endpoint", "endpoint", ENDPOINT_INTERFACE_ID},
    {"cutter", "cutter", CUTTER_INTERFACE_ID},
    {"thread_handle", "sibling", THREAD_HANDLE_INTERFACE_ID},
};

static void say(const char *what)
{
    cap_t console;
    char line[64];
    if (capos_find("console", CONSOLE_INTERFACE_ID, &console) == STATUS_OK) {
        int size = snprintf(line, sizeof line, "ok %s", what);
        CHECK_OK(capos_console_write_line(console, line, (size_t)size));
    } else {
        ok(what);
    }
}

static void look(const struct target *t)
{
    cap_t cap;
    for (size_t i = 0; i < capos_grant_count(); i++) {
        CHECK(capos_grant_at(i)->interface_id != t->id);
    }
    CHECK_STATUS(capos_find(t->name, t->id, &cap), STATUS_NOT_FOUND);
    say("not in the CapSet");
}

static void forge(const struct target *t)
{
    uint32_t beyond = (uint32_t)capos_grant_count() + 1;
    for (uint32_t slot = beyond; slot < beyond + 40; slot++) {
        CHECK_STATUS(check_call(CAP_ID(slot, 1), t->id, 0), STATUS_BAD_CAPABILITY);
        CHECK_STATUS(check_call(CAP_ID(slot, 2), t->id, 0), STATUS_BAD_CAPABILITY);
    }
    CHECK_STATUS(check_call(CAP_ID(CAP_SLOT_MASK, 1), t->id, 0), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(check_call(CAP_ID(1, CAP_GENERATION_MAX), t->id, 0), STATUS_BAD_CAPABILITY);
    CHECK_STATUS(check_call(UINT32_MAX, t->id, 0), STATUS_BAD_CAPABILITY);
    say("forged ids lead nowhere");
}

static void ask_others(const struct target *t)
{
    for (size_t i = 0; i < capos_grant_count(); i++) {
        CHECK_STATUS(check_call(capos_grant_at(i)->cap, t->id, 0), STATUS_WRONG_INTERFACE);
        CHECK_STATUS(check_call(capos_grant_at(i)->cap, t->id, 1), STATUS_WRONG_INTERFACE);
    }
    say("nothing else answers for it");
}

int main(int argc, char **argv)
{
    const struct target *t = NULL;
    for (size_t i = 0; argc > 1 && i < sizeof targets / sizeof targets[0]; i++) {
        if (strcmp(targets[i].stem, argv[1]) == 0) {
            t = &targets[i];
        }
    }
    CHECK(t != NULL);
    look(t);
    forge(t);
    ask_others(t);
    if (argc > 2) {
        CHECK_STATUS(check_call(CAP_ID_NONE, t->id, 0), STATUS_BAD_CAPABILITY);
        capos_end_denied();
    }
    (void)capos_need(t->name, t->id);
    return 1; /* it was there after all */
}
