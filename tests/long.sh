#!/bin/sh
# tests/long.sh: what `make test-long` runs: the random tests with eight other seeds, all boot tests on both machines with
# a thousand kills of the linux machine's kernel, then ten minutes of each fuzzer. The record stays in build/long/. Fails if anything failed; everything is run all the same.
set -u
cd "$(dirname "$0")/.." || exit 1
record=${BUILD:-build}/long
mkdir -p "$record"
failed=0

kept() { # kept NAME COMMAND...
    name=$1
    shift
    "$@" >"$record/$name.txt" 2>&1 || failed=1
    cat "$record/$name.txt"
}

for seed in 1 2 3 4 5 6 7 8; do
    echo "seed $seed"
    kept "unit-$seed" env SEED="${seed}000" SEEDS=30 sh tests/run unit
done
kept boot env EVERYWHERE=1 MOMENTS="${MOMENTS:-1000}" sh tests/run boot linux
kept fuzz env FUZZ_SECONDS="${FUZZ_SECONDS:-600}" sh tests/run fuzz
exit $failed
