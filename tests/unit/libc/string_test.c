/*
 * string_test.c: the functions of string.h against the host's on random strings of a small
 * alphabet, at every alignment and at the end of a page, where a read beyond the page would fault.
 */
#define _GNU_SOURCE
#include "tests/unit/libc/libc_test.h"
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

US(memcpy);
US(memmove);
US(memset);
US(memcmp);
US(memchr);
US(memccpy);
US(strlen);
US(strcpy);
US(strncpy);
US(strcat);
US(strncat);
US(strcmp);
US(strncmp);
US(strchr);
US(strrchr);
US(strspn);
US(strcspn);
US(strpbrk);
US(strstr);
US(strtok);
US(strdup);
US(strndup);
US(strcoll);
US(strxfrm);
US(free);

#define PAGE 4096
#define ROUNDS 40000

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* A string that ends just before a page that cannot be read; `which` of two places. */
static char *text_at_page_end(int which, size_t length, unsigned alphabet)
{
    static char *pages[2];
    if (pages[which] == NULL) {
        pages[which] =
            mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        mprotect(pages[which] + 2 * PAGE, PAGE, PROT_NONE);
    }
    size_t slack = test_below(4) == 0 ? test_below(40) : 0;
    char *text = pages[which] + 2 * PAGE - length - 1 - slack;
    for (size_t i = 0; i < length; i++) {
        text[i] = (char)('a' + test_below(alphabet));
        text[i] = test_below(30) == 0 ? (char)(0x80 + test_below(100)) : text[i];
    }
    memset(text + length, 0, slack + 1);
    return text;
}

static size_t some_length(void)
{
    return test_below(test_below(8) == 0 ? 300 : 40);
}

static void test_copies(void)
{
    static unsigned char ours[1024];
    static unsigned char theirs[1024];
    for (int round = 0; round < ROUNDS; round++) {
        size_t from = test_below(300);
        size_t to = test_below(300);
        size_t size = test_below(test_below(2) ? 70 : 700);
        for (size_t i = 0; i < sizeof ours; i++) {
            ours[i] = theirs[i] = (unsigned char)test_random();
        }
        void *result = capos_test_memmove(ours + to, ours + from, size);
        memmove(theirs + to, theirs + from, size);
        if (result != ours + to || memcmp(ours, theirs, sizeof ours) != 0) {
            test_fail("memmove %zu <- %zu, %zu bytes", to, from, size);
        }
        int byte = (int)test_random();
        capos_test_memset(ours + to, byte, size);
        memset(theirs + to, byte, size);
        if (memcmp(ours, theirs, sizeof ours) != 0) {
            test_fail("memset %zu, %zu bytes", to, size);
        }
        size = size < 200 ? size : 200;
        capos_test_memcpy(ours + to, ours + 700, size);
        memcpy(theirs + to, theirs + 700, size);
        if (memcmp(ours, theirs, sizeof ours) != 0) {
            test_fail("memcpy %zu, %zu bytes", to, size);
        }
    }
    test_done("libc/string/copies");
}

static void test_searches(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        size_t length = some_length();
        char *text = text_at_page_end(0, length, 1 + (unsigned)test_below(4));
        char *other = text_at_page_end(1, test_below(6), 1 + (unsigned)test_below(4));
        int byte = test_below(8) == 0 ? 0 : 'a' + (int)test_below(5);
        size_t limit = test_below(length + 2);
        bool same = capos_test_strlen(text) == strlen(text);
        same = same && capos_test_strchr(text, byte) == strchr(text, byte);
        same = same && capos_test_strrchr(text, byte) == strrchr(text, byte);
        same = same && capos_test_memchr(text, byte, limit) == memchr(text, byte, limit);
        same = same && capos_test_strspn(text, other) == strspn(text, other);
        same = same && capos_test_strcspn(text, other) == strcspn(text, other);
        same = same && capos_test_strpbrk(text, other) == strpbrk(text, other);
        same = same && capos_test_strstr(text, other) == strstr(text, other);
        if (!same) {
            test_fail("'%s' and '%s', byte %d, limit %zu", text, other, byte, limit);
        }
    }
    char *text = text_at_page_end(0, 2000, 1);
    char *pattern = text_at_page_end(1, 600, 1);
    for (size_t i = 0; i < 600; i++) {
        memset(pattern, 'a', 600);
        memset(text, 'a', 2000);
        pattern[i] = 'b';
        text[1000 + i] = 'b';
        if (capos_test_strstr(text, pattern) != strstr(text, pattern)) {
            test_fail("long pattern with b at %zu", i);
        }
    }
    test_done("libc/string/searches");
}

static void test_comparisons(void)
{
    for (int round = 0; round < ROUNDS; round++) {
        char *left = text_at_page_end(0, some_length(), 2);
        char *right = text_at_page_end(1, some_length(), 2);
        size_t left_length = strlen(left);
        size_t right_length = strlen(right);
        size_t common = left_length < right_length ? left_length : right_length;
        memcpy(right, left, test_below(common + 1));
        size_t limit = test_below(left_length + 3);
        if (sign(capos_test_strcmp(left, right)) != sign(strcmp(left, right)) ||
            sign(capos_test_strcoll(left, right)) != sign(strcmp(left, right)) ||
            sign(capos_test_strncmp(left, right, limit)) != sign(strncmp(left, right, limit)) ||
            sign(capos_test_memcmp(left, right, common)) != sign(memcmp(left, right, common))) {
            test_fail("'%s' with '%s', limit %zu", left, right, limit);
        }
    }
    test_done("libc/string/comparisons");
}

static void test_copying_strings(void)
{
    char ours[1200];
    char theirs[1200];
    for (int round = 0; round < ROUNDS / 4; round++) {
        char *text = text_at_page_end(0, some_length(), 3);
        char *more = text_at_page_end(1, some_length(), 3);
        size_t limit = test_below(60);
        memset(ours, 'x', sizeof ours);
        memset(theirs, 'x', sizeof theirs);
        capos_test_strcpy(ours, text);
        strcpy(theirs, text);
        capos_test_strcat(ours, more);
        strcat(theirs, more);
        capos_test_strncat(ours, text, limit);
        strncat(theirs, text, limit);
        capos_test_strncpy(ours + 1000, text, limit);
        strncpy(theirs + 1000, text, limit);
        void *our_end = capos_test_memccpy(ours + 1100, text, 'b', strlen(text) % 90);
        void *their_end = memccpy(theirs + 1100, text, 'b', strlen(text) % 90);
        size_t our_size = capos_test_strxfrm(ours + 700, text, limit);
        if (our_size != strlen(text) || (our_size < limit && strcmp(ours + 700, text) != 0)) {
            test_fail("strxfrm of '%s'", text);
        }
        memset(ours + 700, 'x', 100);
        memset(theirs + 700, 'x', 100);
        if (memcmp(ours, theirs, sizeof ours) != 0 ||
            (our_end == NULL ? their_end != NULL
                             : (char *)our_end - ours != (char *)their_end - theirs)) {
            test_fail("'%s' and '%s', limit %zu", text, more, limit);
        }
        char *copy = capos_test_strdup(text);
        char *part = capos_test_strndup(text, limit);
        if (strcmp(copy, text) != 0 || strlen(part) != strnlen(text, limit) ||
            strncmp(part, text, limit) != 0) {
            test_fail("strdup of '%s'", text);
        }
        capos_test_free(copy);
        capos_test_free(part);
    }
    test_done("libc/string/copying strings");
}

static void test_tokens(void)
{
    for (int round = 0; round < ROUNDS / 10; round++) {
        char *text = text_at_page_end(0, some_length(), 4);
        char copy[400];
        strcpy(copy, text);
        char *ours = capos_test_strtok(text, "ab");
        char *theirs = strtok(copy, "ab");
        while (ours != NULL && theirs != NULL && strcmp(ours, theirs) == 0) {
            ours = capos_test_strtok(NULL, "ab");
            theirs = strtok(NULL, "ab");
        }
        if (ours != theirs) {
            test_fail("'%s' and not '%s'", ours != NULL ? ours : "", theirs != NULL ? theirs : "");
        }
    }
    test_done("libc/string/tokens");
}

int main(void)
{
    test_copies();
    test_searches();
    test_comparisons();
    test_copying_strings();
    test_tokens();
    return test_status();
}
