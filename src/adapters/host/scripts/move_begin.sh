# Writes the script that a transfer's other side begins with. Put after owner.sh.
# Arguments: the attempt, the script's name, its length. The script comes on stdin. It
# comes by rename: a shell that still reads the last one goes on with that.
[ -d "$1" ] || mkdir "$1" || exit 1
cd "$1" || exit 1
new=$2.$$
rm -f "$new"
cat >"$new" && [ "$(wc -c <"$new")" -eq "$3" ] && chmod 700 "$new" && mv -f "$new" "$2" && exit 0
rm -f "$new"
exit 1
