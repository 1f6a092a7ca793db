/* Host folders, the kernel's side: asks the folder process and answers calls with what it says. See
 * folders.h.
 *
 * A call that needs a worker is kept. It is with one (its `context` is the struct folder_work), or,
 * while none is free, waits in a list with a copy of its request, charged to its caller. What a
 * worker uses is held until it is done, whatever becomes of the call: a descriptor is closed only
 * when nobody is at it. A call that is cancelled meanwhile is forgotten, and the descriptor that
 * comes of it is closed. Closing needs no memory: the dead object is the queue's node.
 *
 * Invariants: while calls wait or descriptors are to be closed, no worker is free; a node has an
 * owner or a descriptor of its own, or is being made. */
#include "kernel/arch/linux/folders.h"

#include "kernel/core/address_space.h"
#include "kernel/core/denial.h"
#include "kernel/core/entry.h"
#include "kernel/core/kmem.h"
#include "kernel/core/process.h"
#include "kernel/core/sched.h"

#include <asm/errno.h>
#include <asm/mman.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/wait.h>

#define CLOSE_MAX 1024 /* descriptors in one question */
#define ROOT_NAME_MAX 1024

struct linux_folder_news linux_folder_news;

static struct folder_memory *memory;
static int32_t folder_pid; /* 0: there are no folders */
static struct folder_work works[FOLDER_WORKERS];
static struct list waiting = {&waiting, &waiting};
static struct list closing = {&closing, &closing};
static struct folder_node roots[HOST_FOLDERS_MAX];
static const char *root_names[HOST_FOLDERS_MAX];
static uint32_t root_count;

/* --- the start --- */

void linux_folders_option(const char *value, bool read_only)
{
    const char *at = value;
    uint64_t file = 0;
    for (; *at >= '0' && *at <= '9' && file < FOLDER_FILES_MAX; at++) {
        file = file * 10 + (uint64_t)(*at - '0');
    }
    if (at == value || at[0] != ':' || at[1] == 0 || file >= FOLDER_FILES_MAX) {
        linux_fail("a folder is given as DESCRIPTOR:NAME", 0);
    }
    if (strlen(at + 1) > ROOT_NAME_MAX) {
        linux_fail("the name of a folder is too long", 0);
    }
    if (root_count == ARRAY_SIZE(roots)) {
        linux_fail("more folders than capos may grant", 0);
    }
    root_names[root_count] = at + 1;
    struct folder_node *root = &roots[root_count++];
    object_init(&root->object, &directory_class);
    list_init(&root->closing);
    root->file = (int32_t)file;
    root->read_only = read_only;
    root->grant = read_only ? at + 1 : NULL;
}

uint64_t linux_folders_last(void)
{
    int32_t last = 0;
    for (uint32_t i = 0; i < root_count; i++) {
        last = roots[i].file > last ? roots[i].file : last;
    }
    return (uint64_t)last;
}

void linux_folders_hand(struct boot_info *info)
{
    for (uint32_t i = 0; i < root_count; i++) {
        info->objects[i] = (struct boot_object){root_names[i], &roots[i].object};
    }
    info->object_count = root_count;
}

/* As many as the user may have, and no more than the tables are for. */
static void allow_files(void)
{
    struct rlimit64 limit = {0, 0};
    LINUX_CALL(__NR_prlimit64, 0, RLIMIT_NOFILE, 0, &limit);
    limit.rlim_cur = limit.rlim_max < FOLDER_FILES_MAX ? limit.rlim_max : FOLDER_FILES_MAX;
    LINUX_CALL(__NR_prlimit64, 0, RLIMIT_NOFILE, &limit, 0);
}

static void check_root(const struct folder_node *root)
{
    struct stat status = {.st_mode = 0};
    int64_t result = LINUX_CALL(__NR_fstat, root->file, &status);
    if (result != 0 || !folder_is_directory(status.st_mode)) {
        linux_fail("what was given as a folder is none", result);
    }
    folder_process_root(root->file, !root->read_only);
}

void linux_folders_start(void)
{
    if (root_count == 0) {
        return;
    }
    allow_files();
    for (uint32_t i = 0; i < root_count; i++) {
        check_root(&roots[i]);
    }
    int64_t at = LINUX_CALL(__NR_mmap, 0, sizeof(*memory), PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (at < 0 && at >= -4095) {
        linux_fail("no memory for the folder process", at);
    }
    memory = (struct folder_memory *)at;
    for (uint32_t i = 0; i < FOLDER_WORKERS; i++) {
        memory->slots[i].word = FOLDER_DONE;
    }
    int32_t kernel = (int32_t)LINUX_CALL(__NR_getpid);
    int64_t pid = LINUX_CALL(__NR_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        folder_process(memory, kernel);
    }
    /* processes that are made from here on are programs', which have no business with it */
    int64_t kept_away = LINUX_CALL(__NR_madvise, memory, sizeof(*memory), MADV_DONTFORK);
    if (pid < 0 || kept_away != 0) {
        linux_fail("no folder process", pid < 0 ? pid : kept_away);
    }
    folder_pid = (int32_t)pid;
    linux_folder_news = (struct linux_folder_news){
        .done = &memory->done, .kernel_sleeps = &memory->kernel_sleeps};
}

void linux_folders_look(void)
{
    struct {
        int32_t number, error, code, zero, pid;
        uint8_t rest[108];
    } info = {.pid = 0};
    if (folder_pid != 0) {
        LINUX_CALL(__NR_waitid, P_PID, folder_pid, &info, WEXITED | WNOHANG | WNOWAIT, 0);
    }
    if (info.pid != 0) {
        panic("linux: the folder process is gone");
    }
}

/* --- errors --- */

/* What Linux's answer means: success, or a negated error. */
static enum file_error error_of(const struct folder_work *w)
{
    switch (w->answer.result >= 0 ? 0 : -w->answer.result) {
    case 0:
        return FILE_ERROR_NONE;
    case ENOENT:
        return FILE_ERROR_NOT_FOUND;
    case EEXIST:
        return FILE_ERROR_EXISTS;
    case ENOTDIR:
        return FILE_ERROR_NOT_A_DIRECTORY;
    case EISDIR:
        return FILE_ERROR_NOT_A_FILE;
    case ENOTEMPTY:
        return FILE_ERROR_NOT_EMPTY;
    case EINVAL: /* a folder cannot be moved into itself */
    case EILSEQ: /* some file systems have rules for names */
    case ENAMETOOLONG:
        return w->operation <= FOLDER_STAT ? FILE_ERROR_BAD_NAME : FILE_ERROR_INPUT_OUTPUT;
    case ELOOP:
    case ENXIO: /* a socket, or a FIFO that nobody reads, put there just now */
        return FILE_ERROR_OTHER_KIND;
    case EXDEV:
        return FILE_ERROR_MOUNT_POINT;
    case EACCES:
    case EPERM:
    case EROFS:
        return FILE_ERROR_NOT_PERMITTED;
    case ENOSPC:
    case EDQUOT:
    case EMLINK:
        return FILE_ERROR_NO_SPACE;
    case EFBIG:
    case EOVERFLOW:
        return FILE_ERROR_TOO_BIG;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return FILE_ERROR_TOO_MANY;
    case EBUSY:
    case ETXTBSY:
    case EAGAIN: /* somebody has a lease on it */
        return FILE_ERROR_BUSY;
    default:
        return FILE_ERROR_INPUT_OUTPUT;
    }
}

status_t folder_answer_error(const struct invocation *in, folder_error_setter *set_error,
                             enum file_error error)
{
    KASSERT(!in->call->kept);
    set_error(in->results, error);
    return STATUS_OK;
}

status_t folder_refuse(const struct invocation *in, const struct folder_node *n,
                       folder_error_setter *set_error, struct wire_span name)
{
    const struct call *call = in->call;
    char text[FOLDER_NAME_MAX + 1];
    KASSERT(n->read_only);
    size_t size = name.size < FOLDER_NAME_MAX ? name.size : FOLDER_NAME_MAX;
    memcpy(text, name.data != NULL ? name.data : "", size);
    text[size] = 0;
    denial_record(call->process, call->interface_id, call->method_number, DENIAL_REASON_ATTENUATED,
                  text, n->grant);
    return folder_answer_error(in, set_error, FILE_ERROR_READ_ONLY);
}

/* --- nodes --- */

struct folder_node *folder_node(struct object *o)
{
    KASSERT(o->class == &directory_class || o->class == &file_class);
    return CONTAINER_OF(o, struct folder_node, object);
}

status_t folder_node_make(const struct invocation *in, const struct object_class *class,
                          bool read_only, struct folder_node **out)
{
    struct account *a = call_account(in->call);
    void *made;
    status_t s = kmem_alloc(a, sizeof(struct folder_node), &made);
    if (s == STATUS_OK) {
        struct folder_node *n = made;
        object_init(&n->object, class);
        list_init(&n->closing);
        n->account = a;
        n->file = -1;
        n->read_only = read_only;
        n->grant = folder_node(in->self)->grant;
        *out = n;
    }
    return s;
}

status_t folder_node_read_only(const struct invocation *in, struct object **out)
{
    struct folder_node *whole = folder_node(in->self), *n;
    if (whole->read_only) {
        *out = object_get(in->self);
        return STATUS_OK;
    }
    status_t s = folder_node_make(in, whole->object.class, true, &n);
    if (s == STATUS_OK) {
        n->owner = folder_node(object_get(in->self));
        n->file = whole->file;
        *out = &n->object;
    }
    return s;
}

static void node_free(struct folder_node *n)
{
    KASSERT(n->account != NULL && list_empty(&n->closing));
    kmem_free(n->account, n, sizeof(*n));
}

struct object *folder_work_object(struct folder_work *w)
{
    struct folder_node *n = w->node;
    KASSERT(n != NULL && w->answer.result >= 0);
    n->file = (int32_t)w->answer.result;
    w->node = NULL;
    return &n->object;
}

/* --- asking --- */

/* NULL: all are busy. */
static struct folder_work *free_worker(void)
{
    for (uint32_t i = 0; i < FOLDER_WORKERS; i++) {
        if (!works[i].busy) {
            return &works[i];
        }
    }
    return NULL;
}

static struct folder_slot *slot_of(const struct folder_work *w)
{
    return &memory->slots[w - works];
}

static void ask(struct folder_work *w)
{
    struct folder_slot *s = slot_of(w);
    KASSERT(w->busy);
    linux_folder_news.asked++;
    uint32_t before = __atomic_exchange_n(&s->word, FOLDER_ASKED, __ATOMIC_SEQ_CST);
    if ((before & FOLDER_SLEEPS) != 0) {
        LINUX_CALL(__NR_futex, &s->word, FUTEX_WAKE, 1);
    }
}

static void close_some(struct folder_work *w)
{
    struct folder_slot *s = slot_of(w);
    uint32_t count = 0;
    for (; count < CLOSE_MAX && !list_empty(&closing); count++) {
        struct folder_node *n = LIST_FIRST(&closing, struct folder_node, closing);
        list_remove(&n->closing);
        memcpy(s->data + count * sizeof(n->file), &n->file, sizeof(n->file));
        node_free(n);
    }
    *w = (struct folder_work){.busy = true, .operation = FOLDER_CLOSE};
    s->question.operation = FOLDER_CLOSE;
    s->question.size = count * (uint32_t)sizeof(int32_t);
    ask(w);
}

static void close_node(struct folder_node *n)
{
    KASSERT(n->owner == NULL && n->file >= 0);
    list_append(&closing, &n->closing);
    struct folder_work *w = free_worker();
    if (w != NULL) {
        close_some(w);
    }
}

void folder_node_destroy(struct object *o)
{
    struct folder_node *n = folder_node(o);
    if (n->owner == NULL) {
        close_node(n);
        return;
    }
    object_put(&n->owner->object);
    node_free(n);
}

/* What a request refers to, when nothing comes of it. */
static void drop(struct folder_request *r)
{
    object_put(r->into);
    if (r->node != NULL) {
        node_free(r->node);
    }
}

static void cancel_waiting(struct call *call)
{
    struct folder_request *r = call->context;
    list_remove(&call->queue);
    drop(r);
    kmem_free(call->account, r, sizeof(*r));
}

static void cancel_asked(struct call *call)
{
    struct folder_work *w = call->context;
    KASSERT(w->busy && w->call == call);
    w->call = NULL;
}

/* The question is in its slot with its data. Cannot fail. */
static void begin(struct folder_work *w, struct call *call, const struct folder_request *r)
{
    KASSERT(!w->busy && call->kept);
    *w = (struct folder_work){
        .busy = true,
        .call = call,
        .held = {object_get(call->target), r->into},
        .node = r->node,
        .operation = r->question.operation,
        .size = r->question.size,
        .set_error = r->set_error,
        .fill = r->fill,
    };
    slot_of(w)->question = r->question;
    call->context = w;
    call->cancel = cancel_asked;
    ask(w);
}

static status_t wait_for_worker(const struct invocation *in, const struct folder_request *r)
{
    struct account *a = call_account(in->call);
    struct call *kept;
    void *copy;
    status_t s = kmem_alloc(a, sizeof(*r), &copy);
    if (s != STATUS_OK) {
        return s;
    }
    s = call_keep(in->call, cancel_waiting, &kept);
    if (s != STATUS_OK) {
        kmem_free(a, copy, sizeof(*r));
        return s;
    }
    KASSERT(kept->account == a);
    kept->context = memcpy(copy, r, sizeof(*r));
    list_append(&waiting, &kept->queue);
    return STATUS_PENDING;
}

status_t folder_ask(const struct invocation *in, struct folder_request *r)
{
    struct folder_work *w = free_worker();
    struct call *kept;
    status_t s;
    KASSERT(r->question.size <= FILE_CHUNK_MAX && r->set_error != NULL);
    if (w == NULL) {
        s = wait_for_worker(in, r);
    } else {
        s = call_keep(in->call, cancel_asked, &kept);
        if (s == STATUS_OK) {
            if (r->data != NULL) {
                memcpy(slot_of(w)->data, r->data, r->question.size);
            }
            begin(w, kept, r);
            s = STATUS_PENDING;
        }
    }
    if (s != STATUS_PENDING) {
        drop(r);
    }
    return s;
}

/* The first that waits. */
static void begin_next(struct folder_work *w)
{
    struct call *call = LIST_FIRST(&waiting, struct call, queue);
    struct folder_request *r = call->context;
    status_t s = STATUS_OK;
    if (r->data != NULL) {
        s = user_copy_in(call->process->space, slot_of(w)->data, r->data_address, r->question.size);
    }
    if (s != STATUS_OK) {
        call_fail(call, STATUS_BAD_ADDRESS);
        return;
    }
    list_remove(&call->queue);
    begin(w, call, r);
    kmem_free(call->account, r, sizeof(*r));
}

/* --- answers --- */

static bool opens(uint32_t operation)
{
    return operation == FOLDER_SUB || operation == FOLDER_OPEN || operation == FOLDER_CREATE;
}

/* The most that a success may be. */
static int64_t result_max(const struct folder_work *w)
{
    bool moves =
        w->operation == FOLDER_READ || w->operation == FOLDER_WRITE || w->operation == FOLDER_LIST;
    return opens(w->operation) ? FOLDER_FILES_MAX - 1 : moves ? w->size : 0;
}

static void tell_caller(struct folder_work *w)
{
    struct call *call = w->call;
    struct wire_builder results = call_reply(call);
    status_t s = STATUS_OK;
    if (w->answer.result >= 0 && w->fill != NULL) {
        s = w->fill(w, results);
    }
    if (s == STATUS_OK) {
        w->set_error(results, error_of(w));
    }
    w->call = NULL;
    call_finish(call, s);
}

static void finish(struct folder_work *w)
{
    struct folder_slot *s = slot_of(w);
    w->answer = s->answer;
    w->data = s->data;
    if (w->answer.result > result_max(w) || w->answer.result < -4095) {
        w->answer.result = -EIO;
    }
    if (w->call != NULL) {
        tell_caller(w);
    }
    w->busy = false;
    object_put(w->held[0]);
    object_put(w->held[1]);
    if (w->node != NULL && w->answer.result >= 0) { /* nobody wanted it in the end */
        w->node->file = (int32_t)w->answer.result;
        list_append(&closing, &w->node->closing);
    } else if (w->node != NULL) {
        node_free(w->node);
    }
    w->node = NULL;
}

void linux_folders_serve(void)
{
    struct folder_work *w;
    struct cpu *cpu = arch_cpu();
    KASSERT(cpu->building == NULL);
    linux_folder_news.seen = __atomic_load_n(&memory->done, __ATOMIC_SEQ_CST);
    cpu->resched = true;
    for (uint32_t i = 0; i < FOLDER_WORKERS; i++) {
        bool done = (__atomic_load_n(&memory->slots[i].word, __ATOMIC_ACQUIRE) & FOLDER_DONE) != 0;
        if (works[i].busy && done) {
            finish(&works[i]);
        }
    }
    while ((w = free_worker()) != NULL && (!list_empty(&closing) || !list_empty(&waiting))) {
        if (!list_empty(&closing)) {
            close_some(w);
        } else {
            begin_next(w);
        }
    }
}
