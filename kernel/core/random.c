/* The kernel's random generator: ChaCha20 (RFC 8439) as a stream, with its key replaced after
 * each use by the stream's own first words ("fast key erasure", D. J. Bernstein, 2017), so that
 * what was given out cannot be found from a later state. The machine's own source is mixed in at
 * the first use and again after RESEED_BYTES: it may be slow. */
#include "kernel/core/random.h"

#include "kernel/arch/arch.h"
#include "kernel/core/types.h"

#define KEY_WORDS 8
#define BLOCK_WORDS 16
#define BLOCK_BYTES (BLOCK_WORDS * sizeof(uint32_t))
#define POOL_BLOCKS 4 /* made at a time: one key for the next, the rest to give out */
#define POOL_BYTES (POOL_BLOCKS * BLOCK_BYTES)
#define KEY_BYTES (KEY_WORDS * sizeof(uint32_t))
#define RESEED_BYTES (1024 * 1024)
#define DOUBLE_ROUNDS 10

static struct {
    uint32_t key[KEY_WORDS];
    union {
        uint32_t words[POOL_BLOCKS][BLOCK_WORDS];
        uint8_t bytes[POOL_BYTES];
    } pool;
    size_t left;    /* bytes at the pool's end that nobody has */
    size_t to_seed; /* bytes until the next seeding; 0: now */
} generator;

static uint32_t rotate(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}

static void quarter_round(uint32_t s[BLOCK_WORDS], unsigned a, unsigned b, unsigned c, unsigned d)
{
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 16);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 12);
    s[a] += s[b];
    s[d] = rotate(s[d] ^ s[a], 8);
    s[c] += s[d];
    s[b] = rotate(s[b] ^ s[c], 7);
}

void random_chacha20(const uint32_t start[BLOCK_WORDS], uint32_t out[BLOCK_WORDS])
{
    uint32_t s[BLOCK_WORDS];
    __builtin_memcpy(s, start, sizeof(s));
    for (unsigned i = 0; i < DOUBLE_ROUNDS; i++) {
        quarter_round(s, 0, 4, 8, 12);
        quarter_round(s, 1, 5, 9, 13);
        quarter_round(s, 2, 6, 10, 14);
        quarter_round(s, 3, 7, 11, 15);
        quarter_round(s, 0, 5, 10, 15);
        quarter_round(s, 1, 6, 11, 12);
        quarter_round(s, 2, 7, 8, 13);
        quarter_round(s, 3, 4, 9, 14);
    }
    for (unsigned i = 0; i < BLOCK_WORDS; i++) {
        out[i] = s[i] + start[i];
    }
}

static void seed(void)
{
    uint32_t fresh[KEY_WORDS];
    arch_entropy(fresh, sizeof(fresh));
    for (unsigned i = 0; i < KEY_WORDS; i++) {
        generator.key[i] ^= fresh[i];
    }
    generator.to_seed = RESEED_BYTES;
}

static void refill(void)
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    uint32_t start[BLOCK_WORDS] = {0};
    if (generator.to_seed == 0) {
        seed();
    }
    __builtin_memcpy(start, constants, sizeof(constants));
    __builtin_memcpy(start + 4, generator.key, KEY_BYTES);
    /* the counter; the nonce is zero, since each key is used once */
    for (uint32_t i = 0; i < POOL_BLOCKS; i++) {
        start[12] = i;
        random_chacha20(start, generator.pool.words[i]);
    }
    __builtin_memcpy(generator.key, generator.pool.bytes, KEY_BYTES);
    __builtin_memset(generator.pool.bytes, 0, KEY_BYTES);
    generator.left = POOL_BYTES - KEY_BYTES;
    generator.to_seed = generator.to_seed > POOL_BYTES ? generator.to_seed - POOL_BYTES : 0;
}

void random_fill(void *out, size_t size)
{
    uint8_t *to = out;
    while (size > 0) {
        if (generator.left == 0) {
            refill();
        }
        size_t step = size < generator.left ? size : generator.left;
        uint8_t *from = generator.pool.bytes + POOL_BYTES - generator.left;
        __builtin_memcpy(to, from, step);
        __builtin_memset(from, 0, step); /* given out once, and then not here any more */
        generator.left -= step;
        to += step;
        size -= step;
    }
    KASSERT(generator.left < POOL_BYTES);
}

uint64_t random_u64(void)
{
    uint64_t value;
    random_fill(&value, sizeof(value));
    return value;
}
