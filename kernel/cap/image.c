/* Image: the executable face of kernel/core/memory_object.h, sealed, as a
 * capability. It maps into the address space of whoever calls, at his expense. */
#include "kernel/cap/memory_answer.h"
#include "kernel/gen/dispatch.h"
#include "lib/wire/gen/image.h"

MEMORY_ANSWER_FACE(image)
