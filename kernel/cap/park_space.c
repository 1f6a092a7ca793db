/* ParkSpace: the name for PARK and UNPARK on the ring; it has no methods. The work is done in
 * kernel/core/park.c. */
#include "kernel/core/process.h"
#include "kernel/gen/dispatch.h"

const struct object_class park_space_class = {.interface = &park_space_interface,
                                              .destroy = process_own_destroy,
                                              .rebind = process_own_rebind};
