/* What the processor has of randomness; core/random.c makes the kernel's generator of it.
 *
 * RDSEED, else RDRAND, each word mixed with the time-stamp counter at the moment of the request.
 * On a processor with neither only the counter's jitter is left: then the output is hard to guess
 * from inside a program without Timer, and no more; the log says so, docs/caveats.md too. Kernel
 * lock held. */
#include "kernel/arch/x86_64/x86.h"

#include "kernel/core/log.h"

#define TRIES 32         /* the manuals' advice is ten */
#define JITTER_ROUNDS 64 /* readings of the counter for a word, each of which may tell a bit */

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

static uint64_t jitter_word(void)
{
    uint64_t word = 0;
    for (int i = 0; i < JITTER_ROUNDS; i++) {
        word = (word << 7 | word >> 57) ^ read_tsc();
    }
    return word;
}

void arch_entropy(void *out, size_t size)
{
    static bool told;
    uint8_t *to = out;
    for (size_t n; size > 0; to += n, size -= n) {
        uint64_t word;
        if (!processor_word(&word)) {
            if (!told) {
                log_line("random: the processor has no random numbers; time is all there is");
            }
            told = true;
            word = jitter_word();
        }
        word ^= read_tsc();
        n = size < sizeof(word) ? size : sizeof(word);
        memcpy(to, &word, n);
    }
}
