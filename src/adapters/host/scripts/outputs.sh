# Lists the regular files below a directory: path, size and time of change, each
# ended by a NUL. Put after owner.sh. Arguments: directory.
# Ends with 94: the directory is missing.
cd "$1" 2>/dev/null || exit 94
find . -type f -printf '%P\0%s\0%T@\0'
