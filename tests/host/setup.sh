# Set-up on machines that are not this one: what apt, dpkg, sudo and id say is played.
. tests/lib/host.sh

bin=$dir/bin
mkdir -p "$bin"
for c in sh sed awk head tail cat env true mkdir; do
    ln -sf "/usr/bin/$c" "$bin/$c"
done

# play NAME: a command, whose script is on standard input.
play() {
    { echo '#!/bin/sh'; cat; } >"$bin/$1"
    chmod +x "$bin/$1"
}

play dpkg-query <<'END'
for last; do :; done
case " $INSTALLED " in *" $last "*) printf installed ;; *) exit 1 ;; esac
END
play apt-get <<'END'
case "$*" in
*--print-uris*)
    [ -z "$NO_LISTS" ] || exit 100
    echo "'x' a.deb 50000000 SHA256:0"
    echo "'y' b.deb 70000000 SHA256:0"
    ;;
*) echo "apt-get $*" >>"$PLAYED" ;;
esac
END
play id <<'END'
echo "$USER_ID"
END

PLAYED=$dir/played
INSTALLED="gcc make" NO_LISTS= USER_ID=1000
HOME=$dir XDG_CACHE_HOME=
export PLAYED INSTALLED NO_LISTS USER_ID HOME XDG_CACHE_HOME

# setup SET: runs it with nothing on standard input.
setup() {
    : >"$PLAYED"
    PATH=$bin sh tools/capos/setup.sh "$1" >"$out" 2>"$err" </dev/null
    code=$?
}

# No sudo: the line to type, and 125.
setup run
expect "status without sudo" same "$code" 125
expect "the packages" grep -q 'packages: binutils libc6-dev$' "$err"
expect "size and time" grep -q 'download: 121 MB; with installing it takes about 3 minutes' "$err"
expect "the line for su" grep -qF \
    "type: su -c 'apt-get install -y --no-install-recommends binutils libc6-dev'" "$err"
expect "nothing was installed" same "$(cat "$PLAYED")" ""

# A sudo that wants a password, and no terminal.
play sudo <<'END'
[ -n "$SUDO_WORKS" ] || exit 1
[ "$1" = -n ] && shift
exec "$@"
END
SUDO_WORKS=
export SUDO_WORKS
setup run
expect "status with a sudo that asks" same "$code" 125
expect "the line for sudo" grep -qF \
    'Type: sudo apt-get install -y --no-install-recommends binutils libc6-dev' "$err"
expect "nothing was installed" same "$(cat "$PLAYED")" ""

# A sudo that works, and root.
SUDO_WORKS=yes
setup run
expect "status with sudo" same "$code" 0
expect "what was installed" grep -q 'install -y --no-install-recommends binutils libc6-dev' "$PLAYED"
USER_ID=0
setup run
expect "status as root" same "$code" 0
expect "what was installed" grep -q 'install -y --no-install-recommends binutils libc6-dev' "$PLAYED"

# Without lists they are fetched first.
NO_LISTS=yes
setup run
expect "status without lists" same "$code" 0
expect "lists first" grep -q update "$PLAYED"
NO_LISTS=

# apt that fails: its words, the line to type, 125.
play apt-get <<'END'
case "$*" in
*--print-uris*) echo "'x' a.deb 5000000 SHA256:0" ;;
*) echo "E: the network is down" && exit 100 ;;
esac
END
setup run
expect "status when apt fails" same "$code" 125
expect "apt's words" grep -q 'network is down' "$err"
expect "the line to type" grep -qF 'type: apt-get install -y --no-install-recommends binutils' "$err"
play apt-get <<'END'
case "$*" in
*--print-uris*) echo "'x' a.deb 5000000 SHA256:0" ;;
*) echo "apt-get $*" >>"$PLAYED" ;;
esac
END

# What the tests need besides.
setup test
expect "status of the tests' set" same "$code" 0
expect "the tests' packages" grep -q 'qemu-system-x86 clang libclang-rt-dev capnproto git gdb procps' "$PLAYED"

# Nothing is missing: nothing is said.
INSTALLED="gcc make libc6-dev binutils libc6-dev"
setup run
expect "status when all is there" same "$code" 0
expect "silence when all is there" same "$(wc -c <"$err")" 0

# The machine qemu.
setup qemu
expect "status of QEMU's set" same "$code" 0
expect "QEMU alone" grep -q 'packages: qemu-system-x86$' "$err"

# A run that comes to QEMU has it installed; one on the linux machine has not.
play apt-get <<'END'
case "$*" in
*--print-uris*) echo "'x' a.deb 5000000 SHA256:0" ;;
*install*qemu-system-x86*) ln -s "$FAKE_QEMU" "${0%/*}/qemu-system-x86_64" ;;
esac
END
gcc -std=gnu17 -I. -o "$dir/fake_qemu" tests/host/fake_qemu.c || fail "fake_qemu.c does not compile"
FAKE_QEMU=$dir/fake_qemu
export FAKE_QEMU
ln -sf "$(command -v ln)" "$bin/ln"
PATH=$bin "$CAPOS" --by-capos run --machine linux build/x86_64/demos/c-hello.elf >"$out" 2>"$err" </dev/null
expect "status on the linux machine" same "$?" 0
expect "no QEMU for it" [ ! -e "$bin/qemu-system-x86_64" ]
FAKE=exited PATH=$bin "$CAPOS" --by-capos run --accel tcg build/x86_64/demos/c-hello.elf >"$out" 2>"$err" </dev/null
expect "status on qemu" same "$?" 5
expect "what was needed" grep -q 'packages: qemu-system-x86$' "$err"
PATH=$bin "$CAPOS" --by-capos setup --machine qemu >"$out" 2>"$err" </dev/null
expect "status of setup" same "$?" 0
expect "the machine" grep -q 'for the machine: qemu' "$err"

# Another distribution: the commands that are missing.
rm "$bin/apt-get"
ln -sf "$(command -v gcc)" "$bin/gcc"
setup run
expect "status elsewhere" same "$code" 125
expect "a missing command" grep -q '^    make$' "$err"
expect "no QEMU, which need not be there" same "$(grep -c '^    qemu' "$err")" 0
expect "one that is there" same "$(grep -c '^    gcc$' "$err")" 0
