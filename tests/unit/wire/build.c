/* Building: what is written is what is read; a buffer of any size is never exceeded; what does not
 * fit makes the message fail and nothing else. */
#include <stdlib.h>

#include "lib/wire/float.h"
#include "lib/wire/wire.h"
#include "tests/lib/test.h"

static uint64_t buffer[400];
static struct wire_message_builder builder;
static struct wire_message message;

static struct wire_builder begin(uint32_t data_words, uint32_t pointers)
{
    memset(buffer, 0xa5, sizeof(buffer)); /* nothing may shine through */
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

TEST(numbers_of_all_sizes)
{
    struct wire_builder b = begin(4, 0);
    wire_set_bool(b, 0, true);
    wire_set_bool(b, 63, true);
    wire_set_bool(b, 63, false);
    wire_set_bool(b, 62, true);
    wire_set_u8(b, 1, 0x81);
    wire_set_u16(b, 1, 0x8001);
    wire_set_u32(b, 2, 0x80000001);
    wire_set_u64(b, 2, 0x8000000000000001);
    wire_set_u64(b, 3, wire_double_bits(-0.5));
    wire_set_u64(b, 4, 1); /* outside: nothing happens */
    wire_set_bool(b, 256, true);
    struct wire_reader r = reopen();
    CHECK_EQ(wire_get_u64(r, 0), 0x4000000080018101);
    CHECK_EQ(wire_get_u32(r, 2), 0x80000001);
    CHECK_EQ(wire_get_u32(r, 3), 0);
    CHECK(wire_get_u64(r, 2) == 0x8000000000000001);
    CHECK(wire_double_from_bits(wire_get_u64(r, 3)) == -0.5);
    CHECK(wire_float_from_bits(wire_float_bits(1.25f)) == 1.25f);
    CHECK_EQ(wire_get_bool(r, 0), 1);
    CHECK_EQ(wire_get_bool(r, 1), 0);
    CHECK_EQ(wire_get_bool(r, 62), 1);
    CHECK_EQ(wire_get_bool(r, 63), 0);
}

TEST(lists_of_all_sizes)
{
    struct wire_builder b = begin(0, 7);
    struct wire_list_builder bits = wire_init_list(b, 0, WIRE_BIT, 70);
    struct wire_list_builder bytes = wire_init_list(b, 1, WIRE_BYTE, 9);
    struct wire_list_builder shorts = wire_init_list(b, 2, WIRE_TWO_BYTES, 5);
    struct wire_list_builder words = wire_init_list(b, 3, WIRE_FOUR_BYTES, 3);
    struct wire_list_builder longs = wire_init_list(b, 4, WIRE_EIGHT_BYTES, 2);
    struct wire_list_builder structs = wire_init_struct_list(b, 5, 3, 1, 1);
    CHECK_EQ(wire_init_list(b, 6, WIRE_VOID, 1000).count, 1000);
    wire_list_set_bool(bits, 69, true);
    wire_list_set_bool(bits, 70, true); /* beyond the end */
    wire_list_set_u8(bytes, 8, 8);
    wire_list_set_u8(bytes, 9, 8);
    wire_list_set_u16(shorts, 4, 0xffff);
    wire_list_set_u16(shorts, 5, 0xffff);
    wire_list_set_u32(words, 2, 7);
    wire_list_set_u64(longs, 1, 9);
    wire_list_set_u64(structs, 1, 9); /* not such a list */
    wire_set_u64(wire_list_at(structs, 2), 0, 11);
    wire_set_u64(wire_list_at(structs, 3), 0, 12);
    wire_set_capability(wire_list_at(structs, 1), 0, 42);
    struct wire_reader r = reopen();
    CHECK_EQ(wire_list_get_bool(wire_get_list(r, 0, WIRE_BIT), 69), 1);
    CHECK_EQ(wire_list_get_bool(wire_get_list(r, 0, WIRE_BIT), 68), 0);
    CHECK_EQ(wire_list_get_u8(wire_get_list(r, 1, WIRE_BYTE), 8), 8);
    CHECK_EQ(wire_list_get_u8(wire_get_list(r, 1, WIRE_BYTE), 9), 0);
    CHECK_EQ(wire_list_get_u16(wire_get_list(r, 2, WIRE_TWO_BYTES), 4), 0xffff);
    CHECK_EQ(wire_list_get_u32(wire_get_list(r, 3, WIRE_FOUR_BYTES), 2), 7);
    CHECK_EQ(wire_list_get_u64(wire_get_list(r, 4, WIRE_EIGHT_BYTES), 1), 9);
    struct wire_list read = wire_get_list(r, 5, WIRE_COMPOSITE);
    CHECK_EQ(read.count, 3);
    CHECK_EQ(wire_get_u64(wire_list_get_struct(read, 2), 0), 11);
    CHECK_EQ(wire_get_u64(wire_list_get_struct(read, 1), 0), 0);
    CHECK_EQ(wire_get_capability(wire_list_get_struct(read, 1), 0), 42);
    CHECK_EQ(wire_get_list(r, 6, WIRE_VOID).count, 1000);
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(text_and_data)
{
    struct wire_builder b = begin(0, 4);
    wire_set_text(b, 0, (struct wire_span){"12345678", 8});
    wire_set_data(b, 1, (struct wire_span){"12345678", 8});
    wire_set_text(b, 2, (struct wire_span){NULL, 0});
    wire_set_data(b, 3, (struct wire_span){NULL, 0});
    struct wire_reader r = reopen();
    CHECK_EQ(wire_get_text(r, 0).size, 8);
    CHECK_BYTES(wire_get_text(r, 0).data, "12345678", 9);
    CHECK_EQ(wire_get_data(r, 1).size, 8);
    CHECK_EQ(wire_get_text(r, 2).size, 0);
    CHECK_BYTES(wire_get_text(r, 2).data, "", 1); /* empty is not null */
    CHECK(wire_has_pointer(r, 3));
    CHECK_EQ(wire_get_data(r, 3).size, 0);
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(data_filled_in_place_and_shortened)
{
    for (size_t kept = 0; kept <= 100; kept++) {
        struct wire_builder b = begin(0, 2);
        uint32_t before = builder.used;
        uint8_t *bytes = wire_init_data(b, 0, 100);
        CHECK(bytes != NULL);
        memset(bytes, 0x77, 100);
        wire_truncate_data(b, 0, kept);
        CHECK_EQ(builder.used, before + (kept + 7) / 8);
        wire_set_data(b, 1, (struct wire_span){"next", 4});
        struct wire_reader r = reopen();
        struct wire_span data = wire_get_data(r, 0);
        CHECK_EQ(data.size, kept);
        for (size_t i = 0; i < kept; i++) {
            CHECK_EQ(((const uint8_t *)data.data)[i], 0x77);
        }
        for (size_t i = kept; i % 8 != 0; i++) { /* the padding says nothing */
            CHECK_EQ(((const uint8_t *)data.data)[i], 0);
        }
        CHECK_BYTES(wire_get_data(r, 1).data, "next", 4);
    }
}

TEST(data_that_is_not_last_keeps_its_room)
{
    struct wire_builder b = begin(0, 3);
    memset(wire_init_data(b, 0, 50), 1, 50);
    wire_set_data(b, 1, (struct wire_span){"after", 5});
    uint32_t used = builder.used;
    wire_truncate_data(b, 0, 3);
    CHECK_EQ(builder.used, used);
    wire_truncate_data(b, 0, 40); /* never longer */
    wire_truncate_data(b, 2, 0);  /* null */
    wire_truncate_data(b, 9, 0);  /* no such pointer */
    struct wire_reader r = reopen();
    CHECK_EQ(wire_get_data(r, 0).size, 3);
    CHECK_BYTES(wire_get_data(r, 1).data, "after", 5);
}

TEST(null_capability)
{
    struct wire_builder b = begin(0, 2);
    wire_set_capability(b, 0, 0);
    wire_set_capability(b, 1, 5);
    wire_set_capability(b, 1, WIRE_NO_CAPABILITY);
    struct wire_reader r = reopen();
    CHECK_EQ(wire_get_capability(r, 0), 0);
    CHECK_EQ(wire_get_capability(r, 1), WIRE_NO_CAPABILITY);
}

TEST(struct_of_no_size_is_not_null)
{
    struct wire_builder b = begin(0, 2);
    wire_init_struct(b, 0, 0, 0);
    wire_init_struct_list(b, 1, 4, 0, 0);
    struct wire_reader r = reopen();
    CHECK(wire_has_pointer(r, 0));
    CHECK_EQ(wire_get_struct(r, 0).data_bits, 0);
    CHECK_EQ(wire_get_list(r, 1, WIRE_COMPOSITE).count, 4);
    CHECK_EQ(message.error, WIRE_OK);
}

TEST(message_without_root)
{
    wire_message_begin(&builder, buffer, sizeof(buffer));
    struct wire_reader r = reopen();
    CHECK_EQ(r.data_bits, 0);
    CHECK_EQ(message.error, WIRE_OK);
}

static size_t build_example(void *memory, size_t size)
{
    struct wire_message_builder m;
    wire_message_begin(&m, memory, size);
    struct wire_builder b = wire_message_init_root(&m, 1, 6);
    wire_set_u64(b, 0, 1);
    wire_set_text(b, 0, (struct wire_span){"hello", 5});
    struct wire_list_builder list = wire_init_struct_list(b, 1, 2, 1, 1);
    wire_set_text(wire_list_at(list, 1), 0, (struct wire_span){"inner", 5});
    wire_list_set_u32(wire_init_list(b, 2, WIRE_FOUR_BYTES, 3), 1, 5);
    wire_set_u64(wire_init_struct(b, 3, 1, 0), 0, 5);
    void *data = wire_init_data(b, 4, 20);
    if (data != NULL) {
        memset(data, 3, 20);
    }
    struct wire_list_builder texts = wire_init_list(b, 5, WIRE_POINTER, 1);
    wire_list_set_text(texts, 0, (struct wire_span){"last", 4});
    return wire_message_finish(&m);
}

TEST(every_size_of_buffer)
{
    size_t needed = build_example(buffer, sizeof(buffer));
    CHECK_NE(needed, 0);
    for (size_t size = 0; size <= needed + 8; size++) {
        uint8_t *memory = malloc(size == 0 ? 1 : size); /* AddressSanitizer guards its end */
        CHECK_EQ(build_example(memory, size), size < needed ? 0 : needed);
        free(memory);
    }
}

TEST(sizes_that_no_buffer_has)
{
    struct wire_builder b = begin(0, 2);
    CHECK(wire_init_data(b, 0, SIZE_MAX) == NULL);
    CHECK_EQ(builder.error, WIRE_ERROR_SPACE);
    b = begin(0, 2);
    CHECK_EQ(wire_init_list(b, 0, WIRE_EIGHT_BYTES, UINT32_MAX).count, 0);
    CHECK_EQ(builder.error, WIRE_ERROR_SPACE);
    b = begin(0, 2);
    CHECK_EQ(wire_init_list(b, 0, WIRE_VOID, UINT32_MAX).count, 0);
    CHECK_EQ(builder.error, WIRE_ERROR_SPACE);
    b = begin(0, 2);
    CHECK_EQ(wire_init_struct_list(b, 0, UINT32_MAX, 65535, 65535).count, 0);
    CHECK_EQ(builder.error, WIRE_ERROR_SPACE);
    b = begin(0, 2);
    wire_set_text(b, 0, (struct wire_span){"", SIZE_MAX});
    CHECK_EQ(builder.error, WIRE_ERROR_SPACE);
    CHECK_EQ(wire_message_finish(&builder), 0);
}

TEST(error_is_sticky)
{
    struct wire_builder b = begin(1, 2);
    CHECK(wire_init_data(b, 0, 100000) == NULL);
    wire_set_u64(b, 0, 1);
    wire_set_text(b, 1, (struct wire_span){"x", 1}); /* would fit */
    CHECK_EQ(wire_message_finish(&builder), 0);
}

TEST(misaligned_buffer_is_refused)
{
    wire_message_begin(&builder, (char *)buffer + 4, 400);
    wire_message_init_root(&builder, 1, 0);
    CHECK_EQ(wire_message_finish(&builder), 0);
}

TEST(second_root_is_refused)
{
    begin(1, 0);
    wire_message_init_root(&builder, 1, 0);
    CHECK_EQ(wire_message_finish(&builder), 0);
}
