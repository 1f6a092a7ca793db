/*
 * stream_test.c: the streams over a platform that keeps what is written and hands input out in
 * chunks: buffering modes, input with pushed-back characters, lines, blocks and scanf, errors, the
 * end, and what exit flushes.
 */
#include "tests/unit/libc/libc_test.h"
#include <stdlib.h>
#include <string.h>

US(printf);
US(fprintf);
US(puts);
US(putchar);
US(fputs);
US(fputc);
US(fwrite);
US(fflush);
US(setvbuf);
US(fgetc);
US(getchar);
US(ungetc);
US(fgets);
US(fread);
US(fscanf);
US(scanf);
US(feof);
US(ferror);
US(clearerr);
US(exit);
US(atexit);
US(quick_exit);
US(at_quick_exit);
US(abort);
US(_Exit);
US(getenv);
extern _Noreturn void capos_test_capos_assert_failed(const char *expression, const char *file,
                                                     int line, const char *function);
extern char **capos_environment;

static void expect_output(int stream, const char *wanted, unsigned writes)
{
    struct test_output *out = &test_outputs[stream];
    if (out->size != strlen(wanted) || memcmp(out->bytes, wanted, out->size) != 0 ||
        (writes != 0 && out->writes != writes)) {
        test_fail("stream %d has '%.*s' in %u writes and not '%s' in %u", stream, (int)out->size,
                  out->bytes, out->writes, wanted, writes);
    }
    out->size = 0;
    out->writes = 0;
}

static void test_buffering(void)
{
    capos_test_printf("%s, %s\n", "hello", "world");
    expect_output(1, "", 0);
    capos_test_fflush(US_STDOUT);
    expect_output(1, "hello, world\n", 1);
    capos_test_fflush(US_STDOUT);
    expect_output(1, "", 0);
    for (int i = 0; i < 10; i++) {
        capos_test_fputs("0123456789abcdef", US_STDOUT);
    }
    expect_output(1,
                  "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
                  "0123456789abcdef"
                  "0123456789abcdef0123456789abcdef",
                  2);
    capos_test_fflush(NULL);
    expect_output(1, "0123456789abcdef0123456789abcdef", 1);
    capos_test_setvbuf(US_STDOUT, NULL, _IOLBF, 0);
    capos_test_printf("a");
    expect_output(1, "", 0);
    capos_test_printf("b%sd", "\nc");
    expect_output(1, "ab\ncd", 1);
    capos_test_puts("e");
    expect_output(1, "e\n", 1);
    capos_test_setvbuf(US_STDOUT, NULL, _IONBF, 0);
    capos_test_putchar('x');
    capos_test_fputc('y', US_STDOUT);
    expect_output(1, "xy", 2);
    capos_test_setvbuf(US_STDOUT, NULL, _IOFBF, 0);
    capos_test_fprintf(US_STDERR, "%d%d", 1, 2);
    expect_output(2, "12", 1);
    char big[1000];
    memset(big, 'z', sizeof big - 1);
    big[999] = 0;
    if (capos_test_fwrite(big, 1, 999, US_STDOUT) != 999 || capos_test_fflush(US_STDOUT) != 0) {
        test_fail("fwrite of 999 bytes");
    }
    expect_output(1, big, 16);
    if (capos_test_setvbuf(US_STDOUT, NULL, 77, 0) == 0) {
        test_fail("a mode that does not exist was taken");
    }
    test_done("libc/stream/buffering");
}

static void test_write_errors(void)
{
    test_outputs[1].refuse = true;
    if (capos_test_printf("lost") != 4 || capos_test_fflush(US_STDOUT) == 0 ||
        !capos_test_ferror(US_STDOUT)) {
        test_fail("a failed write was not told");
    }
    capos_test_clearerr(US_STDOUT);
    if (capos_test_ferror(US_STDOUT) || capos_test_fputc('x', US_STDIN) != EOF ||
        !capos_test_ferror(US_STDIN)) {
        test_fail("stdin took output, or clearerr did nothing");
    }
    capos_test_clearerr(US_STDIN);
    test_outputs[1].refuse = false;
    test_done("libc/stream/write errors");
}

static void test_characters(void)
{
    test_input("ab\xff", 3, 2);
    bool right = capos_test_fgetc(US_STDIN) == 'a' && capos_test_ungetc('x', US_STDIN) == 'x' &&
                 capos_test_getchar() == 'x' && capos_test_getchar() == 'b' &&
                 capos_test_getchar() == 0xff;
    right = right && !capos_test_feof(US_STDIN) && capos_test_getchar() == EOF &&
            capos_test_feof(US_STDIN);
    right = right && capos_test_ungetc(EOF, US_STDIN) == EOF && capos_test_feof(US_STDIN);
    right = right && capos_test_ungetc('y', US_STDIN) == 'y' && !capos_test_feof(US_STDIN);
    right = right && capos_test_getchar() == 'y' && capos_test_getchar() == EOF;
    if (!right) {
        test_fail("a character came out wrong");
    }
    capos_test_clearerr(US_STDIN);
    test_done("libc/stream/characters");
}

static void test_blocks(void)
{
    static char text[5000];
    static char copy[5000];
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)test_random();
    }
    for (int round = 0; round < 500; round++) {
        size_t size = test_below(sizeof text);
        size_t done = 0;
        test_input(text, size, 1 + test_below(300));
        while (!capos_test_feof(US_STDIN)) {
            size_t unit = 1 + test_below(5);
            size_t count = test_below(400);
            if (test_below(5) == 0 && done > 0) {
                capos_test_ungetc((unsigned char)copy[--done], US_STDIN);
            }
            size_t got = capos_test_fread(copy + done, unit, count, US_STDIN);
            if (got < count && unit > 1) { /* the rest of the last unit was read too */
                size_t rest = (size - done) - got * unit;
                memcpy(copy + done + got * unit, text + done + got * unit, rest);
                done += rest;
            }
            done += got * unit;
        }
        if (done != size || memcmp(text, copy, size) != 0) {
            test_fail("%zu bytes of %zu", done, size);
        }
        capos_test_clearerr(US_STDIN);
    }
    test_done("libc/stream/blocks");
}

static void test_lines(void)
{
    static const char text[] = "one\ntwo\n\nlonger than the buffer\nlast";
    static const char *const wanted[] = {"one\n",     "two\n",  "\n",  "longer th",
                                         "an the bu", "ffer\n", "last"};
    for (size_t chunk = 1; chunk < 40; chunk++) {
        char line[10];
        test_input(text, sizeof text - 1, chunk);
        for (size_t i = 0; i < 7; i++) {
            if (capos_test_fgets(line, sizeof line, US_STDIN) != line ||
                strcmp(line, wanted[i]) != 0) {
                test_fail("'%s' and not '%s' in chunks of %zu", line, wanted[i], chunk);
            }
        }
        if (capos_test_fgets(line, sizeof line, US_STDIN) != NULL || !capos_test_feof(US_STDIN)) {
            test_fail("a line after the end");
        }
        capos_test_clearerr(US_STDIN);
    }
    test_done("libc/stream/lines");
}

static void test_scanning(void)
{
    for (size_t chunk = 1; chunk < 20; chunk++) {
        int a = 0;
        int b = 0;
        char word[10] = "";
        test_input("12 34x rest", 11, chunk);
        if (capos_test_scanf("%d%d", &a, &b) != 2 || a != 12 || b != 34 ||
            capos_test_fgetc(US_STDIN) != 'x' || capos_test_fscanf(US_STDIN, "%9s", word) != 1 ||
            strcmp(word, "rest") != 0 || capos_test_scanf("%d", &a) != EOF) {
            test_fail("%d %d '%s' in chunks of %zu", a, b, word, chunk);
        }
        capos_test_clearerr(US_STDIN);
    }
    test_done("libc/stream/scanf");
}

static void say_one(void)
{
    capos_test_printf("1");
}

static void say_two(void)
{
    capos_test_printf("2");
    capos_test_atexit(say_one);
}

static void end_by_exit(void)
{
    capos_test_atexit(say_one);
    capos_test_atexit(say_two);
    capos_test_printf("text");
    test_outputs[1].refuse = false;
    capos_test_exit(7);
}

static void end_by_quick_exit(void)
{
    capos_test_at_quick_exit(say_one);
    capos_test_quick_exit(3);
}

static void end_by_abort(void)
{
    capos_test_abort();
}

static void end_by_assertion(void)
{
    capos_test_capos_assert_failed("1 == 2", "file.c", 5, "main");
}

static void end_at_once(void)
{
    capos_test_atexit(say_one);
    capos_test__Exit(9);
}

/* Runs in the child, after exit has flushed: what reached the platform. */
static void check_exit(void)
{
    end_by_exit();
}

static void test_endings(void)
{
    static const struct {
        void (*function)(void);
        const char *wanted;
    } endings[] = {
        {check_exit, "exit 7 out 'text211'"}, {end_by_quick_exit, "exit 3 out ''"},
        {end_by_abort, "exit 134 out ''"},    {end_by_assertion, "exit 134 out ''"},
        {end_at_once, "exit 9 out ''"},
    };
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        const char *ending = test_ending(endings[i].function);
        if (strcmp(ending, endings[i].wanted) != 0) {
            test_fail("ending %zu: '%s' and not '%s'", i, ending, endings[i].wanted);
        }
    }
    test_done("libc/stream/endings");
}

static void test_environment(void)
{
    static char *environment[] = {"A=1", "AB=2", "EMPTY=", NULL};
    capos_environment = environment;
    bool right = strcmp(capos_test_getenv("A"), "1") == 0 &&
                 strcmp(capos_test_getenv("AB"), "2") == 0 &&
                 strcmp(capos_test_getenv("EMPTY"), "") == 0 && capos_test_getenv("B") == NULL &&
                 capos_test_getenv("") == NULL;
    capos_environment = NULL;
    if (!right || capos_test_getenv("A") != NULL) {
        test_fail("a variable came out wrong");
    }
    test_done("libc/stream/environment");
}

int main(void)
{
    test_buffering();
    test_write_errors();
    test_characters();
    test_blocks();
    test_lines();
    test_scanning();
    test_endings();
    test_environment();
    return test_status();
}
