/* EntropySource: as many bytes as were asked for, up to 64, and other ones each time. */
#include "check.h"

int main(void)
{
    cap_t random = capos_need("random", ENTROPY_SOURCE_INTERFACE_ID);
    struct capos_entropy_source_fill_results got;
    static uint8_t seen[64][ENTROPY_FILL_MAX];
    uint8_t all_or = 0, all_and = 0xff;
    for (int i = 0; i < 64; i++) {
        CHECK_OK(capos_entropy_source_fill(random, ENTROPY_FILL_MAX, &got));
        CHECK(got.data.size == ENTROPY_FILL_MAX);
        memcpy(seen[i], got.data.data, ENTROPY_FILL_MAX);
        all_or |= seen[i][i];
        all_and &= seen[i][i];
        for (int j = 0; j < i; j++) {
            CHECK(memcmp(seen[i], seen[j], ENTROPY_FILL_MAX) != 0);
        }
    }
    CHECK(all_or == 0xff && all_and == 0); /* each bit was both: wrong once in 2^60 */
    ok("fill");
    for (uint32_t count = 0; count <= ENTROPY_FILL_MAX; count++) {
        CHECK_OK(capos_entropy_source_fill(random, count, &got));
        CHECK(got.data.size == count);
    }
    ok("every size");
    CHECK_INVALID(capos_entropy_source_fill(random, ENTROPY_FILL_MAX + 1, &got));
    CHECK_INVALID(capos_entropy_source_fill(random, UINT32_MAX, &got));
    ok("64 bytes and no more");
    check_object(random, ENTROPY_SOURCE_INTERFACE_ID, CONSOLE_INTERFACE_ID);
    return 0;
}
