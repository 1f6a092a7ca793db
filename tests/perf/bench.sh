#!/bin/sh
# bench.sh: boots the benchmark and writes build/bench.json, an array of {name, unit, value, spread}.
#
# Kernel paths and the boot are counted in instructions under QEMU's -icount, where the time-stamp counter advances with
# instructions: the same in every run. Without ERMS, or each byte of a cleared page would count. The times of a boot are
# the median of 11 under plain emulation; the least memory is the smallest machine that runs hello. The rows of the linux
# machine are linux.sh's.
set -eu

build=${BUILD:-build}
capos=$build/host/capos
work=$build/perf
hello=$build/x86_64/demos/c-hello.elf
rows=$work/rows
mkdir -p "$work"
cat >"$work/qemu-counting" <<'END'
#!/bin/sh
exec qemu-system-x86_64 "$@" -icount shift=0,sleep=off -seed 1 -cpu max,-erms,-fsrm,-x2apic
END
chmod +x "$work/qemu-counting"

counting() { CAPOS_QEMU=$work/qemu-counting timeout 120 "$capos" "$@"; }

# The value of one line of --trace-start.
traced() { sed -n "s/^capos: *\([0-9]*\) ms: $1.*/\1/p" "$2"; }

boot_instructions() {
    counting run --accel tcg --trace-start "$hello" >"$work/out" 2>"$work/trace"
    sed -n 's/.*first instruction to the program.s: \([0-9]*\) ns/boot_instructions instructions \1 0/p' "$work/trace"
}

boot_times() {
    for i in 1 2 3 4 5 6 7 8 9 10 11; do
        timeout 60 "$capos" run --accel tcg --trace-start "$hello" >"$work/out" 2>"$work/trace"
        traced "the program's first output" "$work/trace"
    done | sort -n | awk '{ v[NR] = $1 } END { print "boot_first_line_ms ms", v[6], v[11] - v[1] }'
}

least_memory() {
    for megabytes in 2 3 4 5 6 7 8 12 16 24 32; do
        if timeout 60 "$capos" run --accel tcg --mem "${megabytes}M" "$hello" >"$work/out" 2>/dev/null &&
            [ -s "$work/out" ]; then
            echo "least_memory_mib MiB $megabytes 0"
            return
        fi
    done
}

{
    counting boot --accel tcg tests/perf/bench.json
    boot_instructions
    boot_times
    least_memory
    sh tests/perf/linux.sh
} >"$rows"

awk 'BEGIN { printf "[" }
{
    printf "%s\n  {\"name\": \"%s\", \"unit\": \"%s\", \"value\": %s, \"spread\": %s}", comma, $1, $2, $3, $4
    comma = ","
}
END { print "\n]" }' "$rows" >"$build/bench.json"
awk '{ printf "%-20s %10s %-12s (spread %s)\n", $1, $3, $2, $4 }' "$rows"
