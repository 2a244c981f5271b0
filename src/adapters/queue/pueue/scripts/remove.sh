# Takes the entries of each label on standard input out of the list, except those that
# run: pueue itself leaves these. Put after client.sh.
#
# pueue removes by id only and gives ids out again. So the ids are those that the label
# has right now: between the two requests, some milliseconds, somebody would have to
# remove the entry and all newer ones and add another for it to be met instead. Only
# one that does not run could be.
found
while read -r label; do
    said=$(client status --json "label=$label" </dev/null 2>&1)
    code=$?
    if [ "$code" -ne 0 ]; then
        answered "$label" "$code" "$said" || break
        continue
    fi
    said=$(printf '%s' "$said" | tr -d ' \t\r\n')
    # Inside a string its quotes would be escaped, so that no text can look like this.
    ids=$(printf '%s' "$said" | grep -o '"[0-9][0-9]*":{"id":[0-9][0-9]*,' |
        sed -n 's/^"\([0-9]*\)":{"id":\1,$/\1/p')
    if [ -z "$ids" ]; then
        case $said in
        *'"tasks":{}'*) answered "$label" 0 absent ;;
        *) answered "$label" 1 'the list cannot be understood' ;;
        esac
        continue
    fi
    # It may be configured to ask whether one is sure.
    said=$(printf 'y\n' | client remove $ids 2>&1)
    answered "$label" "$?" "$said" || break
done
all_said
