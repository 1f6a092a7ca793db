#!/bin/sh
# linux.sh: the linux machine's rows for bench.sh, each beside the same thing done natively in the same run. In nanoseconds
# of real time, so on a shared host they move: medians, with the spread of what they are the median of. The rows that stand
# for a host's own cost begin with host_. A result that is wrong ends it without rows.
set -eu

build=${BUILD:-build}
capos=$build/host/capos
native=$build/host/perf/native
perf=$build/x86_64/perf
hello=$build/x86_64/demos/c-hello.elf
work=$build/perf
guest="$capos run --machine linux --grant spawn $perf/machine.elf --"
mkdir -p "$work"

# pairs N HERE THERE FORMAT: with the medians of here and there in nanoseconds, of the ratio, and its spread, as $1 to $4.
pairs() {
    "$native" pairs "$1" "$2" $guest "$3" >"$work/pairs"
    awk "{ \$3 /= 1000; \$4 /= 1000; printf $4 }" "$work/pairs"
}

# command N TEXT NAME COMMAND...
command() {
    n=$1 text=$2 name=$3
    shift 3
    "$native" command "$n" "$text" "$@" >"$work/command"
    awk "{ printf \"$name ms %.1f %.1f\\n\", \$1 / 1e6, \$2 / 1e6 }" "$work/command"
}

whole_commands() {
    command 21 'hello
' linux_hello_ms "$capos" run --machine linux "$hello"
    command 21 'hello
' host_hello_ms "$work/hello"
}

pairs_of_both() {
    pairs 15 compute compute '"linux_cpu_ratio ratio %.3f %.3f\n", $3, $4'
    pairs 15 touch touch '"linux_touch_ratio ratio %.2f %.2f\n", $3, $4'
    pairs 15 one-cold cold '"linux_ring_nop_cold_ratio ratio %.2f %.2f\n", $3, $4'
    pairs 9 call call '"linux_syscall_ns ns %d %d\nhost_syscall_ns ns %d 0\n", $2, $4 * $1, $1'
    pairs 9 map map '"linux_map_ns ns %d %d\nhost_map_ns ns %d 0\n", $2, $4 * $1, $1'
    pairs 9 fault fault '"linux_fault_ns ns %d %d\nhost_fault_ns ns %d 0\n", $2, $4 * $1, $1'
    pairs 9 fault-near fault-near '"linux_fault_near_ns ns %d %d\nhost_fault_near_ns ns %d 0\n", $2, $4 * $1, $1'
    pairs 9 fault-by-hand fault '"linux_fault_ratio ratio %.2f %.2f\nhost_fault_by_hand_ns ns %d 0\n", $3, $4, $1'
}

# 64 KiB at a time from and to a file of a granted folder that the host has in memory, as a part of what the host's own
# pread and pwrite of it reach.
folders() {
    mkdir -p "$work/folder"
    export PERF_FILE=$work/folder/file
    head -c 16777216 /dev/urandom >"$PERF_FILE"
    guest="$capos run --machine linux --dir $work/folder::/data $perf/machine.elf --"
    pairs 15 read read '"linux_dir_read_ratio ratio %.2f %.2f\n", 1 / $3, $4'
    pairs 9 write write '"linux_dir_write_ratio ratio %.2f %.2f\n", 1 / $3, $4'
    rm "$PERF_FILE"
}

# The kernel's paths as bench.json names them, in ticks; seven machines.
paths() {
    for i in 1 2 3 4 5 6 7; do
        "$capos" boot --machine linux tests/perf/bench.json
    done >"$work/paths"
    "$native" pipe >"$work/pipe"
    "$native" signal >"$work/signal"
    "$native" fork >"$work/fork"
    "$native" command 99 7 "$work/nothing" >"$work/spawn"
    ticks=$("$native" ticks)
    row ring_nop linux_ring_nop_hot_ns ns 1000000
    row endpoint_rtt linux_endpoint_rtt_ns ns 1000000
    awk '{ print "host_pipe_rtt_ns ns", $1, 0 }' "$work/pipe"
    row upcall linux_upcall_ns ns 1000000
    awk '{ print "host_signal_ns ns", $1, 0 }' "$work/signal"
    row fork_wait linux_fork_wait_us us 1000
    awk '{ printf "host_fork_wait_us us %.0f 0\n", $1 / 1000 }' "$work/fork"
    row spawn_wait linux_spawn_wait_us us 1000 | tee "$work/spawn_row"
    awk 'NR == FNR { us = $3; next } { printf "host_spawn_wait_us us %.0f %.0f\nlinux_spawn_wait_ratio ratio %.2f 0\n",
        $1 / 1000, $2 / 1000, us * 1000 / $1 }' "$work/spawn_row" "$work/spawn"
}

# row NAME AS UNIT UNITS-IN-A-MILLISECOND: the median of the machines' medians.
row() {
    sed -n "s/^$1 instructions \([0-9]*\) .*/\1/p" "$work/paths" | sort -n |
        awk "{ v[NR] = \$1 * $4 / $ticks } END { if (NR < 7) exit 1; printf \"$2 $3 %.0f %.0f\\n\", v[4], v[7] - v[1] }"
}

whole_commands
pairs_of_both
folders
paths
