# Removes what an ended case has left: its folder and its attempt directories, of which
# case.json stays as a tombstone. Put after owner.sh and claim.sh. It may be repeated
# wherever it was stopped.
# Arguments: work_dir; the intake's folder and the case's in it, empty where the folder
# is to stay; the case's lock and its list of what was shipped; then paths on this
# machine that must not go: `in:PATH` may not lie in the folder nor the other way,
# `on:PATH` may not lie in it.
# On stdin one attempt a line: its id and its tombstone.
# Prints `bytes N` and `done`, or `kept WHY` where nothing was removed.
work_dir=$1 intake=$2 folder=$3 lock=$4 shipped=$5
shift 5
newline='
'
here=$(pwd -P) || exit 1
[ -r /proc/self/environ ] && { read -r boot; } </proc/sys/kernel/random/boot_id || exit 95
keep() {
    printf 'kept %s\n' "$1"
    exit 0
}

# Whichever attempt: its job holds this lock as long as anything of it lives, and one
# that starts meanwhile finds it held.
if [ -f "$lock" ]; then
    command exec 8<>"$lock" || exit 1
    flock -n -E 75 8
    case $? in
    0) ;;
    75) keep 'a job of it holds its lock' ;;
    *) keep 'its lock cannot be tried' ;;
    esac
fi

ids=
while read -r id tombstone; do
    ids="$ids $id"
    [ -d "$id" ] || continue
    [ ! -L "$id" ] || keep "$id is a symlink"
    printf '%s\n' "$tombstone" >"$id/case.json.new" || exit 1
done

none_lives() {
    carried=$(grep -zhsxE 'DAYLILY_ATTEMPT=[A-Za-z0-9._-]+' /proc/[0-9]*/environ | tr '\0' '\n' | sort -u)
    for id in $ids; do
        case $newline$carried$newline in
        *"${newline}DAYLILY_ATTEMPT=$id$newline"*) keep "something of $id still runs" ;;
        esac
        [ -f "$id/lock" ] || continue
        { flock -n -s -E 75 9; } 9<"$id/lock"
        case $? in
        0) ;;
        75) keep "something of $id still runs" ;;
        *) keep "the lock of $id cannot be tried" ;;
        esac
    done
}
none_lives
# What has not begun never will, and what began elsewhere has left its record.
for id in $ids; do
    [ -f "$id/job.sh" ] || continue
    [ -e "$id/claim" ] || (cd "$id" && identify && take_claim daemon "$id") || exit 1
    held=
    { read -r held; } <"$id/claim"
    case $held in
    *'"by":"daemon"'*) ;;
    *"\"boot_id\":\"$boot\""*) ;;
    *)
        identify || exit 1
        case $held in
        *"\"host\":\"$host\",\"machine_id\":\"$machine\""*) [ -z "$machine" ] || continue ;;
        esac
        [ -f "$id/exit.json" ] || keep "$id ran on another machine and left no end record"
        ;;
    esac
done

# Whether the folder is one that may go; enters the folder above it.
if [ -n "$folder" ]; then
    cd -P -- "$work_dir" || exit 1
    root=$(pwd -P)
    [ ! -L "$intake" ] || keep 'the folder of its intake is a symlink'
    if [ -d "$intake" ]; then
        cd -P -- "./$intake" || exit 1
        [ "$(pwd -P)" = "$root/$intake" ] || keep 'its folder is not below work_dir'
    fi
    if [ ! -d "$root/$intake" ] || { [ ! -e "./$folder" ] && [ ! -L "./$folder" ]; }; then
        folder=
    else
        [ ! -L "./$folder" ] && [ -d "./$folder" ] || keep 'its folder is a symlink or no folder'
        for spared; do
            path=$(cd -P -- "${spared#*:}" 2>/dev/null && pwd -P) || continue
            case $path/ in "$root/$intake/$folder/"*) keep "${spared#*:} lies in its folder" ;; esac
            [ "${spared%%:*}" = in ] || continue
            case $root/$intake/$folder/ in "$path/"*) keep "its folder lies in ${spared#*:}" ;; esac
        done
    fi
    above=$(pwd -P)
    cd -- "$here" || exit 1
fi

for id in $ids; do rm -f "$id/job.sh" || exit 1; done
sync . || :
# One that was just starting has its id by now.
none_lives

size() { du -sk -- "$1" 2>/dev/null | { read -r kilobytes rest; echo "${kilobytes:-0}"; }; }
total=0
for id in $ids; do
    [ ! -d "$id" ] || total=$((total + $(size "$id")))
done

# gone PATH: also of a folder that its job has closed.
gone() {
    rm -rf --one-file-system -- "$1" 2>/dev/null && return 0
    find "$1" -type d ! -perm -700 -exec chmod u+rwx {} \; 2>/dev/null
    rm -rf --one-file-system -- "$1"
}

# What an earlier try took away and did not finish has the same name.
ids=${ids# }
trash=$here/removed-${ids%% *}
gone "$trash" || exit 1
if [ -n "$folder" ]; then
    cd -- "$above" || exit 1
    total=$((total + $(size "./$folder")))
    # By a rename, so that a copy that is begun meanwhile never meets what goes.
    if [ "$(stat -c %d "./$folder")" = "$(stat -c %d "$here")" ]; then
        mv -T -- "./$folder" "$trash" && gone "$trash" || exit 1
    else
        gone "./$folder" || exit 1
    fi
    cd -- "$here" || exit 1
fi
[ -z "$shipped" ] || rm -f -- "$shipped" || exit 1

for id in $ids; do
    [ -d "$id" ] || continue
    sync "$id/case.json.new" && mv -f "$id/case.json.new" "$id/case.json" || exit 1
    # The claim goes last: whatever starts before that finds it.
    find "./$id" -mindepth 1 -maxdepth 1 ! -name case.json ! -name claim -exec rm -rf {} + || exit 1
    rm -f "$id/claim" || exit 1
    sync "$id" || :
done
printf 'bytes %s\ndone\n' "$((total * 1024))"
