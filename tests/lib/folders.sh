# folders.sh: for boot tests about host folders, by `. tests/lib/folders.sh`.
#
#   folders_come_later PROGRAM   on the machine qemu, checks that it says so, and the test ends well
#   folder_host ROLE...          what only the host can do to a folder: tests/boot/folder_host.c

folders_come_later() {
    [ "$MACHINE" = qemu ] || return 0
    run --dir "$dir::/data" "$programs/$1.elf"
    status 2
    check [ ! -s "$out" ]
    stderr 'capos: --machine qemu: host folders (--dir) come later on the machine qemu; --machine linux has them'
    exit 0
}

folder_host() {
    [ -x "$dir/folder_host" ] ||
        check gcc -std=gnu17 -D_GNU_SOURCE -O1 -o "$dir/folder_host" tests/boot/folder_host.c
    check "$dir/folder_host" "$@"
}
