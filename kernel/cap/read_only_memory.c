/* ReadOnlyMemory: the read-only face of kernel/core/memory_object.h, as a capability. It maps into
 * the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/read_only_memory.h"

MEMORY_ANSWER_FACE(read_only_memory)
