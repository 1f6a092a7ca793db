# Words for the tests of the command itself (tests/host/*.sh), which are shell scripts that begin with
#   . tests/lib/host.sh
# and end at the first check that does not hold. They are run from the root of the repository.
#
#   $CAPOS    the command without its shell part; $dir, an empty folder of the test's own
#   $machine  the options that choose the machine: MACHINE, linux or qemu, and for that ACCEL
#   only X    the test is about the machine X: it runs on that, and with another MACHINE it ends well at once
#   program NAME        compiles the C source on standard input into $dir/NAME.elf
#   start [options] PROGRAM...   `capos run`, with output and error in $out and $err; $code
#   now_ms    milliseconds; expect WHAT COMMAND...   the command must succeed
set -u
LC_ALL=C.UTF-8 # words are counted as everywhere
export LC_ALL
BUILD=${BUILD:-build}
CAPOS=${CAPOS:-$BUILD/host/capos}
case $BUILD in /*) ;; *) BUILD=$PWD/$BUILD ;; esac
case $CAPOS in /*) ;; *) CAPOS=$PWD/$CAPOS ;; esac
dir=$BUILD/tests/host${MACHINE:+-$MACHINE}/$(basename "$0" .sh)
rm -rf "$dir" && mkdir -p "$dir" || exit 1
out=$dir/out err=$dir/err
: >"$out"
: >"$err"

fail() {
    echo "failed: $*"
    echo "--- standard output"
    head -c 2000 "$out"
    echo "--- standard error"
    head -c 2000 "$err"
    exit 1
}

expect() {
    what=$1
    shift
    "$@" || fail "$what"
}

choose_machine() {
    case $1 in
    qemu) machine="--machine qemu --accel ${ACCEL:-auto}" ;;
    *) machine="--machine $1" ;;
    esac
}
choose_machine "${MACHINE:-linux}"

only() {
    [ "${MACHINE:-$1}" = "$1" ] || exit 0
    choose_machine "$1"
}

start() {
    timeout -k 5 60 "$CAPOS" run $machine "$@" >"$out" 2>"$err"
    code=$?
}

# Writes a C source from standard input to $dir/NAME.c.
source_file() { cat >"$dir/$1.c"; }

now_ms() { date +%s%3N; }

same() { [ "$1" = "$2" ]; }

one_line_of_ours() {
    [ "$(wc -l <"$err")" = 1 ] && grep -q '^capos: ' "$err"
}
