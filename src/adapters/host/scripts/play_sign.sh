# Makes a sign that jobs of a selftest wait for. Arguments: the folder, the sign's name.
umask 077
: >"$1/records/$2"
