# Proves what the attempt directory rests on, in a directory of its own that is removed
# again. Arguments: directory, work_dir. Prints one line for each proof: its name, yes
# or no, and what there is to say, with tabs between.
export LC_ALL=C
umask 077
tell() { printf '%s\t%s\t%s\n' "$1" "$2" "$3"; }

missing=
for program in cat chmod date env find flock grep head id ln mkdir mkfifo mv rm setsid \
    sleep sort stat sync tail timeout tr wc; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
if [ -z "$missing" ]; then tell programs yes ''; else tell programs no "${missing# }"; fi
if [ -r /proc/self/environ ]; then tell proc yes ''; else tell proc no ''; fi

if [ -e "$2/.daylily-watch/owner" ]; then
    owner=
    { read -r owner generation word; } <"$2/.daylily-watch/owner" 2>/dev/null
    if [ -n "$owner" ]; then tell owner yes "$owner $generation $word"; else tell owner no ''; fi
fi

dir=$1/.daylily-watch-check.$$
trap 'cd / && rm -rf "$dir"' EXIT
trap 'exit 1' TERM INT HUP
said=$(mkdir "$dir" 2>&1) && cd "$dir" || { tell write no "$said"; exit 0; }
tell write yes ''

# prove NAME COMMAND...: whether it ends with 0.
prove() {
    name=$1
    shift
    if "$@" >/dev/null 2>said; then tell "$name" yes ''; else tell "$name" no "$(head -n 1 said)"; fi
}

# The second link must be refused, and the first be what is read.
links() {
    echo first >one && ln one claim && echo second >two && ! ln two claim 2>/dev/null &&
        [ "$(cat claim)" = first ]
}
# Others are shut out while it is held, and let in afterwards.
locks() {
    : >lock && exec 9<>lock && flock 9 || return 1
    (exec 9>&- && flock -n -E 75 lock true)
    [ $? -eq 75 ] || return 1
    exec 9>&-
    flock -n -s -E 75 lock true
}
renames() { echo old >three && echo new >four && mv -f four three && [ "$(cat three)" = new ]; }
finds() { echo text >five && [ "$(find . -name five -type f -printf '%P %s')" = 'five 5' ]; }
greps() { [ "$(printf 'a\0b\0' | grep -zx b | tr '\0' x)" = bx ]; }
syncs() { echo text >six && sync six; }
stats() { [ -n "$(stat -f -c '%a %S' .)" ]; }
heads() { [ "$(printf abc | head -c 2)" = ab ] && head -v -c 9 -- "$dir/said" >/dev/null; }
prove ln links
prove flock locks
prove rename renames
prove fifo mkfifo bell
prove 'sync FILE' syncs
prove 'find -printf' finds
prove 'grep -z' greps
prove 'stat -f' stats
prove 'head -v -c' heads
prove timeout timeout 5 true
exit 0
