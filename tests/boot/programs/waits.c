/* Says so, and waits for ever. */
#include "check.h"

int main(void)
{
    printf("waits\n");
    fflush(stdout);
    return capos_wait_any(CAP_ENTER_FOREVER) == STATUS_OK;
}
