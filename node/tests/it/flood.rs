//! Members that say as much as they can, all of it lawful: the others go on, in bounded memory. How soon a flood is cut
//! off depends on how fast the flooded node reads, which a loaded machine decides too, so that is only told.

use std::{
    fs,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use althing_node::net::{self, Admission, Event, Mdns, NetConfig, Network, Topic};
use althing_protocol::{
    consensus::{self, UNSIGNED, Vote, VoteKind},
    crypto::{Keypair, Signed},
    genesis::{Bounds, Genesis},
    ids::{BlobRef, Hash, Height, MemberId, NetworkId, Round},
    statement::{Action, BidCommit, BodyOffer, Instruction},
    wire::{Message, Request},
};
use tokio::{runtime::Runtime, sync::mpsc, task::JoinSet, time::timeout};

use crate::harness::{Federation, PATIENCE, one_history};

/// The honest nodes. The first of them is flooded.
const HONEST: [usize; 3] = [0, 1, 2];

/// How long a flood lasts that is not cut off.
const FLOOD_FOR: Duration = Duration::from_secs(15);

/// Resident memory that a flood may cost, in KiB.
const MEMORY_MAX_KIB: u64 = 64 * 1024;

/// Requests, or streams, that a flooder keeps under way.
const AT_ONCE: usize = 32;

/// What a flood is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Messages that are in order and of no use.
    Gossip(Topic),
    /// Questions for decisions.
    Requests,
    /// Streams for blobs, with nothing on them.
    Streams,
}

const KINDS: [Kind; 8] = [
    Kind::Gossip(Topic::Round),
    Kind::Gossip(Topic::Instructions),
    Kind::Gossip(Topic::Consensus),
    Kind::Gossip(Topic::Bodies),
    Kind::Gossip(Topic::Have),
    Kind::Gossip(Topic::Tip),
    Kind::Requests,
    Kind::Streams,
];

/// A member whose key the test holds, connected to the node that it floods and to no other.
struct Flooder {
    key: Keypair,
    network: NetworkId,
    net: Network,
    events: mpsc::Receiver<Event>,
    victim: MemberId,
    sent: AtomicU64,
}

impl Flooder {
    async fn join(key: Keypair, network: NetworkId, victim: MemberId, address: &str) -> Self {
        let config = NetConfig {
            bootstrap: vec![address.parse().unwrap()],
            mdns: Mdns::Off,
            max_memory_mb: 64 * 1024,
            admission: Admission::MembersOnly([victim].into()),
            ..NetConfig::default()
        };
        let (net, events) = net::spawn(&key, network, config).unwrap();
        let mut flooder = Self { key, network, net, events, victim, sent: AtomicU64::new(0) };
        flooder.wait(|event| matches!(event, Event::PeerUp(_))).await;
        flooder
    }

    async fn wait(&mut self, mut fits: impl FnMut(&Event) -> bool) {
        let found = async { while !fits(&self.events.recv().await.expect("the network runs")) {} };
        timeout(PATIENCE, found).await.expect("what is awaited comes");
    }

    /// Floods until it is cut off, or long enough; how long that was, and how much it has sent a second.
    async fn flood(mut self, kind: Kind) -> (Duration, f64) {
        let begun = Instant::now();
        let mut events = std::mem::replace(&mut self.events, mpsc::channel(1).1);
        let cut_off = async { while !matches!(events.recv().await, Some(Event::PeerDown(_))) {} };
        tokio::select! {
            () = cut_off => {}
            () = self.pour(kind) => unreachable!("a flood does not end by itself"),
            () = tokio::time::sleep(FLOOD_FOR) => {}
        }
        let took = begun.elapsed();
        self.net.shutdown().await;
        (took, self.sent.load(Ordering::Relaxed) as f64 / took.as_secs_f64())
    }

    async fn pour(&self, kind: Kind) {
        match kind {
            Kind::Gossip(topic) => loop {
                let number = self.count();
                self.net.publish(topic, self.message(topic, number).encode()).await;
            },
            Kind::Requests => {
                let ask = || {
                    let (net, to) = (self.net.clone(), self.victim);
                    async move { drop(net.request(to, Request::Decisions(Height(1)).encode()).await) }
                };
                self.at_once(ask).await;
            }
            Kind::Streams => {
                let (peer, protocol) = (net::peer_id(&self.victim).unwrap(), self.net.protocol("blob/1").unwrap());
                let open = || {
                    let (mut streams, protocol) = (self.net.streams(), protocol.clone());
                    async move { drop(streams.open_stream(peer, protocol).await) }
                };
                self.at_once(open).await;
            }
        }
    }

    /// Does it again and again, so many times at once.
    async fn at_once<F: Future<Output = ()> + Send + 'static>(&self, act: impl Fn() -> F) {
        let mut acts = JoinSet::new();
        loop {
            while acts.len() < AT_ONCE {
                self.count();
                acts.spawn(act());
            }
            acts.join_next().await;
        }
    }

    fn count(&self) -> u64 {
        self.sent.fetch_add(1, Ordering::Relaxed)
    }

    /// A message about `topic` that nobody can be blamed for.
    fn message(&self, topic: Topic, number: u64) -> Message {
        let hash = Hash::of(&number.to_le_bytes());
        match topic {
            Topic::Round => Message::Commit(self.sign(&BidCommit { round: Round(1 << 40), seal: Some(hash) })),
            Topic::Instructions => {
                let action = Action::Transfer { to: MemberId(hash.0), amount: number };
                Message::Instruction(self.sign(&Instruction { nonce: number, action }))
            }
            Topic::Consensus => {
                let (kind, height, round) = (VoteKind::Prevote, Height(1 << 40), number as u32);
                let vote = Vote { kind, height, round, body: Some(hash), signer: self.key.id(), signature: UNSIGNED };
                Message::Agreement(consensus::Message::Vote(vote.signed(&self.key, &self.network)))
            }
            Topic::Bodies => Message::Body(self.sign(&BodyOffer {
                height: Height(1 << 40),
                agreement_round: 0,
                valid_round: None,
                body: number.to_le_bytes().to_vec().into(),
            })),
            Topic::Have => Message::Have(BlobRef { hash, size: number }),
            Topic::Tip => Message::Tip(Height(number)),
        }
    }

    fn sign<T: althing_protocol::crypto::Statement>(&self, what: &T) -> Signed<T> {
        Signed::new(&self.key, &self.network, what)
    }
}

/// Silent members hold up every phase, so deadlines are short.
fn impatient(genesis: &mut Genesis) {
    let phases = &mut genesis.phases;
    phases.commit = Bounds { min_ms: 20, max_ms: 150 };
    phases.reveal = Bounds { min_ms: 20, max_ms: 150 };
    phases.counter = Bounds { min_ms: 20, max_ms: 150 };
    phases.appraise = Bounds { min_ms: 50, max_ms: 200 };
}

fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn rounds_go_on_through_floods_of_every_kind() {
    let powers: Vec<u64> = HONEST.iter().map(|_| 10).chain(KINDS.iter().map(|_| 1)).collect();
    let mut federation = Federation::found(&powers, impatient);
    HONEST.iter().for_each(|place| federation.launch(*place));
    federation.agree_on(&HONEST, 5);
    let (victim, address) = (federation.seats[0].id(), federation.seats[0].address.clone().unwrap());
    let runtime = Runtime::new().unwrap();
    for (place, kind) in (HONEST.len()..).zip(KINDS) {
        let (before, settled) = (resident_kib(federation.seats[0].pid()), federation.seats[0].settled());
        let key = federation.seats[place].key.keypair();
        let network = federation.network();
        let flooder = runtime.block_on(Flooder::join(key, network, victim, &address));
        let flood = runtime.spawn(flooder.flood(kind));
        federation.agree_on(&HONEST, settled + 2);
        let (took, rate) = runtime.block_on(flood).unwrap();
        let grown = resident_kib(federation.seats[0].pid()).saturating_sub(before);
        let ended = if took < FLOOD_FOR { "cut off" } else { "not cut off" };
        println!("{kind:?}: {rate:.0} a second, {ended} after {:.1} s, {grown} KiB more", took.as_secs_f64());
        assert!(grown < MEMORY_MAX_KIB, "{kind:?}: {grown} KiB more");
    }
    federation.stop_all();
    one_history(&HONEST.map(|place| federation.ledger(place)));
}
