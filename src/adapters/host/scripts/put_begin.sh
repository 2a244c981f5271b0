# Defines how the script that a transfer's other side begins with gets into the directory
# of its attempt. Put after owner.sh.

# put_begin DIRECTORY NAME LENGTH: so much of standard input becomes the script. It comes
# by rename: a shell that still reads the last one goes on with that.
put_begin() (
    [ -d "$1" ] || mkdir "$1" || exit 1
    cd "$1" || exit 1
    new=$2.$$
    rm -f "$new"
    head -c "$3" >"$new" && [ "$(wc -c <"$new")" -eq "$3" ] && chmod 700 "$new" &&
        mv -f "$new" "$2" && exit 0
    rm -f "$new"
    exit 1
)
