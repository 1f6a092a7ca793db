#!/bin/sh
# Writes a C file with a function for each symbol that the given objects use, that none of them defines and that a header
# of the kernel names. Calling one is a panic that says which. When core is complete the file is empty.
set -eu
defined=$(mktemp)
used=$(mktemp)
named=$(mktemp)
trap 'rm -f "$defined" "$used" "$named"' EXIT
nm --defined-only -g "$@" 2>/dev/null | awk 'NF == 3 { print $3 }' | sort -u >"$defined"
nm -u "$@" 2>/dev/null | awk 'NF == 2 && $1 == "U" { print $2 }' | sort -u >"$used"
grep -ohE '\b[a-z][a-z0-9_]*_[a-z0-9_]+\b|\bpanic\b' kernel/core/*.h kernel/arch/arch.h $(find kernel/cap kernel/gen -name '*.h') | sort -u >"$named"
echo 'void arch_panic(const char *text);'
comm -23 "$used" "$defined" | comm -12 - "$named" | while read -r name; do
    echo "void $name(void) { arch_panic(\"$name is not written yet\"); }"
done
