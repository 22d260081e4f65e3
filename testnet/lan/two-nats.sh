#!/usr/bin/env bash
# Two members behind routers of their own that let nobody in, and a third that both can dial: `init --relay`, `join`,
# `join`, and no file is edited. Says how long it takes until the two are connected directly, what went through the relay
# and what past it, and how long until all three settle a round together.
#
#   testnet/lan/two-nats.sh [path of althing] [plain|quic|symmetric]
#
# plain:     the routers keep a port where they can, as most do; the two meet directly, over TCP.
# quic:      the same, by an invitation that names a QUIC address alone; the two meet over QUIC.
# symmetric: the routers take another port at random for each connection; the two do not meet, and have to say so.
#
# Needs root, iproute2, nftables and a kernel that lets it make namespaces and NAT; without them it says so, and exits
# with 0.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."

althing=${1:-${CARGO_TARGET_DIR:-target}/debug/althing}
kind=${2:-plain}
limit_s=120
spaces=(net anna berta carla router-berta router-carla)

case $kind in
plain | quic) masquerade="masquerade" ;;
symmetric) masquerade="masquerade random,fully-random" ;;
*)
    echo "usage: $0 [path of althing] [plain|quic|symmetric]" >&2
    exit 2
    ;;
esac
if [ "$(id -u)" != 0 ] || ! command -v ip >/dev/null || ! command -v nft >/dev/null; then
    echo "skipped: network namespaces and NAT need root, iproute2 and nftables (apt install iproute2 nftables)"
    exit 0
fi

work=$(mktemp -d)
id=$$
space() { echo "alt$id-$1"; }
in_space() {
    local host=$1
    shift
    ip netns exec "$(space "$host")" "$@"
}

clean_up() {
    for host in "${spaces[@]}"; do
        ip netns pids "$(space "$host")" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
        ip netns del "$(space "$host")" 2>/dev/null || true
    done
    if [ -n "${KEEP:-}" ]; then cp -r "$work" "$KEEP"; fi
    rm -rf "$work"
}
trap clean_up EXIT

# A cable between two namespaces: `cable HOST INTERFACE ADDRESS HOST INTERFACE [ADDRESS]`.
cable() {
    local end host link address
    ip link add "$2" netns "$(space "$1")" type veth peer name "$5" netns "$(space "$4")" || return 1
    for end in "$1 $2 $3" "$4 $5 ${6:-}"; do
        read -r host link address <<<"$end"
        if [ -n "$address" ]; then ip -n "$(space "$host")" addr add "$address" dev "$link"; fi
        ip -n "$(space "$host")" link set "$link" up
    done
}

# A router between the host of that name, in 10.NUMBER.0.0/24, and 203.0.113.0/24. It lets in what belongs to connections
# that began inside, and drops the rest without a word; it counts what goes to the other router.
router() {
    local host=$1 number=$2 other=$3 router=router-$1
    cable "$host" eth0 "10.$number.0.2/24" "$router" inside "10.$number.0.1/24"
    ip -n "$(space "$host")" route add default via "10.$number.0.1"
    cable "$router" outside "203.0.113.$number/24" net "to-$host" ""
    ip -n "$(space net)" link set "to-$host" master bridge
    in_space "$router" sysctl -qw net.ipv4.ip_forward=1
    in_space "$router" nft -f - <<RULES
table inet router {
    counter direct {}
    chain input { type filter hook input priority 0; policy drop; iifname != "outside" accept; ct state established,related accept; }
    chain forward { type filter hook forward priority 0; policy drop; ip daddr 203.0.113.$other counter name direct;
        iifname "inside" accept; ct state established,related accept; }
    chain postrouting { type nat hook postrouting priority 100; oifname "outside" $masquerade; }
}
RULES
}

build() {
    local host
    for host in "${spaces[@]}"; do
        ip netns add "$(space "$host")" || return 1
        ip -n "$(space "$host")" link set lo up
    done
    ip -n "$(space net)" link add bridge type bridge || return 1
    ip -n "$(space net)" link set bridge up
    cable anna eth0 203.0.113.1/24 net to-anna "" || return 1
    ip -n "$(space net)" link set to-anna master bridge
    router berta 2 3 || return 1
    router carla 3 2
}
if ! build 2>"$work/why"; then
    echo "skipped: this system does not let root make network namespaces and NAT ($(head -n 1 "$work/why"))"
    exit 0
fi

# What a user types, at one of the hosts.
at() {
    local host=$1
    shift
    (cd "$work" && RAYON_NUM_THREADS=1 ip netns exec "$(space "$host")" "$@")
}
begun=$(date +%s%N)
taken_ms() { echo $((($(date +%s%N) - begun) / 1000000)); }
# A number out of a node's status: `status HOST .reach.relays`.
status() { at "$1" "$althing" status --json --config "$1/node.toml" 2>/dev/null | grep -o "\"$2\":[0-9]*" | head -n 1 | cut -d: -f2; }
# What of it is about relays.
reach() { at "$1" "$althing" status --json --config "$1/node.toml" | grep -o '"reach":{[^}]*}'; }
settled_together() { grep -q '"event":"settled".*"updates":3,' "$work/$1.log" 2>/dev/null; }
# Waits until what is said after it is true.
await() {
    local what=$1
    shift
    until "$@"; do
        if [ "$(taken_ms)" -gt $((limit_s * 1000)) ]; then
            echo "failed: not within $limit_s s: $what" >&2
            tail -n 5 "$work"/*.log "$work"/*.err >&2
            exit 1
        fi
        sleep 0.1
    done
}

data=$PWD/testnet/data/mnist
invitation=$(at anna "$althing" init anna --name anna --relay --data "$data" --part 1/3 | tail -n 1)
if [ "$kind" = quic ]; then
    invitation=$(at anna "$althing" invite --config anna/node.toml --uses 2 --address /ip4/203.0.113.1/udp/4001/quic-v1 | tail -n 1)
fi
at anna "$althing" run --json --config anna/node.toml >"$work/anna.log" 2>"$work/anna.err" &
number=1
for host in berta carla; do
    number=$((number + 1))
    at "$host" "$althing" join "$invitation" "$host" --name "$host" --data "$data" --part "$number/3" --json \
        >"$work/$host.log" 2>"$work/$host.err" &
done

is_above() { [ "$(status "$1" "$2")" -gt "$3" ] 2>/dev/null; }
# Nobody else may ask before the node serves: `status` would take the store from under it.
for host in berta carla; do
    await "$host has joined and serves its status" grep -qs '"event":"serving"' "$work/$host.log"
done
await "berta is reachable through anna" is_above berta relays 0
await "carla is reachable through anna" is_above carla relays 0
echo "both are reachable through the relay after $(taken_ms) ms"
if [ "$kind" != symmetric ]; then
    await "berta and carla meet directly" is_above berta met_directly 0
    echo "met directly after $(taken_ms) ms"
else
    await "a node says that the two do not meet" grep -qh '"event":"hindered".*through a relay only' "$work/berta.log" "$work/carla.log"
    echo "not met, which is said after $(taken_ms) ms: $(grep -h '"event":"hindered".*through a relay only' "$work"/{berta,carla}.log | head -n 1)"
fi
last_ms=0
for host in anna berta carla; do
    await "$host settles a round of all three" settled_together "$host"
    at_ms=$(grep -m 1 '"event":"settled".*"updates":3,' "$work/$host.log" | grep -o '"at_ms":[0-9]*' | cut -d: -f2)
    last_ms=$((at_ms > last_ms ? at_ms : last_ms))
done
echo "from nothing to a round of all three in $((last_ms - begun / 1000000)) ms"
for host in anna berta carla; do
    echo "$host: blobs sent $(at "$host" "$althing" status --json --config "$host/node.toml" | grep -o '"blob_sent_bytes":[0-9]*' | head -n 1 | cut -d: -f2) bytes, $(reach "$host")"
done
# An update is longer than that: had one gone through the relay, it would show.
if [ "$kind" != symmetric ]; then
    through=$(reach berta | grep -o '"sent_bytes":[0-9]*' | cut -d: -f2)
    if [ "$through" -gt 150000 ]; then
        echo "failed: $through bytes went through the relay, so models did" >&2
        exit 1
    fi
fi
for host in berta carla; do
    echo "past the relay, from $host's router to the other's: $(in_space "router-$host" nft list counter inet router direct | grep -o 'packets.*')"
done
