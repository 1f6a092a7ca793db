#!/bin/sh
# run.sh LOGDIR PROGRAM...: runs test programs, prints a line for each and the output of those that fail.
set -u
logs=$1
shift
mkdir -p "$logs"
failed=0
for program in "$@"; do
    name=${program#*/}
    log=$logs/$(echo "$name" | tr / .).log
    if "$program" >"$log" 2>&1; then
        echo "ok $name ($(grep -c '^ok ' "$log"))"
    else
        failed=$((failed + 1))
        cat "$log"
        echo "not ok $name"
    fi
done
[ "$failed" -eq 0 ]
