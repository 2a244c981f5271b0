# Lists the attempt directories. Put after owner.sh. Prints `dir PATH` for each, `job PATH`
# for each job.sh, `claim PATH` for each claim, and for each case.json its path, a NUL and its first line; last `end`.
find . -mindepth 1 -maxdepth 1 -type d -name 'dw-*' -printf 'dir %p\n'
find . -mindepth 2 -maxdepth 2 -type f -path './dw-*/job.sh' -printf 'job %p\n'
find . -mindepth 2 -maxdepth 2 -path './dw-*/claim' -printf 'claim %p\n'
find . -mindepth 2 -maxdepth 2 -type f -path './dw-*/case.json' -size -1024k \
    -exec grep -aHZ -m 1 '' {} +
echo end
