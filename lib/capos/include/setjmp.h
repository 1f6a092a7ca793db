/*
 * setjmp.h: eight words hold what the x86_64 calling convention preserves (rbx, rbp, r12 to r15,
 * rsp, and the return address). The control words of the floating-point unit are not saved.
 */
#ifndef CAPOS_SETJMP_H
#define CAPOS_SETJMP_H

typedef unsigned long jmp_buf[8];

int setjmp(jmp_buf environment) __attribute__((__returns_twice__));
_Noreturn void longjmp(jmp_buf environment, int value);

#endif
