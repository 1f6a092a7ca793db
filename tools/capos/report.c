/* How a run ended, in words and as a status. The last line about a denial is exactly what to add to
 * the command line, and nothing follows it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "abi/gen/interfaces.h"
#include "abi/qemu.h"
#include "abi/upcall.h"
#include "lib/wire/gen/names.h"
#include "tools/capos/session.h"

enum status_code {
    STATUS_CODE_TIME = 124,
    STATUS_CODE_DENIED = 126,
    STATUS_CODE_SIGNAL = 128, /* plus its number */
    STATUS_CODE_PANICKED = 134,
    STATUS_CODE_BUDGET = 137,
    STATUS_CODE_FAULT = 139,
    STATUS_CODE_NO_READER = 141,
};

#define LOG_LINES_SHOWN 40

/* The last lines of the log, indented. */
static void print_tail(const struct tail *tail, uint32_t lines)
{
    size_t start = tail->size;
    while (start > 0 && lines > 0) {
        start--;
        lines -= start > 0 && tail->bytes[start - 1] == '\n';
    }
    bool at_start = true;
    for (size_t i = start; i < tail->size; i++) {
        char c = tail->bytes[i];
        if (at_start) {
            fputs("    ", stderr);
        }
        fputc(c == '\n' || c == '\t' || (c >= ' ' && c != 0x7f) ? c : '?', stderr);
        at_start = c == '\n';
    }
    if (!at_start) {
        fputc('\n', stderr);
    }
}

/* --- faults --- */

/* How far below the stack pointer a function may first touch its frame. */
#define STACK_REACH (64 * 1024u)

static const char *cause_words(const struct host_link_fault *f)
{
    switch ((enum upcall_cause)f->cause) {
    case UPCALL_PAGE_FAULT:
        return f->access == UPCALL_ACCESS_WRITE     ? "wrote to memory that it may not write"
               : f->access == UPCALL_ACCESS_EXECUTE ? "jumped to memory that it may not execute"
                                                    : "read memory that it may not read";
    case UPCALL_DIVIDE:
        return "divided by zero, or a quotient was too large";
    case UPCALL_ILLEGAL_INSTRUCTION:
        return "executed an instruction that the processor does not know";
    case UPCALL_BREAKPOINT:
        return "executed a breakpoint";
    case UPCALL_PROTECTION:
        return "executed an instruction that a program may not execute, or used an address that "
               "cannot be";
    case UPCALL_FLOATING_POINT:
        return "made a floating-point error that it had asked to be told of";
    case UPCALL_FOREIGN_SYSCALL:
        return "made a system call of another system";
    case UPCALL_INTERRUPT:
        return "was interrupted and had no handler";
    }
    return "was stopped by the processor";
}

static const char *binary_path(const struct session *s, const char *name)
{
    for (uint32_t i = 0; i < s->manifest->binary_count; i++) {
        if (strcmp(s->manifest->binaries[i].name, name) == 0) {
            return s->manifest->binaries[i].path;
        }
    }
    return NULL;
}

static void print_backtrace(const struct session *s, const struct host_link_fault *f)
{
    const char *path = binary_path(s, f->binary);
    fprintf(stderr, "\n  at %s\n", symbolise(path, f->image_base, f->instruction, false));
    if (symbolise_frameless(path, f->image_base, f->instruction, f->stack_word)) {
        fprintf(stderr, "  from %s\n", symbolise(path, f->image_base, f->stack_word, true));
    }
    for (uint32_t i = 0, same; i < f->frame_count; i += same) {
        for (same = 1; i + same < f->frame_count && f->frames[i + same] == f->frames[i]; same++) {
        }
        fprintf(stderr, "  from %s", symbolise(path, f->image_base, f->frames[i], true));
        if (same > 1) { /* a recursion */
            fprintf(stderr, ", %u times", same);
        }
        fputc('\n', stderr);
    }
}

/* What a page fault's address says about its cause. */
static const char *address_words(const struct host_link_fault *f)
{
    uint64_t below = f->stack_pointer - f->address;
    if (f->address < USER_BASE) {
        return " (a null pointer)";
    }
    /* Memory around the stack pointer is only ever missing where the stack ends. */
    return below < STACK_REACH || -below < PAGE_SIZE ? " (the stack is used up)" : "";
}

/* Whether the last that the program was refused was a budget: it may not have seen a NULL. */
static bool was_exhausted(const struct session *s)
{
    const struct host_link_denial *d = &s->denials[(s->denial_count - 1) % DENIALS_KEPT_HOST];
    return s->denial_count > 0 && d->process == s->exit.process
           && d->reason == HOST_LINK_EXHAUSTED;
}

static int report_fault(const struct session *s)
{
    const struct host_link_fault *f = &s->fault;
    if (!s->has_fault) {
        complain("the program faulted; the machine did not say where");
        return STATUS_CODE_FAULT;
    }
    complain("%s faulted", f->process_name[0] != 0 ? f->process_name : "the program");
    fprintf(stderr, "\nThe program %s", cause_words(f));
    if (f->cause == UPCALL_PAGE_FAULT) {
        fprintf(stderr, ": address %#llx%s", (unsigned long long)f->address,
                address_words(f));
    } else if (f->cause == UPCALL_FOREIGN_SYSCALL) {
        fprintf(stderr, ": number %llu", (unsigned long long)f->address);
    }
    fputs(".\n", stderr);
    print_backtrace(s, f);
    if (was_exhausted(s)) {
        fputs("\nIt had asked for more than its budget had before: an answer that was not looked "
              "at?\n"
              "`--mem SIZE` gives the machine another size.\n",
              stderr);
    }
    return STATUS_CODE_FAULT;
}

/* --- denials --- */

static const char *reason_words(uint8_t reason)
{
    static const char *const words[] = {
        [HOST_LINK_NOT_GRANTED] = "was not granted",
        [HOST_LINK_WRONG_TYPE] = "is of another type than the one it was used as",
        [HOST_LINK_ATTENUATED] = "was granted only in part, and this part was not",
        [HOST_LINK_REVOKED] = "was granted and has been taken back",
        [HOST_LINK_EXHAUSTED] = "is used up",
        [HOST_LINK_UNSUPPORTED] = "is not supported",
    };
    return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : "was refused";
}

/* "Timer.now" or "Timer"; NULL when no interface is named. */
static const char *method_name(const struct host_link_denial *d)
{
    const struct wire_interface_info *info = wire_interface_find(d->interface_id);
    if (info == NULL) {
        return d->interface_id != 0 ? format("interface %#llx", (unsigned long long)d->interface_id)
                                    : NULL;
    }
    return d->method < info->method_count
               ? format("%s.%s", info->name, info->methods[d->method].name)
               : info->name;
}

/* NAME or NAME=SPEC of a grant that there is; it is in *view. A runtime may name any. */
static bool is_grant(const char *text, struct grant_view *view)
{
    for (uint32_t i = 0; i < grants_count(); i++) {
        *view = grants_at(i);
        size_t size = strlen(view->name);
        if (strncmp(text, view->name, size) == 0 && (text[size] == 0 || text[size] == '=')) {
            return true;
        }
    }
    return false;
}

/* What --grant would have allowed it; NULL: none would, or none is known. */
static const char *missing_grant(const struct host_link_denial *d, struct grant_view *view)
{
    if (d->reason != HOST_LINK_NOT_GRANTED && d->reason != HOST_LINK_ATTENUATED) {
        return NULL;
    }
    if (is_grant(d->grant, view)) {
        return d->grant;
    }
    const char *by_interface = grants_for_interface(d->interface_id);
    if (by_interface != NULL) {
        return is_grant(by_interface, view) ? by_interface : NULL;
    }
    return is_grant(d->name, view) ? d->name : NULL;
}

/* The folder that was granted only to read and is meant: the one that the record names, or the only
 * one. NULL: it could be any. */
static const struct manifest_grant *read_only_folder(const struct session *s,
                                                     const struct host_link_denial *d)
{
    const struct manifest_grant *only = NULL;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->manifest->grant_count; i++) {
        const struct manifest_grant *g = &s->manifest->grants[i];
        if (g->host == NULL || g->spec[0] == 0) {
            continue;
        }
        if (strcmp(g->name, d->name) == 0 || strcmp(g->name, d->grant) == 0) {
            return g;
        }
        only = g;
        count++;
    }
    return count == 1 ? only : NULL;
}

/* The last line about a folder: what to type, with what only the user knows in capitals. */
static char *folder_to_add(const struct session *s, const struct host_link_denial *d,
                           const struct grant_view *view)
{
    if (d->reason == HOST_LINK_ATTENUATED) {
        const struct manifest_grant *g = read_only_folder(s, d);
        return g != NULL ? format("without :ro: --dir %s::%s", g->host, g->name)
                         : format("without :ro: --dir HOST[::GUEST]");
    }
    const char *place = d->name[0] == '/' ? d->name : d->grant;
    return place[0] == '/' ? format("add: --dir HOST::%s", place)
                           : format("add: --dir %s", view->spec);
}

/* The same about any grant. A SPEC in brackets may be left out. */
static char *what_to_add(const struct session *s, const struct host_link_denial *d,
                         const char *grant, const struct grant_view *view)
{
    if (strcmp(view->interface, MANIFEST_DIRECTORY) == 0) {
        return folder_to_add(s, d, view);
    }
    bool lacks_spec = strchr(grant, '=') == NULL && view->spec[0] != 0 && view->spec[0] != '[';
    return format("add: --grant %s%s%s", grant, lacks_spec ? "=" : "",
                  lacks_spec ? view->spec : "");
}

/* The last denial of the process that ended, or of any. */
static const struct host_link_denial *last_denial(const struct session *s)
{
    uint32_t kept = s->denial_count < DENIALS_KEPT_HOST ? s->denial_count : DENIALS_KEPT_HOST;
    for (uint32_t back = 1; back <= kept; back++) {
        const struct host_link_denial *d =
            &s->denials[(s->denial_count - back) % DENIALS_KEPT_HOST];
        if (d->process == s->exit.process) {
            return d;
        }
    }
    return kept > 0 ? &s->denials[(s->denial_count - 1) % DENIALS_KEPT_HOST] : NULL;
}

static int report_denial(const struct session *s)
{
    const struct host_link_denial *d = last_denial(s);
    if (d == NULL) {
        complain("the program was refused something and ended; it did not say what");
        return STATUS_CODE_DENIED;
    }
    const char *method = method_name(d);
    struct grant_view view;
    const char *grant = missing_grant(d, &view);
    const char *what = d->name[0] != 0 ? format("\"%s\"", d->name)
                       : method != NULL ? method
                                        : "a capability";
    complain("%s was denied: %s %s", d->process_name[0] != 0 ? d->process_name : "the program",
             what, reason_words(d->reason));
    fprintf(stderr, "\nThe program asked for %s%s%s%s, and ended because it %s.\n", what,
            method != NULL && d->name[0] != 0 ? " to call " : "",
            method != NULL && d->name[0] != 0 ? method : "", "", reason_words(d->reason));
    if (grant != NULL) {
        fprintf(stderr, "The grant %s lets a program %s.\n\n", view.name, view.allows);
        fprintf(stderr, "%s\n", what_to_add(s, d, grant, &view));
    }
    return STATUS_CODE_DENIED;
}

/* --- the rest --- */

static const char *budget_words(uint32_t status)
{
    switch (status) {
    case STATUS_FRAMES_EXHAUSTED:
        return "memory";
    case STATUS_SLOTS_EXHAUSTED:
        return "places for capabilities";
    case STATUS_THREADS_EXHAUSTED:
        return "threads";
    case STATUS_CALLS_EXHAUSTED:
        return "calls in flight";
    case STATUS_BYTES_EXHAUSTED:
        return "memory in the kernel";
    case STATUS_MAPPINGS_EXHAUSTED:
        return "mappings";
    default:
        return "its budget";
    }
}

static int report_budget(const struct session *s)
{
    const char *what = budget_words(s->exit.code);
    complain("the program ran out of %s", what);
    fprintf(stderr, "\nThe program needed more %s than its budget had", what);
    if (s->exit.limit > 0) {
        fprintf(stderr, " (the limit was %llu)", (unsigned long long)s->exit.limit);
    }
    fprintf(stderr, ". The machine has %llu MiB; `--mem SIZE` gives it another size.\n",
            (unsigned long long)s->options->memory >> 20);
    return STATUS_CODE_BUDGET;
}

static int report_exit(const struct session *s)
{
    switch ((enum host_link_exit_kind)s->exit.kind) {
    case HOST_LINK_EXITED:
        return (int)(s->exit.code & 0xff);
    case HOST_LINK_FAULTED:
        return report_fault(s);
    case HOST_LINK_DENIED:
        return report_denial(s);
    case HOST_LINK_OUT_OF_BUDGET:
        return report_budget(s);
    case HOST_LINK_TERMINATED:
        complain("the program was ended by another that held its handle");
        return STATUS_CODE_SIGNAL + SIGTERM;
    case HOST_LINK_PANICKED:
        complain("the program's runtime could not go on");
        fputs("\nIt found an error of the program or of itself. Its last words, and the "
              "kernel's:\n\n",
              stderr);
        print_tail(&s->log, 5);
        return STATUS_CODE_PANICKED;
    case HOST_LINK_BOOT_FAILED:
        complain("the program could not be started");
        fputs("\ninit did not get as far as the program's first instruction. The log's end:\n\n",
              stderr);
        print_tail(&s->log, LOG_LINES_SHOWN);
        return TOOL_FAILED;
    }
    complain("the machine ended in a way that this capos does not know (%u)", s->exit.kind);
    return TOOL_FAILED;
}

static const char *runner(const struct session *s)
{
    return s->choice->machine == MACHINE_LINUX ? "the linux machine" : "QEMU";
}

static int report_lost(const struct session *s)
{
    int status = s->qemu_status;
    if (WIFEXITED(status) && WEXITSTATUS(status) == QEMU_EXIT_STATUS(QEMU_EXIT_PANIC)) {
        complain("kernel panic: a mistake in capOS, not in the program. The kernel's log:");
    } else if (s->errors.size > 0) {
        complain("%s could not run the machine:", runner(s));
        print_tail(&s->errors, LOG_LINES_SHOWN);
        return TOOL_FAILED;
    } else if (WIFSIGNALED(status)) {
        complain("%s was ended by signal %d (%s). The kernel's log:", runner(s),
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        complain("the machine ended without saying how (%s's status %d). The kernel's log:",
                 runner(s), WEXITSTATUS(status));
    }
    fputc('\n', stderr);
    print_tail(&s->log, LOG_LINES_SHOWN);
    return TOOL_FAILED;
}

static int report_signal(const struct session *s)
{
    const char *what = s->signal == SIGINT    ? "interrupted (Ctrl-C)"
                       : s->signal == SIGTERM ? "asked to end (SIGTERM)"
                       : s->signal == SIGHUP  ? "the terminal is gone (SIGHUP)"
                                              : "asked to quit (SIGQUIT)";
    complain("%s; the machine has been ended", what);
    return STATUS_CODE_SIGNAL + s->signal;
}

/* An output that failed for another reason than that its reader left. */
static void report_outputs(const struct session *s)
{
    static const char *const names[] = {"standard input", "standard output", "standard error"};
    for (int i = 0; i < 3; i++) {
        int error = s->streams.error[i];
        if (error != 0 && error != EPIPE && error != EBADF) {
            complain("%s: %s", names[i], strerror(error));
        }
    }
}

int report(const struct session *s)
{
    report_outputs(s);
    switch (s->ending) {
    case ENDING_EXIT:
        return report_exit(s);
    case ENDING_SIGNAL:
        return report_signal(s);
    case ENDING_TIME:
        complain("the time is up: %g second%s (--time)", (double)s->options->time_ms / 1000,
                 s->options->time_ms == 1000 ? "" : "s");
        fputs("\nThe program had not ended by then; the machine has been ended.\n", stderr);
        return STATUS_CODE_TIME;
    case ENDING_NO_READER:
        complain("ended: nobody reads the program's output any more, and it went on");
        return STATUS_CODE_NO_READER;
    case ENDING_SILENT:
        complain("the kernel said nothing within a minute. Its serial port and QEMU's errors:");
        print_tail(&s->log, LOG_LINES_SHOWN);
        print_tail(&s->errors, LOG_LINES_SHOWN);
        return TOOL_FAILED;
    case ENDING_PROTOCOL:
        complain("the machine broke the host link's protocol: %s", s->link.problem);
        print_tail(&s->log, LOG_LINES_SHOWN);
        return TOOL_FAILED;
    default:
        return report_lost(s);
    }
}
