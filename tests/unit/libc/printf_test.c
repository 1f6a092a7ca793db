/*
 * printf_test.c: vsnprintf against the host's on random formats and values, with all flags, widths,
 * precisions and lengths, and what the host does differently or not at all by examples.
 */
#include "tests/unit/libc/libc_test.h"
#include <float.h>
#include <limits.h>
#include <math.h>
#include <string.h>

US(snprintf);

/* Malformed formats are what is tested. */
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define SIZE 30000
static char ours[SIZE];
static char theirs[SIZE];

/* `%` with random flags, width and precision, then `tail`. */
static void random_format(char *to, int precision_max, const char *tail)
{
    *to++ = '%';
    for (const char *flag = "-+ #0"; *flag != 0; flag++) {
        if (test_below(3) == 0) {
            *to++ = *flag;
        }
    }
    if (test_below(2) == 0) {
        to += sprintf(to, "%zu", test_below(40));
    }
    if (test_below(2) == 0) {
        to += test_below(8) == 0 ? sprintf(to, ".")
                                 : sprintf(to, ".%zu", test_below((size_t)precision_max));
    }
    strcpy(to, tail);
}

#define COMPARE(format, value, shown)                                                              \
    do {                                                                                           \
        __typeof__(value) chosen = value;                                                          \
        int our_length = capos_test_snprintf(ours, SIZE, format, chosen);                          \
        int their_length = snprintf(theirs, SIZE, format, chosen);                                 \
        if (our_length != their_length || strcmp(ours, theirs) != 0) {                             \
            test_fail("%s of " shown ": '%.300s' and not '%.300s'", format, chosen, ours, theirs); \
        }                                                                                          \
    } while (0)

static uint64_t some_integer(void)
{
    uint64_t value = test_random() >> test_below(64);
    return test_below(10) == 0 ? 0 : test_below(2) ? value : -value;
}

static void test_integers(void)
{
    char format[64];
    char tail[4];
    static const char *const lengths[] = {"hh", "h", "", "l", "ll", "j", "z", "t"};
    for (int round = 0; round < 100000; round++) {
        const char *length = lengths[test_below(8)];
        snprintf(tail, sizeof tail, "%s%c", length, "diouxX"[test_below(6)]);
        random_format(format, 40, tail);
        if (strlen(length) == 0 || length[0] == 'h') {
            COMPARE(format, (int)some_integer(), "%d");
        } else {
            COMPARE(format, (long)some_integer(), "%ld");
        }
    }
    test_done("libc/printf/integers");
}

static double some_double(void)
{
    union {
        uint64_t bits;
        double value;
    } number;
    switch (test_below(6)) {
    case 0:
        number.bits = test_random();
        return number.value;
    case 1:
        return (double)(int64_t)test_random() / (double)(1 + test_below(1000));
    case 2: /* ties */
        return (double)test_below(2000) / 16 * (test_below(2) ? 1 : -1);
    case 3: {
        static const double special[] = {
            0.0, -0.0, 1.0, DBL_MAX, DBL_MIN, 4.9e-324, INFINITY, -INFINITY, NAN,     9.995,
            0.5, 1.5,  2.5, 1e22,    1e23,    9.5,      99.5,     0.00001,   123456.5};
        return special[test_below(sizeof special / sizeof special[0])];
    }
    case 4:
        number.bits = test_random() & 0x000fffffffffffff; /* below the normal range */
        return number.value;
    default:
        number.bits = (test_random() & 0x800fffffffffffff) | (1023 - 40 + test_below(80)) << 52;
        return number.value;
    }
}

static void test_doubles(const char *letters, const char *name)
{
    char format[64];
    char tail[2] = "";
    for (int round = 0; round < 30000; round++) {
        tail[0] = letters[test_below(strlen(letters))];
        random_format(format, test_below(20) == 0 ? 1200 : 25, tail);
        if ((tail[0] | 0x20) == 'g' && strchr(format, '#') != NULL) {
            continue; /* the host drops digits where rounding lengthens: see the examples */
        }
        double value = some_double();
        COMPARE(format, value, "%a");
    }
    test_done(name);
}

static void test_long_doubles(void)
{
    char format[64];
    char tail[4];
    for (int round = 0; round < 3000; round++) {
        union {
            long double value;
            struct {
                uint64_t mantissa;
                uint16_t sign_exponent;
            } bits;
        } number = {0};
        number.bits.mantissa = test_random() | UINT64_C(1) << 63;
        number.bits.sign_exponent =
            (uint16_t)(test_below(4) == 0 ? 1 + test_below(32765) : 16383 - 70 + test_below(140));
        snprintf(tail, sizeof tail, "L%c", "eEfFgGa"[test_below(7)]);
        random_format(format, test_below(50) == 0 ? 9000 : 30, tail);
        COMPARE(format, number.value, "%La");
    }
    COMPARE("%.20000Lf", 3.6451995318824746025e-4951L, "%Lg");
    COMPARE("%Lf", LDBL_MAX, "%Lg");
    test_done("libc/printf/long doubles");
}

static void test_texts(void)
{
    char format[64];
    for (int round = 0; round < 20000; round++) {
        random_format(format, 30, "s");
        const char *text = &"hello, world; a text of some length"[test_below(35)];
        COMPARE(format, text, "%s");
        random_format(format, 2, "c");
        COMPARE(format, (int)(1 + test_below(255)), "%d");
        random_format(format, 30, "p");
        void *pointer = (void *)(uintptr_t)(test_random() >> test_below(60));
        if (pointer != NULL && strpbrk(format, "+ .0") == NULL) {
            COMPARE(format, pointer, "%p");
        }
    }
    test_done("libc/printf/texts and pointers");
}

static void expect(const char *wanted, int wanted_length, int length)
{
    if (length != wanted_length || strcmp(ours, wanted) != 0) {
        test_fail("'%s' (%d) and not '%s' (%d)", ours, length, wanted, wanted_length);
    }
}

static void test_examples(void)
{
    int count = 0;
    signed char small = 0;
    expect("ab 5%!", 6, capos_test_snprintf(ours, SIZE, "ab %n%d%%%c%hhn", &count, 5, '!', &small));
    if (count != 3 || small != 6) {
        test_fail("%%n stored %d and %d", count, small);
    }
    expect("-2147483648 0 4294967295 -7 (null)", 34,
           capos_test_snprintf(ours, SIZE, "%d %d %u %d %s", INT_MIN, 0, UINT_MAX, -7,
                               (char *)NULL));
    expect("   7|7   |", 10, capos_test_snprintf(ours, SIZE, "%*d|%*d|", 4, 7, -4, 7));
    expect("abc|abcdef", 10,
           capos_test_snprintf(ours, SIZE, "%.*s|%.*s", 3, "abcdef", -1, "abcdef"));
    expect("abcd", 11, capos_test_snprintf(ours, 5, "abcdefghi%d", 42));
    expect("(null) (nil)", 12, capos_test_snprintf(ours, SIZE, "%s %p", (char *)NULL, NULL));
    expect("\xc3\xa4 \xe2\x82\xac|  \xc3\xa4|", 12,
           capos_test_snprintf(ours, SIZE, "%ls|%4lc|", L"\u00e4 \u20ac", 0xe4));
    expect("1.0e+02 100. 0.00010000 1.", 26,
           capos_test_snprintf(ours, SIZE, "%#.2g %#.3g %#.5g %#.1g", 99.5, 99.95, 1e-4, 1.0));
    if (capos_test_snprintf(NULL, 0, "%d", 12345) != 5) {
        test_fail("length without a buffer");
    }
    if (capos_test_snprintf(ours, SIZE, "%1$d", 1) != -1 ||
        capos_test_snprintf(ours, SIZE, "%") != -1 ||
        capos_test_snprintf(ours, SIZE, "%99999999999d", 1) != -1 ||
        capos_test_snprintf(NULL, 0, "%2147483647d%d", 1, 1) != -1) {
        test_fail("a malformed format was taken");
    }
    test_done("libc/printf/examples");
}

int main(void)
{
    test_integers();
    test_doubles("eE", "libc/printf/%e");
    test_doubles("fF", "libc/printf/%f");
    test_doubles("gG", "libc/printf/%g");
    test_doubles("aA", "libc/printf/%a");
    test_long_doubles();
    test_texts();
    test_examples();
    return test_status();
}
