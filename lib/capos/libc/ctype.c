/*
 * ctype.c: the character classes of the C locale, as ranges.
 */
#include <ctype.h>

static inline int within(int c, int first, int last)
{
    return (unsigned)c - (unsigned)first <= (unsigned)(last - first);
}

int isupper(int c)
{
    return within(c, 'A', 'Z');
}

int islower(int c)
{
    return within(c, 'a', 'z');
}

int isalpha(int c)
{
    return within(c | 0x20, 'a', 'z');
}

int isdigit(int c)
{
    return within(c, '0', '9');
}

int isxdigit(int c)
{
    return within(c, '0', '9') || within(c | 0x20, 'a', 'f');
}

int isalnum(int c)
{
    return within(c, '0', '9') || within(c | 0x20, 'a', 'z');
}

int isblank(int c)
{
    return c == ' ' || c == '\t';
}

int isspace(int c)
{
    return c == ' ' || within(c, '\t', '\r');
}

int iscntrl(int c)
{
    return within(c, 0, 0x1f) || c == 0x7f;
}

int isgraph(int c)
{
    return within(c, 0x21, 0x7e);
}

int isprint(int c)
{
    return within(c, 0x20, 0x7e);
}

int ispunct(int c)
{
    return isgraph(c) && !isalnum(c);
}

int tolower(int c)
{
    return isupper(c) ? c + ('a' - 'A') : c;
}

int toupper(int c)
{
    return islower(c) ? c - ('a' - 'A') : c;
}
