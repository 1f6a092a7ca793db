#!/bin/sh
# Installs what is missing, by package name through apt: `setup.sh run` for `capos run`, `setup.sh qemu` for its machine qemu
# besides, `setup.sh test` for `make test`: all of it, `setup.sh vm` for `make test-vm`. On a terminal it asks once; without one
# it goes on as root or where sudo works without a password; else it prints the line to type and ends with status 125.
set -eu

packages_run="gcc make binutils libc6-dev"
packages_qemu="qemu-system-x86"
packages_test="clang libclang-rt-dev capnproto git gdb procps"
packages_vm="debootstrap e2fsprogs"
commands_run="gcc make ld ar flock awk"
commands_qemu="qemu-system-x86_64"
commands_test="clang capnp git gdb ps"
commands_vm="debootstrap mke2fs"

say() {
    printf 'capos: %s\n' "$*" >&2
}

give_up() {
    say "$@"
    exit 125
}

set_name=${1-run}
packages=$packages_run commands=$commands_run
if [ "$set_name" != run ]; then
    packages="$packages $packages_qemu" commands="$commands $commands_qemu"
fi
if [ "$set_name" = test ]; then
    packages="$packages $packages_test" commands="$commands $commands_test"
elif [ "$set_name" = vm ]; then
    packages="$packages $packages_vm" commands="$commands $commands_vm"
fi

# --- not Debian: say what is missing, no more ---

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    missing=
    for c in $commands; do
        command -v "$c" >/dev/null || missing="$missing $c"
    done
    [ -n "$missing" ] || exit 0
    say "this is not Debian, so capos cannot install what is missing. Install these commands:"
    for c in $missing; do
        printf '    %s\n' "$c" >&2
    done
    exit 125
fi

# --- which packages ---

missing=
for p in $packages; do
    case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $p" ;;
    esac
done
missing=${missing# }
[ -n "$missing" ] || exit 0

# --- as whom ---

install_words="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" = 0 ]; then
    as=
    line=$install_words
elif command -v sudo >/dev/null; then
    as=sudo
    line="sudo $install_words"
else
    as=none
    line="su -c '$install_words'"
fi
terminal=false
if [ -t 0 ] && [ -t 2 ]; then
    terminal=true
fi

# --- how much, how long; asked once ---

bytes=$(apt-get -qq --print-uris --no-install-recommends install $missing 2>/dev/null |
    awk '{ n += $3 } END { printf "%d", n }')
say "capOS needs these packages: $missing"
if [ "${bytes:-0}" -gt 0 ]; then
    say "$(awk -v n="$bytes" 'BEGIN { m = n / 1e6; printf \
        "download: %d MB; with installing it takes about %d minutes", m + 1, 2 + m / 100 }')"
else
    say "download: known once apt has fetched its lists; it usually takes a few minutes"
fi

if [ "$as" = none ]; then
    give_up "there is no sudo here. As root, type: $line"
elif $terminal; then
    printf 'capos: install them now? [Y/n] ' >&2
    read -r answer || answer=n
    case $answer in
    '' | y | Y | yes | Yes) ;;
    *) give_up "nothing was installed. To do it yourself, type: $line" ;;
    esac
elif [ "$as" = sudo ]; then
    sudo -n true 2>/dev/null || give_up "sudo wants a password, and this is no terminal. Type: $line"
    as="sudo -n"
fi

# --- install ---

log=${XDG_CACHE_HOME:-${HOME:-}/.cache}/capos/setup.log
mkdir -p "${log%/*}" 2>/dev/null && : >"$log" 2>/dev/null || log=/dev/null

# apt's hundred lines go to a log; its end is shown when it fails.
apt() {
    $as env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -qq "$@" \
        >>"$log" 2>&1 </dev/null
}

# Old or empty lists are the usual reason for a failure, and fresh ones are cheap.
install_missing() {
    apt install -y --no-install-recommends $missing
}

if [ "${bytes:-0}" -eq 0 ]; then
    say "fetching apt's lists"
    apt update || true # one source of several may be out of reach; installing will tell
fi
say "installing (what apt says goes to $log)"
if ! install_missing; then
    say "that failed; trying again with fresh lists"
    if ! apt update || ! install_missing; then
        tail -n 20 "$log" >&2
        give_up "apt could not install them. To try yourself, type: $line"
    fi
fi
say "installed"
