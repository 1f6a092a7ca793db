/*
 * stdio.h: formatted input and output, and the three standard streams over what was granted (StdIO,
 * or Console for output only). No function here opens, removes or names a file: that needs a
 * Directory, which is not this layer's business. Without a grant a stream is at its end (input) or
 * in error (output).
 *
 * stdout is line-buffered on a terminal and fully buffered elsewhere, stderr is not buffered.
 * setvbuf changes the mode; the buffer handed to it is not used, because a stream's bytes lie where
 * the message to the kernel lies.
 */
#ifndef CAPOS_STDIO_H
#define CAPOS_STDIO_H

#include <stdarg.h>
#include <stddef.h>

typedef struct capos_stream FILE;

extern FILE capos_stdin;
extern FILE capos_stdout;
extern FILE capos_stderr;

#define stdin (&capos_stdin)
#define stdout (&capos_stdout)
#define stderr (&capos_stderr)
#define EOF (-1)
#define BUFSIZ 32768
#define _IOFBF 0
#define _IOLBF 1
#define _IONBF 2

int printf(const char *restrict format, ...) __attribute__((__format__(__printf__, 1, 2)));
int fprintf(FILE *restrict stream, const char *restrict format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
int sprintf(char *restrict to, const char *restrict format, ...)
    __attribute__((__format__(__printf__, 2, 3)));
int snprintf(char *restrict to, size_t size_bytes, const char *restrict format, ...)
    __attribute__((__format__(__printf__, 3, 4)));
int vprintf(const char *restrict format, va_list arguments)
    __attribute__((__format__(__printf__, 1, 0)));
int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
    __attribute__((__format__(__printf__, 2, 0)));
int vsprintf(char *restrict to, const char *restrict format, va_list arguments)
    __attribute__((__format__(__printf__, 2, 0)));
int vsnprintf(char *restrict to, size_t size_bytes, const char *restrict format, va_list arguments)
    __attribute__((__format__(__printf__, 3, 0)));

int scanf(const char *restrict format, ...) __attribute__((__format__(__scanf__, 1, 2)));
int fscanf(FILE *restrict stream, const char *restrict format, ...)
    __attribute__((__format__(__scanf__, 2, 3)));
int sscanf(const char *restrict text, const char *restrict format, ...)
    __attribute__((__format__(__scanf__, 2, 3)));
int vscanf(const char *restrict format, va_list arguments)
    __attribute__((__format__(__scanf__, 1, 0)));
int vfscanf(FILE *restrict stream, const char *restrict format, va_list arguments)
    __attribute__((__format__(__scanf__, 2, 0)));
int vsscanf(const char *restrict text, const char *restrict format, va_list arguments)
    __attribute__((__format__(__scanf__, 2, 0)));

int fgetc(FILE *stream);
int getc(FILE *stream);
int getchar(void);
int ungetc(int c, FILE *stream);
char *fgets(char *restrict to, int size_bytes, FILE *restrict stream);
size_t fread(void *restrict to, size_t size_bytes, size_t count, FILE *restrict stream);

int fputc(int c, FILE *stream);
int putc(int c, FILE *stream);
int putchar(int c);
int fputs(const char *restrict text, FILE *restrict stream);
int puts(const char *text);
size_t fwrite(const void *restrict from, size_t size_bytes, size_t count, FILE *restrict stream);

int fflush(FILE *stream);
int setvbuf(FILE *restrict stream, char *restrict buffer, int mode, size_t size_bytes);
void setbuf(FILE *restrict stream, char *restrict buffer);
int feof(FILE *stream);
int ferror(FILE *stream);
void clearerr(FILE *stream);

#endif
