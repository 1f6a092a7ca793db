# Which machine a run gets: QEMU with KVM where that works, else the linux machine, and emulation where that cannot run;
# what is said of it, and how often. KVM and QEMU are played by fake_qemu.c (with KVM it ends with 11, else with 12), a
# host that refuses things by container.c.
. tests/lib/host.sh
[ "${MACHINE:-linux}" = linux ] || exit 0

gcc -std=gnu17 -I. -o "$dir/fake_qemu" tests/host/fake_qemu.c || fail "fake_qemu.c does not compile"
gcc -std=gnu17 -D_GNU_SOURCE -o "$dir/container" tests/boot/container.c || fail "container.c does not compile"
XDG_CACHE_HOME=$dir/cache
CAPOS_QEMU=$dir/fake_qemu
export XDG_CACHE_HOME CAPOS_QEMU FAKE CAPOS_MACHINE
hello=build/x86_64/demos/c-hello.elf

# gets STATUS COMMAND...: runs hello.
gets() {
    wanted=$1
    shift
    "$@" >"$out" 2>"$err" </dev/null
    code=$?
    expect "status of $* ($code)" same "$code" "$wanted"
}

says() { expect "that it says: $1" grep -qF -- "$1" "$err"; }
quiet() { expect "silence" same "$(wc -c <"$err")" 0; }

# Without KVM: the linux machine, told once.
FAKE=no-kvm
gets 0 "$CAPOS" run $hello
expect "the output" same "$(cat "$out")" hello
expect "one line about the machine" one_line_of_ours
says docs/threat-model.md
says /dev/kvm
gets 0 "$CAPOS" run $hello
quiet
gets 0 "$CAPOS" run --machine auto $hello
quiet
gets 0 "$CAPOS" run --print-manifest $hello
expect "the manifest's machine" grep -q '^machine: linux (.*/dev/kvm' "$out"
quiet
gets 0 "$CAPOS" run --print-manifest=json $hello
expect "the manifest's machine" grep -q '"machine": {"name": "linux", "reason": ".*/dev/kvm' "$out"

# Who asks gets what was asked for.
gets 12 "$CAPOS" run --machine qemu $hello
gets 12 "$CAPOS" run --accel tcg $hello
gets 12 "$CAPOS" run --machine auto --accel tcg $hello
quiet
CAPOS_MACHINE=qemu
gets 12 "$CAPOS" run $hello
gets 0 "$CAPOS" run --machine linux $hello
gets 0 "$CAPOS" run --print-manifest $hello
expect "why" grep -q '^machine: qemu, emulated (CAPOS_MACHINE=qemu' "$out"
CAPOS_MACHINE=linux
gets 0 "$CAPOS" run $hello
quiet
gets 0 "$CAPOS" run --print-manifest $hello
expect "why" grep -q '^machine: linux (CAPOS_MACHINE=linux)' "$out"

# The linux machine needs no QEMU.
CAPOS_MACHINE=
mkdir -p "$dir/bin"
CAPOS_QEMU= PATH=$dir/bin gets 0 "$CAPOS" run $hello
CAPOS_QEMU= PATH=$dir/bin gets 0 "$CAPOS" run $hello
quiet
CAPOS_QEMU= PATH=$dir/bin gets 0 "$CAPOS" setup
says 'for the machine: linux'

gets 0 "$CAPOS" run $hello # another reason, which is told

# A host that refuses what the linux machine needs.
for call in seccomp close_range memfd_create; do
    [ $call = memfd_create ] || gets 12 "$dir/container" --deny $call "$CAPOS" run $hello
    [ $call = memfd_create ] || expect "one line when $call is refused" one_line_of_ours
    [ $call = memfd_create ] || says 'the linux machine cannot run here: '
    gets 125 "$dir/container" --deny $call "$CAPOS" run --machine linux $hello
    expect "one line when $call is refused" one_line_of_ours
done
gets 0 "$dir/container" --deny seccomp "$CAPOS" run --print-manifest $hello
expect "why" grep -q '^machine: qemu, emulated (the linux machine cannot run here: no seccomp filter: Oper' "$out"
gets 125 "$dir/container" --deny seccomp "$CAPOS" run --machine linux --print-manifest $hello
expect "one line" one_line_of_ours

# With KVM.
[ -r /dev/kvm ] && [ -w /dev/kvm ] || exit 0
rm -r "$dir/cache"
FAKE=kvm
gets 11 "$CAPOS" run $hello
quiet
gets 12 "$CAPOS" run --accel tcg $hello
gets 11 "$CAPOS" run --machine qemu $hello
gets 0 "$CAPOS" run --machine linux $hello
gets 0 "$CAPOS" run --print-manifest $hello
expect "why" grep -q '^machine: qemu with KVM (KVM works here)' "$out"
