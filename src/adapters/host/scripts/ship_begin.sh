# Says durably what a ship may write, before anything is, and makes the folders for it.
# Put after put_begin.sh and ship_lock.sh. Arguments: directory, list, umask, a folder in
# the directory for what is not whole, the name and length of what the receiver begins
# with, and the list's length. Both come on stdin. Beside the list is kept since which
# start of the machine what is written may not be on the disk yet.
dest=$1 list=$2
put_begin "${lock%/*}" "$5" "$6" || exit 1
folder=${list%/*}
for made in "${folder%/*}" "$folder"; do
    made "$made" || exit 1
done
cat /proc/sys/kernel/random/boot_id >"$list.boot" && keep "$list.united" "$7" &&
    sync "$list.boot" "$list.united" && mv -f "$list.united" "$list" && sync "$folder" || exit 1
umask "$3"
# More would make a work_dir on the mount point of one that is not mounted.
for made in "${dest%/*}" "$dest"; do
    made "$made" || exit 1
done
[ ! -L "$dest" ] && cd "$dest" || exit 1
rm -rf "./$4" && mkdir "./$4" && chmod 700 "./$4"
