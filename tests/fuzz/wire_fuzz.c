/* Any bytes as a message: reading all of it, copying it and printing it must stay inside, end soon,
 * and agree with each other. The first byte chooses a traversal limit, the rest is the message. */
#include <stdlib.h>
#include <string.h>

#include "lib/wire/describe.h"
#include "tests/unit/wire/visit.h"

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* A struct that sees every pointer as everything. */
static const struct wire_struct_info anything;
static const struct wire_enum_info few = {"Few", (const char *const[]){"a", "b"}, 2};

#define FIELD(name_, kind_, offset_)                                                               \
    {                                                                                              \
        .name = name_, .kind = kind_, .offset = offset_, .discriminant = WIRE_NO_DISCRIMINANT      \
    }
#define LISTS(name_, kind_, offset_, lists_)                                                       \
    {                                                                                              \
        .name = name_, .kind = kind_, .offset = offset_, .lists = lists_,                          \
        .discriminant = WIRE_NO_DISCRIMINANT, .structure = &anything, .enumeration = &few          \
    }

static const struct wire_field_info fields[] = {
    FIELD("b", WIRE_KIND_BOOL, 5),        FIELD("i8", WIRE_KIND_INT8, 1),
    FIELD("i16", WIRE_KIND_INT16, 2),     FIELD("i32", WIRE_KIND_INT32, 1),
    FIELD("i64", WIRE_KIND_INT64, 2),     FIELD("u64", WIRE_KIND_UINT64, 0),
    FIELD("f", WIRE_KIND_FLOAT32, 3),     FIELD("text", WIRE_KIND_TEXT, 0),
    FIELD("data", WIRE_KIND_DATA, 0),     FIELD("cap", WIRE_KIND_CAPABILITY, 0),
    LISTS("e", WIRE_KIND_ENUM, 4, 0),     LISTS("s", WIRE_KIND_STRUCT, 0, 0),
    LISTS("ls", WIRE_KIND_STRUCT, 1, 1),  LISTS("lls", WIRE_KIND_STRUCT, 1, 2),
    LISTS("bits", WIRE_KIND_BOOL, 2, 1),  LISTS("shorts", WIRE_KIND_INT16, 2, 1),
    LISTS("texts", WIRE_KIND_TEXT, 3, 1), LISTS("voids", WIRE_KIND_VOID, 3, 1),
};
static const struct wire_struct_info anything = {
    .name = "Anything",
    .fields = fields,
    .field_count = sizeof(fields) / sizeof(fields[0]),
};

static void check_copy(struct wire_message *source, uint64_t limit)
{
    enum { ROOM = 1 << 16 };
    uint64_t *words = malloc(ROOM);
    struct wire_message_builder builder;
    struct wire_message copy;
    source->traversal_left = limit;
    source->error = WIRE_OK;
    wire_message_begin(&builder, words, ROOM);
    wire_message_set_root(&builder, wire_message_root(source));
    size_t size = wire_message_finish(&builder);
    if (size != 0) {
        REQUIRE(size <= ROOM);
        REQUIRE(wire_message_open(&copy, words, size) == WIRE_OK);
        REQUIRE(copy.size == size);
        struct visit first = {.values_max = 100000};
        struct visit second = {.values_max = 100000};
        copy.traversal_left = UINT64_MAX;
        visit_struct(&second, wire_message_root(&copy));
        bool whole = source->error == WIRE_OK;
        source->traversal_left = UINT64_MAX;
        visit_struct(&first, wire_message_root(source));
        if (whole) { /* the same objects with the same values */
            REQUIRE(first.objects == second.objects);
            REQUIRE(visit_full(&first) || first.sum == second.sum);
        }
    }
    free(words);
}

static void check_print(struct wire_message *message, uint64_t limit)
{
    char text[500];
    struct wire_printer printer;
    message->traversal_left = limit;
    message->error = WIRE_OK;
    wire_printer_init(&printer, text, sizeof(text));
    printer.data_max = 20;
    wire_print_struct(&printer, &anything, wire_message_root(message));
    REQUIRE(printer.length < sizeof(text));
    REQUIRE(strlen(text) == (printer.truncated ? sizeof(text) - 1 : printer.length));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    uint64_t limit = (uint64_t)data[0] * 100;
    uint64_t *words = malloc(size);
    struct wire_message message;
    memcpy(words, data + 1, size - 1);
    if (wire_message_open(&message, words, size - 1) == WIRE_OK) {
        REQUIRE(message.size <= size - 1);
        struct visit visit = {0};
        message.traversal_left = limit;
        visit_struct(&visit, wire_message_root(&message));
        /* A word that is paid for gives at most 64 elements and their values. */
        REQUIRE(visit.values <= limit * 140 + 1000);
        check_copy(&message, limit);
        check_print(&message, limit);
    }
    free(words);
    return 0;
}
