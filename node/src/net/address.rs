//! Which addresses are worth dialling.

use std::net::IpAddr;

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};

/// Addresses that are kept per peer.
pub(super) const ADDRESSES_PER_PEER: usize = 8;

/// Addresses through relays that are kept per peer, out of them (W14).
const CIRCUITS_PER_PEER: usize = 2;

/// Longest address, in bytes: the longest domain name and a port fit.
const ADDRESS_BYTES_MAX: usize = 300;

/// Where the other end of a connection sits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Locality {
    /// On another machine, as far as its address tells.
    Remote,
    /// On this machine: it knows our loopback addresses, and we know its.
    Loopback,
}

/// Where the peer at `address` sits.
pub(super) fn locality(address: &Multiaddr) -> Locality {
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) if ip.is_loopback() => Locality::Loopback,
        Some(Protocol::Ip6(ip)) if ip.is_loopback() => Locality::Loopback,
        _ => Locality::Remote,
    }
}

/// Whether an address that a peer at `teller` spoke of can lead anywhere from here.
///
/// Somebody else's loopback address would lead to ourselves.
pub(super) fn is_dialable(address: &Multiaddr, teller: Locality) -> bool {
    let named = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified() && !ip.is_multicast(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    named && address.len() <= ADDRESS_BYTES_MAX && locality(address) <= teller
}

/// The first dialable ones of `addresses`, without the peer id that some of them end with. Those through relays have
/// places of their own: a peer with many interfaces must not lose them.
pub(super) fn dialable<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>, teller: Locality) -> Vec<Multiaddr> {
    let (mut direct, mut circuits): (Vec<Multiaddr>, Vec<Multiaddr>) = (Vec::new(), Vec::new());
    for address in addresses {
        let bare = without_peer(address);
        let (kept, places) = match route(&bare) {
            Route::Direct => (&mut direct, ADDRESSES_PER_PEER),
            Route::Relayed => (&mut circuits, CIRCUITS_PER_PEER),
        };
        if kept.len() < places && is_dialable(&bare, teller) && !kept.contains(&bare) {
            kept.push(bare);
        }
    }
    direct.truncate(ADDRESSES_PER_PEER - circuits.len());
    direct.append(&mut circuits);
    direct
}

/// Whether `ip` is of those that mean something within one network alone.
pub fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [first, second, ..] = ip.octets();
            // 100.64.0.0/10 is what providers give to customers behind their own NAT.
            ip.is_private() || ip.is_link_local() || ip.is_loopback() || (first == 100 && second & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

/// Whether others elsewhere could dial `address` itself.
pub(super) fn is_public(address: &Multiaddr) -> bool {
    let public = match address.iter().next() {
        Some(Protocol::Ip4(ip)) => !is_private(ip.into()),
        Some(Protocol::Ip6(ip)) => !is_private(ip.into()),
        _ => false,
    };
    public && route(address) == Route::Direct
}

/// How bytes get to the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// By themselves.
    Direct,
    /// Through another member, which passes them on.
    Relayed,
}

/// How bytes get to `address`.
pub(super) fn route(address: &Multiaddr) -> Route {
    if address.iter().any(|part| part == Protocol::P2pCircuit) { Route::Relayed } else { Route::Direct }
}

/// Who relays to `address`, if anybody does.
pub(super) fn relay(address: &Multiaddr) -> Option<PeerId> {
    let before = || address.iter().take_while(|part| *part != Protocol::P2pCircuit);
    match route(address) {
        Route::Direct => None,
        Route::Relayed => before().find_map(|part| if let Protocol::P2p(peer) = part { Some(peer) } else { None }),
    }
}

/// The address of whoever `relay` relays to, where the relay itself is found at `address`.
pub(super) fn circuit(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    without_peer(address).with(Protocol::P2p(relay)).with(Protocol::P2pCircuit)
}

/// Whether `address` is a TCP address. They are dialled first: a TCP peer that dies is noticed at once.
pub fn is_tcp(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
}

/// `address` without the peer that it leads to; the relay on the way stays.
fn without_peer(address: &Multiaddr) -> Multiaddr {
    let parts: Vec<_> = address.iter().collect();
    let circuit = parts.iter().position(|part| *part == Protocol::P2pCircuit);
    let end = match circuit {
        Some(place) => place + 1,
        None => parts.iter().position(|part| matches!(part, Protocol::P2p(_))).unwrap_or(parts.len()),
    };
    parts.into_iter().take(end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn loopback_is_believed_only_from_loopback() {
        let mine = address("/ip4/127.0.0.1/tcp/4001");
        assert!(is_dialable(&mine, Locality::Loopback));
        assert!(!is_dialable(&mine, Locality::Remote));
        assert!(is_dialable(&address("/ip4/10.0.0.1/udp/4001/quic-v1"), Locality::Remote));
    }

    #[test]
    fn addresses_that_lead_nowhere_are_dropped() {
        for nowhere in ["/ip4/0.0.0.0/tcp/1", "/ip6/::/tcp/1", "/ip4/224.0.0.1/udp/1/quic-v1", "/memory/7"] {
            assert!(!is_dialable(&address(nowhere), Locality::Loopback), "{nowhere}");
        }
    }

    #[test]
    fn an_address_through_a_relay_keeps_the_relay_and_a_place() {
        let (relay, peer) = (PeerId::random(), PeerId::random());
        let through = circuit(&address("/ip4/203.0.113.7/tcp/4001"), relay);
        let whole = through.clone().with(Protocol::P2p(peer));
        let many = (1..100).map(|port| address(&format!("/ip4/10.0.0.1/tcp/{port}"))).chain(vec![whole; 2]);
        let kept = dialable(&many.collect::<Vec<_>>(), Locality::Remote);
        assert_eq!((kept.len(), kept.last()), (ADDRESSES_PER_PEER, Some(&through)));
        assert_eq!((route(&through), super::relay(&through)), (Route::Relayed, Some(relay)));
        let direct = address("/ip4/203.0.113.7/tcp/4001").with(Protocol::P2p(peer));
        assert_eq!((route(&direct), super::relay(&direct)), (Route::Direct, None));
        let more = (0..9).map(|_| circuit(&address("/ip4/203.0.113.7/tcp/4001"), PeerId::random()));
        assert_eq!(dialable(&more.collect::<Vec<_>>(), Locality::Remote).len(), CIRCUITS_PER_PEER);
    }

    #[test]
    fn what_is_reached_within_one_network_is_not_public() {
        for (text, public) in [
            ("/ip4/203.0.113.5/tcp/1", true),
            ("/ip4/100.128.0.1/udp/1/quic-v1", true),
            ("/ip6/2001:db8::1/tcp/1", true),
            ("/ip4/10.1.2.3/tcp/1", false),
            ("/ip4/192.168.0.9/tcp/1", false),
            ("/ip4/100.64.0.1/tcp/1", false),
            ("/ip4/127.0.0.1/tcp/1", false),
            ("/ip6/fd00::1/tcp/1", false),
            ("/ip6/fe80::1/tcp/1", false),
            ("/dns4/hub.example/tcp/1", false),
        ] {
            assert_eq!(is_public(&address(text)), public, "{text}");
        }
        let through = circuit(&address("/ip4/203.0.113.5/tcp/1"), PeerId::random());
        assert!(!is_public(&through), "that is the relay's");
    }

    #[test]
    fn few_addresses_are_kept_and_each_once() {
        let many: Vec<_> = (1..100).flat_map(|port| vec![address(&format!("/ip4/10.0.0.1/tcp/{port}")); 2]).collect();
        let kept = dialable(&many, Locality::Remote);
        assert_eq!(kept.len(), ADDRESSES_PER_PEER);
        assert_eq!(kept[1], address("/ip4/10.0.0.1/tcp/2"));
    }
}
