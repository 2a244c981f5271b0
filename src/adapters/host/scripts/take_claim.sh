# Takes the claim of an attempt for the daemon, if nobody has it, and prints the
# claim that holds. Put after owner.sh and claim.sh. Arguments: attempt.
# Ends with 94: the attempt's directory is missing, 97: not even what all attempts
# share can be written.
cd "$1" 2>/dev/null || exit 94
[ -e claim ] || [ -w .. ] || exit 97
[ -e claim ] || identify || exit 1
[ -e claim ] || take_claim daemon "$1" || exit 1
# A claim that a crash of the machine could undo would let the job start after all.
sync . || :
[ -f claim ] && head -c 4096 claim
