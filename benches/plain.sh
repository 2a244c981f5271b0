#!/bin/sh
# What people do by hand, as a script: the other side of every comparison in
# docs/performance.md. It looks once a second, copies a folder that has been quiet for
# long enough with scp, adds it to pueue by a fresh ssh, asks pueue about each running
# case by a fresh ssh once a second, and takes the next case when one has ended.
#
# Arguments: intake, quiet seconds, ssh configuration, host, work_dir, group, pueue, how
# many cases there are, how many at once, and what pueue runs in a case's folder.
# PUEUE_CONFIG_PATH goes along. Ends when so many cases have ended.
set -eu
intake=$1 quiet=$2 config=$3 host=$4 work=$5 group=$6 pueue=$7 many=$8 at_once=$9
command=${10}
there="env PUEUE_CONFIG_PATH='$PUEUE_CONFIG_PATH' $pueue"
state=$(mktemp -d)
trap 'rm -rf "$state"' EXIT
mkdir "$state/taken" "$state/ended"

# Whether nothing below the folder has changed for the quiet period, to a part of a second.
is_quiet() {
    [ -z "$(find "$1" -newermt "-$quiet seconds" -print -quit)" ]
}

# Whether a task is done, by one status document with every task on a line of its own.
is_done() {
    ssh -F "$config" "$host" "$there status --json" | tr -d '\n ' |
        sed 's/"[0-9]*":{"id":/\n&/g' | grep "^\"$1\":" | grep -q '"Done":'
}

count() { find "$1" -mindepth 1 -maxdepth 1 | wc -l; }

while [ "$(count "$state/ended")" -lt "$many" ]; do
    for folder in "$intake"/*; do
        [ -d "$folder" ] || continue
        name=${folder##*/}
        [ ! -e "$state/taken/$name" ] || continue
        [ "$(($(count "$state/taken") - $(count "$state/ended")))" -lt "$at_once" ] || break
        is_quiet "$folder" || continue
        scp -q -r -F "$config" "$folder" "$host:$work/"
        ssh -F "$config" "$host" "$there add --print-task-id --group $group -w $work/$name -- \
            '$command'" >"$state/taken/$name"
    done
    for taken in "$state/taken"/*; do
        [ -e "$taken" ] || continue
        name=${taken##*/}
        if [ ! -e "$state/ended/$name" ] && is_done "$(cat "$taken")"; then
            : >"$state/ended/$name"
        fi
    done
    sleep 1
done
