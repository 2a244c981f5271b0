# Prints a part of an attempt's output: on one line how long all of it is and where the
# part begins, then the part. It changes nothing. Arguments: the attempt's directory; the
# byte to begin with, or `end` for the last ones; how many bytes at most.
# Prints `none` where there is no such file. Ends with 94: the directory is missing.
export LC_ALL=C
[ -d "$1" ] || exit 94
cd "$1" || exit 1
[ -e output.log ] || [ -L output.log ] || { echo none; exit 0; }
# Anybody with the job's account may have put something else in its place.
if [ -L output.log ] || [ ! -f output.log ]; then
    echo 'output.log is no regular file' >&2
    exit 1
fi
size=$(stat -c %s output.log) || exit 1
from=$2
if [ "$from" = end ]; then
    from=$((size > $3 ? size - $3 : 0))
elif [ "$from" -gt "$size" ]; then
    # Somebody emptied it: what is there now was written after.
    from=0
fi
printf '%s %s\n' "$size" "$from"
exec dd if=output.log iflag=nofollow,nonblock,fullblock,skip_bytes,count_bytes bs=65536 \
    skip="$from" count="$3" status=none
