# Reads attempts, each in the order claim, alive, exit record. Put after owner.sh.
# Attempts come on stdin, one a line. Prints facts only; what they mean is decided
# elsewhere. Parts are told apart by a word made up anew for each answer.
# It takes locks shared and without waiting, and creates nothing.
[ -r /proc/self/environ ] && { read -r word; } </proc/sys/kernel/random/uuid &&
    { read -r boot; } </proc/sys/kernel/random/boot_id &&
    { read -r host; } </proc/sys/kernel/hostname || exit 95
machine=
[ ! -r /etc/machine-id ] || read -r machine </etc/machine-id
newline='
'

# Sets living and unsure: those of "$@" of which something runs, and those that could
# not be looked at.
look() {
    living=' '
    unsure=' '
    carried=$(grep -zhsxE 'DAYLILY_ATTEMPT=[A-Za-z0-9._-]+' /proc/[0-9]*/environ | tr '\0' '\n' | sort -u)
    for id; do
        case $newline$carried$newline in
        *"${newline}DAYLILY_ATTEMPT=$id$newline"*)
            living="$living$id "
            continue
            ;;
        esac
        { flock -n -s -E 75 9; } 9<"$id/lock"
        case $? in
        0) ;;
        75) living="$living$id " ;;
        *) unsure="$unsure$id " ;;
        esac
    done
}

printf '%s\n' "$word" "host $host" "machine $machine" "boot $boot"
ids=
set --
while read -r id; do
    if [ ! -d "$id" ]; then
        printf 'missing %s directory\n' "$id"
        continue
    fi
    for file in job.sh lock; do
        if [ ! -f "$id/$file" ]; then
            printf 'missing %s %s\n' "$id" "$file"
            continue 2
        fi
    done
    for file in claim exit.json exit.json.tmp; do
        if [ -e "$id/$file" ] && [ ! -f "$id/$file" ]; then
            printf 'missing %s regular:%s\n' "$id" "$file"
            continue 2
        fi
    done
    ids="$ids $id"
    [ ! -f "$id/claim" ] || set -- "$@" "$id/claim"
done

printf '%s claims\n' "$word"
[ $# -eq 0 ] || head -v -c 4096 -- "$@"
printf '\n%s alive\n' "$word"

look $ids
first=$living
# A process can come into being while /proc is read. Where that would mean an end,
# a second look must agree.
set --
for id in $ids; do
    case $living$unsure in
    *" $id "*) ;;
    *) [ ! -f "$id/claim" ] || set -- "$@" "$id" ;;
    esac
done
doubtful=$unsure
if [ $# -gt 0 ]; then
    look "$@"
    first="$first$living"
    doubtful="$doubtful$unsure"
fi

# The temporary file first: it becomes the record, never the other way.
set --
ended=
for id in $ids; do
    [ ! -f "$id/exit.json.tmp" ] || set -- "$@" "$id/exit.json.tmp"
    if [ -f "$id/exit.json" ]; then
        set -- "$@" "$id/exit.json"
        case $first in *" $id "*) ended="$ended $id" ;; esac
    fi
done

# job.sh lives a moment longer than its record takes to write: that is no left-over.
tries=0
while [ -n "$ended" ] && [ $tries -lt 5 ]; do
    sleep 0.02
    look $ended
    still=
    for id in $ended; do
        case $living$unsure in
        *" $id "*) still="$still $id" ;;
        *) printf 'gone %s\n' "$id" ;;
        esac
    done
    ended=$still
    tries=$((tries + 1))
done
for id in $first; do printf 'yes %s\n' "$id"; done
for id in $doubtful; do printf 'unsure %s\n' "$id"; done

printf '%s exits\n' "$word"
[ $# -eq 0 ] || head -v -c 4096 -- "$@"
printf '\n%s end\n' "$word"
exit 0
