# --dir: what of it is refused, what a program would get and gets, and what demos/c-tree shows of folders with all kinds
# of files, compared with what the host's own commands say of them.
. tests/lib/host.sh
[ "${MACHINE:-linux}" = linux ] || exit 0

XDG_CACHE_HOME=$dir/cache
export XDG_CACHE_HOME
unset CAPOS_MACHINE
root=$PWD
tree=$root/demos/c-tree/tree.c
mkdir -p "$dir/here/data/sub" "$dir/here/other"
echo inside >"$dir/here/data/file"
cat >"$dir/here/tell.c" <<'END'
#include <capos.h>
#include <stdio.h>
int main(void)
{
    for (size_t i = 4; i < capos_grant_count(); i++) { /* after its own four */
        printf("<%s>", capos_grant_at(i)->name);
    }
    printf("\n");
    return 0;
}
END
cat >"$dir/here/need.c" <<'END'
#include <capos.h>
int main(int argc, char **argv)
{
    (void)argc;
    (void)capos_need(argv[1], DIRECTORY_INTERFACE_ID);
    return 0;
}
END
cd "$dir/here" || exit 1

# refuses SAYS ARGUMENTS...: one line that contains SAYS.
refuses() {
    says=$1
    shift
    "$CAPOS" "$@" >"$out" 2>"$err" </dev/null
    code=$?
    expect "status of: $* ($code)" same "$code" 2
    expect "one line for: $*" one_line_of_ours
    expect "what it says for: $*" grep -qF -- "$says" "$err"
    expect "no output for: $*" same "$(wc -c <"$out")" 0
}

# --- what cannot be meant, and what is not there ---
refuses 'which folder of the host? --dir HOST[::GUEST][:ro]' run --dir '' tell.c
refuses 'which folder of the host?' run --dir :ro tell.c
refuses 'which folder of the host?' run --dir ::/data tell.c
refuses 'needs a value: --grant dir=HOST' run --grant dir tell.c
refuses '--dir needs a value' run --dir
refuses '--dir ..::/folder' run --dir .. tell.c
refuses '--dir data/../other::/folder' run --dir data/../other:ro tell.c
refuses 'must be a path such as /data' run --dir data::data tell.c
for guest in '' /a/../b /./a /a//b /a// /..; do
    refuses 'must be a path such as /data' run --grant "dir=data::$guest" tell.c
done
long=/$(printf '%060d' 0)
refuses 'say a shorter one: --dir data::/folder' run --dir "data::$long" tell.c
refuses 'two folders for one place, /data: data and ./data/' run --dir data --dir ./data/:ro tell.c
refuses 'two folders for one place, /x: data and other' run --dir data::/x --grant dir=other::/x/ tell.c
refuses '--dir nothing: No such file' run --dir nothing tell.c
refuses '--dir nothing: No such file' run --print-manifest --dir nothing:ro tell.c
refuses '--dir data/file: Not a directory' run --dir data/file tell.c
refuses '--dir is for `capos run`' boot --dir data x.json
set --
for i in $(seq 32); do
    set -- "$@" --dir "data::/d$i"
done
refuses 'can have 32 folders' run "$@" --dir other tell.c
if [ "$(id -u)" != 0 ]; then
    mkdir -m 0 closed
    refuses '--dir closed: Permission denied' run --dir closed tell.c
fi

# --- where there are none ---
later='host folders (--dir) come later on the machine qemu; --machine linux has them'
refuses "--machine qemu: $later" run --machine qemu --dir data tell.c
refuses "--accel tcg: $later" run --dir data --accel tcg tell.c
refuses "--machine qemu: $later" run --machine qemu --accel kvm --dir data tell.c
CAPOS_MACHINE=qemu
export CAPOS_MACHINE
refuses "CAPOS_MACHINE=qemu: $later" run --print-manifest --grant dir=data tell.c
unset CAPOS_MACHINE

# --- what would be granted ---
# would TEXT OPTIONS...: --print-manifest has the line.
would() {
    wanted=$1
    shift
    "$CAPOS" run --print-manifest "$@" tell.c >"$out" 2>"$err" </dev/null
    expect "status of --print-manifest $*" same "$?" 0
    expect "a line '$wanted' for $*" grep -qxF -- "$wanted" "$out"
}
here=$(pwd -P)
would "  /data      read and write the files of the host's folder $here/data" --dir ./data/
would "  /data      read the files of the host's folder $here/data" --dir data:ro
would "  /data      read the files of the host's folder $here/data" --bare --grant dir=.//data:ro
would "  /data/sub  read the files of the host's folder $here/data/sub" --dir data/sub:ro
would "  /          read and write the files of the host's folder $here" --dir .
would "  /x/y       read the files of the host's folder $here" --dir .::/x/y/:ro
would "  /usr/bin   read the files of the host's folder $(readlink -f /usr/bin)" --dir /usr/bin:ro
mkdir 'a::b' 'c:ro'
would "  /x         read and write the files of the host's folder $here/a::b" --dir 'a::b::/x'
would "  /c:ro      read the files of the host's folder $here/c:ro" --dir 'c:ro:ro'
mkdir "$(printf 'x\n  all')"
would "  /x         read the files of the host's folder \"$here/x\\u000a  all\"" --dir "$(printf 'x\n  all')::/x:ro"
expect "why this machine" grep -q '^machine: linux (only it has host folders so far)' "$out"
would "machine: linux (--machine linux), 1 CPU, 256 MiB of memory" --machine linux --dir data
would '        {"name": "/d", "interface": "Directory", "host": "'"$here"'/data", "readOnly": true}' \
    --print-manifest=json --bare --dir data::/d:ro
would '        {"name": "/", "interface": "Directory", "host": "'"$here"'", "readOnly": false}' \
    --print-manifest=json --bare --dir .

# --- a manifest in JSON, and a package ---
"$CAPOS" run --print-manifest=json --machine linux --dir data::/d:ro "$BUILD/x86_64/demos/c-tree.elf" >m.json
"$CAPOS" boot --print-manifest=json --machine linux m.json >"$out" 2>"$err"
expect "the same manifest again" cmp m.json "$out"
refuses "--machine qemu: $later" boot --machine qemu m.json
for bad in 's/"host": "[^"]*", //' 's,"/d","d",' 's/"readOnly"/"spec": "ro", "readOnly"/' 's/{"name": "\/d".*/"dir"/'; do
    sed "$bad" m.json >bad.json
    refuses 'a folder is {"name": "/data", "interface": "Directory", "host": "PATH", "readOnly": true}' boot bad.json
done
sed 's/true/1/' m.json >bad.json
refuses 'readOnly must be true or false' boot bad.json
sed 's/Directory/Timer/' m.json >bad.json
refuses 'a grant has name, interface and spec, not "host"' boot bad.json
sed "s,$here/data,$here/nothing," m.json >bad.json
refuses "$here/nothing: No such file" boot bad.json
"$BUILD/host/mkimage" m.json -o package --init "$BUILD/x86_64/init.elf" >"$out" 2>"$err"
expect "status of mkimage" same "$?" 2
expect "what mkimage says" grep -q 'the grant /d is a folder of the host, which a package does not carry' "$err"
expect "no package" [ ! -e package ]

# --- what is said to a program that lacks one ---
# lacks TEXT OPTIONS...: the last line is exactly TEXT.
lacks() {
    wanted=$1
    shift
    start "$@" </dev/null
    expect "status of $* ($code)" same "$code" 126
    expect "the last line for $*" same "$(tail -n 1 "$err")" "$wanted"
}
lacks 'add: --dir HOST::/data' need.c /data
lacks 'add: --dir HOST::/' --bare need.c /
lacks 'add: --dir HOST[::GUEST][:ro]' need.c dir
lacks 'add: --dir HOST::/' --bare --grant stdio "$tree"
lacks 'add: --dir HOST::/x' "$tree" -- /x

# --- what it gets ---
"$CAPOS" run --dir data tell.c >"$out" 2>"$err" </dev/null
expect "status without --machine" same "$?" 0
expect "one line about the machine" one_line_of_ours
expect "what it is" grep -q 'only the linux machine has host folders so far.*docs/threat-model.md' "$err"
"$CAPOS" run --dir data tell.c >"$out" 2>"$err" </dev/null
expect "it is told once" same "$(wc -c <"$err")" 0
expect "the names" same "$(cat "$out")" '<stdio><timer><random></data>'
start --bare --dir other::/x/y --grant stdio --dir ./data:ro --dir . tell.c </dev/null
expect "the names" same "$(cat "$out")" '</x/y><stdio></data></>'
start "$@" tell.c </dev/null
expect "32 folders" same "$(tr -cd / <"$out" | wc -c)" 32
"$CAPOS" boot --machine linux m.json >"$out" 2>"$err" </dev/null
expect "a manifest's folder" same "$(cat "$out")" "/d
  file  7  inside
  sub/"
start --dir other --dir data:ro "$tree" <&- # the descriptors 0 to 2 are no folders
expect "each under its name" same "$(cat "$out")" "/other
/data
  file  7  inside
  sub/"

# Without :ro it is written, and with it not.
cat >write.c <<'END'
#include <capos.h>
#include <stdio.h>
int main(void)
{
    struct capos_directory_open_results opened;
    struct capos_file_write_results written;
    cap_t folder = capos_need("/data", DIRECTORY_INTERFACE_ID);
    uint32_t flags = OPEN_FLAGS_WRITE | OPEN_FLAGS_CREATE;
    if (capos_directory_open(folder, "new", 3, flags, &opened) != STATUS_OK) {
        return 1;
    }
    if (opened.error == FILE_ERROR_READ_ONLY) {
        capos_end_denied();
    }
    status_t status = capos_file_write(opened.file, 0, "words\n", 6, &written);
    return status == STATUS_OK && written.error == FILE_ERROR_NONE ? 0 : 2;
}
END
lacks "without :ro: --dir $here/data::/data" --dir data:ro write.c
expect "nothing was written" [ ! -e data/new ]
start --dir data write.c </dev/null
expect "status of a writer ($code)" same "$code" 0
expect "what was written" same "$(cat data/new)" words

# --- c-tree, and what the host says ---
# Bytes as c-tree shows them, at most $1 columns of them.
shown() {
    LC_ALL=C od -An -v -tu1 | LC_ALL=C awk -v room="$1" '{
        for (i = 1; i <= NF; i++) {
            c = $i + 0
            width = c < 32 || c == 127 ? 4 : c == 92 ? 2 : c >= 128 && c < 192 ? 0 : 1
            if (width > room) { printf "..."; exit }
            room -= width
            if (width == 4) printf "\\x%02x", c
            else if (width == 2) printf "\\\\"
            else printf "%c", c
        }
    }'
}

# host_line PATH: what c-tree has for it. The path begins with "./".
host_line() {
    printf '%s' "$1" | tr -cd / | sed 's,/,  ,g'
    printf '%s' "${1##*/}" | shown 10000
    if [ -L "$1" ] || { [ ! -d "$1" ] && [ ! -f "$1" ]; }; then
        echo '  (a link, a device or the like)'
    elif [ -d "$1" ]; then
        echo /
    else
        printf '  %s' "$(stat -c %s "$1")"
        [ -z "$(head -n 1 "$1" | tr '\0\n' 'x\0' | tr -d '\0')" ] || printf '  '
        head -n 1 "$1" | tr -d '\n' | shown 60
        echo
    fi
}

# host_tree FOLDER: a folder before the names that begin with its own, as c-tree has them.
host_tree() {
    (cd "$1" && find . -mindepth 1 -print0 | LC_ALL=C tr / '\1' | LC_ALL=C sort -z | LC_ALL=C tr '\1' / >"$dir/paths")
    count=$(tr -cd '\0' <"$dir/paths" | wc -c)
    for n in $(seq "$count"); do
        path=$(tr '\n\0' '\0\n' <"$dir/paths" | sed -n "${n}p" | tr '\0' '\n'; echo .)
        (cd "$1" && host_line "${path%??}")
    done
}

mkdir odd && cd odd || exit 1
mkdir -p 'a folder/in a folder' "$(printf 'two\nlines')" empty 'a'
echo 'one line' >plain
: >none
printf 'no end' >'a folder/no end'
printf '\nsecond\n' >'a folder/first is empty'
printf 'tab\tback\\slash\177\r\n' >'a folder/in a folder/controls'
printf '\177ELF\2\1\1\0\0\0rest' >binary
printf 'gr\303\274n \342\202\254 \360\237\214\262\n' >"$(printf '\303\274ber')"
seq -s ' ' 1000 >long
printf '%060d' 7 >exact
printf '%060d\n' 7 >'exact line'
printf '%061d' 7 >more
seq -s '' 60000 >large
echo x >"$(printf '%0255d' 1)"
echo x >"$(printf 'esc\033[31m\nnew')"
echo x >'back\slash "quotes" $HOME *'
echo x >-n
echo x >a/b
echo x >a.b
ln -s plain link
ln -s "$root" outside
ln -s nowhere dangling
mkfifo fifo
cd ..
host_tree odd >"$dir/host"
start --dir odd:ro "$tree" </dev/null
expect "status of c-tree ($code)" same "$code" 0
expect "silence of c-tree" same "$(wc -c <"$err")" 0
sed 1d "$out" >"$dir/guest"
expect "the folder's name" same "$(head -n 1 "$out")" /odd
expect "the tree: $(diff "$dir/host" "$dir/guest" | head -n 20)" cmp "$dir/host" "$dir/guest"
start --dir odd "$tree" -- /odd </dev/null
expect "the same by name, and to write" same "$(sed 1d "$out" | cksum)" "$(cksum <"$dir/host")"

# Characters that are none, or that a terminal takes for orders.
mkdir strange
printf '\303\050 \300\200 \355\240\200 \302\233m \342\200\256x \364\220\200\200\n' >strange/a
printf '\303' >"$(printf 'strange/b\377')"
start --dir strange "$tree" </dev/null
expect "strange characters" same "$(cat "$out")" '/strange
  a  24  \xc3( \xc0\x80 \xed\xa0\x80 \xc2\x9bm \xe2\x80\xaex \xf4\x90...
  b\xff  1  \xc3'

# Many names, and many folders within each other.
mkdir many
(cd many && seq -f 'a-name-that-is-not-short-%.0f' 20000 | xargs touch)
start --dir many "$tree" </dev/null
expect "20,000 names" same "$(sed 1d "$out" | cksum)" "$(ls many | LC_ALL=C sort | sed 's/.*/  &  0/' | cksum)"
mkdir -p "deep$(printf '/%.0s.' $(seq 120) | tr . d)"
start --dir deep "$tree" </dev/null
expect "status of a deep tree ($code)" same "$code" 0
expect "a deep tree" same "$(tail -n 1 "$out" | tr -s ' ')" ' d/ (not shown: deeper than 100 folders)'

# What cannot be read is told in its place.
[ "$(id -u)" != 0 ] || exit 0
mkdir some some/closed
echo x >some/secret
echo x >some/said
chmod 0 some/closed some/secret
start --dir some "$tree" </dev/null
expect "status with problems ($code)" same "$code" 1
expect "problems in their place" same "$(cat "$out")" '/some
  closed/  (not permitted)
  said  2  x
  secret  (not permitted)'
