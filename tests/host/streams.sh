# The caller's streams: clean to the byte, in order, with their ends; input that nobody reads is left alone.
. tests/lib/host.sh

head -c 3000000 /dev/urandom >"$dir/random"
start demos/c-cat/cat.c <"$dir/random"
expect "status of cat" same "$code" 0
expect "cat is clean to the byte" cmp "$dir/random" "$out"
expect "cat is silent" same "$(wc -c <"$err")" 0

# The size that the issue names, in the time that it names.
head -c 10485760 /dev/urandom >"$dir/random"
before=$(now_ms)
start demos/c-cat/cat.c <"$dir/random"
took=$(($(now_ms) - before))
expect "10 MiB through cat" cmp "$dir/random" "$out"
expect "10 MiB through cat took $took ms" [ "$took" -lt $((5000 * ${SLOW:-1})) ]
rm "$dir/random"

# Order of the two outputs, when they are one file.
source_file order <<'END'
#include <stdio.h>
int main(void)
{
    for (int i = 0; i < 200; i++) {
        fprintf(stdout, "out %d\n", i);
        fflush(stdout);
        fprintf(stderr, "err %d\n", i);
    }
    return 0;
}
END
timeout 60 "$CAPOS" run $machine "$dir/order.c" >"$out" 2>&1 </dev/null
i=0
while [ $i -lt 200 ]; do
    echo "out $i"
    echo "err $i"
    i=$((i + 1))
done >"$dir/expected"
expect "the order of output and error" cmp "$out" "$dir/expected"

# They are kept apart.
start "$dir/order.c" </dev/null
expect "standard output alone" same "$(grep -c '^out' "$out")/$(wc -l <"$out")" 200/200
expect "standard error alone" same "$(grep -c '^err' "$err")/$(wc -l <"$err")" 200/200

# A program that reads nothing takes nothing.
rest=$(printf 'one\ntwo\n' | { timeout 60 "$CAPOS" run $machine demos/c-hello/hello.c >/dev/null; cat; })
expect "input is left for the next" same "$rest" "one
two"

# The end of input, also when there is none at all.
start demos/c-wc/wc.c </dev/null
expect "wc of nothing" same "$(tr -s ' ' ' ' <"$out" | sed 's/^ //;s/ $//')" "0 0 0"
start demos/c-wc/wc.c <&-
expect "wc without an input" same "$code" 0
start demos/c-wc/wc.c <docs/architecture.md 2>/dev/null || true
expect "wc counts as the host's does" same \
    "$(awk '{ print $1, $2, $3 }' "$out")" "$(wc <docs/architecture.md | awk '{ print $1, $2, $3 }')"

# A reader that leaves: the program is told, and the pipe ends promptly, also for a program that never asks.
source_file forever <<'END'
#include <stdio.h>
int main(void)
{
    for (;;) {
        puts("y");
    }
}
END
before=$(now_ms)
line=$(timeout 60 "$CAPOS" run $machine "$dir/forever.c" 2>"$err" </dev/null | head -n 1)
took=$(($(now_ms) - before))
expect "the first line" same "$line" y
expect "a pipe whose reader left took $took ms" [ "$took" -lt $((5000 * ${SLOW:-1})) ]
before=$(now_ms)
line=$(head -c 5000000 /dev/zero | tr '\0' x | fold -w 70 |
    timeout 60 "$CAPOS" run $machine demos/c-cat/cat.c 2>"$err" | head -c 3)
took=$(($(now_ms) - before))
expect "the first bytes" same "$line" xxx
expect "cat, whose reader left, took $took ms" [ "$took" -lt $((4000 * ${SLOW:-1})) ]

# No standard output from the start, or one that is full.
timeout 60 "$CAPOS" run $machine demos/c-hello/hello.c >&- 2>"$err" </dev/null
[ $? != 124 ] || fail "hello without a standard output hangs"
if [ -w /dev/full ]; then
    timeout 60 "$CAPOS" run $machine demos/c-cat/cat.c <docs/architecture.md >/dev/full 2>"$err"
    [ $? != 124 ] || fail "cat to a full disk hangs"
    expect "the reason is said" grep -q 'capos: standard output: No space left' "$err"
fi

# Arguments and environment arrive as they were given.
source_file words <<'END'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        printf("[%s]", argv[i]);
    }
    printf("%s|%s\n", getenv("A"), getenv("HOME") == NULL ? "none" : "HOME");
    return 7;
}
END
start --env A='x y=z' "$dir/words.c" -- -- --bare '' 'a  b' </dev/null
expect "arguments and environment" same "$(cat "$out")" '[--][--bare][][a  b]x y=z|none'
expect "the program's status" same "$code" 7
