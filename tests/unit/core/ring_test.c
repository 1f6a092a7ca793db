/* The ring: acceptance, completions, statuses of entries that are wrong, and what a hostile thread can do to its own. */
#include "kernel/cap/root_objects.h"
#include "lib/wire/gen/console.h"
#include "lib/wire/gen/entropy_source.h"
#include "tests/lib/sim.h"

TEST(nop_completes_with_its_user_data)
{
    sim_boot(NULL);
    struct user *u = user_of(sim_process(NULL, 0));
    struct ring_completion c = user_run(u, (struct ring_entry){.opcode = RING_OP_NOP, .user_data = 7});
    CHECK_OK(c.status);
    CHECK_EQ(c.user_data, 7);
}

TEST(call_of_a_kernel_object)
{
    sim_boot(NULL);
    struct object *grants[] = {&console_object, &entropy_source_object};
    struct user *u = user_of(sim_process(grants, 2));
    static struct user_message m;
    static struct user_reply reply;
    struct wire_builder b = user_message(&m, ENTROPY_SOURCE_FILL_PARAMS_DATA_WORDS, ENTROPY_SOURCE_FILL_PARAMS_POINTER_WORDS);
    entropy_source_fill_params_set_count(b, 16);
    CHECK_OK(user_call(u, CAP_ID(6, 1), ENTROPY_SOURCE_INTERFACE_ID, ENTROPY_SOURCE_METHOD_FILL, &m, NULL, 0, &reply));
    CHECK_EQ(entropy_source_fill_results_data(reply.root).size, 16);
}
