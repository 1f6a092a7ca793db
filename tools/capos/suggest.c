/* The nearest known word to a mistyped one: the optimal string alignment distance (insertions,
 * deletions, substitutions, swaps of neighbours), at most about a third of the word's length. */
#include <string.h>

#include "tools/capos/run.h"

#define WORD_MAX 40

static uint32_t smallest(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
    uint32_t d[WORD_MAX + 1][WORD_MAX + 1];
    for (size_t i = 0; i <= a_size; i++) {
        for (size_t j = 0; j <= b_size; j++) {
            if (i == 0 || j == 0) {
                d[i][j] = (uint32_t)(i + j);
                continue;
            }
            uint32_t change = a[i - 1] != b[j - 1];
            d[i][j] = smallest(d[i - 1][j - 1] + change, smallest(d[i - 1][j], d[i][j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                d[i][j] = smallest(d[i][j], d[i - 2][j - 2] + 1);
            }
        }
    }
    return d[a_size][b_size];
}

const char *suggest(const char *word, const char *const *names, uint32_t count)
{
    const char *best = NULL;
    size_t size = strlen(word);
    uint32_t best_distance = size < 4 ? 1 : size < 9 ? 2 : (uint32_t)size / 3;
    for (uint32_t i = 0; i < count && size <= WORD_MAX; i++) {
        size_t name_size = strlen(names[i]);
        if (name_size > WORD_MAX) {
            continue;
        }
        uint32_t far = distance(word, size, names[i], name_size);
        if (far < name_size && (far < best_distance || (far == best_distance && best == NULL))) {
            best = names[i];
            best_distance = far;
        }
    }
    return best;
}
