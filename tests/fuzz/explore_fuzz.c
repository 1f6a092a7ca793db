/* Random programs (tests/sim/explorer.h) whose every choice is a byte of the fuzzer's: several
 * processes and threads over all opcodes and objects, with the invariants checked and the counts
 * back at the end of each input. The first byte chooses the shape of the run. */
#include <stddef.h>
#include <stdint.h>

#include "tests/sim/explorer.h"

#define CPUS 2
#define STEPS_MAX 400

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static bool booted;
    if (!booted) {
        explorer_boot(CPUS);
        booted = true;
    }
    if (size < 2) {
        return 0;
    }
    explorer_run(&(struct explorer_plan){
        .choices = {.bytes = bytes + 1, .size = size - 1},
        .steps = STEPS_MAX,
        .cpus = 1 + (bytes[0] & 1) % CPUS,
        .processes = 1 + (bytes[0] >> 1 & 3),
        .scribble = (bytes[0] & 8) != 0,
        .starve = (bytes[0] & 16) != 0,
        .check_every = 16,
    });
    return 0;
}
