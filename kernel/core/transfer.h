/* Transfers: the capabilities that ride on a CALL or RETURN.
 *
 * transfer_resolve() looks all of them up and begins the moves; from then on the record holds a
 * reference to each, and those that move are in transit. What follows is exactly one of:
 * transfer_deliver() (they go into a receiver's table, under ids that transfer_reserve() has
 * taken there), or transfer_end() (to nobody: moves are committed, and the object dropped, or
 * taken back under the same id). Nothing after transfer_resolve() and transfer_reserve() can
 * fail. Kernel lock held. */
#pragma once

#include "kernel/core/call.h"

struct address_space;

/* The `count` capabilities named at `address`. On an error nothing is held. */
status_t transfer_resolve(struct call *call, uint64_t address, uint32_t count) MUST_CHECK;
/* Slots for `count` capabilities, all or none; ids[i].cap is one, mode is 0. */
status_t transfer_reserve(struct cap_table *table, uint32_t count,
                          struct cap_transfer *ids) MUST_CHECK;
void transfer_unreserve(struct cap_table *table, uint32_t count, const struct cap_transfer *ids);
/* Writes the ids where the receiver wants them. Error: badAddress. */
status_t transfer_write(struct address_space *as, uint64_t address, uint32_t count,
                        const struct cap_transfer *ids) MUST_CHECK;
void transfer_deliver(struct call *call, struct cap_table *to, const struct cap_transfer *ids);
void transfer_end(struct call *call, bool moved);
