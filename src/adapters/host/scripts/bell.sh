# Waits until the bell rings. Put after owner.sh. Open for both directions: opening
# does not wait, and the last writer to leave is no end of file. It ends by itself: one
# that a killed daemon left behind would hear the bell in place of the next.
# Arguments: seconds. Ends with 124: it has not rung.
[ -p bell ] || exit 94
exec timeout "$1" head -c 1 <>bell
