#!/usr/bin/env bash
# A new user's path on three hosts, each a network namespace with an address of its own on one bridge: `init`, `join`,
# `join`, and no file is edited. Says how long it takes until all three settle a round together.
#
#   testnet/lan/three-hosts.sh [path of althing]
#
# Needs root, iproute2 and a kernel that lets it make namespaces and bridges; without them it says so, and exits with 0.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

althing=${1:-${CARGO_TARGET_DIR:-target}/debug/althing}
limit_s=60
hosts=(anna berta carla)

if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null; then
    echo "skipped: network namespaces need root and iproute2 (apt install iproute2)"
    exit 0
fi

work=$(mktemp -d)
id=$$
bridge=alt$id
space() { echo "alt$id-$1"; }

clean_up() {
    for host in "${hosts[@]}"; do
        ip netns pids "$(space "$host")" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "$(space "$host")" 2>/dev/null || true
    done
    ip link del "$bridge" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT

if ! { ip netns add "$(space probe)" && ip netns del "$(space probe)" && ip link add "$bridge" type bridge; }; then
    echo "skipped: this system does not let root make network namespaces and bridges"
    exit 0
fi
ip link set "$bridge" up
number=0
for host in "${hosts[@]}"; do
    number=$((number + 1))
    ip netns add "$(space "$host")"
    ip link add "v$id-$number" type veth peer name eth0 netns "$(space "$host")"
    ip link set "v$id-$number" master "$bridge" up
    ip -n "$(space "$host")" addr add "10.77.0.$number/24" dev eth0
    ip -n "$(space "$host")" link set eth0 up
    ip -n "$(space "$host")" link set lo up
done

# What a user types, at one of the hosts.
at() {
    local host=$1
    shift
    (cd "$work" && RAYON_NUM_THREADS=1 ip netns exec "$(space "$host")" "$@")
}

# Whether this host has settled a round in which all three have delivered.
settled_together() { grep -q '"event":"settled".*"updates":3,' "$work/$1.log" 2>/dev/null; }

begun=$(date +%s%N)
data=$PWD/testnet/data/mnist
invitation=$(at anna "$althing" init village --name anna --data "$data" --part 1/3 | tail -n 1)
at anna "$althing" run --json --config village/node.toml >"$work/anna.log" 2>"$work/anna.err" &
at berta "$althing" join "$invitation" berta --name berta --data "$data" --part 2/3 --json >"$work/berta.log" 2>"$work/berta.err" &
at carla "$althing" join "$invitation" carla --name carla --data "$data" --part 3/3 --json >"$work/carla.log" 2>"$work/carla.err" &

for host in "${hosts[@]}"; do
    until settled_together "$host"; do
        taken_ms=$((($(date +%s%N) - begun) / 1000000))
        if [ "$taken_ms" -gt $((limit_s * 1000)) ]; then
            echo "failed: $host has not settled a round of all three within $limit_s s" >&2
            tail -n 5 "$work"/*.log "$work"/*.err >&2
            exit 1
        fi
        sleep 0.1
    done
done
echo "from nothing to a round of all three in $((($(date +%s%N) - begun) / 1000000)) ms"
