/* What must hold of the kernel's state whenever it is not running. Each function fails the test,
 * naming what does not hold; invariants_check() calls them all. Between entries only, with nothing
 * left to reap. */
#pragma once

void invariants_check(void);

void invariants_accounts(
    void); /* nobody owes more than his parent knows; totals equal what is held */
void invariants_tables(
    void); /* slots name live objects, with references enough; slots are charged once each */
void invariants_frames(
    void); /* counts of frames fit their mappings; nothing is writable here and executable there */
void invariants_threads(void); /* each thread is where its state says; queues are well-formed */
void invariants_rings(
    void); /* places in a ring are never promised twice; entries in flight are found by user_data */
void invariants_timers(void); /* heaps are heaps; their sizes are the count of timers */
