# Takes away what an earlier ship brought and the case no longer has. Put after
# ship_lock.sh. Arguments: directory. On stdin of each: folder, file or link, its path,
# and its size and time of change as they were seen, each ended by a NUL. What looks
# otherwise by now stays, and so does a folder with anything in it.
[ ! -L "$1" ] && cd -P "$1" || exit 1
exec xargs -0 -n 300 /bin/sh -c '
here=$(pwd -P)
while [ $# -ge 3 ]; do
    kind=$1 path=$2 looked=$3
    shift 3
    # No folder on the way to it may have become a symlink.
    case $path in
    */*) [ "$(realpath -- "./${path%/*}" 2>/dev/null)" = "${here%/}/${path%/*}" ] || continue ;;
    esac
    case $kind in
    folder)
        [ -d "./$path" ] && [ ! -L "./$path" ] || continue
        rmdir --ignore-fail-on-non-empty -- "./$path" || exit 1
        continue
        ;;
    link) [ -L "./$path" ] || continue ;;
    *) [ ! -L "./$path" ] && [ ! -d "./$path" ] || continue ;;
    esac
    [ "$(stat -c "%s %.9Y" -- "./$path" 2>/dev/null)" = "$looked" ] || continue
    rm -f -- "./$path" || exit 1
done' sh
