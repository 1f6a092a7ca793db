/*
 * number_test.c: strtod, strtol and their families against the host's, on random numbers, on
 * numbers that lie exactly between two others and a hair beside, and on texts that are nearly
 * numbers; and the rest of stdlib.h's arithmetic.
 */
#include "tests/unit/libc/libc_test.h"
#include <ctype.h>
#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

US(strtod);
US(strtof);
US(strtold);
US(strtol);
US(strtoul);
US(strtoll);
US(strtoull);
US(strtoimax);
US(strtoumax);
US(atoi);
US(atof);
US(div);
US(ldiv);
US(abs);
US(labs);
US(imaxdiv);

#define TEXT_MAX 24000

/* Compared as bits, but that every NaN is one. */
static bool same_extended(long double left, long double right)
{
    return (isnan(left) && isnan(right)) || memcmp(&left, &right, 10) == 0;
}

static void compare(const char *text)
{
    char *ours;
    char *theirs;
    double d = capos_test_strtod(text, &ours);
    double host_d = strtod(text, &theirs);
    if (!same_extended(d, host_d) || ours != theirs) {
        test_fail("strtod('%.200s') = %a, %td characters, and not %a, %td", text, d, ours - text,
                  host_d, theirs - text);
    }
    float f = capos_test_strtof(text, &ours);
    float host_f = strtof(text, &theirs);
    /* some hosts round hexadecimal numbers below the normal range the wrong way */
    bool host_is_wrong = strchr(text, 'x') != NULL && fabsf(f) < FLT_MIN;
    if (!host_is_wrong && (!same_extended(f, host_f) || ours != theirs)) {
        test_fail("strtof('%.200s') = %a and not %a", text, (double)f, (double)host_f);
    }
    long double e = capos_test_strtold(text, &ours);
    long double host_e = strtold(text, &theirs);
    if (!same_extended(e, host_e) || ours != theirs) {
        test_fail("strtold('%.200s') = %La and not %La", text, e, host_e);
    }
}

static uint64_t random_bits_of_double(void)
{
    uint64_t bits = test_random() >> 1;
    if (bits >> 52 == 0x7ff) {
        bits -= UINT64_C(1) << 52;
    }
    return test_below(5) == 0 ? bits & 0xfffffffffffff : bits;
}

static void test_random_numbers(void)
{
    char text[TEXT_MAX];
    for (int round = 0; round < 20000; round++) {
        uint64_t bits = random_bits_of_double();
        double value;
        memcpy(&value, &bits, sizeof value);
        snprintf(text, sizeof text, "%.*e", (int)test_below(40), value);
        compare(text);
        snprintf(text, sizeof text, "%" PRIu64 ".%" PRIu64 "e%d", test_random() >> test_below(64),
                 test_random(), (int)test_below(700) - 350);
        compare(text);
        snprintf(text, sizeof text, "%zu.%zu", test_below(100000), test_below(1000));
        compare(text);
        snprintf(text, sizeof text, "%s0x%" PRIx64 ".%" PRIx64 "p%d", test_below(2) ? "-" : "",
                 test_random() >> test_below(64), test_random() >> test_below(64) & ~UINT64_C(0xff),
                 (int)test_below(2300) - 1150);
        compare(text);
    }
    for (int round = 0; round < 300; round++) {
        snprintf(text, sizeof text, "%" PRIu64 "e%d", test_random(), (int)test_below(9900) - 4980);
        compare(text);
    }
    test_done("libc/number/random floating point");
}

/* The decimal expansion of a number exactly between two doubles, then a digit that tips the
 * balance. */
static void test_ties(void)
{
    char text[TEXT_MAX];
    for (int round = 0; round < 2000; round++) {
        uint64_t bits = random_bits_of_double();
        double value;
        memcpy(&value, &bits, sizeof value);
        double next = nextafter(value, INFINITY);
        long double middle = ((long double)value + (long double)next) / 2;
        if (isinf(next)) {
            continue;
        }
        int length = snprintf(text, sizeof text, "%.1200Lf", middle);
        compare(text);
        strcpy(text + length, "000000000000000000000000000000000000000000000001");
        compare(text);
        for (int i = length - 1; i > 0; i--) { /* subtract one from the last digit */
            if (text[i] >= '1' && text[i] <= '9') {
                text[i]--;
                memset(text + i + 1, '9', 300);
                text[i + 301] = 0;
                break;
            }
        }
        compare(text);
    }
    for (int round = 0; round < 20;
         round++) { /* 64-bit mantissas have no wider type: the expansion of the least ones */
        long double value = 3.6451995318824746025e-4951L * (long double)(1 + test_below(1000));
        int length = snprintf(text, sizeof text, "%.16445Lf", value);
        strcpy(text + length, test_below(2) ? "5" : "50000000000000000000001");
        compare(text);
    }
    test_done("libc/number/floating point between two");
}

static const char *const odd_texts[] = {
    "",
    " ",
    "+",
    "-",
    ".",
    "e5",
    ".e5",
    "1e",
    "1e+",
    "1e-x",
    "0x",
    "0x.",
    "0xg",
    "0x1p",
    "0x1p+",
    "0x.8",
    "0x8.",
    "1..2",
    "inf",
    "INFINITY",
    "-infinit",
    "nan",
    "nan(",
    "nan(abc)",
    "nan(a-b)",
    "-nan",
    "  12",
    "\t\n\v\f\r7",
    "1e99999999999999999999",
    "-1e-99999999999999999999",
    "0e99999999999",
    "00000.00000",
    "-0",
    "0x0p99",
    "1.7976931348623157e308",
    "1.7976931348623158e308",
    "1.7976931348623159e308",
    "179769313486231580793e289",
    "4.9406564584124654e-324",
    "2.4703282292062327e-324",
    "2.4703282292062328e-324",
    "2.2250738585072011e-308",
    "3.4028235e38",
    "3.4028236e38",
    "1.4e-45",
    "0.7e-45",
    "1.18973149535723176502e4932",
    "1.2e4932",
    "3.6451995318824746025e-4951",
    "1.82e-4951",
    "9007199254740993",
    "9007199254740992.99999",
    "0x1.fffffffffffff8p0",
    "0x1.fffffffffffff7ffffffffffffp0",
    "0x1.fffffffffffff80000000000000000000000000001p0",
    "0x1p-1074",
    "0x0.8p-1074",
    "0x0.80000000000000000000000000000000000000000000001p-1074",
    "0x1p1023",
    "0x1p1024",
    "0x1p-16445",
    "0x1p-16446",
    "123456789012345678",
    "12345678901234567890",
    "123456789012345678901234567890",
    "1e22",
    "1e23",
    "8.5e22",
    "1e-22",
};

static void test_odd_texts(void)
{
    for (size_t i = 0; i < sizeof odd_texts / sizeof odd_texts[0]; i++) {
        compare(odd_texts[i]);
    }
    char text[16];
    for (int round = 0; round < 100000; round++) {
        size_t length = test_below(sizeof text - 1);
        for (size_t i = 0; i < length; i++) {
            text[i] = "0123.eE+-xXpPa in"[test_below(17)];
        }
        text[length] = 0;
        compare(text);
    }
    if (capos_test_strtof("0x50.1eaa400p-135", NULL) != 0x1.407abp-129f) {
        test_fail("strtof of a hexadecimal number below the normal range");
    }
    if (capos_test_atof("2.5x") != 2.5) {
        test_fail("atof");
    }
    test_done("libc/number/odd texts");
}

static void test_integer_texts(void)
{
    char text[80];
    for (int round = 0; round < 200000; round++) {
        size_t length = test_below(test_below(4) == 0 ? 70 : 12);
        for (size_t i = 0; i < length; i++) {
            text[i] = test_below(5) == 0 ? "0x-+ zZ"[test_below(7)]
                                         : "0123456789abcdefF"[test_below(test_below(2) ? 10 : 17)];
        }
        text[length] = 0;
        int base = (int)test_below(38);
        if (base == 1 || base == 37) { /* ours is the beginning then, the host's is not set */
            char *end;
            if (capos_test_strtol(text, &end, base) != 0 || end != text) {
                test_fail("base %d", base);
            }
            continue;
        }
        char *ours;
        char *theirs;
        if (capos_test_strtol(text, &ours, base) != strtol(text, &theirs, base) || ours != theirs) {
            test_fail("strtol('%s', %d)", text, base);
        }
        if (capos_test_strtoul(text, &ours, base) != strtoul(text, &theirs, base) ||
            ours != theirs) {
            test_fail("strtoul('%s', %d)", text, base);
        }
        if (capos_test_strtoll(text, NULL, base) != strtoll(text, NULL, base) ||
            capos_test_strtoull(text, NULL, base) != strtoull(text, NULL, base) ||
            capos_test_strtoimax(text, NULL, base) != strtoimax(text, NULL, base) ||
            capos_test_strtoumax(text, NULL, base) != strtoumax(text, NULL, base)) {
            test_fail("the long forms of '%s', %d", text, base);
        }
    }
    if (capos_test_atoi("-42x") != -42) {
        test_fail("atoi");
    }
    test_done("libc/number/integers");
}

static void test_division(void)
{
    for (int round = 0; round < 1000; round++) {
        int a = (int)test_random();
        int b = (int)test_random() | 1;
        div_t q = capos_test_div(a, b);
        ldiv_t l = capos_test_ldiv(a, b);
        imaxdiv_t m = capos_test_imaxdiv(a, b);
        if (q.quot != a / b || q.rem != a % b || l.quot != a / b || l.rem != a % b ||
            m.quot != a / b || m.rem != a % b) {
            test_fail("%d / %d", a, b);
        }
        if (a != INT_MIN && (capos_test_abs(a) != abs(a) || capos_test_labs(a) != labs(a))) {
            test_fail("abs(%d)", a);
        }
    }
    test_done("libc/number/division");
}

US(isalnum);
US(isalpha);
US(isblank);
US(iscntrl);
US(isdigit);
US(isgraph);
US(islower);
US(isprint);
US(ispunct);
US(isspace);
US(isupper);
US(isxdigit);
US(tolower);
US(toupper);

static const struct {
    const char *name;
    int (*ours)(int);
    int (*theirs)(int);
} character_functions[] = {
    {"isalnum", capos_test_isalnum, isalnum},
    {"isalpha", capos_test_isalpha, isalpha},
    {"isblank", capos_test_isblank, isblank},
    {"iscntrl", capos_test_iscntrl, iscntrl},
    {"isdigit", capos_test_isdigit, isdigit},
    {"isgraph", capos_test_isgraph, isgraph},
    {"islower", capos_test_islower, islower},
    {"isprint", capos_test_isprint, isprint},
    {"ispunct", capos_test_ispunct, ispunct},
    {"isspace", capos_test_isspace, isspace},
    {"isupper", capos_test_isupper, isupper},
    {"isxdigit", capos_test_isxdigit, isxdigit},
    {"tolower", capos_test_tolower, tolower},
    {"toupper", capos_test_toupper, toupper},
};

static void test_characters(void)
{
    for (size_t i = 0; i < sizeof character_functions / sizeof character_functions[0]; i++) {
        bool is_class = character_functions[i].name[0] == 'i';
        for (int c = -1; c < 256; c++) {
            int ours = character_functions[i].ours(c);
            int theirs = character_functions[i].theirs(c);
            if (is_class ? !ours != !theirs : ours != theirs) {
                test_fail("%s(%d) is %d and not %d", character_functions[i].name, c, ours, theirs);
            }
        }
    }
    test_done("libc/number/character classes");
}

int main(void)
{
    test_random_numbers();
    test_ties();
    test_odd_texts();
    test_integer_texts();
    test_division();
    test_characters();
    return test_status();
}
