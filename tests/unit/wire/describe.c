/* Calls in words: names by id, arguments by their types, and text that is cut where the room ends.
 */
#include "lib/wire/gen/messages.h"
#include "lib/wire/gen/names.h"
#include "tests/lib/test.h"

static uint64_t buffer[300];
static char text[2000];
static struct wire_message message;
static struct wire_printer printer;

static void print(struct wire_message_builder *builder, const struct wire_struct_info *info,
                  size_t room)
{
    CHECK_EQ(wire_message_open(&message, buffer, wire_message_finish(builder)), WIRE_OK);
    wire_print_struct(&printer, info, wire_message_root(&message));
    CHECK_EQ(strlen(text), printer.length < room ? printer.length : room - 1);
}

static void check_text(const char *expected)
{
    if (strcmp(text, expected) != 0) {
        FAIL("%s\ninstead of\n%s", text, expected);
    }
}

TEST(interfaces_by_id)
{
    const struct wire_interface_info *timer = wire_interface_find(TIMER_INTERFACE_ID);
    CHECK(timer != NULL);
    CHECK(strcmp(timer->name, "Timer") == 0);
    CHECK_EQ(timer->method_count, TIMER_METHOD_COUNT);
    CHECK(strcmp(timer->methods[TIMER_METHOD_SLEEP].name, "sleep") == 0);
    CHECK(wire_interface_find(12345) == NULL);
    CHECK_EQ(wire_interface_find(PARK_SPACE_INTERFACE_ID)->method_count, 0);
}

static void build_spawn(struct wire_message_builder *m)
{
    wire_message_begin(m, buffer, sizeof(buffer));
    struct wire_builder b = process_spawner_spawn_params_init(m);
    process_spawner_spawn_params_set_name(b, wire_span_of("it's"));
    process_spawner_spawn_params_set_image(b, 2);
    process_spawner_spawn_params_set_start(b, (struct wire_span){"\0\1\x80\n", 4});
    struct wire_list_builder grants = process_spawner_spawn_params_init_grants(b, 2);
    granted_cap_set_name(wire_list_at(grants, 0), wire_span_of("stdio"));
    granted_cap_set_cap(wire_list_at(grants, 0), 0);
    limits_set_frames(process_spawner_spawn_params_init_limits(b), UINT64_MAX);
}

TEST(arguments)
{
    const struct wire_interface_info *spawner = wire_interface_find(PROCESS_SPAWNER_INTERFACE_ID);
    struct wire_message_builder m;
    build_spawn(&m);
    wire_printer_init(&printer, text, sizeof(text));
    wire_print_text(&printer, "spawn");
    print(&m, spawner->methods[PROCESS_SPAWNER_METHOD_SPAWN].params, sizeof(text));
    check_text("spawn(name = \"it\\'s\", image = <capability 2>, start = \"\\000\\001\\200\\n\", "
               "grants = [(name = \"stdio\", cap = <capability 0>), ()], "
               "limits = (frames = 18446744073709551615, slots = 0, threads = 0, calls = 0, "
               "kernelBytes = 0))");
}

TEST(long_values_are_cut_on_request)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, sizeof(buffer));
    struct wire_builder b = process_spawner_exec_params_init(&m);
    process_spawner_exec_params_set_start(b, wire_span_of("0123456789"));
    struct wire_list_builder keep = process_spawner_exec_params_init_keep(b, 5);
    wire_list_set_u32(keep, 1, 77);
    wire_printer_init(&printer, text, sizeof(text));
    printer.data_max = 4;
    printer.list_max = 2;
    print(&m, &wire_struct_process_spawner_exec_params, sizeof(text));
    check_text("(start = \"0123\"... of 10, keep = [0, 77, ... of 5])");
}

TEST(every_room)
{
    struct wire_message_builder m;
    static char whole[sizeof(text)];
    build_spawn(&m);
    wire_printer_init(&printer, text, sizeof(text));
    print(&m, &wire_struct_process_spawner_spawn_params, sizeof(text));
    strcpy(whole, text);
    for (size_t room = 8; room < sizeof(text); room++) {
        memset(text, 'X', sizeof(text));
        wire_printer_init(&printer, text, room);
        print(&m, &wire_struct_process_spawner_spawn_params, room);
        CHECK_EQ(text[room], 'X');
        CHECK_EQ(printer.truncated, room <= strlen(whole));
        if (printer.truncated) {
            CHECK_BYTES(text + room - 4, "...", 4);
            CHECK_BYTES(text, whole, room - 4);
        } else {
            check_text(whole);
        }
    }
}

TEST(unknown_enumerants_and_floats_without_help)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, sizeof(buffer));
    struct wire_builder b = exception_init(&m);
    wire_set_u16(b, 0, 99);
    wire_printer_init(&printer, text, sizeof(text));
    print(&m, &wire_struct_exception, sizeof(text));
    check_text("(type = (99))");
    static const struct wire_field_info field = {
        .name = "f", .kind = WIRE_KIND_FLOAT32, .discriminant = WIRE_NO_DISCRIMINANT};
    static const struct wire_struct_info info = {.fields = &field, .field_count = 1};
    wire_printer_init(&printer, text, sizeof(text));
    print(&m, &info, sizeof(text));
    check_text("(f = bits 99)");
}

static const struct wire_struct_info nested;
static const struct wire_field_info nested_field = {.name = "l",
                                                    .kind = WIRE_KIND_STRUCT,
                                                    .lists = 1,
                                                    .discriminant = WIRE_NO_DISCRIMINANT,
                                                    .structure = &nested};
static const struct wire_struct_info nested = {.fields = &nested_field, .field_count = 1};

/* Lists of structs in lists of structs: two levels of text for each pointer. */
TEST(deeper_than_the_printer_goes)
{
    struct wire_message_builder m;
    wire_message_begin(&m, buffer, sizeof(buffer));
    struct wire_builder b = wire_message_init_root(&m, 0, 1);
    for (unsigned i = 0; i < WIRE_DEPTH_LIMIT - 2; i++) {
        b = wire_list_at(wire_init_struct_list(b, 0, 1, 0, 1), 0);
    }
    wire_printer_init(&printer, text, sizeof(text));
    print(&m, &nested, sizeof(text));
    CHECK_EQ(message.error, WIRE_OK);
    CHECK(strstr(text, "l = [(...)]") != NULL);
    size_t opened = 0;
    size_t closed = 0;
    for (const char *c = text; *c != 0; c++) {
        opened += *c == '(' || *c == '[';
        closed += *c == ')' || *c == ']';
    }
    CHECK_EQ(opened, closed);
}
