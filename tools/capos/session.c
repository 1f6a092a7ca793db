/* The event loop of a run: the machine on one side, the caller's streams and signals on the other.
 *
 * Nothing waits but poll(). Output is queued under the link's credit; input is read only while the
 * machine has asked for it. The run ends when the exit record has come and the queue is empty; the
 * machine has ended by itself by then, or is ended shortly after. */
#include "tools/capos/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "abi/qemu.h"
#include "tools/capos/command.h"

#define SILENCE_MAX_MS 60000  /* from QEMU's start to the kernel's first word, when it is slow */
#define END_MAX_MS 200         /* from the acknowledgement to QEMU's end */
#define NO_READER_MAX_MS 1000  /* for a program to end after its output was refused */
#define TRY_MEMORY (16ull << 20)
#define NEVER UINT64_MAX

static void trace_start(const struct session *s, const char *what)
{
    if (s->options->trace_start) {
        fprintf(stderr, "capos: %4llu ms: %s\n", (unsigned long long)(now_ms() - s->start_ms),
                what);
    }
}

/* --- what comes from the machine --- */

static void tail_add(struct tail *t, const void *bytes, size_t size)
{
    const char *from = bytes;
    if (size > LOG_TAIL) {
        from += size - LOG_TAIL;
        size = LOG_TAIL;
    }
    size_t keep = t->size < LOG_TAIL - size ? t->size : LOG_TAIL - size;
    memmove(t->bytes, t->bytes + t->size - keep, keep);
    memcpy(t->bytes + keep, from, size);
    t->size = keep + size;
}

static void on_data(void *context, enum host_link_stream stream, const uint8_t *bytes, size_t size)
{
    struct session *s = context;
    if (!s->has_output) {
        trace_start(s, "the program's first output");
        s->has_output = true;
    }
    streams_put(&s->streams, stream, bytes, size);
}

static void on_log(void *context, const uint8_t *bytes, size_t size)
{
    struct session *s = context;
    tail_add(&s->log, bytes, size);
    if (s->log_file >= 0 && !write_all(s->log_file, bytes, size)) {
        complain("%s: %s", s->options->kernel_log, strerror(errno));
        close(s->log_file);
        s->log_file = -1;
    }
}

static void on_started(void *context, const struct host_link_started *started)
{
    struct session *s = context;
    trace_start(s, "the program's first instruction");
    s->started = true;
    s->deadline_ms = NEVER;
    if (s->options->time_ms > 0) {
        s->deadline_ms = now_ms() + s->options->time_ms;
        s->at_deadline = ENDING_TIME;
    }
    if (s->options->gdb && s->choice->machine == MACHINE_LINUX) {
        gdb_linux(s->manifest, s->qemu.pid, started->image_base);
    }
}

static void on_denial(void *context, const struct host_link_denial *denial)
{
    struct session *s = context;
    s->denials[s->denial_count++ % DENIALS_KEPT_HOST] = *denial;
}

static void on_fault(void *context, const struct host_link_fault *fault)
{
    struct session *s = context;
    s->fault = *fault;
    s->has_fault = true;
}

static void on_claim(void *context, bool claimed)
{
    struct session *s = context;
    s->interrupts_claimed = claimed;
}

/* The program has been told that nobody reads; one that does not care would never end. */
static void on_refused(void *context, enum host_link_stream stream)
{
    struct session *s = context;
    uint64_t until = now_ms() + NO_READER_MAX_MS;
    if (stream == HOST_LINK_STREAM_OUT && until < s->deadline_ms) {
        s->deadline_ms = until;
        s->at_deadline = ENDING_NO_READER;
    }
}

static void on_exit_record(void *context, const struct host_link_exit *exit)
{
    struct session *s = context;
    s->exit = *exit;
    s->has_exit = true;
    if (s->options->trace_start) {
        fprintf(
            stderr,
            "capos: machine time from the kernel's first instruction to the program's: %llu ns\n",
            (unsigned long long)exit->first_run_ns);
    }
    s->deadline_ms = NEVER; /* the program has ended; its reader may take its time */
    link_send(&s->link, HOST_LINK_EXIT_ACK, NULL, 0);
}

/* --- output, input, signals --- */

static void forward_output(struct session *s)
{
    size_t done = streams_flush(&s->streams);
    if (done > 0) {
        link_give_back(&s->link, done);
    }
    for (uint8_t stream = HOST_LINK_STREAM_OUT; stream <= HOST_LINK_STREAM_ERR; stream++) {
        if (s->streams.closed[stream] && !s->told_closed[stream] && !s->has_exit) {
            s->told_closed[stream] = true;
            link_send(&s->link, HOST_LINK_CLOSED, &stream, sizeof(stream));
        }
    }
    if (s->has_exit && streams_waiting(&s->streams) == HOST_LINK_STREAM_IN) {
        s->ending = ENDING_EXIT;
    }
}

static bool wants_input(const struct session *s)
{
    return !s->input_ended && s->link.input_credit > 0 && s->link.out_size == 0 && !s->has_exit;
}

static void forward_input(struct session *s)
{
    uint8_t bytes[HOST_LINK_MAX_PAYLOAD];
    size_t size = s->link.input_credit < sizeof(bytes) ? s->link.input_credit : sizeof(bytes);
    ssize_t got = streams_read(&s->streams, bytes, size);
    if (got > 0) {
        link_send(&s->link, HOST_LINK_STDIN, bytes, (uint32_t)got);
    } else if (got == 0) {
        s->input_ended = true;
        link_send(&s->link, HOST_LINK_STDIN_END, NULL, 0);
    }
}

static struct host_link_window window_size(void)
{
    struct winsize size;
    for (int fd = STDOUT_FILENO; fd >= STDIN_FILENO; fd--) {
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
            return (struct host_link_window){.columns = size.ws_col, .rows = size.ws_row};
        }
    }
    return (struct host_link_window){0};
}

/* Ctrl-Z: the machine stops with us and goes on with us. */
static void stop_together(struct session *s)
{
    kill(-s->qemu.pid, SIGSTOP); /* its group: the linux machine is several processes */
    raise(SIGSTOP);
    kill(-s->qemu.pid, SIGCONT);
}

static void take_signal(struct session *s)
{
    struct signalfd_siginfo info;
    if (read(s->signals, &info, sizeof(info)) != sizeof(info)) {
        return;
    }
    int number = (int)info.ssi_signo;
    if (number == SIGWINCH) {
        struct host_link_window window = window_size();
        link_send(&s->link, HOST_LINK_WINDOW, &window, sizeof(window));
    } else if (number == SIGTSTP) {
        stop_together(s);
    } else if (s->interrupts_claimed && (number == SIGINT || number == SIGQUIT)) {
        uint32_t kind = number == SIGINT ? HOST_LINK_INTERRUPT_INT : HOST_LINK_INTERRUPT_QUIT;
        link_send(&s->link, HOST_LINK_INTERRUPT, &kind, sizeof(kind));
    } else {
        s->ending = ENDING_SIGNAL;
        s->signal = number;
    }
}

static void take_text(struct session *s, int *fd, struct tail *tail)
{
    uint8_t bytes[4096];
    ssize_t got = read(*fd, bytes, sizeof(bytes));
    if (got > 0 && tail == &s->log) {
        on_log(s, bytes, (size_t)got);
    } else if (got > 0) {
        tail_add(tail, bytes, (size_t)got);
    } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
}

static void take_link(struct session *s)
{
    const struct link_events events = {.context = s,
                                       .data = on_data,
                                       .log = on_log,
                                       .started = on_started,
                                       .denial = on_denial,
                                       .fault = on_fault,
                                       .claim = on_claim,
                                       .refused = on_refused,
                                       .exit = on_exit_record};
    bool greeted = s->link.greeted;
    enum link_result result = link_receive(&s->link, &events);
    if (!greeted && s->link.greeted) {
        trace_start(s, "the kernel's first word");
        s->deadline_ms = s->started ? s->deadline_ms : NEVER;
    }
    if (result == LINK_BROKEN) {
        s->ending = ENDING_PROTOCOL;
    } else if (result == LINK_CLOSED && !s->has_exit) {
        s->ending = ENDING_LOST;
    } else if (result == LINK_CLOSED) { /* the machine has ended; its output may still be queued */
        close(s->link.fd);
        s->link.fd = -1;
    }
}

/* --- the loop --- */

enum slot { SLOT_LINK, SLOT_SIGNALS, SLOT_SERIAL, SLOT_ERRORS, SLOT_IN, SLOT_OUT, SLOT_ERR, SLOTS };

static void fill_slots(const struct session *s, struct pollfd *slots)
{
    enum host_link_stream waiting = streams_waiting(&s->streams);
    slots[SLOT_LINK] = (struct pollfd){
        .fd = s->link.fd, .events = (short)(POLLIN | (s->link.out_size ? POLLOUT : 0))};
    slots[SLOT_SIGNALS] = (struct pollfd){.fd = s->signals, .events = POLLIN};
    slots[SLOT_SERIAL] = (struct pollfd){.fd = s->qemu.serial, .events = POLLIN};
    slots[SLOT_ERRORS] = (struct pollfd){.fd = s->qemu.errors, .events = POLLIN};
    slots[SLOT_IN] = (struct pollfd){.fd = wants_input(s) ? STDIN_FILENO : -1, .events = POLLIN};
    for (int i = 1; i <= 2; i++) { /* without events: tells when the reader is gone */
        bool closed = s->streams.closed[i];
        slots[SLOT_IN + i] = (struct pollfd){
            .fd = closed ? -1 : i, .events = (int)waiting == i ? POLLOUT : 0};
    }
}

static int wait_ms(const struct session *s)
{
    if (s->streams.closed[HOST_LINK_STREAM_IN] && wants_input(s)) {
        return 0;
    }
    if (s->deadline_ms == NEVER) {
        return -1;
    }
    uint64_t now = now_ms();
    uint64_t left = s->deadline_ms > now ? s->deadline_ms - now : 0;
    return left < 1000000 ? (int)left : 1000000;
}

static void run_once(struct session *s)
{
    struct pollfd slots[SLOTS];
    fill_slots(s, slots);
    if (poll(slots, SLOTS, wait_ms(s)) < 0 && errno != EINTR) {
        fail(TOOL_FAILED, "poll: %s", strerror(errno));
    }
    for (int i = HOST_LINK_STREAM_OUT; i <= HOST_LINK_STREAM_ERR; i++) {
        if ((slots[SLOT_IN + i].revents & (POLLERR | POLLNVAL)) != 0) {
            streams_close(&s->streams, (enum host_link_stream)i, EPIPE);
        }
    }
    if (slots[SLOT_SERIAL].revents != 0) {
        take_text(s, &s->qemu.serial, &s->log);
    }
    if (slots[SLOT_ERRORS].revents != 0) {
        take_text(s, &s->qemu.errors, &s->errors);
    }
    if (slots[SLOT_LINK].revents != 0) {
        link_flush(&s->link);
        take_link(s);
    }
    if (slots[SLOT_SIGNALS].revents != 0) {
        take_signal(s);
    }
    if (wants_input(s) && (slots[SLOT_IN].revents != 0 || s->streams.closed[HOST_LINK_STREAM_IN])) {
        forward_input(s);
    }
    if (s->ending == ENDING_NONE) {
        forward_output(s);
    }
    if (s->ending == ENDING_NONE && now_ms() >= s->deadline_ms) {
        s->ending = s->at_deadline;
    }
}

/* The signals that we act on come through a descriptor; that a child has ended is waited for. */
static int catch_signals(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP};
    sigset_t set;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        struct sigaction old;
        /* Who started us with a signal ignored (nohup) wants it ignored. */
        if (sigaction(numbers[i], NULL, &old) != 0 || old.sa_handler != SIG_IGN) {
            sigaddset(&set, numbers[i]);
        }
    }
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return fd;
}

/* Until a child has ended, or that time has come. */
static void await_child(uint64_t until_ms)
{
    uint64_t now = now_ms(), left_ms = until_ms > now ? until_ms - now : 0;
    struct timespec left = {(time_t)(left_ms / 1000), (long)(left_ms % 1000) * 1000000};
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    sigtimedwait(&child, NULL, &left);
}

/* The processes of the linux machine die with its kernel and become ours, which begin() has asked
 * for: in a container there may be nobody else who takes note. */
static void reap_rest(void)
{
    uint64_t until = now_ms() + END_MAX_MS;
    pid_t ended;
    while ((ended = waitpid(-1, NULL, WNOHANG)) > 0 || (ended == 0 && now_ms() < until)) {
        if (ended == 0) {
            await_child(until);
        }
    }
}

/* Ends the machine if it does not end by itself, and reads what it still had to say. */
static void end_machine(struct session *s)
{
    uint64_t until = now_ms() + END_MAX_MS;
    bool orderly = s->ending == ENDING_EXIT || s->ending == ENDING_LOST;
    bool killed = false;
    pid_t ended = 0;
    while (ended == 0) {
        ended = waitpid(s->qemu.pid, &s->qemu_status, killed ? 0 : WNOHANG);
        if (ended == 0 && (!orderly || now_ms() >= until)) {
            kill(-s->qemu.pid, SIGKILL); /* its group, as above */
            killed = true;
        } else if (ended == 0) {
            await_child(until);
        } else if (ended < 0 && errno == EINTR) {
            ended = 0;
        }
    }
    reap_rest();
    for (int i = 0; i < 64 && s->qemu.serial >= 0; i++) {
        take_text(s, &s->qemu.serial, &s->log);
    }
    for (int i = 0; i < 16 && s->qemu.errors >= 0; i++) {
        take_text(s, &s->qemu.errors, &s->errors);
    }
}

static int open_log(const char *path)
{
    if (path == NULL) {
        return -1;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) {
        fail(TOOL_USAGE, "--kernel-log %s: %s", path, strerror(errno));
    }
    return fd;
}

static void begin(struct session *s, struct bytes package, const struct folders *folders)
{
    struct host_link_host_hello hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION};
    bool is_linux = s->choice->machine == MACHINE_LINUX;
    struct qemu_options qemu = {.machine = s->choice->machine,
                                .kernel = path_in_root(is_linux ? "build/linux/capos-kernel"
                                                                : "build/x86_64/kernel.elf"),
                                .package = package,
                                .folders = folders,
                                .memory = s->options->memory,
                                .cpus = s->options->cpus,
                                .accel = s->choice->accel,
                                .gdb = s->options->gdb};
    if (s->options->gdb && !is_linux) {
        qemu.gdb_socket = gdb_socket();
    }
    streams_begin(&s->streams);
    for (int fd = 0; fd < 3; fd++) {
        hello.terminal = (uint8_t)(hello.terminal | (isatty(fd) != 0) << fd);
    }
    hello.window = window_size();
    s->log_file = open_log(s->options->kernel_log);
    s->signals = catch_signals();
    s->start_ms = now_ms();
    s->deadline_ms = s->start_ms + SILENCE_MAX_MS;
    s->at_deadline = ENDING_SILENT;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    s->qemu = qemu_start(&qemu);
    link_begin(&s->link, s->qemu.link, &hello);
    if (qemu.gdb_socket != NULL) {
        gdb_qemu(s->manifest, qemu.gdb_socket);
        s->deadline_ms = NEVER;
    }
}

/* Why the linux machine ended before its kernel's first word, if this host is the reason: it had no
 * part in anything yet. */
static const char *host_problem(const struct session *s)
{
    int status = s->qemu_status, error = 0, read = 0;
    if (s->choice->machine != MACHINE_LINUX || s->link.greeted || s->ending != ENDING_LOST ||
        (WIFEXITED(status) && WEXITSTATUS(status) == QEMU_EXIT_STATUS(QEMU_EXIT_PANIC))) {
        return NULL;
    }
    char *line = format("%.*s", (int)s->errors.size, s->errors.bytes);
    char *text = strstr(line, ": ") != NULL ? strstr(line, ": ") + 2 : line; /* its own name */
    text[strcspn(text, "\n")] = 0;
    char *tail = strstr(text, " (error ");
    if (tail != NULL && sscanf(tail, " (error %d)%n", &error, &read) == 1 && tail[read] == 0) {
        *tail = 0;
        return error != 0 ? format("%s: %s", text, strerror(error)) : text;
    }
    return text[0] != 0         ? text
           : WIFSIGNALED(status) ? format("ended by signal %d (%s)", WTERMSIG(status),
                                          strsignal(WTERMSIG(status)))
                                 : format("its kernel ended with status %d", WEXITSTATUS(status));
}

const char *session_try_linux(struct bytes package)
{
    struct run_options options = {.cpus = 1, .memory = TRY_MEMORY};
    struct machine_choice choice = {.machine = MACHINE_LINUX};
    struct session *s = allocate(sizeof(*s));
    s->options = &options;
    s->choice = &choice;
    begin(s, package, NULL);
    while (s->ending == ENDING_NONE && !s->link.greeted) {
        run_once(s);
    }
    bool came_up = s->link.greeted;
    end_machine(s);
    close(s->signals);
    return came_up ? NULL : host_problem(s) != NULL ? host_problem(s) : "it does not come up";
}

int session_run(const struct run_options *options, const struct manifest *manifest,
                struct bytes package, const struct machine_choice *choice,
                const struct folders *folders)
{
    struct session *s = allocate(sizeof(*s));
    struct termios terminal;
    s->options = options;
    s->manifest = manifest;
    s->choice = choice;
    begin(s, package, folders);
    bool is_terminal = tcgetattr(STDIN_FILENO, &terminal) == 0;
    while (s->ending == ENDING_NONE) {
        run_once(s);
    }
    end_machine(s);
    gdb_end();
    if (is_terminal && tcgetpgrp(STDIN_FILENO) == getpgrp()) { /* else it would stop us */
        tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    }
    const char *problem = host_problem(s);
    if (problem != NULL) {
        struct machine_choice other = machine_instead(choice, problem);
        close(s->signals); /* the next session has its own */
        return session_run(options, manifest, package, &other, folders);
    }
    return report(s);
}
