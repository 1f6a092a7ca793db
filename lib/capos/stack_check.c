/*
 * stack_check.c: what code compiled with a stack protector calls when a return address was
 * overwritten. The value it compares with is set up with each thread (thread_self.h).
 */
#include "lib/capos/include/capos.h"

_Noreturn void __stack_chk_fail(void);

void __stack_chk_fail(void)
{
    capos_panic("a function's stack frame was overwritten");
}
