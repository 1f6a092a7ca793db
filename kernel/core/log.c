/* The log and the end of the kernel. A line goes to the host link, or to the serial port while
 * there is no link or no room. Any context; the buffer is on the stack. */
#include "kernel/core/log.h"

#include "kernel/arch/arch.h"
#include "kernel/core/host_link.h"
#include "kernel/core/sched.h"

#define LINE_MAX 512 /* longer lines are cut */
#define TRACE_ENTRIES 8u

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

/* What the current thread asked for last, newest first: often the cause of a panic. */
void trace_dump(void (*say)(const char *text))
{
    const struct cpu *cpu = arch_cpu();
    const struct thread *t = cpu != NULL ? cpu->current : NULL;
    if (t == NULL || t->ring.sq == NULL) {
        return; /* a larger ring is not in one piece */
    }
    const struct ring *r = &t->ring;
    const struct ring_entry *sq = (const void *)r->sq;
    for (uint32_t i = 0; i < TRACE_ENTRIES && i < r->sq_head; i++) {
        const struct ring_entry *e = &sq[(r->sq_head - 1 - i) & (r->sq_entries - 1)];
        char line[LINE_MAX];
        (void)format_text(
            line, sizeof line, "-%u: opcode %u cap %x interface %lx method %u user_data %lx", i,
            (unsigned)e->opcode, e->cap, e->interface_id, (unsigned)e->method, e->user_data);
        say(line);
    }
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
