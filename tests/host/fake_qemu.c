/* A QEMU that boots nothing: it speaks the host link as a broken or hostile machine would, for
 * tests/host/machine.sh, and tells tests/host/choice.sh whether it was started with KVM. FAKE says
 * how. The link is descriptor 3, the serial port 4. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/host_link.h"
#include "abi/qemu.h"

static void put(int fd, const void *bytes, size_t size)
{
    const char *from = bytes;
    while (size > 0) {
        ssize_t done = write(fd, from, size);
        if (done <= 0) {
            _exit(9);
        }
        from += done;
        size -= (size_t)done;
    }
}

static void say(uint8_t type, const void *payload, uint32_t size)
{
    struct host_link_header header = {.type = type, .length = size};
    put(3, &header, sizeof(header));
    put(3, payload, size);
}

static void hello(void)
{
    struct host_link_machine_hello hello = {.magic = HOST_LINK_MAGIC, .version = HOST_LINK_VERSION};
    say(HOST_LINK_HELLO, &hello, sizeof(hello));
    struct host_link_started started = {.image_base = 0x1000};
    say(HOST_LINK_STARTED, &started, sizeof(started));
}

static void say_exit(uint32_t kind, uint32_t code)
{
    struct host_link_exit exit = {.kind = kind, .code = code, .process = 2};
    say(HOST_LINK_EXIT, &exit, sizeof(exit));
    char bytes[64];
    while (read(3, bytes, sizeof(bytes)) > 0) { /* until capos has had enough of us */
    }
}

static void serial(const char *text)
{
    put(4, text, strlen(text));
}

static bool has_word(int argc, char **argv, const char *part)
{
    for (int i = 1; i < argc; i++) {
        if (strstr(argv[i], part) != NULL) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    static uint8_t zero[HOST_LINK_MAX_PAYLOAD];
    const char *fake = getenv("FAKE");
    fake = fake != NULL ? fake : "";
    if (has_word(argc, argv, "probe.elf")) { /* of KVM */
        return strcmp(fake, "no-kvm") == 0 ? 1 : QEMU_EXIT_STATUS(QEMU_EXIT_PROBE);
    }
    if (strcmp(fake, "kvm") == 0 || strcmp(fake, "no-kvm") == 0) {
        hello();
        say_exit(HOST_LINK_EXITED, has_word(argc, argv, "kvm") ? 11 : 12);
    } else if (strcmp(fake, "refuse") == 0) {
        fputs("qemu: the machine does not please me\n", stderr);
        return 1;
    } else if (strcmp(fake, "panic") == 0) {
        serial("panic: everything is wrong\n");
        return QEMU_EXIT_STATUS(QEMU_EXIT_PANIC);
    } else if (strcmp(fake, "vanish") == 0) {
        hello();
        return 0;
    } else if (strcmp(fake, "crash") == 0) {
        hello();
        abort();
    }
    hello();
    if (strcmp(fake, "garbage") == 0) {
        put(3, "this is not the protocol", 24);
    } else if (strcmp(fake, "flood") == 0) {
        for (;;) {
            say(HOST_LINK_STDOUT, zero, sizeof(zero)); /* whatever the credit */
        }
    } else if (strcmp(fake, "log-flood") == 0) {
        for (int i = 0; i < 20000; i++) {
            say(HOST_LINK_LOG, "a line of the log\n", 18);
        }
        say_exit(HOST_LINK_EXITED, 3);
    } else if (strcmp(fake, "linger") == 0) {
        say(HOST_LINK_STDOUT, "bye\n", 4);
        say_exit(HOST_LINK_EXITED, 4);
        sleep(1000);
    } else {
        static const char *const names[] = {"exited", "faulted", "terminated", "denied",
                                            "budget", "panicked", "boot", "unknown"};
        for (uint32_t kind = 0; kind < 8; kind++) {
            if (strcmp(fake, names[kind]) == 0) {
                say_exit(kind, kind == 0 ? 0x105 : 0);
            }
        }
    }
    pause();
    return 0;
}
