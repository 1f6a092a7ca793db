/* The seccomp filters of the linux machine, run as Linux runs them over calls that must be refused
 * and the few that may pass: each field that is compared is also wrong in its other half. */
#include "kernel/arch/linux/filter.c"

#include "tests/lib/test.h"

#define WORD 0x7fffc0011000ull
#define MANAGER (HELPER_COMMANDS + COMMANDS_SEQUENCE)
#define STUB_IP (HELPER_STUB + 0x1d6)

/* The instructions that the filters are made of: "load word", "and", "equal", "return". */
static uint32_t run(const struct sock_filter *program, uint32_t count,
                    const struct seccomp_data *data)
{
    uint32_t a = 0;
    for (uint32_t at = 0; at < count; at++) {
        const struct sock_filter *i = &program[at];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            CHECK(i->k % 4 == 0 && i->k < sizeof(*data));
            memcpy(&a, (const uint8_t *)data + i->k, sizeof(a));
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
            at += a == i->k ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            CHECK(!"an instruction that no filter has");
        }
    }
    CHECK(!"the end without an answer");
    return 0;
}

static struct seccomp_data call(int number, uint64_t a, uint64_t b, uint64_t d)
{
    return (struct seccomp_data){.nr = number, .arch = AUDIT_ARCH_X86_64,
                                 .instruction_pointer = STUB_IP, .args = {a, b, 7, d}};
}

static bool passes(struct seccomp_data data)
{
    struct sock_filter program[FILTER_MAX];
    uint32_t count = linux_filter_thread(program, WORD);
    uint32_t answer = run(program, count, &data);
    CHECK(answer == SECCOMP_RET_ALLOW || answer == SECCOMP_RET_TRAP);
    return answer == SECCOMP_RET_ALLOW;
}

TEST(what_passes)
{
    CHECK(passes(call(__NR_rt_sigreturn, 0, 0, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAIT, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAKE, 0)));
    CHECK(passes(call(__NR_futex, WORD, FUTEX_WAKE, 1))); /* WAKE has no such argument */
    CHECK(passes(call(__NR_futex, MANAGER, FUTEX_WAKE, 0)));
    CHECK(!passes(call(__NR_futex, MANAGER, FUTEX_WAIT, 0)));
}

TEST(numbers)
{
    for (int n = -2000; n < 2000; n++) {
        bool may = n == __NR_rt_sigreturn || n == __NR_futex;
        CHECK_EQ(passes(call(n, WORD, FUTEX_WAKE, 0)), may);
        CHECK(!passes(call(n | 0x40000000, WORD, FUTEX_WAKE, 0)) || n < 0);
    }
}

TEST(both_halves)
{
    for (int bit = 0; bit < 64; bit++) {
        uint64_t wrong = 1ull << bit;
        CHECK(!passes(call(__NR_futex, WORD ^ wrong, FUTEX_WAIT, 0)));
        CHECK(!passes(call(__NR_futex, WORD ^ wrong, FUTEX_WAKE, 0)));
        CHECK(!passes(call(__NR_futex, MANAGER ^ wrong, FUTEX_WAKE, 0)));
        CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAIT, wrong)));
        if (bit != 0) { /* which makes one of the two operations of the other */
            CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAIT ^ wrong, 0)));
            CHECK(!passes(call(__NR_futex, WORD, FUTEX_WAKE ^ wrong, 0)));
        }
    }
}

TEST(from_where)
{
    for (int bit = 0; bit < 64; bit++) {
        struct seccomp_data data = call(__NR_rt_sigreturn, 0, 0, 0);
        data.instruction_pointer ^= 1ull << bit;
        CHECK_EQ(passes(data), bit < PAGE_SHIFT);
    }
    struct seccomp_data data = call(__NR_rt_sigreturn, 0, 0, 0);
    data.arch = AUDIT_ARCH_I386;
    CHECK(!passes(data));
}
