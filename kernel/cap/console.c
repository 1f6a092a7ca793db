/* Console: text for people who look after the machine, into the kernel's log. A call takes at
 * most CONSOLE_WRITE_MAX bytes.
 *
 * The bytes go there as they are. Two programs that write parts of lines may find them on one. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/call.h"
#include "kernel/core/log.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/console.h"

static status_t put(const struct invocation *in, struct wire_span text, const char *argument,
                    bool line)
{
    char bytes[CONSOLE_WRITE_MAX + 1]; /* one piece, so that nothing comes between text and end */
    KASSERT(in->self == &console_object);
    if (text.size > CONSOLE_WRITE_MAX) {
        return call_bad_argument(in->call, argument, "more than 1024 bytes in one call");
    }
    if (in->params.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    if (text.size != 0) {
        __builtin_memcpy(bytes, text.data, text.size);
    }
    bytes[text.size] = '\n';
    if (text.size + line != 0) {
        log_text(bytes, text.size + line);
    }
    return STATUS_OK;
}

status_t console_write(const struct invocation *in)
{
    return put(in, console_write_params_data(in->params), "data", false);
}

status_t console_write_line(const struct invocation *in)
{
    return put(in, console_write_line_params_text(in->params), "text", true);
}
