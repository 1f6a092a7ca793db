/*
 * wc.c: counts the lines, words and bytes of standard input. Words are what white space separates.
 * All numbers are as wide as the widest, as the host's wc prints them for a file.
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>

int main(void)
{
    static unsigned char buffer[1 << 16];
    static bool is_space[256];
    unsigned long lines = 0;
    unsigned long words = 0;
    unsigned long bytes = 0;
    bool in_word = false;
    size_t size;
    for (int c = 0; c < 256; c++) {
        is_space[c] = isspace(c);
    }
    while ((size = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        for (size_t i = 0; i < size; i++) {
            bool space = is_space[buffer[i]];
            lines += buffer[i] == '\n';
            words += !space && !in_word;
            in_word = !space;
        }
        bytes += size;
    }
    if (ferror(stdin)) {
        fprintf(stderr, "wc: cannot read\n");
        return 1;
    }
    int width = snprintf(NULL, 0, "%lu", bytes);
    printf("%*lu %*lu %*lu\n", width, lines, width, words, width, bytes);
    return 0;
}
