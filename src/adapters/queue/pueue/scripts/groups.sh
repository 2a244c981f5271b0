# Makes or starts the group of each line of standard input: name, places. Put after
# client.sh. Arguments: `add` or `start`.
found
while read -r group places; do
    case $1 in
    add) said=$(client group add --parallel="$places" -- "$group" </dev/null 2>&1) ;;
    start) said=$(client start --group="$group" </dev/null 2>&1) ;;
    esac
    answered "$group" "$?" "$said" || break
done
all_said
