#!/usr/bin/env bash
# Builds what is missing and runs a federation on this machine: ./testnet/run.sh [--lm[=MODEL]] [options of `testnet run`].
# With --lm the nodes' agents ask a language model, for which one server is built, fetched and started; without it they
# decide by rules. It may be called from any folder; a relative --report or --data is relative to that folder.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
manifest=$root/Cargo.toml

if ! command -v cargo >/dev/null; then
    echo "run.sh: there is no cargo; install Rust (https://rustup.rs) and open a new shell" >&2
    exit 2
fi

model=
options=()
for option in "$@"; do
    case $option in
        --lm) model=qwen2.5-coder-1.5b ;;
        --lm=*) model=${option#--lm=} ;;
        *) options+=("$option") ;;
    esac
done

# Where cargo builds, whatever CARGO_TARGET_DIR and its configuration files say.
target_of() {
    cargo metadata --manifest-path "$1" --locked --no-deps --format-version 1 |
        sed -n 's/.*"target_directory":"\([^"]*\)".*/\1/p'
}

# Everything that cargo says goes to the error stream, so that --json stays clean.
cargo build --manifest-path "$manifest" --locked --bin althing --bin testnet >&2
testnet=$(target_of "$manifest")/debug/testnet

if [ -z "$model" ]; then
    exec "$testnet" run ${options[@]+"${options[@]}"}
fi

# The server has a workspace of its own, whose processor flags cargo finds only from its folder.
cd_lm() { cd -- "$root/agents/lm"; }
if [ -n "${CARGO_TARGET_DIR:-}" ]; then lm_target=${CARGO_TARGET_DIR%/}-lm; else lm_target=$(target_of "$root/agents/lm/Cargo.toml"); fi
(cd_lm && CARGO_TARGET_DIR=$lm_target cargo build --locked >&2)
lm=$lm_target/debug/althing-lm
case $model in
    */* | *.gguf) ;;
    *) "$lm" fetch "$model" >&2 ;;
esac

scratch=$(mktemp -d)
# At low priority: the nodes train on the same cores, and no round waits for an answer.
nice -n 19 "$lm" serve --model "$model" --listen 127.0.0.1:0 --json >"$scratch/lm.jsonl" 2>"$scratch/lm.log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT

echo "run.sh: loading $model" >&2
until grep -q '"event":"ready"' "$scratch/lm.jsonl"; do
    if ! kill -0 "$server" 2>/dev/null; then
        echo "run.sh: the language model's server ended:" >&2
        cat "$scratch/lm.log" >&2
        exit 1
    fi
    sleep 0.2
done
address=$(sed -n 's/.*"event":"listening".*"address":"\([^"]*\)".*/\1/p' "$scratch/lm.jsonl")
"$testnet" run --endpoint "http://$address" ${options[@]+"${options[@]}"}
