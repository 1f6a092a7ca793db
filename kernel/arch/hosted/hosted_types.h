/* What hosted.h keeps in an address space. */
#pragma once

#include <stdint.h>

struct hosted_breaks {   /* of sharing, by writing after a fork */
    uint64_t start, end; /* of what was broken last */
    uint32_t pages;      /* that were to be broken at once then */
};
