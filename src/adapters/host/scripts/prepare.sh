# Makes an attempt's directory; job.sh comes last and by rename. What is there stays.
# Put after owner.sh. Arguments: attempt, the intake's folder and the case's lock below
# cases/, case.json, and the length of job.sh, which comes on stdin.
# Ends with 97: not even what all attempts share can be written.
[ ! -f "$1/job.sh" ] || exit 0
[ -w . ] && { [ ! -e cases ] || [ -w cases ]; } || exit 97
mkdir -p "$1" "cases/$2" && cd "$1" || exit 1
for lock in lock ship.lock "../cases/$2/$3"; do
    command : >>"$lock" || exit 1
done
cat >"job.sh.$$" || exit 1
if [ "$(wc -c <"job.sh.$$")" -ne "$5" ]; then
    rm -f "job.sh.$$"
    echo 'job.sh did not come whole' >&2
    exit 1
fi
printf '%s\n' "$4" >"case.json.$$" && sync "case.json.$$" && mv -f "case.json.$$" case.json || exit 1
chmod 700 "job.sh.$$" && sync "job.sh.$$" && mv -f "job.sh.$$" job.sh || exit 1
sync . .. || :
