# Tells what is in the folder of a selftest: `record NAME` for each record, `files N` for
# how many files are in a case's folder, `ended N` for how many jobs have written their
# end, `attempts` where there may be any.
# Arguments: the folder, the case's folder.
export LC_ALL=C
cd "$1/records" || exit 1
for record in *; do
    [ ! -e "$record" ] || printf 'record %s\n' "$record"
done
printf 'files %s\n' "$(find "$2" -type f 2>/dev/null | wc -l)"
ended=0
for end in "$1/work/.daylily-watch"/*/exit.json; do
    [ ! -e "$end" ] || ended=$((ended + 1))
done
printf 'ended %s\n' "$ended"
[ ! -d "$1/work/.daylily-watch" ] || echo attempts
echo end
