# --gdb: on either machine what is to be typed brings gdb to the program's first instruction, and from there to main.
. tests/lib/host.sh
[ "${MACHINE:-linux}" = linux ] || exit 0

"$CAPOS" run --gdb --time 5 demos/c-hello/hello.c >"$out" 2>"$err" </dev/null
expect "--gdb and --time" one_line_of_ours
command -v gdb >/dev/null || exit 0
XDG_CACHE_HOME=$dir/cache
export XDG_CACHE_HOME

# Ends the run that is under way, whatever became of it.
child=
end_run() { [ -z "$child" ] || { kill "$child" && wait "$child"; } 2>/dev/null; }
trap end_run EXIT

debug() {
    ACCEL=tcg choose_machine "$1"
    : >"$err" # what was to be typed for the last one is not for this one
    timeout -k 5 120 "$CAPOS" run $machine --gdb demos/c-hello/hello.c -- world >"$out" 2>"$err" </dev/null &
    child=$!
    i=0
    while ! grep -q '^    gdb ' "$err"; do
        i=$((i + 1))
        [ $i -lt $((100 * ${SLOW:-1})) ] || fail "nothing to type on $1"
        sleep 0.1
    done
    expect "nothing of the program ran on $1" same "$(cat "$out")" ""
    timeout -k 5 60 $(sed -n 's/^    gdb /gdb /p' "$err") -batch -ex 'info symbol $pc' -ex 'tbreak main' \
        -ex continue -ex backtrace -ex 'info locals' -ex next -ex continue >"$dir/$1" 2>&1 </dev/null
    if [ "$1" = linux ] && grep -q 'ptrace: Operation not permitted' "$dir/$1"; then
        end_run
        child=
        return # this host lets nobody debug
    fi
    expect "the first instruction on $1: $(cat "$dir/$1")" grep -q '^_start in section' "$dir/$1"
    expect "main on $1: $(cat "$dir/$1")" grep -q '^#0  main (argc=.*2.* at demos/c-hello/hello.c:' "$dir/$1"
    wait $child
    code=$?
    child=
    expect "status on $1 ($code)" same "$code" 0
    expect "the output on $1" same "$(cat "$out")" 'hello, world'
    expect "nothing is left in the cache" same "$(ls "$dir/cache/capos" | grep gdb)" ""
}

debug qemu
debug linux
