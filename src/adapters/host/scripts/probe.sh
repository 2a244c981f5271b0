# Starts a process the way `direct` starts a job, then ends itself with its whole group.
# Arguments: directory. Prints the directory of the probe and how it was started.
export LC_ALL=C
umask 077
dir=$1/.daylily-watch-probe.$$
mkdir "$dir" && : >"$dir/go" || exit 1

# It goes away by itself after 10 s, or when `go` does.
probe='cd "$1" && exec >/dev/null 2>&1 && echo $$ >pid.new && mv pid.new pid || exit 1
n=0
while [ -e go ] && [ $n -lt 100 ]; do sleep 0.1; n=$((n + 1)); done'

# start WORDS...
start() { setsid -f "$@" /bin/sh -c "$probe" daylily-watch-probe "$dir" </dev/null 2>&1 | timeout 5 cat >/dev/null; }
way=session
if [ -n "${XDG_RUNTIME_DIR-}" ] && command -v systemd-run >/dev/null &&
    { [ -S "$XDG_RUNTIME_DIR/bus" ] || [ -S "$XDG_RUNTIME_DIR/systemd/private" ]; }; then
    start systemd-run --user --scope --quiet --collect --
    [ ! -e "$dir/pid" ] || way=scope
fi
[ -e "$dir/pid" ] || start
printf '%s\n%s\n' "$way" "$dir"
kill -s KILL 0
