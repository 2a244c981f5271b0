# Looks at a case's directory: what is in it, what was shipped to it, and the room there.
# Put after owner.sh. Arguments: directory, list of what was shipped (or nothing).
# Prints parts that are each ended by a NUL: folder, absent or odd; whole, or crashed where
# a ship was under way when this machine went down; free blocks, their size, all and free
# files; then of each entry its type, path, size, time of change and
# target; `end`; and after it the list as it is.
dest=$1
kind=absent
if [ -L "$dest" ]; then
    kind=odd
elif [ -d "$dest" ]; then
    kind=folder
elif [ -e "$dest" ]; then
    kind=odd
fi
where=$dest
for above in "${dest%/*}" ..; do
    [ -d "$where" ] || where=$above
done
state=whole
if [ -n "$2" ] && [ -e "$2.boot" ] && ! cmp -s "$2.boot" /proc/sys/kernel/random/boot_id; then
    state=crashed
fi
room=$(stat -f -c '%a %S %c %d' "$where") || exit 1
printf '%s\0%s\0%s\0' "$kind" "$state" "$room"
if [ "$kind" = folder ]; then
    # What a job has closed hides itself only.
    (cd "$dest" && find . -ignore_readdir_race -mindepth 1 \
        \( -type d ! \( -readable -executable \) -prune -o -true \) \
        -printf '%y\0%P\0%s\0%T@\0%l\0') || exit 1
fi
printf 'end\0'
[ -z "$2" ] || [ ! -e "$2" ] || cat "$2"
