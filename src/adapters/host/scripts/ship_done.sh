# Makes what was shipped durable, then says what it was. Put after ship_lock.sh.
# Arguments: directory, list, the list's length, and the folder for what is not whole.
# The list comes on stdin.
dest=$1 list=$2
[ ! -L "$dest" ] && cd "$dest" || exit 1
rm -rf "./$4"
sync -f . || exit 1
keep "$list.done" "$3" && sync "$list.done" && mv -f "$list.done" "$list" && rm -f "$list.boot" && sync "${list%/*}"
