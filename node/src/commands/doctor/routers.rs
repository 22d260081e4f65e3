//! Routers between members: what the configuration does about them, and how that goes while the node runs.

use super::{files::Holder, finding::Finding, network};
use crate::{
    config::Config,
    net::Relay,
    status::{self, Reach},
};

/// What is found. Whether a router lets others in is not known from here; what a running node has met is.
pub(super) fn examine(config: &Config, holder: Holder) -> Finding {
    let running = || status::ask(&config.data_dir).ok().map(|told| told.reach);
    match (config.net.relay, holder) {
        _ if config.net.is_loopback_only() => Finding::fine("relay", "this node is found on this machine alone"),
        (Relay::Off, _) => Finding::fine(
            "relay",
            "net.relay is off: where a router lets nobody in, this node reaches those alone who can be dialled",
        ),
        (Relay::Serve, _) => serving(config, network::is_private_here()),
        (Relay::Use, Holder::Node) => running().map_or_else(intending, |reach| going(&reach)),
        (Relay::Use, Holder::Nobody) => intending(),
    }
}

fn serving(config: &Config, private: bool) -> Finding {
    if private && config.net.external.is_empty() {
        return Finding::warns(
            "relay",
            "net.relay is serve, but this machine has a private address: forward its port at the router and write the router's address into net.external, or members elsewhere are offered a relay that they cannot dial",
        );
    }
    Finding::fine("relay", "this node relays for members; it must be possible to dial it from everywhere")
}

fn intending() -> Finding {
    Finding::fine(
        "relay",
        "where a router lets nobody in, this node meets others through members that relay, if one runs with net.relay = \"serve\"",
    )
}

fn going(reach: &Reach) -> Finding {
    let Reach { relays, relayed_peers, met_directly, .. } = reach;
    if *relayed_peers > 0 {
        return Finding::warns(
            "relay",
            format_args!(
                "{relayed_peers} peers are reached through a relay only: models are not fetched from them but from others who have them; forward a port at one of the two routers, or write net.relay_bulk = \"anywhere\" at both ends"
            ),
        );
    }
    Finding::fine(
        "relay",
        format_args!(
            "{relays} members relay to this node; {met_directly} peers met through one are connected directly"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::doctor::finding::Severity;

    #[test]
    fn a_peer_behind_a_relay_is_told_of_and_one_that_was_is_fine() {
        let stuck = going(&Reach { relays: 1, relayed_peers: 2, met_directly: 1, ..Reach::default() });
        assert_eq!(stuck.severity, Severity::Warns);
        assert!(stuck.says.starts_with("2 peers"), "{}", stuck.says);
        let met = going(&Reach { relays: 1, met_directly: 3, ..Reach::default() });
        assert_eq!(met.severity, Severity::Fine);
    }

    #[test]
    fn a_relay_behind_a_router_must_say_where_it_is_found() {
        let parse = |more: &str| {
            let text = format!("genesis = \"g\"\nkey = \"k\"\ndata_dir = \"d\"\n[net]\nrelay = \"serve\"\n{more}");
            Config::parse(&text, std::path::Path::new("node.toml")).unwrap()
        };
        assert_eq!(serving(&parse(""), true).severity, Severity::Warns);
        assert_eq!(serving(&parse(""), false).severity, Severity::Fine);
        assert_eq!(serving(&parse("external = [\"/ip4/203.0.113.7/tcp/4001\"]"), true).severity, Severity::Fine);
    }
}
