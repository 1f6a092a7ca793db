/*
 * scanf_test.c: sscanf against the host's: each format with random texts made of pieces that nearly
 * fit, comparing the result, the stored values and how far it read. The stream's scanf is in
 * stream_test.c.
 */
#include "tests/unit/libc/libc_test.h"
#include <string.h>

US(sscanf);

/* Malformed and random formats are what is tested. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-nonliteral"

union values {
    unsigned char bytes[256];
    uint64_t words[32];
};

static const char *const pieces[] = {
    "12",  "-7",  "+3",  "0", "x1f", "0x1F", "077", "99999999999999999999",
    " ",   "\n",  "abc", "q", "%",   "1.5",  "e+3", "-.5e-2",
    "inf", "nan", "e",   ".", ",",   "]",    "-",   "300",
    "z",
};

static void random_text(char *to)
{
    size_t count = test_below(7);
    *to = 0;
    for (size_t i = 0; i < count; i++) {
        strcat(to, pieces[test_below(sizeof pieces / sizeof pieces[0])]);
    }
}

/*
 * Where the host is more lenient than the standard nothing is compared: `0x` with no digit behind,
 * be it that the width ends there, and `1e` with none are taken as numbers; and an empty input
 * after a suppressed match is an input failure, where the standard has a matching failure and 0.
 */
static bool host_differs(const char *text, const char *format, int our_count, int their_count)
{
    return strpbrk(text, "xX") != NULL ||
           (our_count < their_count && strpbrk(text, "eE") != NULL) ||
           (our_count == 0 && their_count == EOF && strchr(format, '*') != NULL);
}

static void compare(const char *text, const char *format)
{
    union values ours[4];
    union values theirs[4];
    char with_end[64];
    memset(ours, 0x55, sizeof ours);
    memset(theirs, 0x55, sizeof theirs);
    snprintf(with_end, sizeof with_end, "%s%%n", format); /* how far it read is a value too */
    int our_count = capos_test_sscanf(text, with_end, &ours[0], &ours[1], &ours[2], &ours[3]);
    int their_count = sscanf(text, with_end, &theirs[0], &theirs[1], &theirs[2], &theirs[3]);
    if (host_differs(text, format, our_count, their_count)) {
        return;
    }
    if (our_count != their_count || memcmp(ours, theirs, sizeof ours) != 0) {
        test_fail("'%s' of '%s': %d and not %d, first %d and not %d", format, text, our_count,
                  their_count, *(int *)&ours[0], *(int *)&theirs[0]);
    }
}

static void run(const char *const *formats, size_t count, const char *name)
{
    char text[200];
    for (int round = 0; round < 60000; round++) {
        random_text(text);
        compare(text, formats[test_below(count)]);
    }
    test_done(name);
}

#define RUN(name, ...)                                                                             \
    do {                                                                                           \
        static const char *const formats[] = {__VA_ARGS__};                                        \
        run(formats, sizeof formats / sizeof formats[0], name);                                    \
    } while (0)

static void test_examples(void)
{
    int a = 0;
    int b = 0;
    char word[16] = "";
    void *pointer = NULL;
    if (capos_test_sscanf("0x", "%x", &a) != 0 ||
        capos_test_sscanf("1e+ 5", "%f", (float *)word) != 0) {
        test_fail("half a number was taken");
    }
    if (capos_test_sscanf("0x1f00", "%p", &pointer) != 1 || pointer != (void *)0x1f00) {
        test_fail("%%p");
    }
    if (capos_test_sscanf("12:34 abc", "%d:%d%15s", &a, &b, word) != 3 || a != 12 || b != 34 ||
        strcmp(word, "abc") != 0) {
        test_fail("three values");
    }
    if (capos_test_sscanf("abc", "%3c%c", word, word + 3) != 1 ||
        capos_test_sscanf("ab", "%3c", word) != EOF) {
        test_fail("%%3c");
    }
    if (capos_test_sscanf("5", "%y", &a) != 0 || capos_test_sscanf("5", "%[5", word) != 0 ||
        capos_test_sscanf("5", "%0d", &a) != 0) {
        test_fail("a malformed format was taken");
    }
    test_done("libc/scanf/examples");
}

int main(void)
{
    RUN("libc/scanf/integers", "%d", "%i", "%u", "%o", "%x", "%3d", "%2i", "%5x", "%hhd", "%hd",
        "%ld", "%lli", "%zu", "%jd", "%td", "%1d%1d", "%*d%d", "%d %d", "%d,%d", " %d ", "%d%%");
    RUN("libc/scanf/floating point", "%f", "%lf", "%Lf", "%3f", "%le%lg", "%*f%f", "%4lf");
    RUN("libc/scanf/texts", "%s", "%c", "%3s", "%s%s", "%[abc]", "%[^0-9]", "%5[]x-]", "%[^]]",
        "%*s%s", "%*c%c", "%s %d", "%%%d", "abc%d", "%c%d", "%[0-9]%s");
    test_examples();
    return test_status();
}
