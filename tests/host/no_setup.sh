# What works without set-up: help, version, grants, suggestions; from any folder, through a link, in a copy
# that has nothing built and with a PATH that has no compiler and no QEMU.
. tests/lib/host.sh

copy=$dir/copy
mkdir -p "$copy/tools/capos/gen" "$dir/bin"
cp capos "$copy/"
cp tools/capos/*.txt tools/capos/*.awk "$copy/tools/capos/"
cp tools/capos/gen/grants.txt "$copy/tools/capos/gen/"
for c in sh awk cat readlink sed; do
    ln -s "$(command -v $c)" "$dir/bin/$c"
done
bin=$dir/bin

says() {
    text=$1
    shift
    PATH=$bin "$@" >"$out" 2>"$err" </dev/null
    expect "status of $*" same "$?" 0
    expect "what $* says" grep -qF -- "$text" "$out"
    expect "silence of $*" same "$(wc -c <"$err")" 0
}

says 'exactly the capabilities' "$copy/capos"
says 'Examples:' "$copy/capos" --help
says 'capos 0' "$copy/capos" --version
says 'launch=PROGRAM' "$copy/capos" grants
grep -v '^#' tools/capos/gen/grants.txt | cut -f 1 >"$dir/names"
while read -r name; do
    expect "capos grants names $name" grep -qE "^[* ] $name[ =]" "$out"
done <"$dir/names"
ln -s copy/capos "$dir/link"
ln -s "$dir/link" "$dir/link2"
(cd / && says 'Examples:' "$dir/link2" --help) || exit 1
(cd "$copy" && PATH=$bin sh capos --version >/dev/null) || fail "sh capos, in its folder"
expect "nothing was written" same "$(find "$copy" -name build)" ""

PATH=$bin "$copy/capos" rnu x >"$out" 2>"$err"
expect "status of an unknown verb" same "$?" 2
expect "a suggestion" same "$(cat "$err")" 'capos: unknown verb "rnu"; did you mean run?'
PATH=$bin "$copy/capos" frobnicate >"$out" 2>"$err"
expect "status of an unknown verb" same "$?" 2
expect "one line" one_line_of_ours
