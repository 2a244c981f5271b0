# Makes this daemon the owner of a work_dir, whoever owns it, and prints who did.
# Arguments: work_dir, database id, generation, the word of this start, the name of the
# headnode.
# Ends with 94: there is no .daylily-watch.
export LC_ALL=C
umask 077
cd "$1/.daylily-watch" 2>/dev/null || exit 94
command exec 9>>owner.lock || exit 1
flock -w 10 9 || exit 1
chmod 700 . && mkdir -p cases || exit 1
[ -p bell ] || mkfifo bell || exit 1
[ ! -f owner ] || head -n 1 owner | head -c 200
printf '%s\n' "$5" >headnode.new && sync headnode.new && mv -fT headnode.new headnode || exit 1
printf '%s %s %s\n' "$2" "$3" "$4" >owner.new && sync owner.new && mv -fT owner.new owner || exit 1
sync . || :
