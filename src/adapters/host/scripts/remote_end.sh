# Put after the script that was run.
code=$?
[ -z "$watcher" ] || kill "$watcher" 2>/dev/null
exit "$code"
