# The word of the input that is nearest to `word`, if one is near: the same measure as suggest.c has.
function min(a, b) { return a < b ? a : b }
{
    n = length(word); m = length($1)
    for (i = 0; i <= n; i++) {
        for (j = 0; j <= m; j++) {
            if (i == 0 || j == 0) { d[i, j] = i + j; continue }
            a = substr(word, i, 1); b = substr($1, j, 1)
            d[i, j] = min(d[i - 1, j - 1] + (a != b), min(d[i - 1, j], d[i, j - 1]) + 1)
            if (i > 1 && j > 1 && a == substr($1, j - 1, 1) && b == substr(word, i - 1, 1)) {
                d[i, j] = min(d[i, j], d[i - 2, j - 2] + 1)
            }
        }
    }
    limit = n < 4 ? 1 : n < 9 ? 2 : int(n / 3)
    if (d[n, m] <= limit && d[n, m] < m && (best == "" || d[n, m] < least)) { best = $1; least = d[n, m] }
}
END { if (best != "") print best }
