# Bad usage and bad input: one clear line each, status 2, nothing booted.
. tests/lib/host.sh

echo 'int main(void) { return 0; }' | source_file good
printf 'neither' >"$dir/text"
printf '#include <unistd.h>\nint main(void) { return 0; }\n' | source_file header
printf 'int main(void) { return x; }\n' | source_file wrong
gcc -c -x c -o "$dir/object.o" "$dir/good.c"
gcc -o "$dir/linux" "$dir/good.c"
head -c 100 "$dir/linux" >"$dir/short"

"$CAPOS" run "$dir/good.c" >"$out" 2>&1 </dev/null # now it has been told which machine it is

# refuses SAYS ARGUMENTS...: one line that contains SAYS.
refuses() {
    says=$1
    shift
    "$CAPOS" run "$@" >"$out" 2>"$err" </dev/null
    code=$?
    expect "status of: run $* ($code)" same "$code" 2
    expect "one line for: run $*" one_line_of_ours
    expect "what it says for: run $*" grep -qF -- "$says" "$err"
    expect "no output for: run $*" same "$(wc -c <"$out")" 0
}

refuses 'which program?'
refuses 'No such file' "$dir/nothing.c"
refuses 'No such file' "$dir/nothing"
refuses 'Is a directory' "$dir"
refuses 'neither C source' "$dir/text"
refuses 'Linux program' "$dir/linux"
refuses 'not a program' "$dir/object.o"
refuses 'damaged' "$dir/short"
refuses 'no header <unistd.h>' "$dir/header.c"
refuses 'did you mean --grant?' --gramt timer "$dir/good.c"
refuses 'unknown option --frobnicate' --frobnicate "$dir/good.c"
refuses 'unknown option --two\u000alines\u001b[2J' "$(printf '%s\nlines\033[2J' --two)" "$dir/good.c"
refuses 'two\u000alines.c: No such file' "$(printf 'two\nlines.c')"
refuses 'two\u000alines: No such file' --dir "$(printf 'two\nlines')" "$dir/good.c"
refuses 'did you mean timer?' --grant timr "$dir/good.c"
refuses 'unknown grant' --grant everything "$dir/good.c"
refuses 'takes no value' --grant timer=1 "$dir/good.c"
refuses 'needs a value' --grant launch "$dir/good.c"
refuses 'needs a value' --grant
refuses '--bare takes no value' --bare=yes "$dir/good.c"
refuses '--env takes' --env =x "$dir/good.c"
refuses 'there is no CAPOS_TEST_NOT_SET' --env CAPOS_TEST_NOT_SET "$dir/good.c"
refuses '--mem takes' --mem 8X "$dir/good.c"
refuses 'the machine can have' --mem 1K "$dir/good.c"
refuses '--cpus takes' --cpus 0 "$dir/good.c"
refuses '--cpus takes' --cpus two "$dir/good.c"
refuses '--time takes' --time -1 "$dir/good.c"
refuses '--time takes' --time soon "$dir/good.c"
refuses '--accel takes' --accel xen "$dir/good.c"
refuses 'did you mean tcg?' --accel tgc "$dir/good.c"
refuses '--machine takes' --machine xen "$dir/good.c"
refuses 'did you mean linux?' --machine lunix "$dir/good.c"
refuses 'and --machine linux was asked for' --machine linux --accel tcg "$dir/good.c"
refuses 'and --machine linux was asked for' --accel auto --machine linux "$dir/good.c"
CAPOS_MACHINE=lunix
export CAPOS_MACHINE
refuses 'CAPOS_MACHINE takes' "$dir/good.c"
CAPOS_MACHINE=linux
refuses 'and CAPOS_MACHINE=linux was asked for' --accel tcg "$dir/good.c"
unset CAPOS_MACHINE
refuses '--print-manifest takes' --print-manifest=xml "$dir/good.c"
refuses '--kernel-log' --kernel-log "$dir/no/such/folder" "$dir/good.c"

refuses 'at most' "$dir/good.c" "$(head -c 70000 /dev/zero | tr '\0' x)"
refuses 'at most' "$dir/good.c" $(seq 10000)
start "$dir/good.c" $(seq 3000) </dev/null
expect "status with 3000 arguments" same "$code" 0

# The compiler's own words, then ours.
"$CAPOS" run "$dir/wrong.c" >"$out" 2>"$err" </dev/null
expect "status of a source with an error" same "$?" 2
expect "the compiler's words" grep -q "wrong.c:1:25: error: 'x' undeclared" "$err"

# No QEMU.
PATH=/nonexistent CAPOS_QEMU= "$CAPOS" run --accel tcg build/x86_64/init.elf >"$out" 2>"$err" </dev/null
expect "status without QEMU" same "$?" 2
expect "a line without QEMU" one_line_of_ours
expect "what to do without QEMU" grep -q 'capos setup' "$err"

# Hardware virtualisation that is not there, or does not deserve its name; where it works, the probe says so.
only qemu
start --accel kvm "$dir/good.c" </dev/null
if [ "$code" != 0 ]; then
    expect "status without KVM" same "$code" 2
    expect "a line without KVM" grep -q '^capos: .*/dev/kvm' "$err"
fi
