# Makes this daemon the owner of a work_dir, with the folders and the bell around it.
# Arguments: work_dir, database id, generation, the word of this start, whether it was
# owned before (yes, no), the name of the headnode. The earlier starts of this database
# come on stdin, one a line: generation and word. Before there were words the owner had
# none, and the name of the headnode was not written down.
# Ends with 87: another headnode of this database, 89: a start on a copy of it, 90: no
# owner where there was one, 91: another owner, 92: a newer generation, 93: an owner that
# cannot be read. Then nothing is changed.
export LC_ALL=C
umask 077
if [ "$5" = yes ]; then
    if [ ! -e "$1/.daylily-watch/owner" ]; then
        # As in owner.sh: only what is not there is missing.
        said=$(ls -d "$1/.daylily-watch/owner" 2>&1 >/dev/null)
        case $said in *'No such file or directory') exit 90 ;; esac
        printf '%s\n' "$said" >&2
        exit 88
    fi
else
    # work_dir itself is for people too; only what is inside is ours alone.
    (umask 022 && mkdir -p -- "$1") && mkdir -p -- "$1/.daylily-watch" || exit 1
fi
cd "$1/.daylily-watch" || exit 1
command exec 9>>owner.lock || exit 1
flock -w 10 9 || exit 1
if [ -e owner ]; then
    { read -r owner generation word; } <owner || exit 93
    case $generation in '' | *[!0-9]*) exit 93 ;; esac
    if [ "$owner" != "$2" ]; then
        printf '%s\n' "$owner" >&2
        exit 91
    fi
    [ "$generation" -le "$3" ] || exit 92
    if [ -n "$word" ] && [ "$generation $word" != "$3 $4" ]; then
        grep -qxF -e "$generation $word" || exit 89
    fi
    # What was begun by one headnode would be begun again where another has its place.
    if [ -e headnode ]; then
        { IFS= read -r named; } <headnode || exit 93
        if [ "$named" != "$6" ]; then
            printf '%s\n' "$named" >&2
            exit 87
        fi
    fi
elif [ "$5" = yes ]; then
    exit 90
fi
chmod 700 . && mkdir -p cases || exit 1
[ -p bell ] || mkfifo bell || exit 1
if [ "${generation-} ${word-}" != "$3 $4" ]; then
    printf '%s %s %s\n' "$2" "$3" "$4" >owner.new && sync owner.new && mv -f owner.new owner || exit 1
    sync . || :
fi
if [ ! -e headnode ]; then
    printf '%s\n' "$6" >headnode.new && sync headnode.new && mv -f headnode.new headnode || exit 1
    sync . || :
fi
