# However it ends, the machine ends with it, the status says why, and nothing of it is left.
. tests/lib/host.sh

source_file forever <<'END'
#include <stdio.h>
int main(void)
{
    puts("running");
    fflush(stdout);
    for (;;) {
    }
}
END

# The command in a session of its own, so that a machine that is left over is seen.
printf '#!/bin/sh\necho $$ >"%s"\nexec setsid "%s" "$@"\n' "$dir/session" "$CAPOS" >"$dir/capos"
chmod +x "$dir/capos"
CAPOS=$dir/capos

states() { ps -eo stat=,sess= | awk -v session="$(cat "$dir/session")" '$2 == session { printf "%.1s", $1 }'; }

# Not even one that has ended and is still listed; but who is killed takes no note of its children.
left() { case $(states) in '') false ;; *[!Z]*) true ;; *) [ "$code" != 137 ] ;; esac; }

machine_gone() {
    i=0
    while left; do
        i=$((i + 1))
        [ $i -lt 50 ] || return 1
        sleep 0.1
    done
}

runs() {
    : >"$out" # what the last one said is not to be taken for this one's
    "$CAPOS" run $machine "$dir/forever.c" >"$out" 2>"$err" </dev/null &
    child=$!
    i=0
    while ! grep -q running "$out"; do
        i=$((i + 1))
        [ $i -lt $((300 * ${SLOW:-1})) ] || fail "the program does not run"
        sleep 0.1
    done
}

# ends SIGNAL STATUS: sends it once the program runs.
ends() {
    runs
    kill -"$1" $child
    wait $child
    code=$?
    expect "status after $1 ($code)" same "$code" "$2"
    expect "no machine is left after $1" machine_gone
}

ends TERM 143
expect "a line about SIGTERM" grep -q '^capos: .*SIGTERM' "$err"
ends HUP 129
ends KILL 137

# Ctrl-Z: all of it stops, and goes on.
all_are() {
    i=0
    while :; do
        case $(states) in '' | *[$1]*) ;; *) return 0 ;; esac
        i=$((i + 1))
        [ $i -lt 50 ] || return 1
        sleep 0.1
    done
}
runs
kill -TSTP $child
expect "all is stopped: $(states)" all_are '!T'
kill -CONT $child
expect "all goes on: $(states)" all_are T
kill -TERM $child
wait $child
code=$?
expect "status after that ($code)" same "$code" 143
expect "no machine is left after Ctrl-Z" machine_gone

# A shell without job control starts background commands with SIGINT ignored, and capos honours that; so
# Ctrl-C needs a parent that has not: timeout.
timeout -s INT $((3 * ${SLOW:-1})) "$CAPOS" run $machine "$dir/forever.c" >"$out" 2>"$err" </dev/null
expect "a line about Ctrl-C" grep -q '^capos: interrupted (Ctrl-C)' "$err"
expect "no machine is left after Ctrl-C" machine_gone

# --time counts from the program's first instruction.
before=$(now_ms)
start --time 1 "$dir/forever.c" </dev/null
took=$(($(now_ms) - before))
expect "status of --time ($code)" same "$code" 124
expect "the output until then" same "$(cat "$out")" running
expect "a line about --time" grep -q '^capos: the time is up: 1 second' "$err"
expect "--time took $took ms" [ "$took" -ge 1000 ]
expect "no machine is left after --time" machine_gone
start --time 20 demos/c-hello/hello.c </dev/null
expect "a program that ends in time" same "$code" 0
