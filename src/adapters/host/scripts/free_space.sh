# Prints what unprivileged users may still write: blocks and their size.
# Put after owner.sh.
stat -f -c '%a %S' .
