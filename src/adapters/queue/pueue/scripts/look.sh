# Prints what is told of the surroundings, `answer`, and pueue's list as JSON. Put after
# client.sh. Arguments: a filter, or none. Ends with the client's code.
found
told
printf 'answer\n'
client status --json "$@" </dev/null
code=$?
# These are ours.
case $code in 9[0-9]) code=1 ;; esac
exit "$code"
