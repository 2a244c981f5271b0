# Looks at files below a directory, where symlinks lead. Put after owner.sh. Arguments:
# directory. Names come on stdin, each ended by a NUL. Prints the directory's real path,
# then for some names at a time how many they are, their real paths, and of those that
# are there name, mode, size and time of change; an empty part. Each is ended by a NUL.
if [ ! -d "$1" ]; then
    printf 'read %s: No such file or directory\n' "$1" >&2
    exit 94
fi
cd -P "$1" || exit 1
printf '%s\0' "$(pwd -P)"
exec xargs -0 -r /bin/sh -c '
printf "%s\0" "$#"
realpath -z -m -- "$@" || exit 1
stat -L --printf "%n\0%f\0%s\0%.9Y\0" -- "$@" 2>/dev/null
printf "\0"' sh
