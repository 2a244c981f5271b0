# Adds an entry for each line of standard input: attempt, group. Put after client.sh.
# Arguments: the folder of the attempts as a word of a shell.
found
while read -r attempt group; do
    if [ ! -f "$root/$attempt/job.sh" ]; then
        printf 'missing %s\n' "$attempt"
        continue
    fi
    said=$(client add --print-task-id --label="$attempt" --group="$group" -- \
        "exec /bin/sh $1/$attempt/job.sh" </dev/null 2>&1)
    answered "$attempt" "$?" "$said" || break
done
all_said
