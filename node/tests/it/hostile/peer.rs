//! A seat whose key the test holds: the node's own network, driven by somebody who means no good.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use althing_node::net::{self, Admission, Event, Mdns, NetConfig, Network, Topic, Verdict};
use althing_protocol::{
    crypto::Keypair,
    ids::{MemberId, NetworkId},
};
use tokio::{sync::watch, time::timeout};

use crate::harness::PATIENCE;

/// A pause between messages, so that they arrive as many and not as one.
const BREATH: Duration = Duration::from_millis(1);

/// A connected peer under the test's control.
pub(super) struct Peer {
    pub(super) key: Keypair,
    net: Network,
    up: watch::Receiver<BTreeSet<MemberId>>,
    heard: Arc<Mutex<Heard>>,
}

/// Who published what, and how many times it came.
pub(super) type Heard = BTreeMap<(MemberId, Vec<u8>), usize>;

impl Peer {
    /// Joins `network` through `addresses`. Must be called within a runtime.
    pub(super) fn join(key: Keypair, network: NetworkId, addresses: &[String], admission: Admission) -> Self {
        let config = NetConfig {
            bootstrap: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            mdns: Mdns::Off,
            max_memory_mb: 64 * 1024,
            admission,
            ..NetConfig::default()
        };
        let (net, mut events) = net::spawn(&key, network, config).unwrap();
        let (told_up, up) = watch::channel(BTreeSet::new());
        let heard = Arc::new(Mutex::new(Heard::new()));
        let (speaker, ears) = (net.clone(), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Some(event) = events.recv().await {
                match event {
                    Event::PeerUp(member) => told_up.send_modify(|up| {
                        up.insert(member);
                    }),
                    Event::PeerDown(member) => told_up.send_modify(|up| {
                        up.remove(&member);
                    }),
                    Event::Gossip { author, token, bytes, .. } => {
                        *ears.lock().unwrap().entry((author, bytes)).or_default() += 1;
                        speaker.report(token, Verdict::Ignore).await;
                    }
                    _ => {}
                }
            }
        });
        Self { key, net, up, heard }
    }

    /// Waits until those that it is connected to fit.
    pub(super) async fn wait(&self, what: &str, mut fits: impl FnMut(&BTreeSet<MemberId>) -> bool) {
        let mut up = self.up.clone();
        let fitting = timeout(PATIENCE, up.wait_for(|up| fits(up))).await;
        assert!(fitting.is_ok_and(|waited| waited.is_ok()), "{what}: {:?}", self.up.borrow());
    }

    pub(super) async fn publish(&self, topic: Topic, bytes: Vec<u8>) {
        self.net.publish(topic, bytes).await;
        tokio::time::sleep(BREATH).await;
    }

    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().unwrap().clone()
    }

    pub(super) async fn leave(&self) {
        self.net.shutdown().await;
    }
}
