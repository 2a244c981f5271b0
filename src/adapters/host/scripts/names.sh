# Prints `dir PATH` for each attempt directory, last `end`. Put after owner.sh.
find . -mindepth 1 -maxdepth 1 -type d -name 'dw-*' -printf 'dir %p\n'
echo end
