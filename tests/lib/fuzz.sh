#!/bin/sh
# fuzz.sh DIR SECONDS FUZZER...: runs each fuzzer for a time from its committed seeds, prints a line for each and the
# output of those that find something. What they learn stays in DIR.
set -u
dir=$1
seconds=$2
shift 2
failed=0
for fuzzer in "$@"; do
    name=${fuzzer##*/}
    mkdir -p "$dir/corpus/$name" "$dir/found"
    seeds=tests/fuzz/corpus/$name
    [ -d "$seeds" ] || seeds=
    log=$dir/$name.log
    if "$fuzzer" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -artifact_prefix="$dir/found/$name-" \
        "$dir/corpus/$name" $seeds >"$log" 2>&1; then
        echo "ok fuzz/$name ($(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log") runs)"
    else
        failed=$((failed + 1))
        tail -n 60 "$log"
        echo "not ok fuzz/$name"
    fi
done
[ "$failed" -eq 0 ]
