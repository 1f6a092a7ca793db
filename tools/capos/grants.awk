# gen/grants.txt as a table for people.
BEGIN {
    FS = "\t"
    print "Grants for `capos run --grant NAME[=SPEC]`. Those with * are given without being asked for;"
    print "--bare takes them away. --dir X is --grant dir=X.\n"
}
/^#/ { next }
{
    label = $2 == "-" ? $1 : $1 "=" $2
    printf "%s %-28s  %s (%s)\n", $3 == "default" ? "*" : " ", label, $4, $5
}
