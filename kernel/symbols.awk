# Makes the kernel's table of function names, for the backtrace of a panic, from the output of `nm -n`: see core/panic.c.
$2 ~ /^[tT]$/ && $3 !~ /^\./ {
    n++
    address[n] = $1
    name[n] = $3
    sub(/\..*/, "", name[n]) # the compiler's ".isra.0" and the like
}
END {
    print "    .section .symbols, \"a\""
    print "    .balign 8"
    print "start:"
    print "    .long " n ", 0x" substr(address[1], 1, 8)
    for (i = 1; i <= n; i++) {
        print "    .long 0x" substr(address[i], 9) ", name" i " - names"
    }
    print "names:"
    for (i = 1; i <= n; i++) {
        print "name" i ": .asciz \"" name[i] "\""
    }
    print "    .org start + 24576" # what the link has left room for: fails when it does not suffice
    print "    .section .note.GNU-stack, \"\", @progbits"
}
