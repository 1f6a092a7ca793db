/* The capability table of a process: id -> object.
 *
 * Flat: a directory of pages of slots. A slot's generation goes up with each release; a slot
 * that used up its generations is retired, a page of retired slots is freed, and only after all
 * 2^32 ids does one recur. A slot is free, live, reserved (an operation holds it for its commit)
 * or in transit (being moved: unusable, still charged). One charge of LEDGER_SLOTS for each slot
 * that is not free. Kernel lock held. */
#pragma once

#include "kernel/core/ledger.h"
#include "kernel/core/object.h"

/* each at most one piece of kernel memory: 512 pages of 256 slots */
#define CAP_TABLE_DIRECTORIES 8

struct cap_slot; /* kernel/core/cap_table.c */

struct cap_table {
    struct account *account;  /* a reference */
    struct cap_slot **directory[CAP_TABLE_DIRECTORIES];
    /* entries of directory[0], which grows by doubling; the others come whole */
    uint32_t directory_room;
    uint32_t frontier;        /* slots from here on were never used */
    uint32_t free_slot;       /* head of the list of free slots; 0: none */
    uint32_t live;            /* slots that are not free */
};

status_t cap_table_init(struct cap_table *t, struct account *a) MUST_CHECK;
void cap_table_destroy(struct cap_table *t); /* releases all it holds */

/* Errors: badCapability (never given out), staleCapability, inTransit. No reference is taken. */
status_t cap_table_look_up(const struct cap_table *t, cap_id_t id, struct object **out) MUST_CHECK;
/* Takes over the caller's reference on success. */
status_t cap_table_insert(struct cap_table *t, struct object *o, cap_id_t *out) MUST_CHECK;
/* Reserve, then commit without failing (takes over the reference) or cancel. */
status_t cap_table_reserve(struct cap_table *t, cap_id_t *out) MUST_CHECK;
void cap_table_commit(struct cap_table *t, cap_id_t reserved, struct object *o);
void cap_table_cancel(struct cap_table *t, cap_id_t reserved);
status_t cap_table_release(struct cap_table *t, cap_id_t id) MUST_CHECK;
/* As release, and the slot's reference goes to the caller. NULL: it is not live. */
struct object *cap_table_take(struct cap_table *t, cap_id_t id);

/* A move: begin (live -> in transit; *out gets no reference of its own), then end it: moved away
 * (the slot is freed, its reference goes to the caller) or back under the same id. */
status_t cap_table_move_begin(struct cap_table *t, cap_id_t id, struct object **out) MUST_CHECK;
struct object *cap_table_move_commit(struct cap_table *t, cap_id_t id);
void cap_table_move_cancel(struct cap_table *t, cap_id_t id);

/* The slot must never have been used: start of a process. Takes over the reference. */
status_t cap_table_insert_at(struct cap_table *t, uint32_t slot, struct object *o) MUST_CHECK;
/* Same slots and generations in an empty child, each by its interface's fork policy; slots of
 * dropped ones are stale. */
status_t cap_table_fork(const struct cap_table *parent, struct cap_table *child,
                        struct process *child_process) MUST_CHECK;
/* exec: releases all but the listed ids and the own four. Every listed id must be live, or
 * nothing happens. */
status_t cap_table_keep_check(const struct cap_table *t, const cap_id_t *keep,
                              uint32_t count) MUST_CHECK;
void cap_table_keep_commit(struct cap_table *t, const cap_id_t *keep, uint32_t count);
/* Iteration for reports: the next live slot above `slot`, or 0. */
uint32_t cap_table_next(const struct cap_table *t, uint32_t slot, cap_id_t *id,
                        struct object **out);
