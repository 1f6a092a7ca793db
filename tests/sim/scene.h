/* A process that holds one of everything, and for each method of each kernel interface a call that
 * makes sense there.
 *
 * Used to try every method under failing allocations, with broken messages, with hostile buffers.
 */
#pragma once

#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/messages.h"
#include "tests/lib/sim.h"

enum { /* slots of the grants, in the order in which scene_make() gives them */
       SCENE_CONSOLE = CAP_SLOT_FIRST_GRANT,
       SCENE_STD_IO,
       SCENE_TIMER,
       SCENE_ENTROPY,
       SCENE_CODE,
       SCENE_BOOT,
       SCENE_SPAWNER,
       SCENE_LAUNCHER,
       SCENE_IMAGE,
       SCENE_GRANTS_END
};

#define SCENE_CAP(slot) CAP_ID(slot, 1)
#define SCENE_PAGES 4

struct scene {
    struct user *u;
    struct user_message message;
    struct cap_transfer sent[8];
    uint16_t sent_count;
    cap_id_t target;       /* whom the built call is for */
    uint64_t memory;       /* SCENE_PAGES pages from VirtualMemory.map */
    uint64_t reserved;     /* as many from reserve */
    uint64_t object_at;    /* the memory object, mapped shared and writable: one page */
    uint64_t read_only_at; /* its read-only face */
    uint64_t image_at;
    uint64_t code; /* one page */
    cap_id_t memory_object, unmapped_object, read_only, reader, writer, endpoint, cutter, process,
        thread;
};

/* Boots with a package that has one launchable program, "prog". What the machine makes once is
 * made. */
void scene_boot(void);
void scene_boot_cpus(uint32_t cpus);
void scene_boot_bare(void); /* without that */
/* Never fails; no allocation may be failing meanwhile. */
void scene_make(struct scene *s);

enum scene_answer {
    SCENE_ANSWERS, /* with success */
    SCENE_WAITS,   /* until something happens that does not */
    SCENE_ENDS,    /* the caller does not return from it */
};

struct scene_case {
    const struct interface *interface;
    uint16_t method;
    enum scene_answer answer;
    void (*build)(struct scene *s); /* fills message, sent and target */
};

extern const struct scene_case scene_cases[];
extern const uint32_t scene_case_count;

/* Builds the case's call and answers its entry; buffers are placed and touched. */
struct ring_entry scene_entry(struct scene *s, const struct scene_case *c);
/* The whole call, which must succeed. */
void scene_call(struct scene *s, const struct scene_case *c, struct user_reply *reply);
const struct scene_case *scene_find(const struct interface *interface, uint16_t method);
/* Has every method of every kernel interface a case? */
void scene_check_complete(void);
