/* Forks without end, and its children too: what killed.test kills the machine of. */
#include <capos.h>
#include <stdio.h>

int main(void)
{
    cap_t spawner = capos_need("spawn", PROCESS_SPAWNER_INTERFACE_ID);
    puts("begins");
    fflush(stdout);
    for (;;) {
        cap_t handle;
        bool is_child;
        if (capos_fork(spawner, &is_child, &handle) != STATUS_OK &&
            capos_wait_any(10000000) != STATUS_TIMED_OUT) {
            return 1;
        }
    }
}
