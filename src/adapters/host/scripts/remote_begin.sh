# Runs on the headnode before each script that came over ssh, in the /bin/sh that the
# login shell became. Put after: token, time, path. Leaves the words of a clean
# environment in the positional parameters, and standard input at 3.
cd / || exit 1
for need in env timeout head; do
    command -v "$need" >/dev/null || { echo "$need is missing on the headnode" >&2; exit 1; }
done
runtime=${XDG_RUNTIME_DIR-}
if [ -z "$runtime" ]; then
    runtime=/run/user/$(id -u)
    [ -d "$runtime" ] || runtime=
fi
set -- HOME="${HOME:-/}" USER="${USER:-$(id -un)}" \
    PATH="$path${PATH:-/usr/local/bin:/usr/bin:/bin}"
[ -z "${LANG-}" ] || set -- "$@" LANG="$LANG"
[ -z "$runtime" ] || set -- "$@" XDG_RUNTIME_DIR="$runtime"

exec 3<&0
# Whoever asked holds standard input open as long as an answer is wanted. At its end
# what was started is ended; sshd itself would let it run on and count it as a session.
watch() {
    {
        while read -r _; do :; done
        trap '' TERM
        children= n=0
        while [ $n -lt 3 ]; do
            # It ends without a newline. This process is one of them.
            read -r children <"/proc/$$/task/$$/children" || [ -n "$children" ] || exit
            kill $children
            n=$((n + 1))
            sleep 1
        done
    } <&3 3<&- >/dev/null 2>&1 &
    watcher=$!
}

printf '%s %s\n' "$token" "${time:+$(date +%s.%N)}"
printf '%s\n' "$token" >&2
