# Put after owner.sh: shifts the path of a lock away and goes on only where no other
# transfer of the attempt is under way. Ends with 75: one is. The receiver of one that was
# just stopped needs a moment to notice.
lock=$1
shift

# made DIRECTORY: it is there. Another ship may make it at the same moment.
made() {
    [ -d "$1" ] || mkdir "$1" 2>/dev/null || [ -d "$1" ] || mkdir "$1"
}

made "${lock%/*}" || exit 1
command exec 9>>"$lock" || exit 1
flock -w 3 -E 75 9 || exit $?

# keep FILE LENGTH: so much of standard input becomes the file, if it came whole.
keep() {
    head -c "$2" >"$1" || return 1
    if [ "$(wc -c <"$1")" -ne "$2" ]; then
        echo 'the list did not come whole' >&2
        return 1
    fi
}
