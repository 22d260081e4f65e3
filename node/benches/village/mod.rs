//! Nodes that share blobs, in one process.

use std::time::Duration;

use althing_node::blobs::{BlobConfig, BlobEvent, Blobs, Store};
use althing_protocol::ids::{BlobRef, MemberId};
use futures::StreamExt;
use libp2p::{Multiaddr, StreamProtocol, SwarmBuilder, noise, swarm::SwarmEvent, tcp, yamux};
use tempfile::TempDir;
use tokio::sync::mpsc;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/althing/bench/blob/1");

/// A node that gives and takes blobs, and does nothing else.
pub(crate) struct Node {
    pub(crate) blobs: Blobs,
    pub(crate) events: mpsc::Receiver<BlobEvent>,
    pub(crate) member: MemberId,
    pub(crate) address: Multiaddr,
    _dir: TempDir,
}

impl Node {
    /// One that is connected to `others`.
    pub(crate) async fn start(others: &[Multiaddr]) -> Self {
        let mut swarm = SwarmBuilder::with_new_identity()
            .with_tokio()
            .with_tcp(tcp::Config::default().nodelay(true), noise::Config::new, yamux::Config::default)
            .expect("noise has a key")
            .with_behaviour(|_| libp2p_stream::Behaviour::new())
            .expect("the behaviour needs nothing")
            .with_swarm_config(|config| config.with_idle_connection_timeout(Duration::from_secs(600)))
            .build();
        swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("a free port");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let digest = swarm.local_peer_id().as_ref().digest().to_vec();
        let key = libp2p::identity::PublicKey::try_decode_protobuf(&digest).expect("a key inside the peer id");
        let member = MemberId(key.try_into_ed25519().expect("an ed25519 key").to_bytes());
        let dir = tempfile::tempdir().expect("a folder");
        let store = Store::open(dir.path()).expect("a store");
        let control = swarm.behaviour().new_control();
        let (blobs, events) = Blobs::spawn(control, PROTOCOL, store, BlobConfig::default()).expect("a first server");
        for other in others {
            swarm.dial(other.clone()).expect("a dial");
        }
        let mut connected = 0;
        while connected < others.len() {
            if let SwarmEvent::ConnectionEstablished { .. } = swarm.select_next_some().await {
                connected += 1;
            }
        }
        tokio::spawn(async move { while swarm.next().await.is_some() {} });
        Self { blobs, events, member, address, _dir: dir }
    }

    /// Waits until `blob` is here.
    pub(crate) async fn ready(&mut self, blob: BlobRef) {
        assert_eq!(self.events.recv().await, Some(BlobEvent::Ready(blob)));
    }
}
