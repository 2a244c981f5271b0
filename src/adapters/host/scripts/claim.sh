# Defines how a claim is made, for the job and the daemon alike: a file of one's own
# is linked to `claim`, and what `claim` then holds decides whose it is. The answer
# of ln decides nothing: a network file system repeats a request that has worked.
# Works in the attempt's directory.

# Sets token, host, machine and boot: what tells this run and this machine from others.
identify() {
    machine=
    [ ! -r /etc/machine-id ] || read -r machine </etc/machine-id
    { read -r token; } </proc/sys/kernel/random/uuid &&
        { read -r boot; } </proc/sys/kernel/random/boot_id &&
        { read -r host; } </proc/sys/kernel/hostname || return 1
    # They go into JSON as they are.
    case $host in *[!A-Za-z0-9._-]*) host=unknown ;; esac
    case $machine in *[!A-Za-z0-9._-]*) machine= ;; esac
}

# UTC with milliseconds, or with seconds where date knows no %N.
now() {
    moment=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
    case $moment in
    *[!0-9TZ:.-]*) date -u +%Y-%m-%dT%H:%M:%SZ ;;
    *) printf '%s\n' "$moment" ;;
    esac
}

# take_claim BY ATTEMPT: sets held to the line that `claim` holds afterwards.
take_claim() {
    held=
    # A signal to the whole tree may have met date: a claim without a time is none.
    at=$(now) && [ -n "$at" ] || return 1
    printf '{"by":"%s","token":"%s","attempt":"%s","host":"%s","machine_id":"%s","boot_id":"%s","pid":%s,"at":"%s"}\n' \
        "$1" "$token" "$2" "$host" "$machine" "$boot" "$$" "$at" >"claim.$token" &&
        sync "claim.$token" &&
        ln "claim.$token" claim 2>/dev/null
    rm -f "claim.$token"
    [ -f claim ] && { read -r held; } <claim
}
