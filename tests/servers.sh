#!/bin/sh
# Installs what the tests start themselves, where it is missing: sshd, rsync and login
# shells as Debian packages, pueue and two S3 stores below target/tools. Nothing is started,
# and nothing of what runs already is touched. As root it also makes the user whom the
# tests' sshd lets in.
set -eu
cd "$(dirname "$0")/.."

PUEUE=4.0.4
S3S_FS=0.14.1
MOTO=5.2.5
TEST_USER=daylily-test

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

missing=
[ -x /usr/sbin/sshd ] || missing="$missing openssh-server"
command -v ssh >/dev/null || missing="$missing openssh-client"
command -v rsync >/dev/null || missing="$missing rsync"
# Login shells of every family that an account may have: what they expand and how they
# quote differs. Together 9 MB, once.
for shell in bash zsh mksh tcsh fish; do
    command -v "$shell" >/dev/null || missing="$missing $shell"
done
python3 -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if [ -n "$missing" ]; then
    # Debian starts a server that it installs, unless this file says no.
    policy=/usr/sbin/policy-rc.d
    made=
    if [ ! -e "$policy" ]; then
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
        made=yes
    fi
    as_root apt-get update -q
    # The names are single words of ours.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing
    [ -z "$made" ] || as_root rm -f "$policy"
fi

# sshd wants its empty folder to be there and root's.
[ -d /run/sshd ] || as_root mkdir -p /run/sshd

if [ "$(id -u)" = 0 ] && ! id "$TEST_USER" >/dev/null 2>&1; then
    useradd -m -s /bin/sh "$TEST_USER"
    # No password at all, rather than a locked account, which sshd refuses.
    usermod -p '*' "$TEST_USER"
fi

if ! target/tools/bin/pueued --version 2>/dev/null | grep -qF " $PUEUE"; then
    ${CARGO:-cargo} install --locked --root target/tools --target-dir target/tools-build \
        pueue --version "$PUEUE"
    rm -rf target/tools-build
fi

if ! target/tools/bin/s3s-fs --version 2>/dev/null | grep -qF " $S3S_FS"; then
    ${CARGO:-cargo} install --locked --root target/tools --target-dir target/tools-build \
        s3s-fs --version "$S3S_FS" --features binary
    rm -rf target/tools-build
fi

# In an environment of its own: nothing of the machine's Python is touched.
moto=target/tools/moto
version='import importlib.metadata as m; print(m.version("moto"))'
if [ "$("$moto/bin/python" -c "$version" 2>/dev/null)" != "$MOTO" ]; then
    rm -rf "$moto"
    python3 -m venv "$moto"
    "$moto/bin/pip" install --quiet --disable-pip-version-check "moto[server,s3]==$MOTO"
fi
