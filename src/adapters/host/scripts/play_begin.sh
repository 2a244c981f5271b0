# Makes the folder of a selftest, with one for what its jobs write of themselves.
# Arguments: the folder.
export LC_ALL=C
umask 077
mkdir -- "$1" && mkdir -- "$1/records"
