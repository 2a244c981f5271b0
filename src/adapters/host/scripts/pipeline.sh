# Runs the pipeline of a workset. Put after the workset's own values, in the shell of the
# configured pipeline: a POSIX one. Ends with 93 where the pipeline could not be begun, with
# 94 where it says that it failed although its command ended with 0, else as its command.

dw_refuse() {
    printf 'daylily-watch: %s\n' "$1" >&2
    exit 93
}

# A copy of a table, unless it is that file already.
dw_copy() {
    [ ! "$1" -ef "$2" ] || return 0
    mkdir -p -- "$(dirname -- "$2")" && cp -f -- "$1" "$2" ||
        dw_refuse "$1 could not be copied to $dw_place/$2"
}

cd -- "$dw_run" || dw_refuse "the run_directory $dw_run cannot be entered"
dw_place=$dw_run
if [ -n "$dw_clones" ]; then
    dw_said=$(dw_clone)
    dw_code=$?
    [ -z "$dw_said" ] || printf '%s\n' "$dw_said"
    [ "$dw_code" -eq 0 ] || dw_refuse "day-clone ended with exit code $dw_code"
    dw_place=$(printf '%s\n' "$dw_said" | tr -d '\r' | sed -n \
        's/^[Ll][Oo][Cc][Aa][Tt][Ii][Oo][Nn][[:blank:]:=]\{1,\}\(.*[^[:blank:]]\)[[:blank:]]*$/\1/p' |
        sed -n '$p')
    case $dw_place in
    '') dw_refuse 'day-clone named no directory: no line of its output begins with location' ;;
    /*) ;;
    *) dw_place=$dw_run/$dw_place ;;
    esac
    cd -- "$dw_place" || dw_refuse "$dw_place, which day-clone named, cannot be entered"
    # One clone is of one attempt: what an earlier one did there is not run into.
    if ! (set -C && printf '%s\n' "$DAYLILY_ATTEMPT" >.daylily-attempt) 2>/dev/null; then
        dw_other=$(head -n 1 .daylily-attempt 2>/dev/null)
        dw_refuse "$dw_place is no fresh clone: ${dw_other:-something else} was there before; put {workdir_name} into the arguments of day-clone"
    fi
fi
ln -s -- "$dw_place" "$dw_attempt_dir/pipeline" || dw_refuse 'its attempt directory cannot be written'
for dw_left in daylily.successful_run daylily.failed_run; do
    # Of an earlier run: kept, and no evidence of this one.
    if [ -e "$dw_left" ] || [ -L "$dw_left" ]; then
        mv -f -- "$dw_left" "$dw_left.before-$DAYLILY_ATTEMPT" ||
            dw_refuse "$dw_place/$dw_left of an earlier run cannot be set aside"
    fi
done
dw_tables

# In a shell of its own, which may end where it wants.
(
    dw_environment || dw_refuse 'its environment could not be set'
    # dy-a and dy-r may be aliases that dyoainit makes; eval reads each line when they are there.
    [ -z "${BASH_VERSION-}" ] || shopt -s expand_aliases
    set --
    if [ -f ./dyoainit ]; then . ./dyoainit; else . dyoainit; fi &&
        eval "$dw_activate" && {
            : >"$dw_attempt_dir/reached"
            eval "$dw_command"
        }
)
dw_code=$?
if [ "$dw_code" -eq 0 ] && [ ! -e "$dw_attempt_dir/reached" ]; then
    dw_refuse 'dyoainit or dy-a ended the shell, so dy-r was not run'
fi
if [ -e daylily.failed_run ] && [ "$dw_code" -eq 0 ]; then
    printf 'daylily-watch: dy-r ended with 0 and daylily.failed_run is there: it failed\n' >&2
    exit 94
fi
if [ -e daylily.successful_run ] && [ "$dw_code" -ne 0 ]; then
    printf 'daylily-watch: daylily.successful_run is there and dy-r ended with %s: it failed\n' "$dw_code" >&2
fi
exit "$dw_code"
