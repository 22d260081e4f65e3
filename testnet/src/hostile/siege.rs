//! A siege: connections that say nothing, so that no place is left for others at a node's door, and keys that are
//! nobody's, which knock again and again.

use std::time::Duration;

use althing_node::net::{self, Mdns, Multiaddr, NetConfig};
use althing_protocol::{crypto::Keypair, ids::NetworkId};
use tokio::{io::AsyncReadExt, net::TcpStream, time::sleep};

/// Connections to each node that say nothing: as many as may be in the middle of their handshake.
const SILENT: usize = 64;

/// Keys that are nobody's.
const NOBODIES: u8 = 16;

/// Pause before a connection that was closed is made anew.
const BREATH: Duration = Duration::from_millis(100);

/// Besieges the nodes at `addresses`, for as long as this process lives.
pub(super) fn begin(addresses: &[Multiaddr], network: NetworkId) {
    for place in addresses.iter().filter_map(socket) {
        for _ in 0..SILENT {
            tokio::spawn(say_nothing(place.clone()));
        }
    }
    for number in 0..NOBODIES {
        tokio::spawn(knock(Keypair::from_secret([number; 32]), addresses.to_vec(), network));
    }
}

/// Where a TCP address leads.
fn socket(address: &Multiaddr) -> Option<(String, u16)> {
    // As text, since the parts of a multiaddress have names in the network's library alone.
    let text = address.to_string();
    match text.split('/').collect::<Vec<_>>()[..] {
        ["", "ip4" | "ip6", host, "tcp", port, ..] => Some((host.to_owned(), port.parse().ok()?)),
        _ => None,
    }
}

async fn say_nothing(place: (String, u16)) {
    loop {
        if let Ok(mut socket) = TcpStream::connect((place.0.as_str(), place.1)).await {
            // Until the other end has had enough.
            let mut heard = [0; 512];
            while matches!(socket.read(&mut heard).await, Ok(1..)) {}
        }
        sleep(BREATH).await;
    }
}

/// A node of the same genesis that nobody has let in.
async fn knock(key: Keypair, addresses: Vec<Multiaddr>, network: NetworkId) {
    let config = NetConfig { bootstrap: addresses, mdns: Mdns::Off, ..NetConfig::default() };
    let Ok((_net, mut events)) = net::spawn(&key, network, config) else { return };
    // As long as somebody listens, it goes on knocking.
    while events.recv().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tcp_addresses_are_besieged_and_no_others() {
        let place = |text: &str| socket(&text.parse().unwrap());
        assert_eq!(place("/ip4/10.0.0.1/tcp/4001"), Some(("10.0.0.1".to_owned(), 4001)));
        assert_eq!(place("/ip4/10.0.0.1/udp/4001/quic-v1"), None);
    }
}
