#!/bin/sh
# The rules of style that a script can check; `make tidy`. Prints each breach as file:line: what, and fails
# when there is one.
set -u
cd "$(dirname "$0")/.."
breaches=${BUILD:-build}/tidy.txt
mkdir -p "$(dirname "$breaches")"

# What is in the repository, or would be; without git, what is here.
tracked() {
    git ls-files -co --exclude-standard 2>/dev/null | while read -r f; do [ -f "$f" ] && echo "$f"; done |
        grep . || find . -type f -not -path './build/*' -not -path './.git/*' | sed 's,^\./,,'
}

files=$(tracked)
sources=$(printf '%s\n' "$files" | grep -E '\.[chS]$' | grep -Ev '(^|/)gen/')

# --- each source by itself ---
sources_check() {
    printf '%s\n' "$sources" | xargs awk -f tests/tidy.awk
}

# --- the stem rule: an interface of the kernel has its handler, its page, a granted and an ungranted test ---
# A hosted one has its handler on the machine whose host it is.
stems_check() {
    sed -n 's/^interface \([A-Za-z0-9]*\) \$\(kernel\|hosted\).*/\1 \2/p' schema/capos.capnp |
        while read -r interface where; do
            stem=$(echo "$interface" | sed 's/StdIO/StdIo/; s/\([A-Z]\)/_\1/g; s/^_//' | tr A-Z a-z)
            folder=kernel/cap
            [ "$where" = kernel ] || folder=kernel/arch/linux
            handler=$folder/$stem.c # ParkSpace has no methods, and so no handlers
            grep -qs "^status_t ${stem}_" kernel/gen/dispatch.h kernel/gen/hosted.h || handler=
            for f in $handler "docs/objects/$stem.md" "tests/boot/$stem.test" \
                "tests/boot/${stem}_ungranted.test"; do
                [ -e "$f" ] || echo "schema/capos.capnp:1: $interface is incomplete: there is no $f"
            done
        done
}

# --- the floors: nothing reaches up ---
floors_check() {
    grep -nE '#include "(kernel|services|tools|tests)/' $(printf '%s\n' "$sources" | grep -E '^(abi|lib/wire)/') |
        sed 's/$/  (abi and lib\/wire use nothing above them)/'
    grep -nE '#include "(services|tools|tests)/' $(printf '%s\n' "$sources" | grep -E '^(kernel|lib/capos)/') |
        sed 's/$/  (nothing above this floor)/'
    grep -nE '#include "kernel/arch/(x86_64|linux|sim|hosted)/' $(printf '%s\n' "$sources" | grep -E '^kernel/(core|cap)/') |
        sed 's/$/  (core knows arch by kernel\/arch\/arch.h)/'
}

# --- no address of this machine, of a user or of a package registry, in any file ---
addresses_check() {
    pattern='(^|[^A-Za-z0-9._$}-])/(home|root|work|Users)/[A-Za-z0-9]|https?://[A-Za-z0-9./_-]*(debian|npmjs|pypi|crates\.io|rubygems)'
    printf '%s\n' "$files" | grep -v '^tests/tidy.sh$' | tr '\n' '\0' |
        xargs -0 grep -nIE "$pattern" | sed 's/^\([^:]*:[0-9]*\):.*/\1: a path of one machine, or the host of a registry/'
    printf '%s\n' "$files" | grep -Ev '^(tests|tools/capos)/' | tr '\n' '\0' |
        xargs -0 grep -nIE '(^|[^A-Za-z0-9._-])/tmp/' | sed 's/^\([^:]*:[0-9]*\):.*/\1: a temporary path/'
}

{
    sources_check
    stems_check
    floors_check
    addresses_check
} >"$breaches" 2>&1
[ -s "$breaches" ] || exit 0
head -n 60 "$breaches"
echo "tidy: $(wc -l <"$breaches") breaches (all in $breaches)"
exit 1
