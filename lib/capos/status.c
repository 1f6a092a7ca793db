/*
 * status.c: names of statuses. Apart from the ring so that a program which asks for none does not
 * carry them.
 */
#include "lib/capos/include/capos.h"
#include "lib/wire/gen/names.h"

const char *capos_status_name(status_t status)
{
    uint32_t number = (uint32_t)status;
    return number < wire_enum_status.count ? wire_enum_status.names[number] : "unknown";
}
