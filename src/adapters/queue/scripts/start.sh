# Starts job.sh in a session of its own and returns when its claim is made, or it has
# ended, or waits for its lock. Put after owner.sh. Arguments: attempt.
# Ends with 94: job.sh is missing, 96: it ended before its claim, its words on stdout.
[ -f "$1/job.sh" ] && [ -f "$1/lock" ] || exit 94
# Repeats are inert by the claim; this only makes them cheap.
[ ! -e "$1/claim" ] || exit 0

# Whether it is there for a reader: its claim, or its lock held.
visible() {
    [ ! -e "$1/claim" ] || return 0
    { flock -n -s -E 75 9; } 9<"$1/lock"
    [ $? -eq 75 ]
}

# start ATTEMPT WORDS...: job.sh holds the pipe until it has claimed or ended. setsid
# forks, so that the job is nobody's child and no end of a group or session meets it.
start() {
    job=$PWD/$1/job.sh
    shift
    said=$(setsid -f "$@" /bin/sh "$job" </dev/null 2>&1 | timeout 5 cat)
}

# A scope of the user's service manager outlives the service and the login it came from.
if [ -n "${XDG_RUNTIME_DIR-}" ] && command -v systemd-run >/dev/null &&
    { [ -S "$XDG_RUNTIME_DIR/bus" ] || [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; }; then
    start "$1" systemd-run --user --scope --quiet --collect --
    visible "$1" && exit 0
fi
start "$1"
visible "$1" && exit 0
printf '%s\n' "$said"
exit 96
