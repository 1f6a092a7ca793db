/* Console: text for people who look after the machine, into the kernel's log. A call takes at
 * most CONSOLE_WRITE_MAX bytes.
 *
 * The bytes go there as they are. Two programs that write parts of lines may find them on one. */
#include "kernel/core/log.h"
#include "kernel/gen/dispatch.h"

static status_t put(const struct invocation *in, struct wire_span text, bool line)
{
    char bytes[CONSOLE_WRITE_MAX + 1]; /* one piece, so that nothing comes between text and end */
    KASSERT(in->self == &console_object && text.size <= CONSOLE_WRITE_MAX);
    if (text.size != 0) {
        __builtin_memcpy(bytes, text.data, text.size);
    }
    bytes[text.size] = '\n';
    if (text.size + line != 0) {
        log_text(bytes, text.size + line);
    }
    return STATUS_OK;
}

status_t console_write(const struct invocation *in, struct wire_span data)
{
    return put(in, data, false);
}

status_t console_write_line(const struct invocation *in, struct wire_span text)
{
    return put(in, text, true);
}
