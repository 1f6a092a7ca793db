/* The capability ring: a submission queue (SQ) and a completion queue (CQ) in memory that a
 * thread shares with the kernel.
 *
 * The thread writes entries at sq_tail and advances it; the kernel takes them from sq_head
 * during cap_enter. The kernel posts completions at cq_tail; the thread takes them and advances
 * cq_head. Indices are free-running 32-bit counters; an entry's place is index & (entries - 1).
 * The kernel keeps its own copies of sq_head and cq_tail and of all sizes and never reads those
 * back. sq_tail - sq_head > sq_entries, or cq_tail - cq_head > cq_entries, is -STATUS_BAD_RING
 * without effect.
 *
 * Every accepted entry completes exactly once. The kernel accepts an entry only while (entries
 * in flight + completions not yet taken) < cq_entries; what it does not accept stays in the SQ
 * for the next cap_enter.
 *
 * Layout: the header at 0; by default the SQ at 1024 and the CQ at 2048 of the same page. A
 * larger ring has the header in its first page, then whole pages of SQ, then whole pages of CQ;
 * the offsets are in the header. */
#pragma once

#include <stdint.h>

enum ring_opcode {
    RING_OP_NOP = 0,
    RING_OP_CALL = 1,    /* cap, interface_id, method, message, result, transfers */
    /* cap: an Endpoint. result: where a request goes, transfers: room for its capabilities */
    RING_OP_RECV = 2,
    /* cap: a Reply. message, transfers; flags may have RING_FLAG_EXCEPTION and RING_FLAG_RECEIVE */
    RING_OP_RETURN = 3,
    RING_OP_RELEASE = 4, /* cap */
    /* cap: ParkSpace. message: address of the word, interface_id: time-out in ns or
     * CAP_ENTER_FOREVER, result_size: expected value */
    RING_OP_PARK = 5,
    /* cap: ParkSpace. message: address of the word, result_size: how many to wake; the
     * completion's aux says how many were */
    RING_OP_UNPARK = 6,
    RING_OP_CANCEL = 7,  /* interface_id: user_data of the entry to cancel */
    RING_OP_COUNT
};

enum ring_entry_flag {
    /* RETURN: the message is an Exception; completion: the result is one */
    RING_FLAG_EXCEPTION = 1,
    RING_FLAG_CALLER_GONE = 2, /* completion of RETURN: nobody took the answer */
    /* completion of RECV: the last reference to the facet with this tag is gone */
    RING_FLAG_NOTICE = 4,
    /* RETURN: then receives, as RECV would: interface_id is the Endpoint's id, result where the
     * request goes; the completion is that of the RECV, or says why the answer was refused */
    RING_FLAG_RECEIVE = 8,
    /* CALL: the parameters have no pointers and at most two words of data, which lie in the entry:
     * the first in `message`, the second in `transfers`; message_size is their size, no capability
     * goes either way. Completion: the results have no pointers and at most one word, `value`;
     * nothing was written at result. Any other answer comes as always. */
    RING_FLAG_SHORT = 16,
};

struct ring_entry {
    uint8_t opcode;
    uint8_t flags;
    uint16_t method;
    uint32_t cap;
    uint64_t interface_id;
    uint64_t user_data;
    uint64_t message;        /* address of a framed Cap'n Proto message */
    uint32_t message_size;   /* bytes */
    uint32_t result_size;    /* bytes of room at result */
    uint64_t result;         /* address */
    uint64_t transfers;      /* address of an array of struct cap_transfer */
    uint16_t transfer_count; /* sent */
    /* room for received ones in the same array; at most RING_TRANSFERS_MAX */
    uint16_t transfer_max;
    uint32_t reserved;       /* zero */
};

struct ring_completion {
    uint64_t user_data;
    int32_t status;          /* 0, or a negated enum status */
    uint32_t result_size;    /* bytes written at result */
    uint16_t transfer_count; /* capabilities received */
    uint8_t flags;           /* enum ring_entry_flag */
    uint8_t reserved;
    uint32_t aux;            /* RECV: the Reply's id. UNPARK: threads woken */
    union {
        struct {
            uint16_t method; /* RECV: the method called */
            uint16_t reserved2;
            uint32_t reserved3;
        };
        uint64_t value; /* RING_FLAG_SHORT */
    };
};

#define RING_SHORT_WORDS_MAX 2 /* of the parameters; the results have one */

/* What a RECV writes at `result` before the message, which follows at once; result_size counts
 * both. */
struct ring_request {
    uint64_t tag;          /* the facet's object tag */
    uint64_t interface_id; /* the facet's interface */
};

enum ring_upcall {
    RING_UPCALL_INTERRUPT = 1, /* a bit of upcall_mask and upcall_pending */
};

struct ring_header {
    _Alignas(64) uint32_t sq_tail; /* thread writes; release, pairs with the kernel's acquire */
    uint32_t cq_head;              /* thread writes; release, pairs with the kernel's acquire */
    uint32_t upcall_mask;          /* thread writes: 1 = interrupts are kept pending */
    uint32_t reserved[13];
    _Alignas(64) uint32_t sq_head; /* kernel writes */
    uint32_t cq_tail;              /* kernel writes; release, pairs with the thread's acquire */
    uint32_t upcall_pending;       /* kernel sets, thread clears after it unmasked */
    uint32_t upcalls;              /* kernel counts each upcall that it delivers to this thread */
    uint32_t sq_entries, cq_entries, sq_offset, cq_offset; /* written once; bytes from the header */
    uint32_t reserved2[8];
};

#define RING_SQ_ENTRIES_DEFAULT 16
#define RING_CQ_ENTRIES_DEFAULT 32
#define RING_ENTRIES_MAX 4096  /* of the SQ; the CQ has twice as many */
#define RING_TRANSFERS_MAX 64  /* capabilities in one message */
#define RING_DEFAULT_SQ_OFFSET 1024
#define RING_DEFAULT_CQ_OFFSET 2048

_Static_assert(sizeof(struct ring_entry) == 64, "a submission entry is one cache line");
_Static_assert(sizeof(struct ring_completion) == 32, "two completions are one cache line");
_Static_assert(sizeof(struct ring_header) == 128,
               "the header is two cache lines, one for each writer");
