# Waits until the bell rings. Put after owner.sh. Open for both directions: opening
# does not wait, and the last writer to leave is no end of file.
[ -p bell ] || exit 94
head -c 1 <>bell
