# Goes on only where a small case can be shipped at once: nothing is in its place and
# nothing was ever shipped there, there is room, tar is GNU's, which knows all that is in
# the archive, and rsync is there: what it brings home is not missed only when a job has
# run. Else it prints `look`. Put after owner.sh. Arguments: lock, directory,
# list, and the bytes and files that there has to be room for, which are shifted away.
otherwise() {
    echo look
    exit 0
}
holds() {
    [ $# -eq 6 ] && [ "$1" -le $(($3 * $4)) ] && { [ "$5" -eq 0 ] || [ "$2" -le "$6" ]; }
}

for place in "$2" "$3" "$3.boot"; do
    [ ! -e "$place" ] && [ ! -L "$place" ] || otherwise
done
where=${2%/*}
[ -d "$where" ] || where=..
holds "$4" "$5" $(stat -f -c '%a %S %c %d' "$where") 2>/dev/null || otherwise
command -v rsync >/dev/null || otherwise
case $(tar --version 2>/dev/null) in 'tar (GNU tar)'*) ;; *) otherwise ;; esac
lock=$1 dest=$2 list=$3
shift 5
set -- "$lock" "$dest" "$list" "$@"
