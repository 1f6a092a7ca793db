/* Other programs: their words, and what they say. Never through a shell, since paths may be
 * anything. */
#pragma once

#include "tools/image/base.h"

#define COMMAND_WORDS_MAX 96 /* more than any command line of ours has */

struct command {
    const char *words[COMMAND_WORDS_MAX];
    uint32_t count;
};

void command_add(struct command *command, const char *word);
/* What it writes to standard output, and, if asked, to standard error, in one; a NUL follows. Its
 * standard input is empty, its language English. Returns its exit status; 127: it is not there. */
int command_output(const struct command *command, bool errors_too, struct bytes *output);

/* Of a clock that never goes back. */
uint64_t now_ms(void);
