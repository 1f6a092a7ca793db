/*
 * heap.h: what the heap shows beyond stdlib.h. Within lib/capos/libc and its tests only.
 */
#ifndef CAPOS_LIBC_HEAP_H
#define CAPOS_LIBC_HEAP_H

#include <stdbool.h>

/* Walk every block: all headers and free lists are in order. Slow. */
bool heap_intact(void);

#endif
