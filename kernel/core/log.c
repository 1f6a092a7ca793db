/* The log and the end of the kernel. A line goes to the host link, or to the serial port while
 * there is no link or no room. Any context; the buffer is on the stack. */
#include "kernel/core/log.h"

#include "kernel/arch/arch.h"
#include "kernel/core/host_link.h"

#define LINE_MAX 512 /* longer lines are cut */

void log_text(const char *text, size_t size)
{
    if (!host_link_log(text, size)) {
        arch_log(text, size);
    }
}

void log_line(const char *format, ...)
{
    char line[LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    int length = format_text_v(line, sizeof line - 1, format, arguments);
    va_end(arguments);
    size_t size = (size_t)length < sizeof line - 2 ? (size_t)length : sizeof line - 2;
    line[size++] = '\n';
    log_text(line, size);
}

void panic(const char *format, ...)
{
    char text[LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)format_text_v(text, sizeof text, format, arguments);
    va_end(arguments);
    arch_panic(text);
}
