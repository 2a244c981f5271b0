# Signals what runs of an attempt: processes that carry its id, and processes that
# hold its lock. Put after owner.sh. Arguments: attempt; TERM or KILL; job or spare:
# whether job.sh itself is signalled too. Looks again until nothing new is found.
[ -r /proc/self/environ ] || exit 95
attempt=$1 signal=$2

# job.sh, where the claim names a process that is it: still carries the id and runs it.
spared=
if [ "$3" = spare ] && [ -f "$attempt/claim" ]; then
    { read -r claim; } <"$attempt/claim"
    pid=${claim#*\"pid\":}
    pid=${pid%%[!0-9]*}
    if [ -n "$pid" ] && grep -qzsxF "DAYLILY_ATTEMPT=$attempt" "/proc/$pid/environ" &&
        grep -qzsE "/$attempt/job\.sh\$" "/proc/$pid/cmdline"; then
        spared=$pid
    fi
fi

inode=
[ ! -f "$attempt/lock" ] || inode=$(stat -c %i "$attempt/lock")

# Prints the processes, one a line. A lock is told by its inode, then by the file itself.
list() {
    for file in $(grep -lzsxF "DAYLILY_ATTEMPT=$attempt" /proc/[0-9]*/environ); do
        file=${file#/proc/}
        printf '%s\n' "${file%%/*}"
    done
    [ -n "$inode" ] || return 0
    for file in $(grep -rlsE "^lock:.*FLOCK.*WRITE.*:$inode " /proc/[0-9]*/fdinfo); do
        pid=${file#/proc/}
        pid=${pid%%/*}
        [ ! "/proc/$pid/fd/${file##*/}" -ef "$attempt/lock" ] || printf '%s\n' "$pid"
    done
}

signalled=' '
rounds=0
while [ $rounds -lt 50 ]; do
    new=
    for pid in $(list); do
        [ "$pid" != "$spared" ] || continue
        case $signalled in *" $pid "*) continue ;; esac
        signalled="$signalled$pid "
        new="$new $pid"
        kill -s "$signal" "$pid" 2>/dev/null
        # A stopped process meets its signal when it goes on.
        kill -s CONT "$pid" 2>/dev/null
    done
    [ -n "$new" ] || break
    rounds=$((rounds + 1))
done
exit 0
