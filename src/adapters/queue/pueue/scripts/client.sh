# Defines how pueue's client is called and what is told of its surroundings. Put after
# owner.sh and before what is asked. Arguments: the program, seconds to wait for one
# answer; they are shifted away.
pueue=$1 patience=$2
shift 2
case $pueue in "~/"*) pueue=${HOME:-}/${pueue#"~/"} ;; esac
name=${pueue##*/}
root=$PWD
newline='
'
# Where a task was added is where it starts, and / is always there.
cd /

# What the caller has in its environment stays in the task, for all to read. No client
# ever waits for itself to end: a daemon that hangs keeps it for ever.
client() {
    timeout --foreground -k 2 "$patience" env -i HOME="${HOME:-/}" \
        USER="${USER:-$(id -un)}" LANG="${LANG:-C.UTF-8}" PATH="$PATH" \
        ${XDG_RUNTIME_DIR:+"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"} \
        ${PUEUE_CONFIG_PATH:+"PUEUE_CONFIG_PATH=$PUEUE_CONFIG_PATH"} "$pueue" "$@"
    # It is there, or this would not have been reached: what is for another machine is
    # taken for a script that is none.
    set -- "$?"
    [ "$1" -ne 127 ] || return 126
    return "$1"
}

# What tells a person, and us, where this was asked and which daemons of ours are there.
told() {
    printf 'user %s\nruntime %s\npath %s\n' "${USER:-$(id -un)}" "${XDG_RUNTIME_DIR-}" "$PATH"
    [ -z "${PUEUE_CONFIG_PATH-}" ] || printf 'config %s\n' "$PUEUE_CONFIG_PATH"
    for process in /proc/[0-9]*; do
        [ -O "$process" ] && { read -r comm <"$process/comm"; } 2>/dev/null || continue
        [ "$comm" = pueued ] && { read -r stat <"$process/stat"; } 2>/dev/null || continue
        daemon "${process#/proc/}" ${stat##*) }
    done
}

# daemon PID STATE PARENT ...: the fields of its stat from the third on. The start is the 22nd.
daemon() {
    # One that is over and was not waited for by anybody answers nobody.
    [ "$2" != Z ] || return 0
    named=unknown
    if [ -n "${PUEUE_CONFIG_PATH-}" ]; then
        named=no
        tr '\0' '\n' 2>/dev/null <"/proc/$1/cmdline" | grep -qxF -e "$PUEUE_CONFIG_PATH" &&
            named=yes
        tr '\0' '\n' 2>/dev/null <"/proc/$1/environ" |
            grep -qxF -e "PUEUE_CONFIG_PATH=$PUEUE_CONFIG_PATH" && named=yes
    fi
    printf 'pueued %s %s %s %s\n' "$1" "$3" "${21}" "$named"
}

# Ends here where there is no such program, and tells where there is one.
found() {
    ! command -v "$pueue" >/dev/null 2>&1 || return 0
    told
    for folder in "${HOME:-}/.cargo/bin" "${HOME:-}/.local/bin" "${HOME:-}/bin" \
        /usr/local/bin /opt/*/bin /home/linuxbrew/.linuxbrew/bin /snap/bin; do
        [ ! -x "$folder/$name" ] || printf 'found %s\n' "$folder"
    done
    exit 127
}

# answered KEY CODE TEXT: one answer of several, with each line of the text marked.
answered() {
    printf 'answer %s %s\n' "$1" "$2"
    if [ "$2" -eq 0 ]; then
        printf '| %s\n' "${3##*"$newline"}"
    else
        printf '%s\n' "$3" | sed 's/^/| /'
        failed=yes
    fi
    # What did not answer once will not answer the next either.
    case $2 in 12[4-7] | 137) return 1 ;; esac
}

# The last words of a script that gave several answers.
all_said() {
    [ -z "${failed-}" ] || told
    printf 'end\n'
    exit 0
}
