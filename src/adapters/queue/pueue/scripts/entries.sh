# Prints the entries of one label as JSON. Put after client.sh. Arguments: label.
found
client status --json "label=$1" </dev/null
