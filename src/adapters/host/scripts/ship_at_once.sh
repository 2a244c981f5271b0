# Ships a small case in one go: says durably what is written, takes it in out of everybody's
# reach, gives it its place, looks at what is there, makes it durable and says what it was.
# Put after ship_new.sh and ship_lock.sh. Arguments: directory, list, umask, a folder in the
# directory for what is not whole, the lengths of the list before and after, and the SHA-256
# of what is to be seen. Both lists come on stdin, and the archive after them.
# Prints `shipped`, or `look` where what is there has to be looked at more closely.
dest=$1 list=$2
folder=${list%/*}
for made in "${folder%/*}" "$folder"; do
    made "$made" || exit 1
done
{ read -r boot; } </proc/sys/kernel/random/boot_id && printf '%s\n' "$boot" >"$list.boot" &&
    keep "$list.united" "$5" && keep "$list.done" "$6" &&
    sync "$list.boot" "$list.united" && mv -f "$list.united" "$list" && sync "$folder" || exit 1
umask "$3"
# More would make a work_dir on the mount point of one that is not mounted. That nothing is
# there yet is seen by making it.
made "${dest%/*}" && mkdir "$dest" && cd "$dest" && (umask 077 && mkdir "./$4") || exit 1
(cd "./$4" && tar -x --no-same-owner --no-same-permissions -f - &&
    find . -mindepth 1 -maxdepth 1 -exec mv -n -t .. -- {} +) && rmdir "./$4" || exit 1
seen=$(find . -mindepth 1 \( -type d -printf 'd %P\0' \) -o \( -type f -printf 'f %s %T@ %P\0' \) \
    -o \( -type l -printf 'l %P\n%l\0' \) -o -printf 'o %P\0' | sort -z | sha256sum)
[ "${seen%% *}" = "$7" ] || otherwise
{ read -r now; } <"${lock%/*/*}/owner" || exit 1
if [ "$now" != "$owner $generation $word" ]; then
    # The next question says who it is.
    echo 'the owner has changed while it arrived' >&2
    exit 1
fi
sync -f . "$list.done" && mv -f "$list.done" "$list" && rm -f "$list.boot" && sync "$folder" ||
    exit 1
echo shipped
