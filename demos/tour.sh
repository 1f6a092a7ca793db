#!/bin/sh
# A tour of the demos: each command as one would type it, and what it prints. `make run`.
cd "$(dirname "$0")/.." || exit 1

# show COMMAND...: its words, its output, and its status if that is not 0.
show() {
    printf '\n$ %s\n' "$*"
    sh -c "$*" 2>&1 || printf '(status %d)\n' $?
}

show ./capos run demos/c-hello/hello.c -- world
show './capos run demos/c-wc/wc.c <README.md'
show 'seq 3 | ./capos run demos/c-cat/cat.c'
show ./capos run demos/c-clock/clock.c
show ./capos run --bare --grant stdio demos/c-clock/clock.c
show ./capos run --bare --grant stdio --print-manifest demos/c-clock/clock.c
show ./capos run --grant spawn demos/c-pipe/pipe.c
show ./capos run --machine linux --dir manifests:ro demos/c-tree/tree.c
show './capos boot manifests/smoke.json | tail -n 4'
printf '\nMore: ./capos --help\n'
