# Tells what is so on a machine before anything is tried there: one fact a line, its name
# first and a tab between. Arguments: work_dir.
export LC_ALL=C
tell() { printf '%s\t%s\n' "$1" "$2"; }

tell time "$(date +%s.%N)"
tell user "$(id -un)"

# work_dir, or the nearest folder above it that is there.
place=$1
while [ ! -e "$place" ] && [ ! -L "$place" ] && [ "$place" != / ]; do
    place=${place%/*}
    place=${place:-/}
done
tell place "$place"
tell owner "$(stat -L -c %U -- "$place" 2>/dev/null)"
[ ! -d "$place" ] || tell folder yes
if [ -w "$place" ] && [ -x "$place" ]; then tell writable yes; fi
tell free "$(stat -f -c '%a %S %c %d' -- "$place" 2>/dev/null)"
[ ! -e "$1/.daylily-watch" ] || [ -w "$1/.daylily-watch" ] || tell closed "$1/.daylily-watch"

if rsync=$(command -v rsync); then
    tell rsync "$rsync"
    tell rsync_version "$(timeout 5 rsync --version 2>/dev/null | head -n 1)"
else
    for folder in "${HOME:-}/.local/bin" "${HOME:-}/bin" "${HOME:-}"/*conda*/bin \
        /usr/bin /usr/local/bin /opt/*/bin /opt/local/bin /sw/bin \
        /home/linuxbrew/.linuxbrew/bin; do
        [ ! -x "$folder/rsync" ] || tell elsewhere "$folder"
    done
fi
exit 0
