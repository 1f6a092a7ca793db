/* Directory: a folder of the host. What is asked for by a name is looked at here for what no worker
 * is needed for, then handed to one (folders.h). */
#include "kernel/arch/linux/folders.h"

#include "kernel/core/sched.h"
#include "kernel/gen/hosted.h"
#include "lib/wire/gen/messages.h"

#include <asm/errno.h>

#define FLAGS_ALL                                                                                \
    (OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE | OPEN_FLAGS_EXCLUSIVE | OPEN_FLAGS_TRUNCATE)
/* Of an entry with the longest name, and of those that are left out. */
#define ENTRY_BYTES ALIGN_UP(sizeof(struct folder_entry) + FOLDER_NAME_MAX + 1, 8u)
#define DOTS_BYTES 48u

static bool name_is_good(struct wire_span name)
{
    return name.data != NULL && folder_name_good(name.data, name.size);
}

static void put_name(char *to, struct wire_span name)
{
    KASSERT(name.size <= FOLDER_NAME_MAX);
    memcpy(to, name.data, name.size);
}

/* The name is good. */
static struct folder_request request(const struct invocation *in, enum folder_operation operation,
                                     struct wire_span name, folder_error_setter *set_error)
{
    const struct folder_node *d = folder_node(in->self);
    struct folder_request r = {
        .question = {.operation = operation, .file = d->file, .into = -1},
        .set_error = set_error,
    };
    put_name(r.question.name, name);
    return r;
}

/* --- what opens something --- */

static status_t fill_open(struct folder_work *w, struct wire_builder results)
{
    directory_open_results_set_file(results, call_give(w->call, folder_work_object(w)));
    return STATUS_OK;
}

static status_t check_flags(struct call *call, uint32_t flags)
{
    bool writes = (flags & OPEN_FLAGS_WRITE) != 0, creates = (flags & OPEN_FLAGS_CREATE) != 0;
    if ((flags & ~FLAGS_ALL) != 0) {
        return call_bad_argument(call, "flags", "no bits of OpenFlags");
    }
    if (!writes && flags != 0) {
        return call_bad_argument(call, "flags", "create, exclusive and truncate need write");
    }
    if (!creates && (flags & OPEN_FLAGS_EXCLUSIVE) != 0) {
        return call_bad_argument(call, "flags", "exclusive needs create");
    }
    return STATUS_OK;
}

status_t directory_open(const struct invocation *in, struct wire_span name, uint32_t flags)
{
    const struct folder_node *d = folder_node(in->self);
    bool writes = (flags & OPEN_FLAGS_WRITE) != 0;
    status_t s = check_flags(in->call, flags);
    if (s != STATUS_OK) {
        return s;
    }
    if (!name_is_good(name)) {
        return folder_answer_error(in, directory_open_results_set_error, FILE_ERROR_BAD_NAME);
    }
    if (writes && d->read_only) {
        return folder_refuse(in, d, directory_open_results_set_error, name);
    }
    struct folder_request r = request(in, FOLDER_OPEN, name, directory_open_results_set_error);
    r.question.flags = flags;
    r.question.writable = writes;
    r.fill = fill_open;
    s = folder_node_make(in, &file_class, !writes, &r.node);
    return s == STATUS_OK ? folder_ask(in, &r) : s;
}

static status_t fill_sub(struct folder_work *w, struct wire_builder results)
{
    directory_sub_results_set_directory(results, call_give(w->call, folder_work_object(w)));
    return STATUS_OK;
}

status_t directory_sub(const struct invocation *in, struct wire_span name)
{
    const struct folder_node *d = folder_node(in->self);
    if (!name_is_good(name)) {
        return folder_answer_error(in, directory_sub_results_set_error, FILE_ERROR_BAD_NAME);
    }
    struct folder_request r = request(in, FOLDER_SUB, name, directory_sub_results_set_error);
    r.question.writable = !d->read_only;
    r.fill = fill_sub;
    status_t s = folder_node_make(in, &directory_class, d->read_only, &r.node);
    return s == STATUS_OK ? folder_ask(in, &r) : s;
}

static status_t fill_create(struct folder_work *w, struct wire_builder results)
{
    directory_create_directory_results_set_directory(
        results, call_give(w->call, folder_work_object(w)));
    return STATUS_OK;
}

status_t directory_create_directory(const struct invocation *in, struct wire_span name)
{
    const struct folder_node *d = folder_node(in->self);
    folder_error_setter *set_error = directory_create_directory_results_set_error;
    if (!name_is_good(name)) {
        return folder_answer_error(in, set_error, FILE_ERROR_BAD_NAME);
    }
    if (d->read_only) {
        return folder_refuse(in, d, set_error, name);
    }
    struct folder_request r = request(in, FOLDER_CREATE, name, set_error);
    r.question.writable = true;
    r.fill = fill_create;
    status_t s = folder_node_make(in, &directory_class, false, &r.node);
    return s == STATUS_OK ? folder_ask(in, &r) : s;
}

/* --- what changes names --- */

status_t directory_remove(const struct invocation *in, struct wire_span name)
{
    const struct folder_node *d = folder_node(in->self);
    if (!name_is_good(name)) {
        return folder_answer_error(in, directory_remove_results_set_error, FILE_ERROR_BAD_NAME);
    }
    if (d->read_only) {
        return folder_refuse(in, d, directory_remove_results_set_error, name);
    }
    struct folder_request r = request(in, FOLDER_REMOVE, name, directory_remove_results_set_error);
    return folder_ask(in, &r);
}

status_t directory_rename(const struct invocation *in, struct wire_span name, struct object *into,
                          struct wire_span new_name)
{
    folder_error_setter *set_error = directory_rename_results_set_error;
    if (!name_is_good(name) || !name_is_good(new_name)) {
        return folder_answer_error(in, set_error, FILE_ERROR_BAD_NAME);
    }
    if (folder_node(in->self)->read_only) {
        return folder_refuse(in, folder_node(in->self), set_error, name);
    }
    if (folder_node(into)->read_only) {
        return folder_refuse(in, folder_node(into), set_error, new_name);
    }
    struct folder_request r = request(in, FOLDER_RENAME, name, set_error);
    put_name(r.question.new_name, new_name);
    r.question.into = folder_node(into)->file;
    r.into = object_get(into);
    return folder_ask(in, &r);
}

/* --- what looks --- */

static status_t fill_stat(struct folder_work *w, struct wire_builder results)
{
    directory_stat_results_set_size(results, w->answer.size);
    directory_stat_results_set_modified(results, w->answer.modified);
    directory_stat_results_set_kind(results, w->answer.kind < FILE_KIND_COUNT
                                                 ? (enum file_kind)w->answer.kind
                                                 : FILE_KIND_OTHER);
    return STATUS_OK;
}

status_t directory_stat(const struct invocation *in, struct wire_span name)
{
    if (!name_is_good(name)) {
        return folder_answer_error(in, directory_stat_results_set_error, FILE_ERROR_BAD_NAME);
    }
    struct folder_request r = request(in, FOLDER_STAT, name, directory_stat_results_set_error);
    r.fill = fill_stat;
    return folder_ask(in, &r);
}

status_t directory_read_only(const struct invocation *in)
{
    struct object *o;
    status_t s = folder_node_read_only(in, &o);
    if (s == STATUS_OK) {
        directory_read_only_results_set_directory(in->results, call_give(in->call, o));
    }
    return s;
}

/* --- list --- */

/* The entries that a worker has read, in memory of the kernel's own. */
struct entries {
    const uint8_t *bytes;
    uint32_t size, at;
};

/* The next one but "." and ".."; NULL at the end. *name_size 0: what is there is no entry. */
static const struct folder_entry *next_entry(struct entries *l, uint32_t *name_size)
{
    while (l->at < l->size) {
        const struct folder_entry *e = (const struct folder_entry *)(l->bytes + l->at);
        uint32_t rest = l->size - l->at, head = sizeof(*e), length = 0;
        *name_size = 0;
        if (rest <= head || e->size <= head || e->size > rest) {
            return e;
        }
        while (head + length < e->size && e->name[length] != 0) {
            length++;
        }
        if (head + length == e->size || length == 0) {
            return e;
        }
        l->at += e->size;
        if (!(e->name[0] == '.' && (length == 1 || (length == 2 && e->name[1] == '.')))) {
            *name_size = length;
            return e;
        }
    }
    return NULL;
}

/* Of a message, beyond what the results have without entries. */
static uint32_t entry_bytes(uint32_t name_size)
{
    return (DIRECTORY_ENTRY_DATA_WORDS + DIRECTORY_ENTRY_POINTER_WORDS) * WIRE_WORD_BYTES +
           ALIGN_UP(name_size + 1, WIRE_WORD_BYTES);
}

/* What the caller's buffer has room for in entries. */
static uint32_t entries_room(const struct call *call)
{
    /* frame, the root's pointer, and the tag of the list */
    uint32_t head = (3 + DIRECTORY_LIST_RESULTS_DATA_WORDS + DIRECTORY_LIST_RESULTS_POINTER_WORDS) *
                    WIRE_WORD_BYTES;
    uint32_t have = call->result_size < MESSAGE_MAX ? call->result_size : MESSAGE_MAX;
    have &= ~(WIRE_WORD_BYTES - 1);
    return have > head ? have - head : 0;
}

struct fitting {
    uint32_t count;
    uint64_t next; /* cursor of what comes behind them; 0: nothing */
    bool bad;      /* what the host says is no list of entries */
};

static struct fitting choose(struct entries l, const struct folder_work *w)
{
    struct fitting f = {.next = 0};
    uint32_t room = entries_room(w->call), size;
    uint32_t most = w->call->value[0] != 0 ? (uint32_t)w->call->value[0] : UINT32_MAX;
    const struct folder_entry *e;
    uint64_t last = 0;
    while ((e = next_entry(&l, &size)) != NULL) {
        if (size == 0) {
            f.bad = true;
            return f;
        }
        if (f.count == most || entry_bytes(size) > room) {
            f.next = last;
            return f;
        }
        room -= entry_bytes(size);
        last = e->cursor;
        f.count++;
    }
    f.next = w->answer.end != 0 ? 0 : last;
    return f;
}

static enum file_kind kind_of(const struct folder_entry *e)
{
    return e->kind == FOLDER_ENTRY_FILE        ? FILE_KIND_FILE
           : e->kind == FOLDER_ENTRY_DIRECTORY ? FILE_KIND_DIRECTORY
                                               : FILE_KIND_OTHER;
}

static status_t fill_list(struct folder_work *w, struct wire_builder results)
{
    struct cpu *cpu = arch_cpu();
    struct entries l = {cpu->request, (uint32_t)w->answer.result, 0};
    KASSERT(cpu->building == NULL && l.size <= sizeof(cpu->request));
    memcpy(cpu->request, w->data, l.size);
    struct fitting f = choose(l, w);
    uint32_t size;
    if (f.bad) {
        w->answer.result = -EIO;
        return STATUS_OK;
    }
    if (f.count == 0 && next_entry(&(struct entries){l.bytes, l.size, 0}, &size) != NULL) {
        return call_exception(w->call, EXCEPTION_TYPE_INVALID_ARGUMENT,
                              "the result buffer has no room for an entry", NULL);
    }
    struct wire_list_builder list = directory_list_results_init_entries(results, f.count);
    for (uint32_t i = 0; i < f.count; i++) {
        const struct folder_entry *e = next_entry(&l, &size);
        struct wire_builder entry = wire_list_at(list, i);
        directory_entry_set_name(entry, (struct wire_span){e->name, size});
        directory_entry_set_kind(entry, kind_of(e));
    }
    directory_list_results_set_next(results, f.next);
    return STATUS_OK;
}

status_t directory_list(const struct invocation *in, uint64_t cursor, uint32_t most)
{
    if (cursor > INT64_MAX) {
        return call_bad_argument(in->call, "cursor", "not one that list() gave");
    }
    struct folder_request r = request(in, FOLDER_LIST, (struct wire_span){"", 0},
                                      directory_list_results_set_error);
    uint64_t room = DOTS_BYTES + (uint64_t)most * ENTRY_BYTES;
    r.question.size = most == 0 || room > FILE_CHUNK_MAX ? FILE_CHUNK_MAX : (uint32_t)room;
    r.question.offset = cursor;
    r.fill = fill_list;
    in->call->value[0] = most;
    return folder_ask(in, &r);
}

const struct object_class directory_class = {.interface = &directory_interface,
                                             .destroy = folder_node_destroy};
