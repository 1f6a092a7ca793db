# The cache of compiled programs: a change of the source or of a header counts, two runs at once do not
# harm each other, and nothing is written outside the cache and build/.
. tests/lib/host.sh

XDG_CACHE_HOME=$dir/cache
export XDG_CACHE_HOME
mkdir -p "$dir/here/a b"
printf '#define WORD "one"\n' >"$dir/here/word.h"
cat >"$dir/here/a b/p.c" <<'END'
#include <stdio.h>
#include "../word.h"
int main(void)
{
    puts(WORD);
}
END
cd "$dir/here" || exit 1

start "a b/p.c" </dev/null
expect "status of main without a return" same "$code" 0
expect "the first run" same "$(cat "$out")" one
count=$(find "$dir/cache/capos/programs" -name program.elf | wc -l)
expect "one program is kept" same "$count" 1
inode=$(ls -i "$dir"/cache/capos/programs/*/program.elf)
start "a b/p.c" </dev/null
expect "the second run" same "$(cat "$out")" one
expect "it was not compiled again" same "$(ls -i "$dir"/cache/capos/programs/*/program.elf)" "$inode"

printf '#define WORD "three"\n' >"$dir/here/word.h"
start "a b/p.c" </dev/null
expect "a changed header" same "$(cat "$out")" three

sed -i 's/WORD);/WORD " more");/' "a b/p.c"
for i in 1 2 3 4; do
    timeout 60 "$CAPOS" run $machine "a b/p.c" >"$dir/out$i" 2>&1 </dev/null &
done
wait
for i in 1 2 3 4; do
    expect "run $i of four at once" same "$(cat "$dir/out$i")" "three more"
done
expect "nothing is left over" same "$(ls "$dir/cache/capos/programs" | wc -l)" 1
expect "nothing is written beside the source" same "$(ls "$dir/here" "$dir/here/a b" | tr '\n' ' ')" \
    "$dir/here: a b word.h  $dir/here/a b: p.c "

# Without a place for a cache it works as well.
XDG_CACHE_HOME=/proc/nowhere
start "a b/p.c" </dev/null
expect "a run without a cache" same "$(cat "$out")" "three more"
HOME=/proc/nowhere XDG_CACHE_HOME= start "a b/p.c" </dev/null
expect "a run without a home" same "$(cat "$out")" "three more"
