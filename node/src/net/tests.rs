//! Two nodes and more, over real sockets on the loopback interface.

mod admission;
mod formation;
mod gossiping;
mod hostile;
mod private;
mod relaying;
mod requesting;

use std::{collections::BTreeSet, future::Future, time::Duration};

use althing_protocol::{
    crypto::Keypair,
    ids::{MemberId, NetworkId},
};
use tokio::{sync::mpsc, time::timeout};

use super::*;

const NETWORK: NetworkId = NetworkId([0xa1; 32]);

/// Time after which a test gives up. Never reached when all is well, however loaded the machine.
const PATIENCE: Duration = Duration::from_secs(30);

fn keypair(number: u8) -> Keypair {
    Keypair::from_secret([number; 32])
}

fn member(number: u8) -> MemberId {
    keypair(number).id()
}

fn loopback() -> Multiaddr {
    "/ip4/127.0.0.1/tcp/0".parse().unwrap()
}

fn config(bootstrap: &[Multiaddr]) -> NetConfig {
    NetConfig {
        listen: vec![loopback()],
        bootstrap: bootstrap.to_vec(),
        mdns: Mdns::Off,
        max_memory_mb: 64 * 1024,
        ..NetConfig::default()
    }
}

fn members_only(members: impl IntoIterator<Item = u8>) -> Admission {
    Admission::MembersOnly(members.into_iter().map(member).collect::<BTreeSet<_>>())
}

/// A running network and its events.
struct Node {
    net: Network,
    events: mpsc::Receiver<Event>,
    me: MemberId,
}

impl Node {
    fn start(number: u8, config: NetConfig) -> Self {
        Self::start_in(NETWORK, number, config)
    }

    fn start_in(network: NetworkId, number: u8, config: NetConfig) -> Self {
        let (net, events) = spawn(&keypair(number), network, config).unwrap();
        Self { net, events, me: member(number) }
    }

    /// The first address that the node listens on.
    async fn address(&mut self) -> Multiaddr {
        self.find(|event| match event {
            Event::Listening(address) => Some(address),
            _ => None,
        })
        .await
    }

    /// The next event that `pick` takes; others are lost.
    async fn find<T>(&mut self, mut pick: impl FnMut(Event) -> Option<T>) -> T {
        let found = async {
            loop {
                if let Some(found) = pick(self.events.recv().await.expect("the network runs")) {
                    return found;
                }
            }
        };
        patiently(found).await
    }

    async fn until_up(&mut self, peer: MemberId) {
        self.find(|event| matches!(event, Event::PeerUp(up) if up == peer).then_some(())).await;
    }

    async fn until_down(&mut self, peer: MemberId) {
        self.find(|event| matches!(event, Event::PeerDown(down) if down == peer).then_some(())).await;
    }

    /// The next message: its author, its token, its bytes.
    async fn message(&mut self) -> (MemberId, MessageToken, Vec<u8>) {
        self.find(|event| match event {
            Event::Gossip { author, token, bytes, .. } => Some((author, token, bytes)),
            _ => None,
        })
        .await
    }

    /// The next request: who asks, what, and the token for the answer.
    async fn request(&mut self) -> (MemberId, Vec<u8>, ReplyToken) {
        self.find(|event| match event {
            Event::Request { from, bytes, reply } => Some((from, bytes, reply)),
            _ => None,
        })
        .await
    }
}

async fn patiently<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("what was awaited comes in time")
}

/// Two nodes that are up to each other.
async fn pair() -> (Node, Node) {
    let mut left = Node::start(1, config(&[]));
    let mut right = Node::start(2, config(&[left.address().await]));
    left.until_up(right.me).await;
    right.until_up(left.me).await;
    (left, right)
}
