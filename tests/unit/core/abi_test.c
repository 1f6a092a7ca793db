/* The example of docs/abi.md, byte by byte: what the page says is what the kernel takes and gives.
 */
#include "kernel/cap/root_objects.h"
#include "tests/lib/ipc.h"

static const uint8_t message[32] = {
    0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x01, 0x00, 0x00, 0x00, 0x1a, 0x00, 0x00, 0x00, 0x68, 0x69, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static const uint8_t entry[64] = {
    0x01, 0x00, 0x01, 0x00, 0x05, 0x00, 0x10, 0x00, 0x88, 0xf5, 0xcf, 0xaa, 0xb8, 0x9d, 0xfd, 0xa9,
    0x2a, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x20, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x00, 0x10, 0x02, 0x00, 0x00, 0x00, 0x00, 0x00,
};

static const uint8_t completion[32] = {0x2a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10};
static const uint8_t answer[16] = {0, 0, 0, 0, 1};

TEST(the_example_of_the_page)
{
    static struct object *grants[] = {&console_object};
    sim_boot(NULL);
    struct process *p = sim_process(grants, 1);
    struct user *u = user_of(p);
    uint32_t one = 1;
    uint8_t got[32];
    CHECK_OK(address_space_unmap(p->space, 0x20000, 2 * PAGE_SIZE)); /* whatever is there */
    CHECK_OK(address_space_map(p->space, 0x20000, true, 2 * PAGE_SIZE, PROTECTION_READ_WRITE,
                               &(uint64_t){0}));
    CHECK(user_write(p, 0x20000, message, sizeof(message)));
    CHECK(user_write(p, u->ring + RING_DEFAULT_SQ_OFFSET, entry, sizeof(entry)));
    CHECK(user_write(p, u->ring + offsetof(struct ring_header, sq_tail), &one, sizeof(one)));
    CHECK_EQ(user_enter(u, 1, CAP_ENTER_FOREVER), USER_RETURNED);
    CHECK_EQ(user_result(u), 1);
    CHECK(user_read(p, u->ring + RING_DEFAULT_CQ_OFFSET, got, sizeof(completion)));
    CHECK_BYTES(got, completion, sizeof(completion));
    CHECK(user_read(p, 0x21000, got, sizeof(answer)));
    CHECK_BYTES(got, answer, sizeof(answer));
    CHECK(strstr(sim_machine.log, "hi\n") != NULL);
}

TEST(the_header_is_laid_out_as_the_page_says)
{
    CHECK_EQ(offsetof(struct ring_header, sq_tail), 0);
    CHECK_EQ(offsetof(struct ring_header, cq_head), 4);
    CHECK_EQ(offsetof(struct ring_header, upcall_mask), 8);
    CHECK_EQ(offsetof(struct ring_header, sq_head), 64);
    CHECK_EQ(offsetof(struct ring_header, cq_tail), 68);
    CHECK_EQ(offsetof(struct ring_header, upcall_pending), 72);
    CHECK_EQ(offsetof(struct ring_header, upcalls), 76);
    CHECK_EQ(offsetof(struct ring_header, sq_entries), 80);
    CHECK_EQ(offsetof(struct ring_header, cq_offset), 92);
    CHECK_EQ(offsetof(struct ring_completion, flags), 18);
    CHECK_EQ(offsetof(struct ring_completion, aux), 20);
    CHECK_EQ(offsetof(struct ring_completion, method), 24);
}
