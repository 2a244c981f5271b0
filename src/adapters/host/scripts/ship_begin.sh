# Says durably what a ship may write, before anything is, and makes the folders for it.
# Put after ship_lock.sh. Arguments: directory, list, umask, the list's length, and a
# folder in the directory for what is not whole. The list comes on stdin. Beside it is
# kept since which start of the machine what is written may not be on the disk yet.
dest=$1 list=$2
folder=${list%/*}
for made in "${folder%/*}" "$folder"; do
    [ -d "$made" ] || mkdir "$made" || exit 1
done
cat /proc/sys/kernel/random/boot_id >"$list.boot" && sync "$list.boot" || exit 1
keep "$list.united" "$4" && mv -f "$list.united" "$list" && sync "$folder" || exit 1
umask "$3"
# More would make a work_dir on the mount point of one that is not mounted.
for made in "${dest%/*}" "$dest"; do
    [ -d "$made" ] || mkdir "$made" || exit 1
done
[ ! -L "$dest" ] && cd "$dest" || exit 1
rm -rf "./$5" && mkdir "./$5" && chmod 700 "./$5"
