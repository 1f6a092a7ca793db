/*
 * string.h: the string functions of ISO C17, and strdup, strndup and memccpy of C23. There is no
 * strerror, because this layer has no error number. strcoll and strxfrm know the C locale only.
 */
#ifndef CAPOS_STRING_H
#define CAPOS_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size_bytes);
void *memmove(void *to, const void *from, size_t size_bytes);
void *memset(void *to, int byte, size_t size_bytes);
int memcmp(const void *left, const void *right, size_t size_bytes);
void *memchr(const void *where, int byte, size_t size_bytes);
void *memccpy(void *restrict to, const void *restrict from, int byte, size_t size_bytes);

size_t strlen(const char *text);
char *strcpy(char *restrict to, const char *restrict from);
char *strncpy(char *restrict to, const char *restrict from, size_t limit);
char *strcat(char *restrict to, const char *restrict from);
char *strncat(char *restrict to, const char *restrict from, size_t limit);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t limit);
int strcoll(const char *left, const char *right);
size_t strxfrm(char *restrict to, const char *restrict from, size_t limit);
char *strchr(const char *text, int byte);
char *strrchr(const char *text, int byte);
size_t strspn(const char *text, const char *accept);
size_t strcspn(const char *text, const char *reject);
char *strpbrk(const char *text, const char *accept);
char *strstr(const char *text, const char *pattern);
char *strtok(char *restrict text, const char *restrict separators);
char *strdup(const char *text);
char *strndup(const char *text, size_t limit);

#endif
