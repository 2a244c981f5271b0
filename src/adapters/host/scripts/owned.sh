# Only compares the owner. Put after owner.sh.
exit 0
