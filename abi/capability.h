/* Capability ids: 20 bits of slot, 12 bits of generation. Slot 0 is never used, so the id 0
 * names nothing.
 *
 * A process finds in its table, all with generation 1: its own objects in slots 1 to 4, and the
 * grants of its parent from CAP_SLOT_FIRST_GRANT on, in the parent's order. So a parent knows
 * the ids before the child exists and writes them into the child's start block. */
#pragma once

#include <stdint.h>

typedef uint32_t cap_id_t;

#define CAP_SLOT_BITS 20
#define CAP_SLOT_MASK ((1u << CAP_SLOT_BITS) - 1)
#define CAP_GENERATION_BITS 12
#define CAP_GENERATION_MAX ((1u << CAP_GENERATION_BITS) - 1)

#define CAP_ID(slot, generation) (((uint32_t)(generation) << CAP_SLOT_BITS) | (uint32_t)(slot))
#define CAP_ID_NONE 0u

enum cap_own_slot {
    CAP_SLOT_MEMORY = 1,  /* VirtualMemory */
    CAP_SLOT_THREADS = 2, /* ThreadSpawner */
    CAP_SLOT_THREAD = 3,  /* ThreadControl, of whichever thread calls it */
    CAP_SLOT_PARK = 4,    /* ParkSpace */
    CAP_SLOT_FIRST_GRANT = 5,
};

/* Their names in a CapSet. */
#define CAP_NAME_MEMORY "memory"
#define CAP_NAME_THREADS "threads"
#define CAP_NAME_THREAD "thread"
#define CAP_NAME_PARK "park"

/* One element of an entry's transfer array. In a CALL or RETURN the first transfer_count
 * elements name what is sent; with the completion the kernel writes there the ids of what was
 * received, up to transfer_max. */
enum cap_transfer_mode {
    CAP_TRANSFER_COPY = 0,
    CAP_TRANSFER_MOVE = 1,
};

struct cap_transfer {
    uint32_t cap;  /* cap_id_t */
    uint32_t mode; /* enum cap_transfer_mode; all other values are refused */
};

_Static_assert(sizeof(struct cap_transfer) == 8, "cap_transfer is two words of 32 bits");
