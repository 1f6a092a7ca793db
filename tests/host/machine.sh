# Machines that end in every way, break the protocol, or are none: each gets its status and its line, and
# capos always ends. What they say is played by fake_qemu.c.
. tests/lib/host.sh
only qemu

gcc -std=gnu17 -I. -o "$dir/fake_qemu" tests/host/fake_qemu.c || fail "fake_qemu.c does not compile"
CAPOS_QEMU=$dir/fake_qemu
export CAPOS_QEMU

# says FAKE STATUS TEXT: standard error has the line; it is empty for an empty TEXT.
says() {
    FAKE=$1 timeout -k 5 30 "$CAPOS" run --accel tcg --kernel-log "$dir/log" demos/c-hello/hello.c \
        >"$out" 2>"$err" </dev/null
    code=$?
    expect "status of $1 ($code)" same "$code" "$2"
    if [ -n "$3" ]; then
        expect "a line about $1" grep -q "^capos: .*$3" "$err"
    else
        expect "silence about $1" same "$(wc -c <"$err")" 0
    fi
}

says exited 5 ''
says faulted 139 'faulted'
says terminated 143 'ended by another'
says denied 126 'refused'
says budget 137 'ran out'
says panicked 134 'could not go on'
says boot 125 'could not be started'
says unknown 125 'does not know'
says refuse 125 'QEMU could not run'
expect "QEMU's own words" grep -q 'does not please me' "$err"
says panic 125 'kernel panic'
expect "the panic's words" grep -q 'everything is wrong' "$err"
expect "the panic in the log" grep -q 'everything is wrong' "$dir/log"
says vanish 125 'without saying how'
says crash 125 'ended by signal'
says garbage 125 'protocol'
says flood 125 'more output than its credit'
says log-flood 3 ''
expect "the whole log" same "$(wc -l <"$dir/log")" 20000
before=$(now_ms)
says linger 4 ''
took=$(($(now_ms) - before))
expect "the output of one that lingers" same "$(cat "$out")" bye
expect "a machine that does not end took $took ms" [ "$took" -lt $((3000 * ${SLOW:-1})) ]
