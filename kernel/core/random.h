/* Random bytes that nobody can predict: a generator of the kernel's own, seeded from
 * arch_entropy(). Kernel lock held. */
#pragma once

#include <stddef.h>
#include <stdint.h>

void random_fill(void *out, size_t size);
uint64_t random_u64(void);

/* One block of ChaCha20 from its 16 words of state; for random.c and its test. */
void random_chacha20(const uint32_t start[16], uint32_t out[16]);
