//! A thousand hostile messages over real connections, and not one of them has an effect.
//!
//! A connection that brings ten wrong messages is cut, so each kind of attack has a member's seat of its own: otherwise
//! all but the first ten would never be judged. Three nodes are honest and hold more than two thirds of the power. One
//! more seat only listens: what the honest nodes take, they pass on to it.

mod forgery;
mod peer;

use std::collections::{BTreeMap, BTreeSet};

use althing_node::net::{Admission, Topic};
use althing_protocol::{
    body::{Body, Evidence},
    consensus::VoteKind,
    crypto::Keypair,
    event::{Event, Phase},
    genesis::{Bounds, Genesis},
    ids::{Hash, Height, MemberId, NetworkId, Round},
    statement::BidCommit,
    wire::{self, Decision, Message},
};
use tokio::runtime::Runtime;

use self::{
    forgery::{Lie, noise},
    peer::Peer,
};
use crate::harness::{Federation, one_history};

/// The honest nodes.
const HONEST: [usize; 3] = [0, 1, 2];

/// The seats that the test holds.
const FORGER: usize = 3;
const OUTSIDER: usize = 4;
const BABBLER: usize = 5;
const TRAITOR: usize = 6;
const PARROT: usize = 7;
const LISTENER: usize = 8;

/// Messages of each of the five attackers.
const MESSAGES: usize = 200;

/// Messages of each of the two who are not even members.
const UNINVITED_MESSAGES: u64 = 50;

/// Silent members hold up every phase, so deadlines are short.
fn impatient(genesis: &mut Genesis) {
    let phases = &mut genesis.phases;
    phases.commit = Bounds { min_ms: 20, max_ms: 150 };
    phases.reveal = Bounds { min_ms: 20, max_ms: 150 };
    phases.counter = Bounds { min_ms: 20, max_ms: 150 };
    phases.appraise = Bounds { min_ms: 50, max_ms: 200 };
    genesis.agreement.propose_ms = 400;
}

struct Village {
    federation: Federation,
    honest: BTreeSet<MemberId>,
    addresses: Vec<String>,
    /// Everything that was sent and must never count.
    lies: BTreeSet<Vec<u8>>,
}

impl Village {
    fn start() -> Self {
        let mut federation = Federation::found(&[10, 10, 10, 1, 1, 1, 1, 1, 1], impatient);
        HONEST.iter().for_each(|place| federation.launch(*place));
        let honest = HONEST.iter().map(|place| federation.seats[*place].id()).collect();
        let addresses = federation.addresses();
        Self { federation, honest, addresses, lies: BTreeSet::new() }
    }

    fn id(&self, place: usize) -> MemberId {
        self.federation.seats[place].id()
    }

    fn key(&self, place: usize) -> Keypair {
        self.federation.seats[place].key.keypair()
    }

    /// The peer of the seat at `place`, once it is up to all honest nodes.
    async fn join(&self, place: usize, admission: Admission) -> Peer {
        let peer = Peer::join(self.key(place), self.federation.network(), &self.addresses, admission);
        peer.wait("the honest nodes are here", |up| up.is_superset(&self.honest)).await;
        peer
    }

    /// An attacker's peer, which knows the honest nodes alone.
    async fn attack(&self, place: usize) -> Peer {
        self.join(place, Admission::MembersOnly(self.honest.clone())).await
    }

    /// What the seat at `place` would say now, in its own name.
    fn lie(&mut self, place: usize) -> Lie {
        let settled = self.federation.seats[0].settled();
        Lie {
            signer: self.id(place),
            key: self.key(place),
            network: self.federation.network(),
            round: Round(settled + 1),
            height: Height(2 * settled + 1),
        }
    }

    /// Waits until a height is being decided; which one it is.
    fn wait_deciding(&mut self) -> Height {
        let seat = &mut self.federation.seats[0];
        seat.look_ahead();
        seat.wait("that it decides", |event| match event {
            Event::PhaseEntered { round, phase: Phase::Plan } => Some(Height(2 * round.0 - 1)),
            Event::PhaseEntered { round, phase: Phase::Settle } => Some(Height(2 * round.0)),
            _ => None,
        })
    }

    async fn send(&mut self, peer: &Peer, topic: Topic, bytes: Vec<u8>) {
        self.lies.insert(bytes.clone());
        peer.publish(topic, bytes).await;
    }

    /// The rounds go on.
    fn settle_more(&mut self, rounds: u64) {
        let settled = self.federation.seats[0].settled();
        self.federation.agree_on(&HONEST, settled + rounds);
    }

    /// All honest nodes have banned the member at `place`, whose peer sees them go.
    async fn is_banned(&mut self, place: usize, peer: &Peer) {
        peer.wait("everybody has cut the connection", BTreeSet::is_empty).await;
        let culprit = self.id(place);
        for place in HONEST {
            self.federation.seats[place].wait_any(&format!("that it bans {}", culprit.short()), |event| {
                matches!(event, Event::Misbehaved { member, why } if *member == culprit && why.contains("kept sending"))
            });
        }
    }
}

fn topic_of(message: &Message) -> Topic {
    match message.topic() {
        wire::Topic::Round => Topic::Round,
        wire::Topic::Instructions => Topic::Instructions,
        wire::Topic::Agreement => Topic::Consensus,
        wire::Topic::Bodies => Topic::Bodies,
        wire::Topic::Have => Topic::Have,
        wire::Topic::Tip => Topic::Tip,
    }
}

#[test]
fn of_a_thousand_hostile_messages_not_one_is_accepted() {
    let runtime = Runtime::new().unwrap();
    let mut village = Village::start();
    village.settle_more(1);
    runtime.block_on(async {
        let listener = village.join(LISTENER, Admission::Anyone).await;
        forge(&mut village).await;
        speak_for_outsiders(&mut village).await;
        babble(&mut village).await;
        betray(&mut village).await;
        let (original, copies) = repeat(&mut village).await;
        knock(&mut village).await;
        village.settle_more(3);

        let heard = listener.heard();
        let passed_on = heard.keys().filter(|(_, bytes)| village.lies.contains(bytes)).count();
        let repeated = heard.get(&(village.id(PARROT), original)).copied().unwrap_or(0);
        println!(
            "{} lies in 800 messages and {copies} copies of a true one; passed on: {passed_on} lies, {repeated} copies",
            village.lies.len()
        );
        assert_eq!(passed_on, 0);
        assert!((1..=HONEST.len()).contains(&repeated), "a true message is passed on once by each: {repeated}");
        listener.leave().await;
    });
    village.federation.stop_all();
    let ledgers = HONEST.map(|place| village.federation.ledger(place));
    one_history(&ledgers);
    the_ledger_holds_no_lie(&village, ledgers.iter().max_by_key(|ledger| ledger.len()).unwrap());
}

/// Statements of each kind in an honest member's name, under the forger's signature.
async fn forge(village: &mut Village) {
    let peer = village.attack(FORGER).await;
    let mut sent = 0;
    for number in 0.. {
        let lie = Lie { signer: village.id(number as usize % HONEST.len()), ..village.lie(FORGER) };
        for message in lie.of_each_kind(number).into_iter().take(MESSAGES - sent) {
            village.send(&peer, topic_of(&message), message.encode()).await;
            sent += 1;
        }
        if sent == MESSAGES {
            break;
        }
    }
    village.is_banned(FORGER, &peer).await;
    println!("forged signatures: {sent} sent, banned by all");
}

/// Statements that are well signed, but by nobody of this federation, or for another one.
async fn speak_for_outsiders(village: &mut Village) {
    let peer = village.attack(OUTSIDER).await;
    let stranger = Keypair::from_secret([77; 32]);
    let mut sent = 0;
    for number in 0.. {
        let own = village.lie(OUTSIDER);
        let strange = Lie { signer: stranger.id(), key: stranger.clone(), ..own.clone() };
        let foreign = Lie { network: NetworkId([7; 32]), ..own };
        let both = strange.of_each_kind(number).into_iter().zip(foreign.of_each_kind(number));
        for message in both.flat_map(|(one, other)| [one, other]).take(MESSAGES - sent) {
            village.send(&peer, topic_of(&message), message.encode()).await;
            sent += 1;
        }
        if sent == MESSAGES {
            break;
        }
    }
    village.is_banned(OUTSIDER, &peer).await;
    println!("non-members and another network: {sent} sent, banned by all");
}

/// Bytes that are no message.
async fn babble(village: &mut Village) {
    let peer = village.attack(BABBLER).await;
    let lie = village.lie(BABBLER);
    let honest = lie.vote(VoteKind::Prevote, Height(1_000_000), 0, None);
    let noise = noise(&honest, MESSAGES);
    let sent = noise.len();
    for (topic, bytes) in noise {
        village.send(&peer, topic, bytes).await;
    }
    village.is_banned(BABBLER, &peer).await;
    println!("no messages at all: {sent} sent, banned by all");
}

/// A member says two things in one place: votes first, which convict it, then statements, until it is banned.
async fn betray(village: &mut Village) {
    let peer = village.attack(TRAITOR).await;
    let traitor = village.id(TRAITOR);
    let convicted = |event: &Event| matches!(event, Event::Misbehaved { member, why } if *member == traitor && why.contains("one slot"));
    let mut sent = 0;
    while !village.federation.seats[0].told().iter().any(convicted) {
        assert!(sent < MESSAGES / 2, "nobody notices");
        let height = village.wait_deciding();
        let lie = village.lie(TRAITOR);
        for number in 0..2 {
            // Either of the two votes is as good as any; it is not a lie, it only cannot stand beside the other.
            let vote = lie.vote(VoteKind::Prevote, height, 0, Some(Hash([number; 32])));
            peer.publish(Topic::Consensus, vote.encode()).await;
            sent += 1;
        }
    }
    let votes = sent;
    let truth = village.lie(TRAITOR);
    let truth = Lie { round: truth.round.next(), ..truth };
    for number in 0.. {
        let both = truth.of_each_kind(number);
        let commit = both.into_iter().next().unwrap();
        if number == 0 {
            peer.publish(Topic::Round, commit.encode()).await;
        } else {
            village.send(&peer, Topic::Round, commit.encode()).await;
        }
        sent += 1;
        if sent == MESSAGES {
            break;
        }
    }
    village.is_banned(TRAITOR, &peer).await;
    println!("equivocation: {votes} votes and {} bids sent, banned by all", sent - votes);
}

/// One true statement, again and again, each time as a message of its own. Its bytes, and how many copies were sent.
async fn repeat(village: &mut Village) -> (Vec<u8>, usize) {
    let peer = village.attack(PARROT).await;
    let lie = village.lie(PARROT);
    let commit = BidCommit { round: lie.round.next(), seal: None };
    let bytes = Message::Commit(lie.sign(&commit)).encode();
    for _ in 0..MESSAGES {
        peer.publish(Topic::Round, bytes.clone()).await;
    }
    village.settle_more(3);
    println!("duplicates: {MESSAGES} sent");
    (bytes, MESSAGES)
}

/// Those who are not members, or of another federation, are not let in at all.
async fn knock(village: &mut Village) {
    let ours = village.federation.network();
    for (secret, network) in [(77, ours), (78, NetworkId([7; 32]))] {
        let key = Keypair::from_secret([secret; 32]);
        let id = key.id();
        let peer = Peer::join(key, network, &village.addresses, Admission::Anyone);
        let lie = Lie { signer: id, key: peer.key.clone(), network, ..village.lie(PARROT) };
        for number in 0..UNINVITED_MESSAGES {
            for message in lie.of_each_kind(number).into_iter().take(1) {
                village.send(&peer, topic_of(&message), message.encode()).await;
            }
        }
        village.federation.seats[0].wait_any(
            &format!("that it refuses {}", id.short()),
            |event| matches!(event, Event::Refused { member, .. } if *member == id),
        );
        peer.wait("everybody has cut the connection", BTreeSet::is_empty).await;
        peer.leave().await;
    }
    println!("not invited: {} sent, both refused", 2 * UNINVITED_MESSAGES);
}

/// Every statement in every decided body is an honest member's, but for the conviction of the traitor.
fn the_ledger_holds_no_lie(village: &Village, ledger: &[Decision]) {
    let mut statements = BTreeMap::<MemberId, usize>::new();
    let mut convictions = Vec::new();
    for decision in ledger {
        let body = Body::decode(&decision.body).unwrap();
        assert!(village.honest.contains(&body.header.proposer), "proposed by {}", body.header.proposer);
        match body.evidence {
            Evidence::Plan(plan) => {
                plan.bids.iter().for_each(|(_, reveal)| *statements.entry(reveal.signer).or_default() += 1);
                plan.marks.iter().for_each(|marks| *statements.entry(marks.signer).or_default() += 1);
            }
            Evidence::Settle(settle) => {
                settle.updates.iter().for_each(|update| *statements.entry(update.signer).or_default() += 1);
                settle.appraisals.iter().for_each(|said| *statements.entry(said.signer).or_default() += 1);
                convictions.extend(settle.equivocations.iter().map(|proof| proof.member()));
            }
        }
    }
    assert!(statements.keys().all(|signer| village.honest.contains(signer)), "{statements:?}");
    assert_eq!(statements.len(), HONEST.len(), "every honest member is heard");
    convictions.dedup();
    assert_eq!(convictions, [village.id(TRAITOR)], "the traitor, and nobody else, is convicted");
    println!(
        "{} heights: {} statements, all of honest members; 1 conviction",
        ledger.len(),
        statements.values().sum::<usize>()
    );
}
