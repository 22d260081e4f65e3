#!/usr/bin/env bash
# Builds what is missing and runs a federation on this machine: ./testnet/run.sh [options of `testnet run`].
# It may be called from any folder; a relative --report or --data is relative to that folder.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
manifest=$root/Cargo.toml

if ! command -v cargo >/dev/null; then
    echo "run.sh: there is no cargo; install Rust (https://rustup.rs) and open a new shell" >&2
    exit 2
fi

# Everything that cargo says goes to the error stream, so that --json stays clean.
cargo build --manifest-path "$manifest" --locked --bin althing --bin testnet >&2

# Cargo knows where it builds, whatever CARGO_TARGET_DIR and its configuration files say.
target=$(cargo metadata --manifest-path "$manifest" --locked --no-deps --format-version 1 |
    sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p')
exec "$target/debug/testnet" run "$@"
