#!/bin/sh
# Installs cargo-deny below target/tools, where it is missing, and runs it with the words it
# is given. It takes some minutes the first time and is kept for the next.
set -eu
cd "$(dirname "$0")/.."

CARGO_DENY=0.20.2

if ! target/tools/bin/cargo-deny --version 2>/dev/null | grep -qF " $CARGO_DENY"; then
    ${CARGO:-cargo} install --locked --root target/tools --target-dir target/tools-build \
        cargo-deny --version "$CARGO_DENY"
    rm -rf target/tools-build
fi
exec target/tools/bin/cargo-deny --locked "$@"
