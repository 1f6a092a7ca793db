/* Which acceleration to use. /dev/kvm may be there and yet not run an ordinary kernel, so a small
 * probe (probe.S) proves it first, in at most a second; its answer is remembered in the cache,
 * together with what it depends on: the machine, its kernel, and QEMU. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/qemu.h"
#include "tools/capos/command.h"
#include "tools/capos/qemu.h"

#define DEVICE "/dev/kvm"
#define PROBE_MS 1000
#define PROBE_MEMORY (16ull << 20)

/* What the answer depends on. */
static char *fingerprint(void)
{
    struct utsname name = {0};
    struct stat device = {0}, qemu = {0};
    struct bytes machine = {0};
    const char *qemu_path = qemu_look();
    uname(&name);
    stat(DEVICE, &device);
    stat(qemu_path, &qemu);
    if (!file_read("/etc/machine-id", &machine)) {
        machine = (struct bytes){.data = (uint8_t *)name.nodename, .size = strlen(name.nodename)};
    }
    size_t id_size = machine.size > 0 && machine.data[machine.size - 1] == '\n' ? machine.size - 1
                                                                                 : machine.size;
    return format("%.*s %s %s %s %lld %lld.%09ld %llx", (int)id_size, (const char *)machine.data,
                  name.release, name.version, qemu_path, (long long)qemu.st_size,
                  (long long)qemu.st_mtim.tv_sec, qemu.st_mtim.tv_nsec,
                  (unsigned long long)device.st_rdev);
}

static bool probe(void)
{
    struct qemu_options options = {.kernel = path_in_root("build/host/probe.elf"),
                                   .memory = PROBE_MEMORY,
                                   .cpus = 1,
                                   .accel = ACCEL_KVM,
                                   .no_link = true};
    uint64_t until = now_ms() + PROBE_MS;
    struct qemu qemu = qemu_start(&options);
    int status = 0;
    while (waitpid(qemu.pid, &status, WNOHANG) == 0) {
        struct pollfd end = {.fd = qemu.serial, .events = POLLIN};
        if (now_ms() >= until) {
            kill(qemu.pid, SIGKILL);
            waitpid(qemu.pid, &status, 0);
            break;
        }
        poll(&end, 1, 5);
    }
    close(qemu.serial);
    close(qemu.errors);
    return WIFEXITED(status) && WEXITSTATUS(status) == QEMU_EXIT_STATUS(QEMU_EXIT_PROBE);
}

static void remember(const char *cache, const char *line)
{
    char *fresh = format("%s.%d", cache, (int)getpid());
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    bool written = fd >= 0 && write_all(fd, line, strlen(line));
    if (fd >= 0) {
        close(fd);
    }
    if (!written || rename(fresh, cache) != 0) {
        unlink(fresh);
    }
}

/* Whether that is what was remembered. */
static bool recall(const char *cache, const char *line)
{
    struct bytes file;
    return cache != NULL && file_read(cache, &file) && file.size == strlen(line) &&
           memcmp(file.data, line, file.size) == 0;
}

/* Whether KVM runs an ordinary kernel here. */
static bool kvm_works(void)
{
    const char *cache = path_cache("kvm");
    char *print = fingerprint();
    char *yes = format("works %s\n", print), *no = format("fails %s\n", print);
    if (recall(cache, yes)) {
        return true;
    }
    if (recall(cache, no)) {
        return false;
    }
    bool works = probe();
    if (cache != NULL) {
        remember(cache, works ? yes : no);
    }
    return works;
}

/* From /etc/group alone: there the group of a device is, and a static program has no other. */
static const char *group_name(gid_t id)
{
    FILE *groups = fopen("/etc/group", "re");
    const char *name = NULL;
    for (struct group *g; groups != NULL && name == NULL && (g = fgetgrent(groups)) != NULL;) {
        name = g->gr_gid == id ? format("%s", g->gr_name) : NULL;
    }
    if (groups != NULL) {
        fclose(groups);
    }
    return name != NULL ? name : format("%u", id);
}

/* Why the device cannot be opened, in one line. */
static char *device_problem(int error)
{
    struct stat device;
    if (error == EACCES && stat(DEVICE, &device) == 0) {
        const char *name = group_name(device.st_gid);
        if ((device.st_mode & 060) == 060 && device.st_gid != 0) {
            return format(DEVICE " may not be opened: join the group %s (sudo usermod -aG %s "
                                 "\"$USER\", then log in again)",
                          name, name);
        }
        return format(DEVICE " may not be opened: it belongs to no group; give it to the group kvm "
                             "(sudo chgrp kvm " DEVICE "; sudo chmod 660 " DEVICE ") and join that "
                             "(sudo usermod -aG kvm \"$USER\", then log in again)");
    }
    return format(DEVICE ": %s", strerror(error));
}

bool accel_is_news(const char *name, const char *line)
{
    const char *cache = path_cache(name);
    char *kept = format("%s\n", line);
    if (cache == NULL || recall(cache, kept)) {
        return false;
    }
    remember(cache, kept);
    return true;
}

void accel_say_once(const char *name, const char *line)
{
    if (accel_is_news(name, line)) {
        complain("%s", line);
    }
}

const char *accel_kvm_problem(void)
{
    int fd = open(DEVICE, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? "there is no " DEVICE : device_problem(errno);
    }
    close(fd);
    if (qemu_look() == NULL) {
        return "there is no QEMU that would use " DEVICE;
    }
    return kvm_works() ? NULL : DEVICE " is there, but does not run an ordinary kernel";
}

enum accel accel_choose(enum accel wish)
{
    if (wish == ACCEL_TCG) {
        return ACCEL_TCG;
    }
    qemu_find(); /* or there is nothing to choose for */
    const char *problem = accel_kvm_problem();
    if (problem == NULL) {
        return ACCEL_KVM;
    }
    if (wish == ACCEL_KVM) {
        fail(TOOL_USAGE, "%s; `--accel tcg` emulates", problem);
    }
    /* Emulation is slow; who could have better is told so, once. */
    if (access(DEVICE, F_OK) == 0 && access(DEVICE, R_OK | W_OK) != 0) {
        accel_say_once("kvm-advice", format("%s; emulating, which is slower", problem));
    }
    return ACCEL_TCG;
}
