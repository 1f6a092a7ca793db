/*
 * assert.h: an assertion that fails prints the expression and its place to stderr and ends the
 * process as abort does. As the standard asks, including this file again looks at NDEBUG again, so
 * it has no include guard.
 */
#undef assert
#ifdef NDEBUG
#define assert(expression) ((void)0)
#else
#define assert(expression)                                                                         \
    ((expression) ? (void)0 : capos_assert_failed(#expression, __FILE__, __LINE__, __func__))
#endif

#ifndef CAPOS_ASSERT_H
#define CAPOS_ASSERT_H
#ifndef __cplusplus
#define static_assert _Static_assert
#endif
_Noreturn void capos_assert_failed(const char *expression, const char *file, int line,
                                   const char *function);
#endif
