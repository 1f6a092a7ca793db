/* Console: text for people who look after the machine, into the kernel's log. A call takes at
 * most CONSOLE_WRITE_MAX bytes.
 *
 * The bytes go there as they are. Two programs that write parts of lines may find them on one. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/call.h"
#include "kernel/core/log.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/console.h"

static status_t too_long(struct call *call, const char *argument)
{
    return call_bad_argument(call, argument, "more than 1024 bytes in one call");
}

status_t console_write(const struct invocation *in)
{
    struct wire_span data = console_write_params_data(in->params);
    KASSERT(in->self == &console_object && in->results.message != NULL);
    if (data.size > CONSOLE_WRITE_MAX) {
        return too_long(in->call, "data");
    }
    if (in->params.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    if (data.size != 0) {
        log_text(data.data, data.size);
    }
    return STATUS_OK;
}

status_t console_write_line(const struct invocation *in)
{
    struct wire_span text = console_write_line_params_text(in->params);
    char line[CONSOLE_WRITE_MAX + 1]; /* one piece, so that nothing comes between text and end */
    KASSERT(in->self == &console_object && in->results.message != NULL);
    if (text.size > CONSOLE_WRITE_MAX) {
        return too_long(in->call, "text");
    }
    if (in->params.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    if (text.size != 0) {
        __builtin_memcpy(line, text.data, text.size);
    }
    line[text.size] = '\n';
    log_text(line, text.size + 1);
    return STATUS_OK;
}
