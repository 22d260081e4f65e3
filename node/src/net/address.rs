//! Which addresses are worth dialling.

use libp2p::{Multiaddr, multiaddr::Protocol};

/// Addresses that are kept per peer.
pub(super) const ADDRESSES_PER_PEER: usize = 8;

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

/// The first dialable ones of `addresses`, without the peer id that some of them end with.
pub(super) fn dialable<'a>(addresses: impl IntoIterator<Item = &'a Multiaddr>, teller: Locality) -> Vec<Multiaddr> {
    let mut kept: Vec<Multiaddr> = Vec::new();
    for address in addresses {
        let bare = without_peer(address);
        if kept.len() < ADDRESSES_PER_PEER && is_dialable(&bare, teller) && !kept.contains(&bare) {
            kept.push(bare);
        }
    }
    kept
}

/// Whether `address` is a TCP address. They are dialled first: a TCP peer that dies is noticed at once.
pub(super) fn is_tcp(address: &Multiaddr) -> bool {
    address.iter().any(|part| matches!(part, Protocol::Tcp(_)))
}

fn without_peer(address: &Multiaddr) -> Multiaddr {
    address.iter().take_while(|part| !matches!(part, Protocol::P2p(_))).collect()
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
    fn few_addresses_are_kept_and_each_once() {
        let many: Vec<_> = (1..100).flat_map(|port| vec![address(&format!("/ip4/10.0.0.1/tcp/{port}")); 2]).collect();
        let kept = dialable(&many, Locality::Remote);
        assert_eq!(kept.len(), ADDRESSES_PER_PEER);
        assert_eq!(kept[1], address("/ip4/10.0.0.1/tcp/2"));
    }
}
