# Reads C sources and headers and complains: lines beyond `columns`, tabs, trailing blanks, files beyond
# `lines`, functions beyond `body` lines, functions whose use is forbidden, #if outside of arch, and files
# that do not begin with what they are for. Prints "file:line: complaint".
#
# A function is what begins with a `{` alone in the first column after a line that ends with `)`, and ends
# with a `}` there: the style has no other shape.
function complain(text) { print FILENAME ":" FNR ": " text }
function end_of_file() {
    if (name != "" && count > lines) print name ":1: " count " lines; at most " lines
}
BEGIN {
    columns = 100; lines = 600; body = 70
    # Each of these writes beyond what it was given, or may; memcpy and snprintf do their work.
    forbidden = "(^|[^A-Za-z0-9_>.])(strcpy|strcat|sprintf|vsprintf|gets|alloca|strncpy|strncat|scanf)[ ]*\\("
}
FNR == 1 {
    end_of_file()
    name = FILENAME; start = 0; previous = ""
    test = name ~ /^tests\//; library = name ~ /^lib\/capos\//
    if ($0 !~ /^\/\*/ && $0 !~ /^\/\//) complain("must begin with a comment: what the file is for")
}
{ count = FNR }
length($0) > columns { # bytes: those that go on a character do not count
    text = $0
    gsub(/[\200-\277]/, "", text)
    if (length(text) > columns) complain(length(text) " columns; at most " columns)
}
/\t/ && name !~ /\.S$/ { complain("a tab") }
/[ \t]$/ { complain("blanks at the end of the line") }
$0 ~ forbidden && !library && !test && $0 !~ /^ *(\/?\*|\/\/)/ { complain("a function whose use is forbidden") }
# A guard against including twice is none that makes variants; assert.h and the like must have theirs.
guard != "" && $0 !~ ("^# *define +" guard "$") { print name ":" FNR - 1 ": #if outside of kernel/arch" }
{ guard = "" }
/^ *# *(if|ifdef|ifndef)/ && name !~ /^(kernel\/arch|lib\/capos\/include)\// {
    if ($1 == "#ifndef") guard = $2
    else complain("#if outside of kernel/arch")
}
/^\{/ && previous ~ /\)$/ { start = FNR }
/^\}/ && start {
    if (FNR - start + 1 > body) complain("a function of " FNR - start + 1 " lines; at most " body)
    start = 0
}
{ previous = $0 }
END { end_of_file() }
