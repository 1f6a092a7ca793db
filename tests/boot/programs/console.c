/* Console: what is written stands in the machine's log, and nowhere else. */
#include "check.h"

int main(void)
{
    cap_t console = capos_need("console", CONSOLE_INTERFACE_ID);
    static char big[CONSOLE_WRITE_MAX + 1];
    CHECK_OK(capos_console_write(console, "two ", 4));
    CHECK_OK(capos_console_write(console, "parts\n", 6));
    ok("write");
    CHECK_OK(capos_console_write_line(console, "a line", 6));
    CHECK_OK(capos_console_write_line(console, "", 0));
    CHECK_OK(capos_console_write(console, NULL, 0));
    ok("writeLine");
    memset(big, 'x', sizeof big);
    CHECK_OK(capos_console_write_line(console, big, CONSOLE_WRITE_MAX));
    CHECK_INVALID(capos_console_write_line(console, big, CONSOLE_WRITE_MAX + 1));
    CHECK_INVALID(capos_console_write(console, big, CONSOLE_WRITE_MAX + 1));
    ok("1 KiB and no more");
    check_object(console, CONSOLE_INTERFACE_ID, TIMER_INTERFACE_ID);
    return 0;
}
