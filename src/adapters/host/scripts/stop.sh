# Runs what ends the things that an attempt left elsewhere. Put after owner.sh.
# Arguments: attempt, seconds it may take. The script itself comes on stdin.
# Prints how it ended (an exit code, or busy) and the end of what it printed; that is
# told and not passed on as a code, since those of our own scripts mean other things.
# Ends with 94: the attempt's directory is missing.
cd "$1" 2>/dev/null || exit 94
command exec 9>>stop.lock || exit 1
# One that outlived its daemon may still run. Whoever it starts holds the lock too.
flock -n -E 75 9
case $? in
0) ;;
75) echo busy && exit 0 ;;
*) exit 1 ;;
esac
log=stop.log
{ command : >"$log"; } 2>/dev/null || log=/dev/null
unset LC_ALL
timeout -k 10 "$2" /bin/sh -s >"$log" 2>&1
code=$?
printf '%s\n' "$code"
[ "$code" -eq 0 ] || [ "$log" = /dev/null ] || tail -c 2048 "$log"
exit 0
