#!/bin/sh
# job.sh LOGS SECONDS NAME COMMAND...: runs one test of tests/run with its output in a log, and prints one
# line about it; the log too when it failed. The results are counted in LOGS/results.
set -u
logs=$1 seconds=$2 name=$3
shift 3
log=$logs/$(printf '%s' "$name" | tr / .).log
start=$(date +%s)
timeout -k 10 "$seconds" "$@" >"$log" 2>&1 </dev/null
code=$?
took=$(($(date +%s) - start))
if [ "$code" = 0 ]; then
    printf 'ok %s\n' "$name" >>"$logs/results"
    printf 'ok      %s (%d s)\n' "$name" "$took"
else
    why="status $code"
    [ "$code" != 124 ] || why="not done within $seconds s"
    printf 'failed %s\n' "$name" >>"$logs/results"
    { tail -n 100 "$log" | sed 's/^/    /'; printf 'FAILED  %s (%s)\n' "$name" "$why"; } >"$log.shown"
    cat "$log.shown"
fi
