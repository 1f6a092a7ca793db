#!/bin/sh
# boot.sh FILE.test: runs one boot test. A test is a shell script in these words:
#
#   run [options] PROGRAM [ARGS]   `capos run` with its output, error and kernel log caught; boot: likewise
#   given TEXT                     what standard input holds, for the next run; else it is empty
#   status N                       the exit status must be N
#   stdout TEXT, stderr TEXT       must be exactly that, and a newline
#   stdout_has TEXT, stderr_has TEXT, log_has TEXT     must contain it
#   stderr_last TEXT               the last line of standard error must be exactly that
#   silent                         standard error must be empty
#   check COMMAND...               must succeed
#   time_is_open                   whether the linux machine cannot close the time-stamp counter on this host
#   only MACHINE                   the test is about that machine; on others it ends well at once
#   enough linux                   `make test` runs it on the linux machine alone, `make test-long` on both: it is about services,
#                                  capabilities and messages, and other tests take the same paths through the machine
#
# The streams of the last run are the files $out, $err and $log; $dir is a folder of the test's own,
# $programs has the programs of tests/boot/programs as X.elf. The first check that fails shows what there was and ends the test.
#
# Environment: CAPOS, the command (default build/host/capos); MACHINE (default qemu), ACCEL (default auto; qemu only); SLOW, what the time
# limit of a run, 60 s, is multiplied with.
set -u
LC_ALL=C.UTF-8 # words are counted as everywhere
export LC_ALL

test_file=$1
test_name=$(basename "$test_file" .test)
CAPOS=${CAPOS:-build/host/capos}
ACCEL=${ACCEL:-auto}
MACHINE=${MACHINE:-qemu}
programs=${BUILD:-build}/x86_64/tests/boot
dir=${BUILD:-build}/tests/boot-${MACHINE:-qemu}/$test_name
rm -rf "$dir" && mkdir -p "$dir" || exit 1
out=$dir/out err=$dir/err log=$dir/log in=$dir/in
: >"$in"

show() {
    printf '%s: %s\n' "$test_file" "$1"
    printf -- '--- standard output\n'
    head -c 4000 "$out"
    printf -- '--- standard error\n'
    head -c 4000 "$err"
    printf -- '--- kernel log\n'
    tail -n 40 "$log" 2>/dev/null
    exit 1
}

# The options that choose the machine.
machine() {
    if [ "$MACHINE" = qemu ]; then echo "--machine qemu --accel $ACCEL"; else echo "--machine $MACHINE"; fi
}

start() {
    verb=$1
    shift
    : >"$log"
    timeout -k 5 $((60 * ${SLOW:-1})) "$CAPOS" "$verb" $(machine) --kernel-log "$log" "$@" \
        <"$in" >"$out" 2>"$err"
    code=$?
    : >"$in"
    [ -e "$dir/shown" ] || cp "$out" "$dir/shown" # the first run is what `make run-X` is about
}

run() { start run "$@"; }
boot() { start boot "$@"; }
given() { printf '%s' "$1" >"$in"; }
status() { [ "$code" = "$1" ] || show "the status is $code, not $1"; }
stdout() { [ "$(cat "$out"; echo .)" = "$1
." ] || show "standard output is not exactly: $1"; }
stderr() { [ "$(cat "$err"; echo .)" = "$1
." ] || show "standard error is not exactly: $1"; }
stdout_has() { grep -qF -- "$1" "$out" || show "standard output lacks: $1"; }
stderr_has() { grep -qF -- "$1" "$err" || show "standard error lacks: $1"; }
log_has() { grep -qF -- "$1" "$log" || show "the kernel's log lacks: $1"; }
stderr_last() { [ "$(tail -n 1 "$err")" = "$1" ] || show "the last line of standard error is not: $1"; }
silent() { [ ! -s "$err" ] || show "standard error is not empty"; }
only() { [ "$MACHINE" = "$1" ] || exit 0; }
enough() { [ "$1" = linux ] || show "enough is said of linux only"; } # tests/run reads it
check() { "$@" || show "failed: $*"; }
time_is_open() { "$CAPOS" run --machine linux --print-manifest "${BUILD:-build}/x86_64/demos/c-hello.elf" | grep -q 'time-stamp counter'; }

case $test_file in
*/*) . "$test_file" ;;
*) . "./$test_file" ;;
esac
