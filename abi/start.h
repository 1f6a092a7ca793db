/* What a new thread finds in its registers.
 *
 * x86_64: rdi = argument (first thread: address of the start block, a framed Cap'n Proto message
 * StartBlock), rsi = address of its ring's header, rdx = first thread: size of the start block
 * in bytes, else 0. rsp is the top of its stack, aligned to 16, below a word that is zero. All
 * other registers are zero; rflags has only IF. */
#pragma once

#define START_STACK_SIZE (256 * 1024ull) /* committed on demand; below it is a guard */
#define START_STACK_SIZE_MAX (64 * 1024 * 1024ull)
