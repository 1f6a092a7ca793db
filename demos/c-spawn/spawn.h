/* What the two halves of the spawn demo share: the parent's checks, and the roles that the same
 * program plays as a child. */
#pragma once

#include <capos.h>
#include <stdio.h>
#include <string.h>

#include "abi/limits.h"
#include "lib/wire/gen/messages.h"

/* The first condition that does not hold ends the check. */
#define CHECK(condition)                               \
    do {                                               \
        if (!(condition)) {                            \
            spawn_why(__FILE__, __LINE__, #condition); \
            return false;                              \
        }                                              \
    } while (0)

#define CHECK_STATUS(expression, expected)                                  \
    do {                                                                    \
        status_t check_status = (expression);                               \
        if (check_status != (expected)) {                                   \
            spawn_why(__FILE__, __LINE__, capos_status_name(check_status)); \
            return false;                                                   \
        }                                                                   \
    } while (0)
#define CHECK_OK(expression) CHECK_STATUS(expression, STATUS_OK)

void spawn_why(const char *file, int line, const char *what);

extern cap_t spawn_spawner, spawn_image, spawn_timer;

/* This program again, in a role, with these grants. */
status_t spawn_role(const char *role, const char *argument, const struct capos_child_grant *grants,
                    size_t grant_count, cap_t *handle) CAPOS_MUST_CHECK;
/* The same, and its end; *status is valid until the next call. */
status_t spawn_and_wait(const char *role, const char *argument,
                        const struct capos_child_grant *grants, size_t grant_count,
                        struct wire_reader *status) CAPOS_MUST_CHECK;

/* In a child: plays the role and does not return. */
_Noreturn void spawn_child(int argc, char **argv, char **environment);

bool spawn_hostile_images(void);
bool spawn_hostile_requests(void);
