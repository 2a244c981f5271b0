# Put before every other script: enters <work_dir>/.daylily-watch and goes on only
# where the daemon that asks is its owner, by this very start.
# Arguments: work_dir, database id, generation, the word of this start; they are
# shifted away.
# Ends with 89: a start on a copy of this database, 90: no owner, 91: another owner,
# 92: a newer generation, 93: unreadable.
export LC_ALL=C
umask 077
cd "$1/.daylily-watch" 2>/dev/null || exit 90
[ -e owner ] || exit 90
{ read -r owner generation word; } <owner || exit 93
case $generation in '' | *[!0-9]*) exit 93 ;; esac
if [ "$owner" != "$2" ]; then
    printf '%s\n' "$owner" >&2
    exit 91
fi
[ "$generation" -le "$3" ] || exit 92
[ "$generation $word" = "$3 $4" ] || exit 89
shift 4
