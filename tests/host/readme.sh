# The examples of README.md give what the page says they give: every line that begins with `    $ ` is typed,
# and what follows it is compared, but for times, our own line numbers, and what only some hosts cannot refuse.
. tests/lib/host.sh

root=$PWD
cd "$dir" || exit 1
for name in capos demos LICENSE; do
    ln -s "$root/$name" "$name"
done

# example N: the command and the output of the N-th example.
example() {
    awk -v wanted="$1" -v part="$2" '
        /^    \$ / { n++; shown = 1; if (n == wanted && part == "command") print substr($0, 7); next }
        /^$/ { if (shown) blank++; next }
        !/^    / { shown = blank = 0; next }
        shown && n == wanted && part == "output" { for (; blank > 0; blank--) print ""; print substr($0, 5) }
        { blank = 0 }' "$root/README.md"
}

comparable() {
    sed -E '/time-stamp counter: this host/d; s/[0-9.]+ ms/N ms/; s/(lib\/capos\/[a-zA-Z_.]+):[0-9]+/\1:N/'
}

# The first run says that it builds.
(unset BUILD CAPOS && "$root/capos" run "$root/demos/c-hello/hello.c") >"$out" 2>"$err" </dev/null ||
    fail "a first run"

count=$(grep -c '^    \$ ' "$root/README.md")
expect "the page has examples" [ "$count" -ge 5 ]
last=0
n=1
while [ "$n" -le "$count" ]; do
    command=$(example "$n" command)
    case $command in # the page shows a file: here it is made
    "cat "*) example "$n" output >"${command#cat }" ;;
    esac
    # shellcheck disable=SC2034
    (
        unset BUILD CAPOS
        (exit "$last")
        eval "$command"
    ) >"$out" 2>&1 </dev/null
    last=$?
    example "$n" output | comparable >"$err"
    comparable <"$out" >"$dir/given"
    expect "example $n of the README: $command" cmp -s "$err" "$dir/given"
    n=$((n + 1))
done
