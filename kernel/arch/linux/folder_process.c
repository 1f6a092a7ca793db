/* The folder process: opens, reads and writes the host's files for the kernel. See folders.h.
 *
 * It is forked before the kernel's process has mapped the machine's memory, so it has none of that;
 * it holds the descriptors of both, and its filter lets it do what is below and nothing else. It
 * remembers in memory of its own which descriptors are folders and files that it may use and
 * which of those it may write: the kernel cannot make it use another, nor write in what was opened
 * from a read-only folder.
 *
 * No name that it passes to Linux has more than one component, and no link is followed: openat2()
 * refuses links, other mounts and whatever leads out. Where a filter of the host's keeps that call
 * from us, openat() without following and a comparison of devices do the same but for a bind mount
 * of the same device. What is neither file nor folder is not opened: it is looked at before, and,
 * since somebody may put something else there in between, opened without waiting and looked
 * at again.
 *
 * Landlock is a wall more where Linux has it.
 *
 * Workers are threads without a C library. All their memory is static, and none is freed. */
#include "kernel/arch/linux/folders.h"

#include <asm/errno.h>
#include <asm/fcntl.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>

#define WORKER_STACK 16384
#define THREAD_FLAGS                                                                             \
    (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define FILE_MODE 0666u /* less the umask that capos was started with */
#define FOLDER_MODE 0777u

/* What is known of a descriptor, and what an operation needs of one. */
#define IS_DIRECTORY 1u
#define IS_FILE 2u
#define MAY_WRITE 4u

static uint8_t known[FOLDER_FILES_MAX];
static struct folder_memory *memory;
static int32_t kernel_pid;
static _Alignas(16) uint8_t stacks[FOLDER_WORKERS][WORKER_STACK];

/* A question, copied: the kernel cannot change it any more. */
struct job {
    struct folder_question q;
    struct folder_answer answer;
    uint8_t *data;
};

static _Noreturn void leave(void)
{
    for (;;) {
        LINUX_CALL(__NR_exit_group, 1);
    }
}

/* --- descriptors --- */

static bool is_known(int32_t file, uint32_t needs)
{
    return file >= 0 && file < FOLDER_FILES_MAX &&
           (__atomic_load_n(&known[file], __ATOMIC_ACQUIRE) & needs) == needs;
}

static int64_t remember(int64_t file, uint32_t what)
{
    if (file >= FOLDER_FILES_MAX) {
        LINUX_CALL(__NR_close, file);
        return -EMFILE;
    }
    if (file >= 0) {
        __atomic_store_n(&known[file], (uint8_t)what, __ATOMIC_RELEASE);
    }
    return file;
}

void folder_process_root(int32_t file, bool writable)
{
    known[file] |= (uint8_t)(IS_DIRECTORY | (writable ? MAY_WRITE : 0));
}

static uint32_t writable(const struct job *j)
{
    return j->q.writable != 0 && is_known(j->q.file, MAY_WRITE) ? MAY_WRITE : 0;
}

static int64_t look(int32_t folder, const char *name, struct stat *out)
{
    return LINUX_CALL(__NR_newfstatat, folder, name, out, AT_SYMLINK_NOFOLLOW);
}

/* Where openat2() is not to be had. */
static int64_t open_and_compare(int32_t folder, const char *name, uint64_t flags)
{
    struct stat above, below;
    int64_t file = LINUX_CALL(__NR_openat, folder, name, flags, FILE_MODE);
    if (file < 0) {
        return file;
    }
    int64_t result = LINUX_CALL(__NR_fstat, folder, &above);
    if (result == 0) {
        result = LINUX_CALL(__NR_fstat, file, &below);
    }
    if (result == 0 && above.st_dev != below.st_dev) {
        result = -EXDEV;
    }
    if (result != 0) {
        LINUX_CALL(__NR_close, file);
    }
    return result != 0 ? result : file;
}

static int64_t open_beneath(int32_t folder, const char *name, uint64_t flags)
{
    flags |= O_NOFOLLOW | O_CLOEXEC;
    struct open_how how = {
        .flags = flags,
        .mode = (flags & O_CREAT) != 0 ? FILE_MODE : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV,
    };
    int64_t file = LINUX_CALL(__NR_openat2, folder, name, &how, sizeof(how));
    return file == -ENOSYS || file == -EPERM ? open_and_compare(folder, name, flags) : file;
}

/* --- in a folder --- */

static int64_t sub(struct job *j)
{
    struct stat status;
    int64_t file = open_beneath(j->q.file, j->q.name, O_PATH | O_DIRECTORY);
    if (file == -ENOTDIR && look(j->q.file, j->q.name, &status) == 0 &&
        !folder_is_file(status.st_mode)) {
        return -ELOOP; /* a link, or something stranger */
    }
    return remember(file, IS_DIRECTORY | writable(j));
}

static int64_t kind_error(uint32_t mode)
{
    return folder_is_file(mode) ? 0 : folder_is_directory(mode) ? -EISDIR : -ELOOP;
}

/* What was opened may be something else than what was looked at. */
static int64_t check_opened(int64_t file, bool truncate)
{
    struct stat status;
    int64_t result = LINUX_CALL(__NR_fstat, file, &status);
    if (result == 0) {
        result = kind_error(status.st_mode);
    }
    if (result == 0 && truncate) {
        result = LINUX_CALL(__NR_ftruncate, file, 0);
    }
    if (result != 0) {
        LINUX_CALL(__NR_close, file);
    }
    return result != 0 ? result : file;
}

static int64_t open_file(struct job *j)
{
    struct stat status;
    uint32_t may_write = writable(j);
    bool creates = (j->q.flags & OPEN_FLAGS_CREATE) != 0;
    bool exclusive = (j->q.flags & OPEN_FLAGS_EXCLUSIVE) != 0;
    if ((j->q.flags & OPEN_FLAGS_WRITE) == 0 ? j->q.flags != 0 : may_write == 0) {
        return -EROFS;
    }
    int64_t result = look(j->q.file, j->q.name, &status);
    if (result == 0) {
        result = exclusive ? -EEXIST : kind_error(status.st_mode);
    } else if (result == -ENOENT && creates) {
        result = 0;
    }
    if (result != 0) {
        return result;
    }
    bool writes = (j->q.flags & OPEN_FLAGS_WRITE) != 0;
    uint64_t flags = (writes ? O_RDWR : O_RDONLY) | O_NONBLOCK | O_NOCTTY |
                     (creates ? O_CREAT : 0u) | (exclusive ? O_EXCL : 0u);
    int64_t file = open_beneath(j->q.file, j->q.name, flags);
    if (file >= 0) {
        file = check_opened(file, (j->q.flags & OPEN_FLAGS_TRUNCATE) != 0);
    }
    return remember(file, IS_FILE | (writes ? MAY_WRITE : 0));
}

static int64_t create(struct job *j)
{
    int64_t result = LINUX_CALL(__NR_mkdirat, j->q.file, j->q.name, FOLDER_MODE);
    return result != 0 ? result : sub(j);
}

static int64_t remove(struct job *j)
{
    int64_t result = LINUX_CALL(__NR_unlinkat, j->q.file, j->q.name, 0);
    return result == -EISDIR ? LINUX_CALL(__NR_unlinkat, j->q.file, j->q.name, AT_REMOVEDIR)
                             : result;
}

static int64_t rename(struct job *j)
{
    if (!is_known(j->q.into, IS_DIRECTORY | MAY_WRITE)) {
        return -EBADF;
    }
    return LINUX_CALL(__NR_renameat2, j->q.file, j->q.name, j->q.into, j->q.new_name, 0);
}

static void tell(struct job *j, const struct stat *status)
{
    bool file = folder_is_file(status->st_mode);
    j->answer.size = file ? (uint64_t)status->st_size : 0;
    j->answer.modified = (int64_t)status->st_mtime;
    j->answer.kind = file                                   ? FILE_KIND_FILE
                     : folder_is_directory(status->st_mode) ? FILE_KIND_DIRECTORY
                                                            : FILE_KIND_OTHER;
}

/* By a descriptor, so that what is mounted there is not looked at either. */
static int64_t stat_name(struct job *j)
{
    struct stat status;
    int64_t file = open_beneath(j->q.file, j->q.name, O_PATH);
    if (file < 0) {
        return file;
    }
    int64_t result = LINUX_CALL(__NR_fstat, file, &status);
    LINUX_CALL(__NR_close, file);
    if (result == 0) {
        tell(j, &status);
    }
    return result;
}

static void tell_kinds(int32_t folder, uint8_t *data, uint64_t size)
{
    struct stat status;
    for (uint64_t at = 0; at < size;) {
        struct folder_entry *e = (struct folder_entry *)(data + at);
        if (e->kind == FOLDER_ENTRY_UNKNOWN && look(folder, e->name, &status) == 0) {
            e->kind = folder_is_file(status.st_mode)        ? FOLDER_ENTRY_FILE
                      : folder_is_directory(status.st_mode) ? FOLDER_ENTRY_DIRECTORY
                                                            : FOLDER_ENTRY_OTHER;
        }
        at += e->size;
    }
}

static int64_t list(struct job *j)
{
    uint64_t used = 0;
    int64_t got = 0;
    int64_t file = LINUX_CALL(__NR_openat, j->q.file, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    if (file < 0) {
        return file;
    }
    if (j->q.offset != 0) {
        got = LINUX_CALL(__NR_lseek, file, j->q.offset, 0 /* SEEK_SET */);
    }
    while (got >= 0) {
        got = LINUX_CALL(__NR_getdents64, file, j->data + used, j->q.size - used);
        if (got <= 0) {
            break;
        }
        tell_kinds(j->q.file, j->data + used, (uint64_t)got);
        used += (uint64_t)got;
    }
    LINUX_CALL(__NR_close, file);
    j->answer.end = got == 0;
    return got < 0 && (used == 0 || got != -EINVAL /* the next one does not fit */)
               ? got
               : (int64_t)used;
}

/* --- files --- */

static int64_t read_file(struct job *j)
{
    return LINUX_CALL(__NR_pread64, j->q.file, j->data, j->q.size, j->q.offset);
}

static int64_t write_file(struct job *j)
{
    return LINUX_CALL(__NR_pwrite64, j->q.file, j->data, j->q.size, j->q.offset);
}

static int64_t stat_file(struct job *j)
{
    struct stat status;
    int64_t result = LINUX_CALL(__NR_fstat, j->q.file, &status);
    if (result == 0) {
        tell(j, &status);
    }
    return result;
}

static int64_t truncate(struct job *j)
{
    return LINUX_CALL(__NR_ftruncate, j->q.file, j->q.offset);
}

static int64_t sync(struct job *j)
{
    return LINUX_CALL(__NR_fsync, j->q.file);
}

static int64_t close_all(struct job *j)
{
    for (uint32_t i = 0; i < j->q.size / sizeof(int32_t); i++) {
        int32_t file;
        memcpy(&file, j->data + i * sizeof(file), sizeof(file));
        if (is_known(file, IS_DIRECTORY) || is_known(file, IS_FILE)) {
            __atomic_store_n(&known[file], 0, __ATOMIC_RELEASE);
            LINUX_CALL(__NR_close, file);
        }
    }
    return 0;
}

/* --- Landlock --- */

#define ACCESS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define ACCESS_CHANGE                                                                            \
    (LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |                             \
     LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | \
     LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |  \
     LANDLOCK_ACCESS_FS_REFER)
/* What nobody here has any business with, anywhere. */
#define ACCESS_NEVER                                                                             \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)

/* Where Linux has it (5.19): this process opens nothing that is not below a folder which was
 * granted, and writes only in those that were not granted read-only, whatever it is made to try. A
 * wall more; without it, or where it is switched off, the others stand. */
static void restrict_to_roots(void)
{
    struct landlock_ruleset_attr all = {
        .handled_access_fs = ACCESS_READ | ACCESS_CHANGE | ACCESS_NEVER};
    if (LINUX_CALL(__NR_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION) < 2) {
        return; /* the first version forbids all renaming across folders */
    }
    int64_t rules = LINUX_CALL(__NR_landlock_create_ruleset, &all, sizeof(all), 0);
    if (rules < 0) {
        return;
    }
    for (int32_t file = 0; file < FOLDER_FILES_MAX; file++) {
        if (is_known(file, IS_DIRECTORY)) {
            struct landlock_path_beneath_attr beneath = {
                .allowed_access = ACCESS_READ | (is_known(file, MAY_WRITE) ? ACCESS_CHANGE : 0),
                .parent_fd = file};
            if (LINUX_CALL(__NR_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &beneath,
                           0) != 0) {
                leave();
            }
        }
    }
    if (LINUX_CALL(__NR_landlock_restrict_self, rules, 0) != 0) {
        leave();
    }
    LINUX_CALL(__NR_close, rules);
}

/* --- workers --- */

static const struct {
    int64_t (*run)(struct job *j);
    uint32_t needs, names;
} operations[FOLDER_OPERATIONS] = {
    [FOLDER_SUB] = {sub, IS_DIRECTORY, 1},
    [FOLDER_OPEN] = {open_file, IS_DIRECTORY, 1},
    [FOLDER_CREATE] = {create, IS_DIRECTORY | MAY_WRITE, 1},
    [FOLDER_REMOVE] = {remove, IS_DIRECTORY | MAY_WRITE, 1},
    [FOLDER_RENAME] = {rename, IS_DIRECTORY | MAY_WRITE, 2},
    [FOLDER_STAT] = {stat_name, IS_DIRECTORY, 1},
    [FOLDER_LIST] = {list, IS_DIRECTORY, 0},
    [FOLDER_READ] = {read_file, IS_FILE, 0},
    [FOLDER_WRITE] = {write_file, IS_FILE | MAY_WRITE, 0},
    [FOLDER_FILE_STAT] = {stat_file, IS_FILE, 0},
    [FOLDER_TRUNCATE] = {truncate, IS_FILE | MAY_WRITE, 0},
    [FOLDER_SYNC] = {sync, IS_FILE, 0},
    [FOLDER_CLOSE] = {close_all, 0, 0},
};

static bool name_good(char name[FOLDER_NAME_MAX + 1])
{
    name[FOLDER_NAME_MAX] = 0;
    return folder_name_good(name, strlen(name));
}

static int64_t carry_out(struct job *j)
{
    uint32_t n = j->q.operation;
    if (n >= FOLDER_OPERATIONS || j->q.size > FILE_CHUNK_MAX) {
        return -EINVAL;
    }
    if (operations[n].needs != 0 && !is_known(j->q.file, operations[n].needs)) {
        return -EBADF;
    }
    if ((operations[n].names >= 1 && !name_good(j->q.name)) ||
        (operations[n].names >= 2 && !name_good(j->q.new_name))) {
        return -ENAMETOOLONG;
    }
    return operations[n].run(j);
}

static void await_question(struct folder_slot *s)
{
    for (;;) {
        for (uint32_t round = 0; round <= linux_spin_aside(); round++) {
            if (__atomic_load_n(&s->word, __ATOMIC_ACQUIRE) == FOLDER_ASKED) {
                return;
            }
            __builtin_ia32_pause();
        }
        uint32_t expected = FOLDER_DONE, sleeps = FOLDER_DONE | FOLDER_SLEEPS;
        if (__atomic_compare_exchange_n(&s->word, &expected, sleeps, false, __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST) || expected == sleeps) {
            LINUX_CALL(__NR_futex, &s->word, FUTEX_WAIT, sleeps, 0);
        }
    }
}

/* Whoever is about to sleep says so and then looks; whoever has done something counts it and then
 * looks who sleeps. Pairs with linux_folders_may_sleep(). */
static void publish(struct folder_slot *s, const struct folder_answer *answer)
{
    s->answer = *answer;
    __atomic_store_n(&s->word, FOLDER_DONE, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&memory->done, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&memory->kernel_sleeps, __ATOMIC_SEQ_CST) != 0) {
        LINUX_CALL(__NR_tgkill, kernel_pid, kernel_pid, SIGUSR2);
    }
}

static _Noreturn void worker(uint32_t number)
{
    struct folder_slot *s = &memory->slots[number];
    struct job j;
    if (linux_filter_folders(kernel_pid) != 0) {
        leave();
    }
    for (;;) {
        await_question(s);
        j = (struct job){.q = s->question, .data = s->data};
        j.answer.result = carry_out(&j);
        publish(s, &j.answer);
    }
}

static void start_worker(uint32_t number)
{
    register uint64_t r8 __asm__("r8") = 0;
    register uint64_t r10 __asm__("r10") = 0;
    register uint64_t r12 __asm__("r12") = number;
    register void (*r13)(uint32_t) __asm__("r13") = worker;
    int64_t result;
    __asm__ volatile("syscall\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "movl %%r12d, %%edi\n\t"
                     "call *%%r13\n\t"
                     "ud2\n"
                     "1:"
                     : "=a"(result)
                     : "a"(__NR_clone), "D"(THREAD_FLAGS), "S"(stacks[number] + WORKER_STACK),
                       "d"(0), "r"(r10), "r"(r8), "r"(r12), "r"(r13)
                     : "rcx", "r11", "memory");
    if (result < 0) {
        leave();
    }
}

_Noreturn void folder_process(struct folder_memory *shared, int32_t kernel)
{
    struct {
        uint64_t handler, flags, restorer, mask;
    } ignore = {.handler = 1 /* SIG_IGN */};
    memory = shared;
    kernel_pid = kernel;
    LINUX_CALL(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    LINUX_CALL(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* else a write beyond the user's limit of a file's size would end it */
    LINUX_CALL(__NR_rt_sigaction, SIGXFSZ, &ignore, 0, sizeof(uint64_t));
    if (LINUX_CALL(__NR_getppid) != kernel) {
        leave();
    }
    restrict_to_roots();
    for (uint32_t i = 1; i < FOLDER_WORKERS; i++) {
        start_worker(i);
    }
    worker(0);
}
