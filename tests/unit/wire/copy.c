/* Deep copies: the copy says what the source says, whatever shape the source has; hostile sources
 * end, and so do targets that are too small. */
#include <stdlib.h>

#include "tests/lib/test.h"
#include "tests/unit/wire/visit.h"

static uint64_t source_words[2000];
static uint64_t target_words[4000];
static struct wire_message source;
static struct wire_message target;

static struct wire_reader open_source(struct wire_message_builder *builder)
{
    size_t size = wire_message_finish(builder);
    CHECK_NE(size, 0);
    CHECK_EQ(wire_message_open(&source, source_words, size), WIRE_OK);
    return wire_message_root(&source);
}

/* Copies as a root and opens the result. */
static struct wire_reader copy_root(struct wire_reader reader, size_t room)
{
    struct wire_message_builder builder;
    wire_message_begin(&builder, target_words, room);
    wire_message_set_root(&builder, reader);
    size_t size = wire_message_finish(&builder);
    if (size == 0) {
        return (struct wire_reader){.message = NULL};
    }
    CHECK_EQ(wire_message_open(&target, target_words, size), WIRE_OK);
    return wire_message_root(&target);
}

static void fill_tree(struct wire_builder b, unsigned depth)
{
    wire_set_u64(b, 0, depth * 1000 + 7);
    wire_set_text(b, 0, (struct wire_span){"some text", depth});
    wire_set_capability(b, 1, depth);
    struct wire_list_builder bits = wire_init_list(b, 2, WIRE_BIT, depth * 13);
    for (uint32_t i = 0; i < depth * 13; i += 3) {
        wire_list_set_bool(bits, i, true);
    }
    if (depth == 0) {
        return;
    }
    struct wire_list_builder list = wire_init_struct_list(b, 3, 2, 1, 5);
    fill_tree(wire_list_at(list, 0), depth - 1);
    fill_tree(wire_list_at(list, 1), depth - 1);
    struct wire_list_builder lists = wire_init_list(b, 4, WIRE_POINTER, 2);
    wire_list_set_u16(wire_list_init_list(lists, 0, WIRE_TWO_BYTES, depth), 0, 9);
    wire_list_set_data(lists, 1, (struct wire_span){"\xff\xfe", 2});
}

static void same(struct wire_reader a, struct wire_reader b)
{
    struct visit first = {0};
    struct visit second = {0};
    visit_struct(&first, a);
    visit_struct(&second, b);
    CHECK_EQ(first.objects, second.objects);
    CHECK_EQ(first.values, second.values);
    CHECK_EQ(first.sum, second.sum);
}

static struct wire_reader tree(void)
{
    struct wire_message_builder builder;
    wire_message_begin(&builder, source_words, sizeof(source_words));
    fill_tree(wire_message_init_root(&builder, 1, 5), 4);
    return open_source(&builder);
}

TEST(tree)
{
    struct wire_reader r = tree();
    struct wire_reader copy = copy_root(r, sizeof(target_words));
    CHECK_EQ(source.error, WIRE_OK);
    CHECK_EQ(target.error, WIRE_OK);
    same(r, copy);
    CHECK_EQ(target.size, source.size);
}

TEST(tree_into_every_room)
{
    struct wire_reader r = tree();
    uint64_t traversal = source.traversal_left;
    for (size_t room = 0; room < source.size; room += 8) {
        uint64_t *memory = malloc(room + 8);
        struct wire_message_builder builder;
        source.traversal_left = traversal;
        wire_message_begin(&builder, memory, room);
        wire_message_set_root(&builder, r);
        CHECK_EQ(wire_message_finish(&builder), 0);
        free(memory);
    }
}

TEST(subtree_and_list_beside_other_things)
{
    struct wire_reader r = tree();
    struct wire_message_builder builder;
    wire_message_begin(&builder, target_words, sizeof(target_words));
    struct wire_builder b = wire_message_init_root(&builder, 1, 4);
    wire_set_list(b, 0, wire_get_list(r, 3, WIRE_COMPOSITE));
    wire_set_struct(b, 1, wire_list_get_struct(wire_get_list(r, 3, WIRE_COMPOSITE), 1));
    wire_set_struct(b, 2, wire_get_struct(r, 9)); /* null */
    wire_set_list(b, 3, wire_get_list(r, 9, WIRE_BIT));
    wire_message_open(&target, target_words, wire_message_finish(&builder));
    struct wire_reader copy = wire_message_root(&target);
    struct wire_list list = wire_get_list(r, 3, WIRE_COMPOSITE);
    same(wire_list_get_struct(list, 1), wire_get_struct(copy, 1));
    same(wire_list_get_struct(list, 0),
         wire_list_get_struct(wire_get_list(copy, 0, WIRE_COMPOSITE), 0));
    CHECK(!wire_has_pointer(copy, 2));
    CHECK(!wire_has_pointer(copy, 3));
}

TEST(element_of_a_list_of_numbers)
{
    struct wire_message_builder builder;
    wire_message_begin(&builder, source_words, sizeof(source_words));
    struct wire_builder b = wire_message_init_root(&builder, 0, 1);
    wire_list_set_u16(wire_init_list(b, 0, WIRE_TWO_BYTES, 4), 2, 0x1234);
    struct wire_list list = wire_get_list(open_source(&builder), 0, WIRE_COMPOSITE);
    struct wire_reader copy = copy_root(wire_list_get_struct(list, 2), sizeof(target_words));
    CHECK_EQ(copy.data_bits, 64);
    CHECK_EQ(wire_get_u64(copy, 0), 0x1234);
}

TEST(loop_ends)
{
    /* A struct with two pointers to itself. */
    source_words[0] = (uint64_t)3 << 32;
    source_words[1] = (uint64_t)2 << 48;
    source_words[2] = 0xfffffffcull | (uint64_t)2 << 48;
    source_words[3] = 0xfffffff8ull | (uint64_t)2 << 48;
    wire_message_open(&source, source_words, 32);
    copy_root(wire_message_root(&source), sizeof(target_words));
    CHECK_NE(source.error, WIRE_OK);
    /* One pointer to itself: a chain as long as the depth limit. */
    source_words[0] = (uint64_t)2 << 32;
    source_words[1] = (uint64_t)1 << 48;
    source_words[2] = 0xfffffffcull | (uint64_t)1 << 48;
    wire_message_open(&source, source_words, 24);
    struct wire_reader copy = copy_root(wire_message_root(&source), sizeof(target_words));
    CHECK_EQ(source.error, WIRE_ERROR_DEPTH);
    CHECK_EQ(copy.pointer_count, 1);
}

TEST(dirty_padding_of_bits_is_not_copied)
{
    source_words[0] = (uint64_t)3 << 32;
    source_words[1] = (uint64_t)1 << 48;
    source_words[2] = 1 | (uint64_t)WIRE_BIT << 32 | (uint64_t)3 << 35;
    source_words[3] = ~0ull;
    wire_message_open(&source, source_words, 32);
    copy_root(wire_message_root(&source), sizeof(target_words));
    CHECK_EQ(target_words[3], 7);
}
