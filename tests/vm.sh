#!/bin/sh
# vm.sh [LINUX OPTION...]: the linux machine's tests on another host than this one: Debian's own kernel, emulated by QEMU.
# For what this host's kernel or processor does not have, or has and should be able to do without:
#
#   make test-vm                              two processors, with FSGSBASE
#   make test-vm VM_OPTIONS=nofsgsbase        Linux without FSGSBASE on a processor that has it
#   make test-vm CPUS=1, CPUS=4, ONLY=linux/spawn
#
# Needs root, for debootstrap. The system that is booted (Debian's kernel, gcc, strace) is made once and kept in the cache, by
# the release's name; the checkout goes in as it is built (BUILD is a folder in it). ONLY is a pattern of names, as tests/run takes it.
#
# hostile.c makes Linux report page faults of the kernel "in user mode" there: QEMU 7.2 emulates a far return from ring 3 with
# the kernel's rights and 32 bits of the stack pointer. The program's thread ends by that, as it should.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
cache=${XDG_CACHE_HOME:-$HOME/.cache}/capos/vm
work=${BUILD:-build}/vm
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
base=$cache/$release
[ "$(id -u)" = 0 ] || { echo "vm.sh: debootstrap needs root" >&2; exit 2; }
sh tools/capos/setup.sh vm
mkdir -p "$work" "$cache"

if [ ! -e "$base/done" ]; then
    rm -rf "$base"
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' "Codename: $release" | head -n 1)
    [ -n "$mirror" ] || { echo "vm.sh: apt knows no mirror of $release; add one to its sources" >&2; exit 2; }
    packages=linux-image-cloud-amd64,gcc,libc6-dev,make,strace,procps,qemu-system-x86
    debootstrap --variant=minbase --include=$packages "$release" "$base" "$mirror" >"$work/debootstrap.log" || {
        tail -n 5 "$work/debootstrap.log" >&2
        exit 1
    }
    touch "$base/done"
fi

# What the booted system does: its console is our record.
rm -rf "$base/capos"
mkdir "$base/capos"
tests=./${BUILD:-build}/tests
tar -C "$root" --exclude=.git --exclude="./$work" --exclude="$tests/boot-*" --exclude="$tests/host*" -cf - . |
    tar -C "$base/capos" -xf -
cat >"$base/init" <<END_OF_INIT
#!/bin/sh
mount -t proc none /proc
mount -t sysfs none /sys
mount -t tmpfs none /tmp
mount -t tmpfs none /root
export HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin BUILD=${BUILD:-build} JOBS=${CPUS:-2} ONLY=${ONLY:-} SLOW=10 MAKE=make
cd /capos
uname -srm
sh tests/run linux
echo o >/proc/sysrq-trigger
sleep 60
END_OF_INIT
chmod +x "$base/init"
size=$(($(du -sm "$base" | cut -f 1) + 1024))
rm -f "$work/disk"
truncate -s "${size}M" "$work/disk"
mke2fs -q -t ext4 -d "$base" "$work/disk"

timeout 5400 qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp "${CPUS:-2}" -m 4G -nographic -no-reboot \
    -kernel "$(ls "$base"/boot/vmlinuz-* | tail -n 1)" -initrd "$(ls "$base"/boot/initrd.img-* | tail -n 1)" \
    -append "root=/dev/vda rw init=/init console=ttyS0 quiet mitigations=off $*" \
    -drive "file=$work/disk,if=virtio,format=raw" </dev/null | tee "$work/console"
tr -d '\r' <"$work/console" | grep -q '^[1-9][0-9]* passed, 0 failed$'
