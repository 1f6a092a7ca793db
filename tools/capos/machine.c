/* Which machine a run gets, and why: QEMU with KVM where that really runs an ordinary kernel, else
 * the linux machine; QEMU's emulation only for who asks, or where nothing else runs.
 * docs/threat-model.md says what each is worth; a choice that nobody made is told, once. */
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "tools/capos/qemu.h"

#define INIT_PATH "build/x86_64/init.elf"
#define PAGE_ABOUT "docs/threat-model.md"
#define TIME_IS_OPEN "; on this host it leaves them the time-stamp counter, also without `timer`"
#define CPUID_VMX (1u << 5) /* leaf 1, ECX */
#define CPUID_SVM (1u << 2) /* leaf 0x80000001, ECX */

/* Whether KVM could be more than a device: worth a download. */
static bool processor_virtualises(void)
{
    unsigned a, b, c = 0, d;
    bool vmx = __get_cpuid(1, &a, &b, &c, &d) != 0 && (c & CPUID_VMX) != 0;
    return vmx || (__get_cpuid(0x80000001, &a, &b, &c, &d) != 0 && (c & CPUID_SVM) != 0);
}

static struct machine_choice with_qemu(const struct run_options *o)
{
    enum accel accel = accel_choose(o->accel);
    const char *problem = accel == ACCEL_TCG && o->accel != ACCEL_TCG ? accel_kvm_problem() : NULL;
    const char *reason = o->machine_asked;
    if (problem != NULL) {
        reason = format("%s; %s", reason, problem);
    } else if (o->accel == ACCEL_AUTO) {
        reason = format("%s; KVM works here", reason);
    }
    return (struct machine_choice){.machine = MACHINE_QEMU, .accel = accel, .reason = reason};
}

static sigjmp_buf refused;

static void on_refusal(int number)
{
    siglongjmp(refused, number);
}

bool machine_leaves_time_open(void)
{
    struct sigaction before, ours = {.sa_handler = on_refusal};
    sigaction(SIGSEGV, &ours, &before);
    bool open = prctl(PR_SET_TSC, PR_TSC_SIGSEGV) == 0 && sigsetjmp(refused, 1) == 0;
    if (open) {
        (void)__builtin_ia32_rdtsc();
    }
    prctl(PR_SET_TSC, PR_TSC_ENABLE);
    sigaction(SIGSEGV, &before, NULL);
    return open;
}

static struct machine_choice by_itself(const struct run_options *o)
{
    if (o->has_folders) { /* no other will do */
        return (struct machine_choice){.machine = MACHINE_LINUX,
                                       .reason = "only it has host folders so far"};
    }
    const char *problem = accel_kvm_problem();
    bool could_be = problem != NULL && access("/dev/kvm", R_OK | W_OK) == 0 &&
                    qemu_look() == NULL && processor_virtualises();
    if (could_be && accel_is_news("qemu-wanted", problem) && qemu_install() != NULL) {
        problem = accel_kvm_problem();
    }
    if (problem == NULL) {
        return (struct machine_choice){.machine = MACHINE_QEMU,
                                       .accel = ACCEL_KVM,
                                       .by_itself = true,
                                       .reason = "KVM works here"};
    }
    return (struct machine_choice){.machine = MACHINE_LINUX, .by_itself = true, .reason = problem};
}

struct machine_choice machine_choose(const struct run_options *o)
{
    if (o->machine == MACHINE_QEMU) {
        return with_qemu(o);
    }
    if (o->machine == MACHINE_LINUX) {
        return (struct machine_choice){.machine = MACHINE_LINUX, .reason = o->machine_asked};
    }
    struct machine_choice choice = by_itself(o);
    if (choice.machine == MACHINE_LINUX) {
        bool folders = o->has_folders;
        accel_say_once(folders ? "folders-advice" : "machine-advice",
                       format("%s, so programs run on %s; " PAGE_ABOUT
                              " says what that protects from%s",
                              folders ? "only the linux machine has host folders so far"
                                      : choice.reason,
                              folders ? "it" : "the linux machine",
                              machine_leaves_time_open() ? TIME_IS_OPEN : ""));
    }
    return choice;
}

static struct machine_choice emulated(const char *problem)
{
    return (struct machine_choice){.machine = MACHINE_QEMU,
                                   .accel = ACCEL_TCG,
                                   .reason = format("the linux machine cannot run here: %s",
                                                    problem)};
}

struct machine_choice machine_instead(const struct machine_choice *choice, const char *problem)
{
    struct machine_choice other = emulated(problem);
    if (!choice->by_itself) {
        fail(TOOL_FAILED, "%s", other.reason);
    }
    complain("%s; emulating with QEMU, which is slower (" PAGE_ABOUT ")", other.reason);
    qemu_find();
    return other;
}

struct machine_choice machine_choose_tried(const struct run_options *o)
{
    struct machine_choice choice =
        o->machine == MACHINE_AUTO ? by_itself(o) : machine_choose(o);
    if (choice.machine != MACHINE_LINUX) {
        return choice;
    }
    /* Any package will do: the machine is ended before a program would start. */
    struct manifest m = {.program = "nothing", .current_directory = "/"};
    manifest_add_binary(&m, (struct manifest_binary){"nothing", path_in_root(INIT_PATH)});
    const char *problem = session_try_linux(manifest_to_package(&m, path_in_root(INIT_PATH)));
    if (problem == NULL) {
        return choice;
    }
    struct machine_choice other = emulated(problem);
    if (!choice.by_itself) {
        fail(TOOL_FAILED, "%s", other.reason);
    }
    return other;
}

const char *machine_name(const struct machine_choice *choice)
{
    return choice->machine == MACHINE_LINUX ? "linux"
           : choice->accel == ACCEL_KVM     ? "qemu with KVM"
                                            : "qemu, emulated";
}

void machine_set_up(const struct run_options *o)
{
    struct machine_choice choice = machine_choose_tried(o);
    if (choice.machine == MACHINE_QEMU) {
        qemu_find();
    }
    complain("everything is there and built for the machine: %s (%s)", machine_name(&choice),
             choice.reason);
    complain("try: ./capos run demos/c-hello/hello.c -- world");
}
