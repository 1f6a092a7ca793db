/* What a new thread finds in its registers.
 *
 * x86_64: rdi = argument (first thread: address of the start block, a framed Cap'n Proto message
 * StartBlock), rsi = address of its ring's header, rdx = first thread: size of the start block
 * in bytes, else 0. rsp is the top of its stack, aligned to 16, below a word that is zero. All
 * other registers are zero; rflags has only IF. */
#pragma once

/* The first thread's stack: this share of the machine's memory, within these bounds. It is charged
 * at once and takes frames as it is touched; below it is a guard page. */
#define START_STACK_SHARE 128
#define START_STACK_SIZE_MIN (128 * 1024ull)
#define START_STACK_SIZE_MAX (8 * 1024 * 1024ull)
