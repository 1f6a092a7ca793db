#!/bin/sh
# The command for those tests of tests/host that are run on the linux machine too: `--accel X` becomes
# `--machine linux`.
n=$#
before=
while [ "$n" -gt 0 ]; do
    word=$1
    shift
    [ "$before" != --accel ] || word=linux
    before=$word
    [ "$word" != --accel ] || word=--machine
    set -- "$@" "$word"
    n=$((n - 1))
done
exec "${BUILD:-build}/host/capos" "$@"
