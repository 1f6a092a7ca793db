/*
 * exit.c: the ways a program ends, their handlers, and getenv. Handlers run in the reverse of their
 * order, without the lock, so that they may register more.
 */
#include "lib/capos/libc/platform.h"
#include <stdlib.h>
#include <string.h>

/* The standard asks for 32; more than this is refused. */
#define HANDLERS_MAX 64
/* What a shell shows for a program that ended by abort. */
#define ABORT_STATUS 134

struct handlers {
    uint32_t lock;
    unsigned count;
    void (*handler[HANDLERS_MAX])(void);
};

static struct handlers at_exit;
static struct handlers at_quick_exit_handlers;
void (*platform_flush_at_exit)(void);

static int add(struct handlers *handlers, void (*handler)(void))
{
    platform_lock(&handlers->lock);
    bool room = handlers->count < HANDLERS_MAX;
    if (room) {
        handlers->handler[handlers->count++] = handler;
    }
    platform_unlock(&handlers->lock);
    return room ? 0 : -1;
}

static void run(struct handlers *handlers)
{
    platform_lock(&handlers->lock);
    while (handlers->count > 0) {
        void (*handler)(void) = handlers->handler[--handlers->count];
        platform_unlock(&handlers->lock);
        handler();
        platform_lock(&handlers->lock);
    }
    platform_unlock(&handlers->lock);
}

int atexit(void (*handler)(void))
{
    return add(&at_exit, handler);
}

int at_quick_exit(void (*handler)(void))
{
    return add(&at_quick_exit_handlers, handler);
}

void exit(int status)
{
    run(&at_exit);
    if (platform_flush_at_exit != NULL) {
        platform_flush_at_exit();
    }
    platform_exit(status);
}

void quick_exit(int status)
{
    run(&at_quick_exit_handlers);
    platform_exit(status);
}

void _Exit(int status)
{
    platform_exit(status);
}

void abort(void)
{
    platform_exit(ABORT_STATUS);
}

char *getenv(const char *name)
{
    size_t length = strlen(name);
    for (char **entry = capos_environment; entry != NULL && *entry != NULL; entry++) {
        if (strncmp(*entry, name, length) == 0 && (*entry)[length] == '=') {
            return *entry + length + 1;
        }
    }
    return NULL;
}
