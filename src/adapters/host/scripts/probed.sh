# Looks whether a probe outlived its starter, lets it end and removes its directory.
# Arguments: the directory of the probe. Ends with 0: it lives.
export LC_ALL=C
cd "$1" || exit 1
n=0
until [ -e pid ] || [ $n -ge 20 ]; do
    sleep 0.1
    n=$((n + 1))
done
lives=1
if [ -e pid ] && { read -r pid; } <pid && grep -qzsxF daylily-watch-probe "/proc/$pid/cmdline"; then
    lives=0
fi
rm -f go
n=0
while [ $lives -eq 0 ] && [ -e "/proc/$pid" ] && [ $n -lt 20 ]; do
    sleep 0.1
    n=$((n + 1))
done
cd / && rm -rf "$1"
exit $lives
