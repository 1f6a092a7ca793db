/*
 * stdlib.h: of ISO C17 what needs no authority. There is no error number: strtol and its family
 * show a range error only through the value (the nearest limit), strtod through HUGE_VAL or a
 * result of zero or below the normal range. system and the multibyte functions are absent. getenv
 * reads the environment that the start block granted.
 *
 * The heap: blocks are aligned to 16 bytes; freeing twice, freeing what was never allocated and an
 * overwritten header end the process with a message.
 */
#ifndef CAPOS_STDLIB_H
#define CAPOS_STDLIB_H

#include <stddef.h>

#define EXIT_SUCCESS 0
#define EXIT_FAILURE 1
#define RAND_MAX 0x7fffffff
#define MB_CUR_MAX ((size_t)1)

typedef struct {
    int quot;
    int rem;
} div_t;
typedef struct {
    long quot;
    long rem;
} ldiv_t;
typedef struct {
    long long quot;
    long long rem;
} lldiv_t;

void *malloc(size_t size_bytes) __attribute__((__malloc__, __alloc_size__(1)));
void *calloc(size_t count, size_t size_bytes) __attribute__((__malloc__, __alloc_size__(1, 2)));
void *realloc(void *block, size_t size_bytes) __attribute__((__alloc_size__(2)));
void *aligned_alloc(size_t alignment, size_t size_bytes)
    __attribute__((__malloc__, __alloc_size__(2)));
void free(void *block);

int atoi(const char *text);
long atol(const char *text);
long long atoll(const char *text);
double atof(const char *text);
long strtol(const char *restrict text, char **restrict end, int base);
long long strtoll(const char *restrict text, char **restrict end, int base);
unsigned long strtoul(const char *restrict text, char **restrict end, int base);
unsigned long long strtoull(const char *restrict text, char **restrict end, int base);
float strtof(const char *restrict text, char **restrict end);
double strtod(const char *restrict text, char **restrict end);
long double strtold(const char *restrict text, char **restrict end);

int abs(int value);
long labs(long value);
long long llabs(long long value);
div_t div(int numerator, int denominator);
ldiv_t ldiv(long numerator, long denominator);
lldiv_t lldiv(long long numerator, long long denominator);

int rand(void);
void srand(unsigned seed);

void qsort(void *base, size_t count, size_t size_bytes, int (*compare)(const void *, const void *));
void *bsearch(const void *key, const void *base, size_t count, size_t size_bytes,
              int (*compare)(const void *, const void *));

char *getenv(const char *name);

_Noreturn void abort(void);
_Noreturn void exit(int status);
_Noreturn void _Exit(int status);
_Noreturn void quick_exit(int status);
int atexit(void (*handler)(void));
int at_quick_exit(void (*handler)(void));

#endif
