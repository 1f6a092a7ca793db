# Reads `strace -f` of a run on the linux machine and complains, with status 1, about each call of a user
# thread that had an effect: a user thread is one that was cloned into a process and has installed its filter. Also when
# there was none, or a process has not ended. bases: user threads set FS and GS base by a call.
function complain(text) { print FILENAME ":" FNR ": " text ": " $0; bad = 1 }
{
    thread = $1
    alive[thread] = 1
    call = $2
    if (refused[thread] != "" && $2 != "<...") { # Linux has not done it if the next thing is SIGSYS
        if ($2 != "---" || $3 != "SIGSYS") {
            if ($2 != "+++") complain("not refused: " refused[thread])
        }
        refused[thread] = ""
    }
}
$2 == "+++" { delete alive[thread]; next }
/ clone\(child_stack=0x7fff.*CLONE_THREAD/ { cloned = 1 }
user[thread] && $2 !~ /^(---|\+\+\+|<\.\.\.|\[|strace:|\?\?\?\?)/ {
    calls++
    if (call ~ /^futex\(0x7fff/ && /FUTEX_(WAIT|WAKE),/) { futexes++; next }
    if (call ~ /^rt_sigreturn\(/) { returns++; next }
    if (bases && call ~ /^arch_prctl\(ARCH_SET_[FG]S,/) next
    refused[thread] = $0
    traps++
}
# The first filter of a process is its manager's, installed before it has threads; a thread's second is its own.
call ~ /^seccomp\(SECCOMP_SET_MODE_FILTER/ && /filter=0x7fff/ { user[thread] = 1; users++ }
END {
    for (t in alive) { print "still there: " t; bad = 1 }
    if (users < 3 || traps < 5000) { print "only " users + 0 " threads, " traps + 0 " refusals"; bad = 1 }
    exit bad
}
