# Prints what systemd does with our processes when we log out: `none` where there is no
# systemd, else Linger of our user and KillUserProcesses, each yes or no.
export LC_ALL=C
[ -d /run/systemd/system ] && command -v loginctl >/dev/null || { echo none; exit 0; }
linger=$(timeout 5 loginctl show-user "$(id -u)" --property=Linger --value 2>/dev/null)
kill=$(timeout 5 loginctl show-user --property=KillUserProcesses --value 2>/dev/null)
printf '%s %s %s\n' "${linger:-no}" "${kill:-unknown}" "$(id -un)"
