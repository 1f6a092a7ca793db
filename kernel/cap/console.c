/* Console: text for people who look after the machine, into the kernel's log. A call takes at most CONSOLE_WRITE_MAX bytes.
 *
 * The log is made of lines. writeLine() is one; write() may bring any part of one, so it is gathered until its end comes or the
 * line is full. One line is gathered for the whole machine: what two programs write without ends may share it. */
#include "kernel/cap/root_objects.h"
#include "kernel/core/call.h"
#include "kernel/core/log.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/console.h"

static struct {
    char text[CONSOLE_WRITE_MAX];
    uint32_t size;
} gathered;

static void end_line(void)
{
    log_line("%.*s", (int)gathered.size, gathered.text);
    gathered.size = 0;
}

static status_t too_long(struct call *call, const char *argument)
{
    return call_exception(call, EXCEPTION_TYPE_INVALID_ARGUMENT, "more than 1024 bytes in one call", argument);
}

status_t console_write(struct object *self, struct call *call, struct wire_reader params,
                       struct wire_builder results)
{
    struct wire_span data = console_write_params_data(params);
    const char *bytes = data.data;
    KASSERT(self == &console_object && results.message != NULL);
    if (data.size > CONSOLE_WRITE_MAX) {
        return too_long(call, "data");
    }
    for (size_t i = 0; i < data.size; i++) {
        if (bytes[i] == '\n') {
            end_line();
            continue;
        }
        if (gathered.size == sizeof(gathered.text)) {
            end_line();
        }
        gathered.text[gathered.size++] = bytes[i];
    }
    return STATUS_OK;
}

status_t console_write_line(struct object *self, struct call *call, struct wire_reader params,
                            struct wire_builder results)
{
    struct wire_span text = console_write_line_params_text(params);
    KASSERT(self == &console_object && results.message != NULL);
    if (text.size > CONSOLE_WRITE_MAX) {
        return too_long(call, "text");
    }
    if (params.message->error != WIRE_OK) {
        return STATUS_BAD_MESSAGE;
    }
    if (gathered.size != 0) {
        end_line();
    }
    log_line("%.*s", (int)text.size, text.data == NULL ? "" : (const char *)text.data);
    return STATUS_OK;
}

static void console_destroy(struct object *o)
{
    panic("Console %p released once too often", (void *)o); /* the machine has one, for ever */
}

static const struct object_class console_class = {.interface = &console_interface, .destroy = console_destroy};
struct object console_object = {.class = &console_class, .references = 1};
