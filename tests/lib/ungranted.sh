# ungranted.sh: the negative of an interface: everything else is granted, and nothing leads to it. For boot tests, by
# `. tests/lib/ungranted.sh`; see tests/boot/programs/{ungranted,stranger,own_reach}.c for what is tried.

# all_but [GRANT]: the options that grant everything there is but this.
all_but() {
    others=--bare
    for g in console stdio timer random code boot spawn "launch=$programs/std_io.elf"; do
        [ "${g%%=*}" = "${1:-}" ] || others="$others --grant $g"
    done
    # on the machine that has them so far
    [ "$MACHINE" != linux ] || [ "${1:-}" = dir ] || others="$others --dir $dir::/data"
}

found_nothing='ok not in the CapSet
ok forged ids lead nowhere
ok nothing else answers for it'

# to_add GRANT: the last line of a denial that this grant would have allowed; its SPEC stands there as it is explained.
to_add() {
    spec=$(awk -F '\t' -v name="$1" '$1 == name && $2 != "-" { print $2 }' tools/capos/gen/grants.txt)
    case $1 in
    dir) echo "add: --dir $spec" ;;
    *) echo "add: --grant $1${spec:+=$spec}" ;;
    esac
}

# ungranted STEM GRANT: an interface that a grant gives. The program is told which.
ungranted() {
    all_but "$2"
    for blind in '' blind; do
        run $others "$programs/ungranted.elf" "$1" $blind
        status 126
        said "$found_nothing"
        stderr_has "ungranted was denied: \"$2\" was not granted"
        stderr_last "$(to_add "$2")"
    done
}

# ungranted_object STEM: one that no grant gives: a program makes it, or is handed it by another.
ungranted_object() {
    all_but
    run $others "$programs/ungranted.elf" "$1"
    status 126
    stderr_has 'ungranted was denied: '
    stderr_has ' was not granted'
    check lacks '^add:' "$err"
    said "$found_nothing"
    run $others "$programs/stranger.elf" "$1"
    status 0
    silent
    stdout 'ok an id of another process leads nowhere
ok its owner has it still'
}

# ungranted_own STEM WHAT: one of the four that a process has of itself.
ungranted_own() {
    run --grant spawn "$programs/own_reach.elf" "$1"
    status 0
    silent
    stdout "ok $2
ok it answers for nothing else"
}

# In the log, or on standard output when there is no Console.
said() { [ "$(grep -h '^ok ' "$log" "$out")" = "$1" ] || show "it did not say: $1"; }
lacks() { ! grep -q "$1" "$2"; }
