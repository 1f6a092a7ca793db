/* Console and EntropySource: bounds, and that the bytes go where they should. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/console.h"
#include "lib/wire/gen/entropy_source.h"
#include "tests/lib/ipc.h"

static struct user *u;
static struct user_message message;
static struct user_reply reply;

static void boot(void)
{
    static struct object *grants[] = {&console_object, &entropy_source_object};
    sim_boot(NULL);
    u = user_of(sim_process(grants, 2));
}

static status_t write_line(const char *text, size_t size)
{
    struct wire_builder b = user_message(&message, CONSOLE_WRITE_LINE_PARAMS_DATA_WORDS,
                                         CONSOLE_WRITE_LINE_PARAMS_POINTER_WORDS);
    console_write_line_params_set_text(b, (struct wire_span){text, size});
    return user_call(u, CAP_ID(CAP_SLOT_FIRST_GRANT, 1), CONSOLE_INTERFACE_ID,
                     CONSOLE_METHOD_WRITE_LINE, &message, NULL, 0, &reply);
}

static status_t write_data(const void *bytes, size_t size)
{
    struct wire_builder b = user_message(&message, CONSOLE_WRITE_PARAMS_DATA_WORDS,
                                         CONSOLE_WRITE_PARAMS_POINTER_WORDS);
    console_write_params_set_data(b, (struct wire_span){bytes, size});
    return user_call(u, CAP_ID(CAP_SLOT_FIRST_GRANT, 1), CONSOLE_INTERFACE_ID, CONSOLE_METHOD_WRITE,
                     &message, NULL, 0, &reply);
}

TEST(lines_and_bytes_reach_the_log_as_they_are)
{
    boot();
    CHECK_OK(write_line("a line", 6));
    CHECK_OK(write_data("half %s\x01 ", 9));
    CHECK_OK(write_data("a line\n", 7));
    CHECK_OK(write_line("", 0));
    CHECK_OK(write_data("", 0));
    CHECK(strstr(sim_machine.log, "a line\nhalf %s\x01 a line\n\n") != NULL);
}

TEST(a_kibibyte_is_the_most)
{
    static char text[CONSOLE_WRITE_MAX + 1];
    boot();
    memset(text, 'x', sizeof(text));
    CHECK_OK(write_line(text, CONSOLE_WRITE_MAX));
    CHECK_OK(write_data(text, CONSOLE_WRITE_MAX));
    size_t size = strlen(sim_machine.log);
    CHECK_GE(size, 2 * CONSOLE_WRITE_MAX + 1);
    CHECK_STATUS(write_line(text, CONSOLE_WRITE_MAX + 1), STATUS_EXCEPTION);
    CHECK_STATUS(write_data(text, CONSOLE_WRITE_MAX + 1), STATUS_EXCEPTION);
    CHECK_EQ(strlen(sim_machine.log), size);
}

TEST(entropy_fills_what_was_asked_for)
{
    static uint8_t seen[ENTROPY_FILL_MAX + 1][ENTROPY_FILL_MAX];
    boot();
    for (uint32_t count = 0; count <= ENTROPY_FILL_MAX + 1; count++) {
        struct wire_builder b = user_message(&message, ENTROPY_SOURCE_FILL_PARAMS_DATA_WORDS,
                                             ENTROPY_SOURCE_FILL_PARAMS_POINTER_WORDS);
        entropy_source_fill_params_set_count(b, count);
        status_t s = user_call(u, CAP_ID(CAP_SLOT_FIRST_GRANT + 1, 1), ENTROPY_SOURCE_INTERFACE_ID,
                               ENTROPY_SOURCE_METHOD_FILL, &message, NULL, 0, &reply);
        if (count > ENTROPY_FILL_MAX) {
            CHECK_STATUS(s, STATUS_EXCEPTION);
            return;
        }
        CHECK_OK(s);
        struct wire_span got = entropy_source_fill_results_data(reply.root);
        CHECK_EQ(got.size, count);
        memcpy(seen[count], got.data, got.size);
        for (uint32_t i = 16; i < count; i++) {
            CHECK(memcmp(seen[i], seen[count], 16) != 0);
        }
    }
}
