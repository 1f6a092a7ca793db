#!/bin/sh
# Requirement 1.10: no error number, no descriptor table and no POSIX name in this layer.
# surface.sh LIBRARY HEADERS: looks at the library's symbols and at the names of its headers.
set -eu
library=$1
headers=$2
failed=0
complain() {
    echo "runtime-surface-check: $*" >&2
    failed=1
}

for name in errno __errno_location environ open openat close read write pread pwrite lseek \
    pipe dup dup2 fcntl ioctl poll select stat fstat access unlink mkdir opendir readdir getcwd chdir \
    fork vfork execv execve execvp wait waitpid kill raise signal sigaction getpid getppid getuid \
    mmap munmap mprotect brk sbrk socket connect bind listen accept sleep usleep nanosleep \
    clock_gettime gettimeofday time fopen fdopen fileno fclose popen system perror strerror isatty \
    pthread_create pthread_join pthread_mutex_lock setenv putenv getopt posix_spawn syscall; do
    if nm --defined-only "$library" 2>/dev/null | grep -q " [TtWVBbDdRr] $name\$"; then
        complain "$library defines $name"
    fi
done

for header in errno.h unistd.h fcntl.h signal.h pthread.h poll.h dirent.h time.h sys; do
    [ ! -e "$headers/$header" ] || complain "$headers has $header"
done
[ "$failed" = 0 ] && echo "ok runtime-surface-check"
exit "$failed"
