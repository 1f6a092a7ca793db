# However a program ends, both machines say the same, to the letter, and end with the same status.
. tests/lib/host.sh
[ "${MACHINE:-linux}" = linux ] || exit 0

cat >"$dir/ends.c" <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void eat(int look)
{
    for (;;) {
        char *p = malloc(1 << 16);
        if (look && p == NULL) {
            exit(3);
        }
        memset(p, 1, 1 << 16);
    }
}

static int recurse(int n)
{
    volatile char room[4096];
    room[0] = (char)n;
    return recurse(n + 1) + room[0];
}

int main(int argc, char **argv)
{
    volatile int zero = argc - 2;
    puts("begins");
    fflush(stdout);
    switch (argv[1][0]) {
    case 'e': eat(1);
    case 'E': eat(0);
    case 'r': return recurse(0);
    case 'a': abort();
    case 's': __asm__ volatile("syscall" ::"a"(1), "D"(1)); break;
    case 'i': __asm__ volatile("ud2"); break;
    case 'b': __asm__ volatile("int3"); break;
    case 'h': __asm__ volatile("hlt"); break;
    case 'd': return 5 / zero;
    case 'j': ((void (*)(void))0x123456789000)(); break;
    case 'n': return *(volatile int *)0x8000000000001234;
    case 't': for (;;) { }
    }
    return 42;
}
END

# The stack's place is random.
comparable() { sed -E 's/address 0x[0-9a-f]{9,} \(the stack/address N (the stack/'; }

ends() {
    wanted=$1
    shift
    for m in linux qemu; do
        choose_machine $m
        start "$@" </dev/null
        cat "$out" "$err" | comparable >"$dir/$m"
        expect "status of $* on $m ($code)" same "$code" "$wanted"
    done
    expect "what both say of $*" cmp "$dir/linux" "$dir/qemu"
}

ends 42 "$dir/ends.c" 0
ends 3 --mem 8M "$dir/ends.c" e
ends 139 --mem 8M "$dir/ends.c" E
for way in r s i b h d j n; do
    ends 139 "$dir/ends.c" $way
done
ends 134 "$dir/ends.c" a
ends 124 --time 0.3 "$dir/ends.c" t
ends 126 --bare --grant stdio demos/c-clock/clock.c
ends 0 --mem 4M demos/c-hello/hello.c
ends 0 --cpus 2 demos/c-hello/hello.c
ends 2 --kernel-log "$dir/no/such/folder" demos/c-hello/hello.c
for m in linux qemu; do
    choose_machine $m
    start --trace-start --kernel-log "$dir/log" demos/c-hello/hello.c </dev/null
    expect "the steps of the start" same "$(sed 's/[0-9]\+/N/; s/: [0-9]\+ ns/: N ns/' "$err" | tr -s ' ')" \
        "capos: N ms: the kernel's first word
capos: N ms: the program's first instruction
capos: N ms: the program's first output
capos: machine time from the kernel's first instruction to the program's: N ns"
done
