/* The kernel's random generator: the block function against the vector of RFC 8439, and what
 * comes out. */
#include "kernel/core/random.h"

#include "tests/lib/sim.h"

TEST(block_function_gives_the_vector_of_the_standard) /* RFC 8439, 2.3.2 */
{
    static const uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574,
                                       0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c,
                                       0x13121110, 0x17161514, 0x1b1a1918, 0x1f1e1d1c,
                                       0x00000001, 0x09000000, 0x4a000000, 0x00000000};
    static const uint32_t expected[16] = {0xe4e7f110, 0x15593bd1, 0x1fdd0f50, 0xc47120a3,
                                          0xc7f4d1c7, 0x0368c033, 0x9aaa2204, 0x4e6cd4c3,
                                          0x466482d2, 0x09aa9f07, 0x05d7c214, 0xa2028bd9,
                                          0xd19c12b5, 0xb94e16de, 0xe883d0cb, 0x4e3c50a2};
    uint32_t out[16];
    random_chacha20(start, out);
    CHECK_BYTES(out, expected, sizeof(out));
}

TEST(no_word_comes_twice_and_bits_are_even)
{
    static uint64_t words[4096];
    uint64_t ones = 0;
    sim_boot(NULL);
    random_fill(words, sizeof(words));
    for (int i = 0; i < 4096; i++) {
        ones += (uint64_t)__builtin_popcountll(words[i]);
        for (int k = 0; k < i; k++) {
            CHECK(words[i] != words[k]);
        }
    }
    CHECK_GT(ones, 4096 * 32 - 2000);
    CHECK_LT(ones, 4096 * 32 + 2000);
}

TEST(machines_with_other_entropy_give_other_numbers)
{
    sim_boot(&(struct sim_options){.seed = 1});
    uint64_t first = random_u64(), again = random_u64();
    CHECK(first != again);
    CHECK(first != 0);
}

TEST(odd_sizes_fill_exactly)
{
    uint8_t bytes[400];
    sim_boot(NULL);
    for (size_t size = 0; size < 300; size++) {
        memset(bytes, 0, sizeof(bytes));
        random_fill(bytes, size);
        for (size_t i = size; i < sizeof(bytes); i++) {
            CHECK_EQ(bytes[i], 0);
        }
    }
}
