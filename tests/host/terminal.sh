# On a terminal: it is seen as one, its modes are as before however the run ends, and Ctrl-C ends it.
# `script` gives the terminal. The shell in it, which Ctrl-C reaches too, has a trap, or it may end before it has looked at the
# modes.
. tests/lib/host.sh

if ! script -qec true /dev/null >"$out" 2>"$err" </dev/null; then
    echo "there is no terminal to be had here: $(cat "$err")"
    exit 0
fi
: >"$out"

source_file tell <<'END'
#include <stdio.h>
int main(void)
{
    puts("running");
    fflush(stdout);
    int c = getchar();
    printf("got %d\n", c);
    for (;;) {
    }
}
END

# in_terminal INPUT COMMAND: the command's output, with the input typed when it is running.
in_terminal() {
    {
        i=0
        while ! grep -q running "$out"; do
            i=$((i + 1))
            [ $i -lt $((300 * ${SLOW:-1})) ] || break
            sleep 0.1
        done
        printf "$1"
        sleep 0.5
        printf '\003'
        sleep 0.5
    } | timeout -k 5 60 script -qfec "$2" /dev/null >"$out" 2>"$err"
    code=$?
}

in_terminal 'a\n' "trap : INT; stty -a >$dir/before; $CAPOS run $machine $dir/tell.c; code=\$?; stty -a >$dir/after; exit \$code"
expect "status of Ctrl-C ($code)" same "$code" 130
expect "the line that was typed" grep -q 'got 97' "$out"
expect "a line about Ctrl-C" grep -q 'capos: interrupted (Ctrl-C)' "$out"
expect "the terminal's modes" cmp "$dir/before" "$dir/after"

# In the background of a terminal it runs to its end: nothing it does to the terminal stops it.
timeout -k 5 60 script -qfec "sh -mc '$CAPOS run $machine demos/c-hello/hello.c & wait \$!; echo status \$?'" \
    /dev/null >"$out" 2>"$err" </dev/null
expect "a run in the background" grep -q 'status 0' "$out"
