#!/usr/bin/env bash
# Plays the node binary for the tests of the testnet: it speaks its lines but learns and decides nothing. All players
# follow one clock, so they agree without talking. What is to go wrong is said in the environment:
#   FAKE_CRASH=K   node K exits in round 2        FAKE_FORK=K    node K ends with another head
#   FAKE_MUTE=1    no round ever settles          FAKE_LEAK=1    ledgers do not conserve supply
#   FAKE_REFUSE=K  node K finds its configuration wrong
# FAKE_SERVING=HOST:PORT is where every node says that its page is.
set -eu

period_ms=400
id() { printf '%064d' "$1"; }
now_ms() { local micros=${EPOCHREALTIME/[.,]/}; echo $((micros / 1000)); }
option() { # option NAME ARGUMENTS...: the argument that follows NAME
    local name=$1; shift
    while [ $# -gt 1 ]; do if [ "$1" = "$name" ]; then echo "$2"; return; fi; shift; done
}
say() { printf '{"at_ms":%s,"event":%s}\n' "$(now_ms)" "$1"; }

# The folder of the node whose configuration this is, its number, and how many there are.
locate() {
    folder=$(dirname "$1"); number=${folder##*-}; home=$(dirname "$folder")
    nodes=$(ls -d "$home"/node-* | wc -l)
    height_file=$folder/height
    height=$(cat "$height_file" 2>/dev/null || echo 0)
}

settle() { # settle ROUND: prints the event; whoever is found dead was taken over from
    local round=$1 elected=$((($1 - 1) % nodes + 1)) takeover=0 balances='' k
    kill -0 "$(cat "$home/node-$elected/pid")" 2>/dev/null || takeover=1
    for k in $(seq "$nodes"); do balances+=",\"$(id "$k")\":$((round * 1000000 * k))"; done
    local owned=$((round * 1000000 * nodes * (nodes + 1) / 2))
    say "\"settled\",\"round\":$round,\"height\":$((2 * round)),\"body\":\"$(id "$round")\",\"elected\":\"$(id "$elected")\",\
\"proposer\":\"$(id $(((elected - 1 + takeover) % nodes + 1)))\",\"agreement_round\":$takeover,\
\"model\":{\"hash\":\"$(id "$round")\",\"size\":177704},\"updates\":3,\"slowest_training_ms\":100,\"payments\":{},\
\"credits\":{\"minted\":$((owned + 7)),\"burned\":2,\"pool\":4,\"escrow\":1,\"balances\":{${balances#,}}}"
}

# Steps of its own, one after the other, in place of rounds.
take_steps() {
    while :; do
        height=$((height + 1)); echo "$height" >"$height_file.new"; mv "$height_file.new" "$height_file"
        say "\"stepped\",\"step\":$height,\"model\":{\"hash\":\"$(id $((height * 10 + number)))\",\"size\":177704},\
\"received\":2,\"accepted\":2,\"refused\":0,\"samples\":10,\"training_ms\":50"
        sleep 0.15
    done
}

run() {
    locate "$(option --config "$@")"
    if [ "${FAKE_REFUSE:-}" = "$number" ]; then echo "no such partition: use iid" >&2; exit 2; fi
    trap 'say "\"stopped\""; exit 0' TERM
    echo $$ >"$folder/pid"
    say "\"started\",\"member\":\"$(id "$number")\",\"network\":\"$(id 7)\",\"height\":$height"
    say "\"hummed\",\"tune\":\"unknown to observers\""
    say "\"listening\",\"address\":\"/ip4/127.0.0.1/tcp/$((4000 + number))\""
    if [ -n "${FAKE_SERVING:-}" ]; then say "\"serving\",\"address\":\"$FAKE_SERVING\""; fi
    if grep -q epidemic "$home/genesis.toml"; then take_steps; fi
    [ -e "$home/clock" ] || now_ms >"$home/clock"
    local begin round elected
    begin=$(cat "$home/clock")
    # What was decided while it was away.
    while :; do
        round=$((height / 2 + 1)); elected=$(((round - 1) % nodes + 1))
        local due=$((begin + period_ms * round - $(now_ms)))
        if [ "$due" -le 0 ] && [ -z "${FAKE_MUTE:-}" ]; then
            # As a node does: durable first, told after.
            height=$((2 * round)); echo "$height" >"$height_file.new"; mv "$height_file.new" "$height_file"
            settle "$round"
        elif [ "$due" -le $((period_ms / 2)) ] && [ "${planned:-0}" -lt "$round" ]; then
            planned=$round
            say "\"round_opened\",\"round\":$round,\"aggregator\":\"$(id $elected)\""
            say "\"planned\",\"round\":$round,\"height\":$((2 * round - 1)),\"elected\":\"$(id $elected)\",\"proposer\":\"$(id $elected)\",\
\"agreement_round\":0,\"bids\":$nodes,\"awards\":[]"
            if [ "${FAKE_CRASH:-}" = "$number" ] && [ "$round" = 2 ]; then echo "the roof fell in" >&2; exit 3; fi
        else
            sleep 0.02
        fi
    done
}

ledger() {
    if [ "$1" = export ]; then
        locate "$(option --config "$@")"
        local fork=0; if [ "${FAKE_FORK:-}" = "$number" ]; then fork=1; fi
        echo "$height $fork" >"$(option --out "$@")"
    else
        local height fork conserved=true; read -r height fork <"$2"
        if [ -n "${FAKE_LEAK:-}" ]; then conserved=false; fi
        printf '{"heights":%s,"head":"%s","rounds_settled":%s,"rounds_empty":0,"supply_conserved":%s,"minted":1,"burned":0}\n' \
            "$height" "$(id $((height * 10 + fork)))" $((height / 2)) $conserved
    fi
}

verb=$1; shift
case $verb in
key) number=$(option --name "$@"); printf '{"id":"%s","anchor":"%s"}\n' "$(id "${number##*-}")" "$(id 0)" ;;
genesis) option --exchange "$@" >"$(option --out "$@")"; printf '{"network":"%s"}\n' "$(id 7)" ;;
run) run "$@" ;;
ledger) ledger "$@" ;;
esac
