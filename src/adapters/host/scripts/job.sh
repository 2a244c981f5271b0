# Put after the attempt's own values and claim.sh. It ends with 96: it could not begin,
# 97: the case's lock is held, 98: the claim is not ours; with these nothing was
# executed and no output truncated. Needs a plain sh, coreutils and flock.

if [ "${1-}" != entered ]; then
    # A clean environment, and from its first instruction on /proc says whose process it is.
    exec env -i HOME="${HOME:-/}" USER="${USER:-$(id -un)}" LANG="${LANG:-C.UTF-8}" PATH="$path" \
        ${XDG_RUNTIME_DIR:+"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"} \
        DAYLILY_ATTEMPT="$attempt" /bin/sh "$attempt_dir/job.sh" entered
fi

refuse() {
    printf 'job.sh: %s\n' "$2" >&2
    exit "$1"
}

umask 077
cd "$attempt_dir" || refuse 96 'its directory cannot be entered'
# A duplicate need not wait for the lock to learn that it is one.
[ ! -e claim ] || refuse 98 'the attempt was claimed before'
got=
trap 'got=15' TERM
trap 'got=2' INT
trap 'got=1' HUP

# The lock before the claim: what has claimed and not locked would look lost. Both
# locks are inherited by all that the command starts: while any of it lives, so do they.
[ -f lock ] && command exec 9<>lock && flock 9 || refuse 96 'lock cannot be taken'
command exec 8<>"$case_lock" || refuse 96 'the lock of the case cannot be opened'
flock -n -E 75 8
case $? in
0) ;;
75)
    # One that ended just now lets go of the two locks in an order of the kernel's own.
    [ ! -e claim ] || refuse 98 'the attempt was claimed before'
    refuse 97 'another attempt of this case runs'
    ;;
*) refuse 96 'the lock of the case cannot be taken' ;;
esac
[ -z "$got" ] || refuse 96 'ended before it began'

identify && take_claim job "$attempt" || refuse 96 'no claim can be made'
case $held in
*"\"token\":\"$token\""*) ;;
*) refuse 98 'the attempt was claimed before' ;;
esac
# Whoever started this may have waited for the claim with a pipe.
exec >/dev/null 2>&1

# Runs "$@" until it succeeds, for a day: a full disk gets room some time, and till
# then the lock tells that this attempt is not over. The first repeat comes soon: what
# failed may only have met a signal to all that carries the id.
insist() {
    left=$retries pause=0.1
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || exit 96
        sleep "$pause"
        pause=$retry_every
    done
}

# Room for the end record is taken before the command can fill the disk. Blanks are no record.
reserve() {
    printf '%1023s\n' '' >exit.json.tmp && sync exit.json.tmp && command : >>output.log &&
        { sync . || :; }
}

# Written over the blanks, which stay behind it. Asks for the time again where a signal
# met date the first time.
record() {
    ended=${ended:-$(now)}
    [ -n "$ended" ] || return 1
    printf '{"code":%s,"signal":%s,"started":"%s","ended":"%s","host":"%s","boot_id":"%s"}\n' \
        "$code" "$signal" "$started" "$ended" "$host" "$boot" 1<>exit.json.tmp &&
        sync exit.json.tmp && mv -f exit.json.tmp exit.json && { sync . || :; }
}

insist reserve
exec >>output.log 2>&1
started=$(now)
started=${started:-$at}
if [ -n "$got" ]; then
    status=$((128 + got))
else
    # In the foreground: what runs in the background of such a shell ignores SIGINT for
    # ever, and so would all that the command starts. A trap runs when it has ended.
    (surroundings || exit 96; run) </dev/null
    status=$?
fi
# From here on a signal to the whole tree must not take the record with it.
trap '' TERM INT HUP
ended=$(now)
# A shell tells death by signal n as 128+n and cannot tell it from that exit code: both
# are told.
code=$status signal=null
if [ "$status" -gt 128 ] && [ "$status" -le 192 ]; then
    signal=$((status - 128))
fi
insist record

# The bell rings when neither lock nor id is left of this process. It never blocks: the
# FIFO is opened for both directions.
exec 8>&- 9>&-
exec env -i PATH="$PATH" /bin/sh -c '[ ! -p "$1" ] || printf . 1<>"$1"; exit "$2"' sh ../bell "$status"
