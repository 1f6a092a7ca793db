/* Schemas grow: messages written with an older or newer one are read with defaults, and a list of
 * structs may have been a list of one field, or the other way round. */
#include "tests/lib/test.h"
#include "lib/wire/wire.h"

static uint64_t buffer[200];
static struct wire_message_builder builder;
static struct wire_message message;

static struct wire_builder begin(uint32_t data_words, uint32_t pointers)
{
    wire_message_begin(&builder, buffer, sizeof(buffer));
    return wire_message_init_root(&builder, data_words, pointers);
}

static struct wire_reader reopen(void)
{
    size_t size = wire_message_finish(&builder);
    CHECK_NE(size, 0);
    CHECK_EQ(wire_message_open(&message, buffer, size), WIRE_OK);
    return wire_message_root(&message);
}

TEST(shorter_struct_than_the_schema)
{
    struct wire_builder b = begin(1, 1);
    wire_set_u64(b, 0, ~0ull);
    struct wire_reader r = reopen();
    CHECK_EQ(wire_get_u64(r, 1), 0);
    CHECK_EQ(wire_get_u32(r, 2), 0);
    CHECK_EQ(wire_get_u16(r, 4), 0);
    CHECK_EQ(wire_get_u8(r, 8), 0);
    CHECK_EQ(wire_get_bool(r, 64), 0);
    CHECK_EQ(wire_get_u8(r, 7), 0xff);
    CHECK_EQ(wire_get_bool(r, 63), 1);
    CHECK(!wire_has_pointer(r, 0));
    CHECK(!wire_has_pointer(r, 1));
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(list_of_numbers_read_as_structs)
{
    struct wire_builder b = begin(0, 1);
    struct wire_list_builder list = wire_init_list(b, 0, WIRE_TWO_BYTES, 3);
    for (uint32_t i = 0; i < 3; i++) {
        wire_list_set_u16(list, i, (uint16_t)(0x1100 + i));
    }
    struct wire_list read = wire_get_list(reopen(), 0, WIRE_COMPOSITE);
    CHECK_EQ(read.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        struct wire_reader element = wire_list_get_struct(read, i);
        CHECK_EQ(wire_get_u16(element, 0), 0x1100 + i);
        CHECK_EQ(wire_get_u8(element, 0), i);
        CHECK_EQ(wire_get_u32(element, 0), 0);
        CHECK(!wire_has_pointer(element, 0));
    }
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(list_of_texts_read_as_structs)
{
    struct wire_builder b = begin(0, 1);
    struct wire_list_builder list = wire_init_list(b, 0, WIRE_POINTER, 2);
    wire_list_set_text(list, 1, (struct wire_span){"one", 3});
    struct wire_list read = wire_get_list(reopen(), 0, WIRE_COMPOSITE);
    CHECK_EQ(read.count, 2);
    struct wire_span text = wire_get_text(wire_list_get_struct(read, 1), 0);
    CHECK_EQ(text.size, 3);
    CHECK_BYTES(text.data, "one", 4);
    CHECK_EQ(wire_get_u8(wire_list_get_struct(read, 1), 0), 0);
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(list_of_structs_read_as_their_first_fields)
{
    struct wire_builder b = begin(0, 1);
    struct wire_list_builder list = wire_init_struct_list(b, 0, 3, 2, 2);
    for (uint32_t i = 0; i < 3; i++) {
        wire_set_u64(wire_list_at(list, i), 0, 0x100 + i);
        wire_set_data(wire_list_at(list, i), 0, (struct wire_span){"abc", i});
    }
    struct wire_reader r = reopen();
    struct wire_list numbers = wire_get_list(r, 0, WIRE_FOUR_BYTES);
    struct wire_list pointers = wire_get_list(r, 0, WIRE_POINTER);
    CHECK_EQ(numbers.count, 3);
    CHECK_EQ(pointers.count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        CHECK_EQ(wire_list_get_u32(numbers, i), 0x100 + i);
        CHECK_EQ(wire_list_get_data(pointers, i).size, i);
    }
    CHECK_EQ(wire_list_get_u32(numbers, 3), 0);
    CHECK_EQ(message.error, WIRE_OK);
    CHECK_EQ(wire_get_list(r, 0, WIRE_BIT).count, 0); /* bits never */
    CHECK_EQ(message.error, WIRE_ERROR_TYPE);
}

TEST(list_of_bits_is_never_structs)
{
    struct wire_builder b = begin(0, 1);
    wire_init_list(b, 0, WIRE_BIT, 9);
    CHECK_EQ(wire_get_list(reopen(), 0, WIRE_COMPOSITE).count, 0);
    CHECK_EQ(message.error, WIRE_ERROR_TYPE);
}
