#!/bin/sh
# Requirement 1.10: only libcapos defines _start, the panic path, the allocator and the two system
# calls. libcapos.sh LIBRARY FILE...: each name is defined once in the library; the kernel is entered
# from two functions there and nowhere else; neither the programs nor their objects (*.o) have an
# instruction that enters it by itself, and no object defines one of the names.
set -eu
library=$1
shift
failed=0
complain() {
    echo "libcapos-check: $*" >&2
    failed=1
}

names="_start capos_panic capos_cap_enter capos_exit_process
    malloc calloc realloc aligned_alloc free"
for name in $names; do
    count=$(nm -A --defined-only "$library" 2>/dev/null | grep -c " [TtBbDdRr] $name\$" || true)
    [ "$count" = 1 ] || complain "$name is defined $count times in $library"
done

# The gate's address is jumped to by the two wrappers alone.
entries=$(objdump -dr --no-show-raw-insn "$library" |
    awk '/^[0-9a-f]+ <.*>:$/ { name = $2 } /(jmp|call)/ { jump = name; next }
         /capos_gate/ && jump != "" { print jump } { jump = "" }' | sort | tr -d '\n')
[ "$entries" = "<capos_cap_enter>:<capos_exit_process>:" ] ||
    complain "the gate is used by: $entries"

for file in "$library" "$@"; do
    instructions=$(objdump -d --no-show-raw-insn "$file" |
        awk '{ print $2 }' | grep -cxE 'syscall|sysenter|int|int80' || true)
    [ "$instructions" = 0 ] || complain "$file has $instructions instructions that enter a kernel"
done

# What a program brings along itself.
for object in "$@"; do
    case $object in *.o) ;; *) continue ;; esac
    for name in $names; do
        if nm --defined-only "$object" | grep -q " [TtBbDdRr] $name\$"; then
            complain "$object defines $name"
        fi
    done
done
[ "$failed" = 0 ] && echo "ok libcapos-check"
exit "$failed"
