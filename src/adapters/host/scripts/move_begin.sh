# Puts what a transfer's other side begins with in its place. Put after put_begin.sh.
# Arguments: the attempt, the script's name, its length. The script comes on stdin.
put_begin "$1" "$2" "$3"
