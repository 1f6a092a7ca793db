/* The Cap'n Proto wire format: what kernel, user programs and host tools use to read and build
 * messages.
 *
 * Read: wire_message_open, wire_message_root, then getters (lib/wire/read.h). Build:
 * wire_message_begin, wire_message_init_root, setters, wire_message_finish (lib/wire/build.h). Most
 * callers use only the generated functions of lib/wire/gen/messages.h, which are one getter or
 * setter each.
 *
 * Invariants:
 *   - Nothing here allocates, blocks, recurses or uses floating point registers. Any context may
 *     call it. Deep copies take 2.5 KiB of stack, everything else a few hundred bytes.
 *   - A message is in the standard stream framing and begins at a multiple of 8.
 *   - A hostile message leads to defaults and a sticky error in its wire_message; never to an
 *     access outside of it, nor to more work than its traversal limit. The bytes must not change
 *     while they are read: whoever shares them with somebody else copies them first.
 *   - A reader or builder is valid as long as its wire_message or wire_message_builder and their
 *     bytes are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the wire is little-endian; so is every machine of ours");

/* Messages are seen as words and as smaller integers at the same time. */
typedef uint64_t __attribute__((may_alias)) wire_word;

#define WIRE_WORD_BYTES 8u
#define WIRE_NO_CAPABILITY UINT32_MAX
#define WIRE_DEPTH_LIMIT 32u       /* pointers from the root to the deepest object */
#define WIRE_SEGMENTS_MAX 512u     /* as the reference implementation has it */
#define WIRE_TRAVERSAL_FACTOR 64u  /* how often each word of a message may be visited... */
#define WIRE_TRAVERSAL_EXTRA 4096u /* ...and elements of no size that it may have besides */

enum wire_error {
    WIRE_OK = 0,
    WIRE_ERROR_FRAME,     /* the segment table does not fit the bytes */
    WIRE_ERROR_BOUNDS,    /* a pointer leads out of its segment */
    WIRE_ERROR_TYPE,      /* a pointer of another kind than the schema says, or of no known kind */
    WIRE_ERROR_DEPTH,     /* nested deeper than WIRE_DEPTH_LIMIT */
    WIRE_ERROR_TRAVERSAL, /* visited more than the traversal limit allows: a loop, or an
                             amplification */
    WIRE_ERROR_SPACE,     /* builder: the buffer is too small */
};

/* Size codes of list elements, as in a list pointer. */
enum wire_element {
    WIRE_VOID = 0,
    WIRE_BIT = 1,
    WIRE_BYTE = 2,
    WIRE_TWO_BYTES = 3,
    WIRE_FOUR_BYTES = 4,
    WIRE_EIGHT_BYTES = 5,
    WIRE_POINTER = 6,
    WIRE_COMPOSITE = 7,
};

/* Text (without its NUL) or data. A null pointer, or one that is not there, has data NULL and size
 * 0. */
struct wire_span {
    const void *data;
    size_t size;
};

static inline struct wire_span wire_span_of(const char *text) /* without its NUL */
{
    size_t size = 0;
    while (text[size] != 0) {
        size++;
    }
    return (struct wire_span){text, size};
}

#include "lib/wire/read.h"

#include "lib/wire/build.h"
