# Makes attempts' directories; of each, job.sh comes last and by rename. What is there
# stays. Put after owner.sh. On stdin, for each attempt: its id, the intake's folder and
# the case's lock below cases/, case.json, and the length of job.sh, a line each, and then
# job.sh itself. Answers a line for each: `there`, `removed` where it has ended and its data
# was removed, or a code and what was said; the code 0 says that it was made just now.
# Ends with 97: not even what all attempts share can be written.
newline='
'

prepare() {
    [ -d "$attempt" ] && [ -d "cases/$intake" ] || mkdir -p "$attempt" "cases/$intake" || return 1
    cd "$attempt" || return 1
    for lock in lock ship.lock "../cases/$intake/$case_lock"; do
        command : >>"$lock" || return 1
    done
    if [ "$(wc -c <"../job.sh.$$")" -ne "$length" ]; then
        echo 'job.sh did not come whole' >&2
        return 1
    fi
    printf '%s\n' "$json" >"case.json.$$" && mv -f "../job.sh.$$" "job.sh.$$" &&
        chmod 700 "job.sh.$$" && sync "case.json.$$" "job.sh.$$" || return 1
    mv -f "case.json.$$" case.json && mv -f "job.sh.$$" job.sh || return 1
    sync . .. || :
}

while IFS= read -r attempt && IFS= read -r intake && IFS= read -r case_lock &&
    IFS= read -r json && IFS= read -r length; do
    if [ -f "$attempt/job.sh" ]; then
        head -c "$length" >/dev/null || exit 1
        echo there
        continue
    fi
    # An older database may not know that it has run. Inside a string these quotes would
    # be escaped.
    if [ -e "$attempt/case.json" ] && grep -qsF '"cleaned_at":"' "$attempt/case.json"; then
        head -c "$length" >/dev/null || exit 1
        echo removed
        continue
    fi
    [ -w . ] && { [ ! -e cases ] || [ -w cases ]; } || exit 97
    # Where it cannot be taken in whole, what follows cannot be told from it.
    head -c "$length" >"job.sh.$$" || { rm -f "job.sh.$$"; exit 1; }
    said=$(prepare 2>&1 </dev/null)
    printf '%s %s\n' "$?" "${said%%"$newline"*}"
    [ ! -e "job.sh.$$" ] || rm -f "job.sh.$$"
done
