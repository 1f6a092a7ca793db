/* Random bytes: ChaCha20 (RFC 8439) with fast key erasure over what the machine has.
 *
 * Sources: RDSEED, else RDRAND, 32 bytes at boot and 8 fresh ones for each request; always the
 * time-stamp counter at the moments of requests and of the link's interrupts. On a processor
 * with neither instruction only the counter is left: then the output is hard to guess from
 * inside a program without Timer, and no more; boot logs it, docs/caveats.md says so. Kernel
 * lock held. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/log.h"

#define TRIES 32
#define JITTER_ROUNDS 64

static uint32_t key[8];
static uint64_t requests;

static uint32_t rotate(uint32_t v, int by)
{
    return v << by | v >> (32 - by);
}

static void quarter(uint32_t s[16], int a, int b, int c, int d)
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

static void block(uint32_t out[16], uint64_t counter)
{
    uint32_t in[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    memcpy(in + 4, key, sizeof(key));
    in[12] = (uint32_t)counter;
    in[13] = (uint32_t)(counter >> 32);
    memcpy(out, in, sizeof(in));
    for (int i = 0; i < 10; i++) {
        quarter(out, 0, 4, 8, 12);
        quarter(out, 1, 5, 9, 13);
        quarter(out, 2, 6, 10, 14);
        quarter(out, 3, 7, 11, 15);
        quarter(out, 0, 5, 10, 15);
        quarter(out, 1, 6, 11, 12);
        quarter(out, 2, 7, 8, 13);
        quarter(out, 3, 4, 9, 14);
    }
    for (int i = 0; i < 16; i++) {
        out[i] += in[i];
    }
}

/* A random word of the processor's; false: it has none, or none now. */
static bool processor_word(uint64_t *out)
{
    for (int i = 0; i < TRIES; i++) {
        bool ok = false;
        if (x86_features.rdseed) {
            __asm__ volatile("rdseed %0" : "=r"(*out), "=@ccc"(ok));
        } else if (x86_features.rdrand) {
            __asm__ volatile("rdrand %0" : "=r"(*out), "=@ccc"(ok));
        }
        if (ok) {
            return true;
        }
    }
    return false;
}

/* Stirs a word in: the key is replaced by a block made with the old key and the word. */
static void stir(uint64_t word)
{
    uint32_t out[16];
    key[0] ^= (uint32_t)word;
    key[1] ^= (uint32_t)(word >> 32);
    block(out, requests++);
    memcpy(key, out, sizeof(key));
}

void x86_entropy_start(void)
{
    uint64_t word;
    if (processor_word(&word)) {
        memcpy(key, &word, sizeof(word));
        for (size_t i = 2; i < ARRAY_SIZE(key); i += 2) {
            if (processor_word(&word)) {
                memcpy(&key[i], &word, sizeof(word));
            }
        }
    } else {
        log_line("random: the processor has no random numbers; time is all there is");
        for (int i = 0; i < JITTER_ROUNDS; i++) {
            stir(read_tsc());
        }
    }
    stir(read_tsc());
}

void arch_entropy(void *out, size_t size)
{
    uint64_t word = 0;
    (void)processor_word(&word);
    stir(word ^ read_tsc());
    uint8_t *to = out;
    uint64_t counter = 1;
    while (size > 0) {
        uint32_t bytes[16];
        size_t n = size < sizeof(bytes) ? size : sizeof(bytes);
        block(bytes, ~counter++); /* never a counter of stir()'s */
        memcpy(to, bytes, n);
        to += n;
        size -= n;
    }
    stir(0); /* what was given cannot be computed from what is left */
}
