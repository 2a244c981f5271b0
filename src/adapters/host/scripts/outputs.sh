# Lists the regular files below a directory, and the symlinks to regular files: path,
# size and time of change of what is there, each ended by a NUL. Put after owner.sh. Arguments: directory.
# Ends with 94: the directory is missing, 1: it cannot be read.
if [ ! -d "$1" ]; then
    printf '%s is missing\n' "$1" >&2
    exit 94
fi
if ! cd "$1" 2>/dev/null || [ ! -r . ]; then
    printf '%s cannot be read\n' "$1" >&2
    exit 1
fi
# What a job has closed hides itself only.
find . -type d ! \( -readable -executable \) -prune -o -type f -printf '%P\0%s\0%T@\0' \
    -o -type l -xtype f -exec stat -L --printf '%n\0%s\0%.9Y\0' {} +
