/* Messages that somebody made to do harm. Each is in a heap block of exactly its size, so that
 * AddressSanitizer sees the first byte beyond; each must end with the documented error, or with
 * defaults, after bounded work. */
#include <stdlib.h>

#include "tests/lib/test.h"
#include "tests/unit/wire/visit.h"

#define STRUCT_POINTER(offset, data, pointers)                                                     \
    ((uint64_t)(uint32_t)((offset)*4) | (uint64_t)(data) << 32 | (uint64_t)(pointers) << 48)
#define LIST_POINTER(offset, element, count)                                                       \
    ((uint64_t)(uint32_t)((offset)*4) | 1 | (uint64_t)(element) << 32 | (uint64_t)(count) << 35)
#define TAG(count, data, pointers)                                                                 \
    ((uint64_t)(count) << 2 | (uint64_t)(data) << 32 | (uint64_t)(pointers) << 48)
#define FAR(segment, offset) ((uint64_t)(segment) << 32 | (uint64_t)(offset) << 3 | 2)
#define DOUBLE_FAR(segment, offset) (FAR(segment, offset) | 4)
#define CAPABILITY(index) ((uint64_t)(index) << 32 | 3)
#define ONE_SEGMENT(words) ((uint64_t)(words) << 32)
#define TWO_SEGMENTS(a, b) (1 | (uint64_t)(a) << 32), (b) /* the table's two words */

/* A message that the test made of these words, in memory of exactly its size. */
struct hostile {
    uint64_t *words;
    struct wire_message message;
    struct wire_reader root;
};

static struct hostile *open_words(const uint64_t *words, size_t count)
{
    struct hostile *h = malloc(sizeof(*h)); /* the reader points into it */
    h->words = malloc(count * sizeof(*words));
    memcpy(h->words, words, count * sizeof(*words));
    wire_message_open(&h->message, h->words, count * sizeof(*words));
    h->root = wire_message_root(&h->message);
    return h;
}

static void close_words(struct hostile *h)
{
    free(h->words);
    free(h);
}

#define OPEN(...)                                                                                  \
    open_words((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / 8)

/* All that can be reached is read, and the first error is this one. */
#define CHECK_ERROR(h, expected)                                                                   \
    do {                                                                                           \
        struct visit visit_ = {0};                                                                 \
        visit_struct(&visit_, (h)->root);                                                          \
        CHECK_EQ((h)->message.error, expected);                                                    \
        close_words(h);                                                                            \
    } while (0)

static enum wire_error open_bytes(const void *bytes, size_t size)
{
    struct wire_message message;
    struct visit visit = {0};
    void *copy = malloc(size == 0 ? 1 : size);
    memcpy(copy, bytes, size);
    enum wire_error error = wire_message_open(&message, copy, size);
    visit_struct(&visit, wire_message_root(&message));
    free(copy);
    return error;
}

TEST(frame_too_short)
{
    const uint64_t words[2] = {ONE_SEGMENT(1), 0};
    for (size_t size = 0; size < 16; size++) {
        CHECK_EQ(open_bytes(words, size), WIRE_ERROR_FRAME);
    }
    CHECK_EQ(open_bytes(words, 16), WIRE_OK);
}

TEST(frame_of_no_words_is_an_empty_message)
{
    const uint64_t words[1] = {ONE_SEGMENT(0)};
    CHECK_EQ(open_bytes(words, 8), WIRE_OK);
}

TEST(frame_misaligned)
{
    _Alignas(8) uint8_t bytes[32] = {0};
    struct wire_message message;
    for (size_t i = 1; i < 8; i++) {
        CHECK_EQ(wire_message_open(&message, bytes + i, 24), WIRE_ERROR_FRAME);
        CHECK_EQ(wire_get_u64(wire_message_root(&message), 0), 0);
    }
}

TEST(frame_segment_larger_than_message)
{
    const uint64_t words[2] = {ONE_SEGMENT(2), 0};
    CHECK_EQ(open_bytes(words, 16), WIRE_ERROR_FRAME);
    const uint64_t huge[2] = {ONE_SEGMENT(0xffffffff), 0};
    CHECK_EQ(open_bytes(huge, 16), WIRE_ERROR_FRAME);
}

TEST(frame_table_larger_than_message)
{
    const uint64_t words[2] = {500, 0};
    CHECK_EQ(open_bytes(words, 16), WIRE_ERROR_FRAME);
}

TEST(frame_too_many_segments)
{
    static uint64_t words[2000];
    words[0] = WIRE_SEGMENTS_MAX;
    CHECK_EQ(open_bytes(words, sizeof(words)), WIRE_ERROR_FRAME);
    words[0] = 0xffffffff; /* plus one is none */
    CHECK_EQ(open_bytes(words, sizeof(words)), WIRE_ERROR_FRAME);
    words[0] = WIRE_SEGMENTS_MAX - 1;
    CHECK_EQ(open_bytes(words, sizeof(words)), WIRE_OK);
}

TEST(frame_segments_that_wrap)
{
    const uint64_t words[] = {3 | (uint64_t)0xffffffff << 32, 0xffffffffffffffff, 0xffffffff, 0};
    CHECK_EQ(open_bytes(words, sizeof(words)), WIRE_ERROR_FRAME);
}

TEST(what_follows_the_frame_is_not_read)
{
    struct hostile *h = OPEN(ONE_SEGMENT(1), STRUCT_POINTER(0, 1, 0), 0x1234);
    CHECK_EQ(h->message.size, 16);
    CHECK_ERROR(h, WIRE_ERROR_BOUNDS);
}

TEST(pointer_out_of_bounds)
{
    struct hostile *beyond = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(1, 1, 0), 0);
    CHECK_ERROR(beyond, WIRE_ERROR_BOUNDS);
    struct hostile *before = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(-2, 1, 0), 0);
    CHECK_ERROR(before, WIRE_ERROR_BOUNDS);
    struct hostile *far_beyond = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(0x1fffffff, 1, 0), 0);
    CHECK_ERROR(far_beyond, WIRE_ERROR_BOUNDS);
    struct hostile *far_before = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(-0x20000000, 1, 0), 0);
    CHECK_ERROR(far_before, WIRE_ERROR_BOUNDS);
    struct hostile *large = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(0, 0xffff, 0xffff), 0);
    CHECK_ERROR(large, WIRE_ERROR_BOUNDS);
}

TEST(root_of_another_kind)
{
    struct hostile *list = OPEN(ONE_SEGMENT(2), LIST_POINTER(0, WIRE_BYTE, 8), 0);
    CHECK_ERROR(list, WIRE_ERROR_TYPE);
    struct hostile *capability = OPEN(ONE_SEGMENT(1), CAPABILITY(0));
    CHECK_ERROR(capability, WIRE_ERROR_TYPE);
    struct hostile *unknown = OPEN(ONE_SEGMENT(1), CAPABILITY(0) | 4);
    CHECK_ERROR(unknown, WIRE_ERROR_TYPE);
}

TEST(loop_of_structs_ends_at_the_depth_limit)
{
    /* A struct whose pointer is the struct itself. */
    struct hostile *h = OPEN(ONE_SEGMENT(2), STRUCT_POINTER(0, 0, 1), STRUCT_POINTER(-1, 0, 1));
    struct wire_reader r = h->root;
    unsigned depth = 0;
    while (r.pointer_count != 0) {
        r = wire_get_struct(r, 0);
        depth++;
    }
    CHECK_EQ(depth, WIRE_DEPTH_LIMIT);
    CHECK_ERROR(h, WIRE_ERROR_DEPTH);
}

TEST(loop_with_branches_ends_at_the_traversal_limit)
{
    /* Both pointers are the struct itself: 2 to the 32 paths without a limit. */
    struct hostile *h = OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 0, 2), STRUCT_POINTER(-1, 0, 2),
                             STRUCT_POINTER(-2, 0, 2));
    struct visit visit = {0};
    h->message.traversal_left = 100000;
    visit_struct(&visit, h->root);
    CHECK_LT(visit.objects, 100000);
    CHECK(h->message.error == WIRE_ERROR_DEPTH || h->message.error == WIRE_ERROR_TRAVERSAL);
    CHECK_LT(h->message.traversal_left, 2);
    close_words(h);
}

TEST(one_list_in_many_pointers_is_paid_for_each_time)
{
    /* A list of 1000 pointers that all lead to one list of 1000 words. */
    enum { N = 1000 };
    static uint64_t words[2 * N + 3];
    words[0] = ONE_SEGMENT(2 * N + 2);
    words[1] = STRUCT_POINTER(0, 0, 1);
    words[2] = LIST_POINTER(0, WIRE_POINTER, N);
    for (int i = 0; i < N; i++) {
        words[3 + i] = LIST_POINTER(N - 1 - i, WIRE_EIGHT_BYTES, N);
    }
    struct hostile *h = open_words(words, 2 * N + 3);
    struct visit visit = {0};
    visit_struct(&visit, h->root);
    CHECK_EQ(h->message.error, WIRE_ERROR_TRAVERSAL);
    CHECK_LT(visit.values, (2 * N + 2) * (uint64_t)WIRE_TRAVERSAL_FACTOR * 4);
    close_words(h);
}

TEST(lists_of_nothing_are_paid_by_their_count)
{
    struct hostile *h =
        OPEN(ONE_SEGMENT(2), STRUCT_POINTER(0, 0, 1), LIST_POINTER(0, WIRE_VOID, 0x1fffffff));
    struct visit visit = {0};
    visit_struct(&visit, h->root);
    CHECK_EQ(visit.values, 0);
    CHECK_ERROR(h, WIRE_ERROR_TRAVERSAL);
    struct hostile *structs = OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 0, 1),
                                   LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(0x3fffffff, 0, 0));
    CHECK_EQ(wire_get_list(structs->root, 0, WIRE_COMPOSITE).count, 0);
    CHECK_ERROR(structs, WIRE_ERROR_TRAVERSAL);
    struct hostile *few = OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 0, 1),
                               LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(100, 0, 0));
    CHECK_EQ(wire_get_list(few->root, 0, WIRE_COMPOSITE).count, 100);
    CHECK_ERROR(few, WIRE_OK);
}

TEST(wild_lists)
{
    static const struct {
        uint64_t pointer;
        uint64_t word;
        enum wire_error error;
    } cases[] = {
        {LIST_POINTER(0, WIRE_BYTE, 9), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_BIT, 65), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_TWO_BYTES, 5), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_FOUR_BYTES, 3), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_EIGHT_BYTES, 2), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_POINTER, 2), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_EIGHT_BYTES, 0x1fffffff), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(1, WIRE_BYTE, 1), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(-4, WIRE_BYTE, 1), 0, WIRE_ERROR_BOUNDS},
        {LIST_POINTER(1, WIRE_COMPOSITE, 0), 0, WIRE_ERROR_BOUNDS}, /* no room for its tag */
        {LIST_POINTER(0, WIRE_COMPOSITE, 1), 0, WIRE_ERROR_BOUNDS}, /* more words than are there */
        {LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(1, 1, 0), WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(0x20000000, 8, 0),
         WIRE_ERROR_BOUNDS}, /* 2 to the 32 */
        {LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(0x3fffffff, 0xffff, 0xffff), WIRE_ERROR_BOUNDS},
        {LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(0, 0, 0) | 1, WIRE_ERROR_TYPE},
        {LIST_POINTER(0, WIRE_COMPOSITE, 0), TAG(0, 9, 9), WIRE_OK},
        {LIST_POINTER(0, WIRE_BYTE, 0), 0, WIRE_ERROR_TYPE}, /* as text: no NUL */
        {LIST_POINTER(0, WIRE_BYTE, 8), ~0ull, WIRE_ERROR_TYPE},
        {LIST_POINTER(-1, WIRE_POINTER, 1), 0, WIRE_ERROR_DEPTH}, /* a list that contains itself */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hostile *h =
            OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 0, 1), cases[i].pointer, cases[i].word);
        struct wire_object object = wire_get_object(h->root, 0);
        if (object.kind != WIRE_OBJECT_NULL) { /* well-formed, but no text, or without an end */
            struct visit visit = {.values_max = 100000};
            if (object.list.element == WIRE_BYTE) {
                wire_get_text(h->root, 0);
            }
            visit_list(&visit, object.list);
            CHECK_LT(visit.values, 100000);
        }
        CHECK_EQ(h->message.error, cases[i].error);
        close_words(h);
    }
}

TEST(another_element_size_than_the_schema_says)
{
    struct hostile *h = OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 0, 1),
                             LIST_POINTER(0, WIRE_TWO_BYTES, 4), 0x0004000300020001);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_TWO_BYTES).count, 4);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_BYTE).count, 4);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_VOID).count, 4);
    CHECK_EQ(h->message.error, WIRE_OK);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_FOUR_BYTES).count, 0);
    CHECK_EQ(h->message.error, WIRE_ERROR_TYPE);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_BIT).count, 0);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_POINTER).count, 0);
    CHECK_EQ(wire_get_struct(h->root, 0).data_bits, 0);
    close_words(h);
}

TEST(far_pointers)
{
    static const struct {
        uint64_t root, first, second;
        enum wire_error error;
        uint64_t value;
    } cases[] = {
        {FAR(1, 0), STRUCT_POINTER(0, 1, 0), 77, WIRE_OK, 77},
        {FAR(1, 1), 66, STRUCT_POINTER(-2, 1, 0), WIRE_OK, 66},
        {FAR(1, 2), 0, 0, WIRE_ERROR_BOUNDS, 0}, /* the pad is outside */
        {FAR(1, 0x1fffffff), 0, 0, WIRE_ERROR_BOUNDS, 0},
        {FAR(2, 0), 0, 0, WIRE_ERROR_BOUNDS, 0}, /* no such segment */
        {FAR(0xffffffff, 0), 0, 0, WIRE_ERROR_BOUNDS, 0},
        {FAR(1, 0), FAR(1, 0), 0, WIRE_ERROR_TYPE, 0}, /* far to far, for ever */
        {FAR(1, 0), CAPABILITY(1), 0, WIRE_ERROR_TYPE, 0},
        {FAR(1, 0), STRUCT_POINTER(1, 1, 0), 0, WIRE_ERROR_BOUNDS, 0},
        {FAR(1, 0), STRUCT_POINTER(-2, 1, 0), 0, WIRE_ERROR_BOUNDS, 0},
        {FAR(1, 0), 0, 0, WIRE_OK, 0},                  /* leads to a struct of no size */
        {DOUBLE_FAR(1, 1), 0, 0, WIRE_ERROR_BOUNDS, 0}, /* half a pad */
        {DOUBLE_FAR(1, 0), FAR(1, 1), STRUCT_POINTER(0, 1, 0), WIRE_OK, STRUCT_POINTER(0, 1, 0)},
        {DOUBLE_FAR(1, 0), FAR(0, 0), STRUCT_POINTER(0, 1, 0), WIRE_OK, DOUBLE_FAR(1, 0)},
        {DOUBLE_FAR(1, 0), FAR(1, 2), STRUCT_POINTER(0, 1, 0), WIRE_ERROR_BOUNDS, 0},
        {DOUBLE_FAR(1, 0), FAR(1, 3), STRUCT_POINTER(0, 0, 0), WIRE_ERROR_BOUNDS, 0},
        {DOUBLE_FAR(1, 0), FAR(9, 0), STRUCT_POINTER(0, 0, 0), WIRE_ERROR_BOUNDS, 0},
        {DOUBLE_FAR(1, 0), DOUBLE_FAR(1, 0), STRUCT_POINTER(0, 0, 0), WIRE_ERROR_TYPE, 0},
        {DOUBLE_FAR(1, 0), STRUCT_POINTER(0, 0, 0), 0, WIRE_ERROR_TYPE, 0},
        {DOUBLE_FAR(1, 0), FAR(1, 0), CAPABILITY(0), WIRE_ERROR_TYPE, 0},
        {DOUBLE_FAR(1, 0), FAR(1, 0), FAR(1, 0), WIRE_ERROR_TYPE, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct hostile *h =
            OPEN(TWO_SEGMENTS(1, 2), cases[i].root, cases[i].first, cases[i].second);
        if (h->message.error != cases[i].error) {
            FAIL("case %zu: %s", i, wire_error_name(h->message.error));
        }
        CHECK_EQ(wire_get_u64(h->root, 0), cases[i].value);
        CHECK_ERROR(h, cases[i].error);
    }
}

TEST(loop_through_segments)
{
    struct hostile *h = OPEN(TWO_SEGMENTS(2, 2), STRUCT_POINTER(0, 0, 1), FAR(1, 0),
                             STRUCT_POINTER(0, 0, 1), FAR(1, 0));
    CHECK_ERROR(h, WIRE_ERROR_DEPTH);
}

TEST(limit_that_the_caller_set)
{
    /* The root points at two words and back at itself, and is not paid for. */
    const uint64_t words[] = {ONE_SEGMENT(4), STRUCT_POINTER(0, 2, 1), 5, 6,
                              STRUCT_POINTER(-3, 2, 0)};
    for (uint64_t limit = 0; limit < 4; limit++) {
        struct wire_message message;
        CHECK_EQ(wire_message_open(&message, words, sizeof(words)), WIRE_OK);
        message.traversal_left = limit;
        CHECK_EQ(wire_get_u64(wire_message_root(&message), 1), 6);
        CHECK_EQ(wire_get_u64(wire_get_struct(wire_message_root(&message), 0), 1),
                 limit < 2 ? 0 : 6);
        CHECK_EQ(message.error, limit < 2 ? WIRE_ERROR_TRAVERSAL : WIRE_OK);
        CHECK_EQ(message.traversal_left, limit < 2 ? limit : limit - 2);
    }
}

TEST(null_pointers_are_no_error)
{
    struct hostile *h = OPEN(ONE_SEGMENT(3), STRUCT_POINTER(0, 1, 1), 5, 0);
    CHECK(wire_get_text(h->root, 0).data == NULL);
    CHECK(wire_get_data(h->root, 7).data == NULL);
    CHECK_EQ(wire_get_list(h->root, 0, WIRE_BIT).count, 0);
    CHECK_EQ(wire_get_capability(h->root, 0), WIRE_NO_CAPABILITY);
    CHECK_EQ(wire_get_u64(wire_get_struct(wire_get_struct(h->root, 0), 3), 1), 0);
    CHECK_EQ(wire_get_u64(h->root, 1), 0);
    CHECK_EQ(wire_get_u64(h->root, UINT32_MAX), 0);
    CHECK_EQ(wire_get_u8(h->root, UINT32_MAX), 0);
    CHECK_EQ(wire_get_bool(h->root, UINT32_MAX), 0);
    CHECK_ERROR(h, WIRE_OK);
}

/* A message with an example of everything, in one segment. */
static size_t example(uint64_t *words, size_t count)
{
    struct wire_message_builder m;
    wire_message_begin(&m, words, count * 8);
    struct wire_builder root = wire_message_init_root(&m, 2, 6);
    wire_set_u64(root, 0, 0x0123456789abcdef);
    wire_set_text(root, 0, (struct wire_span){"text", 4});
    wire_set_data(root, 1, (struct wire_span){"\1\2\3", 3});
    struct wire_list_builder structs = wire_init_struct_list(root, 2, 3, 1, 1);
    for (uint32_t i = 0; i < 3; i++) {
        wire_set_u32(wire_list_at(structs, i), 0, i);
        wire_set_text(wire_list_at(structs, i), 0, (struct wire_span){"element", i});
    }
    struct wire_list_builder lists = wire_init_list(root, 3, WIRE_POINTER, 2);
    wire_list_set_u16(wire_list_init_list(lists, 0, WIRE_TWO_BYTES, 3), 2, 9);
    wire_list_set_bool(wire_list_init_list(lists, 1, WIRE_BIT, 67), 66, true);
    wire_set_capability(root, 4, 3);
    struct wire_builder inner = wire_init_struct(root, 5, 1, 1);
    wire_init_struct(inner, 0, 0, 0);
    return wire_message_finish(&m);
}

TEST(every_prefix_of_a_message)
{
    uint64_t words[100];
    size_t size = example(words, 100);
    CHECK_NE(size, 0);
    for (size_t cut = 0; cut < size; cut++) {
        CHECK_EQ(open_bytes(words, cut), WIRE_ERROR_FRAME);
    }
    CHECK_EQ(open_bytes(words, size), WIRE_OK);
    for (size_t cut = 1; cut < size / 8; cut++) { /* and with a frame that agrees */
        words[0] = ONE_SEGMENT(cut);
        open_bytes(words, (cut + 1) * 8);
    }
}

TEST(every_bit_of_a_message_flipped)
{
    uint64_t words[100];
    size_t size = example(words, 100);
    for (size_t bit = 0; bit < size * 8; bit++) {
        words[bit / 64] ^= 1ull << bit % 64;
        open_bytes(words, size);
        words[bit / 64] ^= 1ull << bit % 64;
    }
}

TEST(every_pair_of_bytes_of_the_pointers_replaced)
{
    uint64_t words[100];
    size_t size = example(words, 100);
    static const uint8_t values[] = {0, 1, 2, 3, 7, 0x7f, 0x80, 0xfe, 0xff};
    for (size_t i = 8; i + 1 < size; i++) {
        for (size_t v = 0; v < sizeof(values) * sizeof(values); v++) {
            uint8_t *bytes = (uint8_t *)words;
            uint8_t old[2] = {bytes[i], bytes[i + 1]};
            bytes[i] = values[v % sizeof(values)];
            bytes[i + 1] = values[v / sizeof(values)];
            open_bytes(words, size);
            memcpy(bytes + i, old, 2);
        }
    }
}
