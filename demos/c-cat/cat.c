/*
 * cat.c: copies standard input to standard output.
 */
#include <stdio.h>

int main(void)
{
    static char buffer[1 << 16];
    size_t size;
    while ((size = fread(buffer, 1, sizeof buffer, stdin)) > 0) {
        if (fwrite(buffer, 1, size, stdout) != size) {
            fprintf(stderr, "cat: cannot write\n");
            return 1;
        }
    }
    if (ferror(stdin) || fflush(stdout) != 0) {
        fprintf(stderr, "cat: %s\n", ferror(stdin) ? "cannot read" : "cannot write");
        return 1;
    }
    return 0;
}
