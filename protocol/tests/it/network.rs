//! Engines over an in-memory network, under virtual time and a seeded source of mishaps.
//!
//! The network is also the judge: whatever happens, no two members may decide differently, no certificate may fail,
//! and no honest member may ever publish two statements for one slot.

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::{
    consensus::{
        Certificate, Effect, Engine, Equivocation, Input, Message, Proposal, Timeouts, Timer, UNSIGNED, Validator,
        ValidatorSet, Verdict, Vote, VoteKind, WalEntry,
    },
    crypto::Keypair,
    ids::{Hash, Height, MemberId, NetworkId},
};

pub(crate) const NETWORK: NetworkId = NetworkId([1; 32]);

pub(crate) const TIMEOUTS: Timeouts = Timeouts {
    propose_ms: 1_000,
    prevote_ms: 200,
    precommit_ms: 200,
    rebroadcast_ms: 500,
    per_round_ms: 200,
    max_ms: 10_000,
};

/// Virtual time after which a height that is not decided never will be.
const PATIENCE_MS: u64 = 600_000;

pub(crate) fn keypair(number: usize) -> Keypair {
    Keypair::from_secret([u8::try_from(number).unwrap() + 1; 32])
}

/// The set of members `0..n`, each with one vote, whose chairs at `height` follow from it.
pub(crate) fn validators(n: usize, height: Height) -> ValidatorSet {
    let seed = Hash::of(&height.0.to_le_bytes());
    let seat = |number| Validator { id: keypair(number).id(), power: 1, weight: 1 };
    ValidatorSet::new(seed, (0..n).map(seat).collect()).unwrap()
}

/// A vote as its signer sends it.
pub(crate) fn vote(keypair: &Keypair, kind: VoteKind, height: Height, round: u32, body: Option<Hash>) -> Message {
    let vote = Vote { kind, height, round, body, signer: keypair.id(), signature: UNSIGNED };
    Message::Vote(vote.signed(keypair, &NETWORK))
}

/// A first proposal as its signer sends it.
pub(crate) fn propose(keypair: &Keypair, height: Height, round: u32, body: Hash) -> Message {
    let proposal = Proposal { height, round, body, valid_round: None, signer: keypair.id(), signature: UNSIGNED };
    Message::Proposal(proposal.signed(keypair, &NETWORK))
}

/// The number of `member` among `0..n`.
pub(crate) fn number(n: usize, member: MemberId) -> usize {
    (0..n).find(|&number| keypair(number).id() == member).unwrap()
}

/// A source of mishaps (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// What may go wrong, in percent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Mishaps {
    pub(crate) lost: u64,
    pub(crate) doubled: u64,
    /// Longest time on the way, in milliseconds: the larger, the more messages overtake each other.
    pub(crate) delay_ms: u64,
    /// Chance of a crash before each single effect.
    pub(crate) crash: u64,
    /// Crashes of one member, at most.
    pub(crate) crashes: u32,
    /// What a crash leaves of the log.
    pub(crate) disk: Disk,
}

/// What a disk is worth.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Disk {
    #[default]
    Keeps,
    /// Loses everything, which no member may let happen.
    Forgets,
}

/// How a member behaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Conduct {
    Honest,
    /// Does not run at all.
    Absent,
    /// Runs as it should, but the bodies it builds are bad.
    BuildsBadBodies,
    /// Signs two proposals and two votes of each kind, if it chairs round 0, and is silent otherwise.
    SaysTwoThings,
    /// Signs anything at all and tells everybody something else, all the time.
    Babbles,
}

impl Conduct {
    fn runs(self) -> bool {
        matches!(self, Self::Honest | Self::BuildsBadBodies)
    }
}

/// A body on its way, as its proposer frames it.
#[derive(Clone, Copy)]
struct Body {
    height: Height,
    round: u32,
    valid_round: Option<u32>,
    proposer: MemberId,
    hash: Hash,
}

enum Event {
    Start(Height),
    Restart,
    Babble,
    Take(Input),
    Arrived(Body),
    /// A timer, and its setting: a later one has another number.
    Fire(Timer, u64),
}

pub(crate) struct Node {
    keypair: Keypair,
    conduct: Conduct,
    engine: Option<Engine>,
    log: Vec<WalEntry>,
    bodies: Vec<Body>,
    timers: BTreeMap<Timer, u64>,
    crashes_left: u32,
    pub(crate) decided: BTreeMap<Height, Certificate>,
    pub(crate) evidence: Vec<Equivocation>,
}

/// A place for one statement.
type Slot = (&'static str, MemberId, Height, u32);

/// The statement: a body, and the earlier round that a proposal refers to.
type Said = (Option<Hash>, Option<u32>);

pub(crate) struct Network {
    pub(crate) nodes: Vec<Node>,
    pub(crate) now_ms: u64,
    pub(crate) published: Vec<Message>,
    queue: BTreeMap<(u64, u64), (usize, Event)>,
    sequence: u64,
    dice: Dice,
    mishaps: Mishaps,
    heights: u64,
    bad_bodies: BTreeSet<Hash>,
    bodies_built: u64,
    said: BTreeMap<Slot, Said>,
}

impl Network {
    /// `conducts.len()` members who are to decide `heights` heights.
    pub(crate) fn new(seed: u64, conducts: &[Conduct], mishaps: Mishaps, heights: u64) -> Self {
        let node = |(number, &conduct): (usize, &Conduct)| Node {
            keypair: keypair(number),
            conduct,
            engine: None,
            log: Vec::new(),
            bodies: Vec::new(),
            timers: BTreeMap::new(),
            crashes_left: mishaps.crashes,
            decided: BTreeMap::new(),
            evidence: Vec::new(),
        };
        let mut network = Self {
            nodes: conducts.iter().enumerate().map(node).collect(),
            now_ms: 0,
            published: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            dice: Dice(seed),
            mishaps,
            heights,
            bad_bodies: BTreeSet::new(),
            bodies_built: 0,
            said: BTreeMap::new(),
        };
        for (number, conduct) in conducts.iter().enumerate() {
            match conduct {
                Conduct::Absent => {}
                Conduct::SaysTwoThings => network.say_two_things(number),
                Conduct::Babbles => network.after(0, number, Event::Babble),
                Conduct::Honest | Conduct::BuildsBadBodies => {
                    network.boot(number);
                    network.start_soon(number, Height(1));
                }
            }
        }
        network
    }

    /// Runs until every member that runs has decided every height.
    pub(crate) fn run(mut self) -> Self {
        while !self.is_done() {
            let ((at_ms, _), (number, event)) = self.queue.pop_first().expect("somebody waits for something");
            self.now_ms = at_ms;
            assert!(at_ms < PATIENCE_MS, "no decision: {:?}", self.progress());
            self.happen(number, event);
        }
        self
    }

    /// Runs for so long, whatever comes of it.
    pub(crate) fn run_for(&mut self, span_ms: u64) {
        let end_ms = self.now_ms + span_ms;
        while let Some(next) = self.queue.first_entry().filter(|next| next.key().0 <= end_ms) {
            let ((at_ms, _), (number, event)) = next.remove_entry();
            self.now_ms = at_ms;
            self.happen(number, event);
        }
        self.now_ms = end_ms;
    }

    /// The member comes, or comes back.
    pub(crate) fn join(&mut self, number: usize) {
        self.nodes[number].conduct = Conduct::Honest;
        self.after(0, number, Event::Restart);
    }

    /// The rounds that members are in.
    pub(crate) fn rounds(&self) -> Vec<Option<u32>> {
        self.nodes.iter().filter_map(|node| node.engine.as_ref()).map(Engine::round).collect()
    }

    /// The decision of `height`, which every member that ran has made alike.
    pub(crate) fn decision(&self, height: u64) -> &Certificate {
        self.nodes.iter().find_map(|node| node.decided.get(&Height(height))).unwrap()
    }

    fn is_done(&self) -> bool {
        let mut running = self.nodes.iter().filter(|node| node.conduct.runs());
        running.all(|node| node.decided.len() as u64 == self.heights)
    }

    fn progress(&self) -> Vec<(usize, Option<Height>, Option<u32>)> {
        let of = |node: &Node| match &node.engine {
            Some(engine) => (node.decided.len(), engine.height(), engine.round()),
            None => (node.decided.len(), None, None),
        };
        self.nodes.iter().map(of).collect()
    }

    fn happen(&mut self, number: usize, event: Event) {
        let n = self.nodes.len();
        let node = &mut self.nodes[number];
        match event {
            Event::Restart => return self.restart(number),
            Event::Babble => return self.babble(number),
            _ => {}
        }
        let Some(engine) = &mut node.engine else { return };
        let effects = match event {
            Event::Start(height) if !engine.is_deciding() && height.0 == node.decided.len() as u64 + 1 => {
                engine.start(height, validators(n, height)).unwrap()
            }
            Event::Take(input) => engine.handle(input).unwrap(),
            Event::Arrived(body) => {
                node.bodies.push(body);
                let input = Self::judged(&self.bad_bodies, body);
                engine.handle(input).unwrap()
            }
            Event::Fire(timer, setting) if node.timers.get(&timer) == Some(&setting) => {
                node.timers.remove(&timer);
                engine.handle(Input::TimerFired(timer)).unwrap()
            }
            Event::Start(_) | Event::Fire(..) | Event::Restart | Event::Babble => return,
        };
        self.carry_out(number, effects);
    }

    fn judged(bad: &BTreeSet<Hash>, body: Body) -> Input {
        let verdict = if bad.contains(&body.hash) { Verdict::Invalid } else { Verdict::Valid };
        let Body { height, round, valid_round, proposer, hash } = body;
        Input::Judged { height, round, valid_round, proposer, body: hash, verdict }
    }

    fn carry_out(&mut self, number: usize, effects: Vec<Effect>) {
        for effect in effects {
            if self.nodes[number].crashes_left > 0 && self.dice.percent(self.mishaps.crash) {
                return self.crash(number);
            }
            self.carry_out_one(number, effect);
        }
    }

    fn carry_out_one(&mut self, number: usize, effect: Effect) {
        let node = &mut self.nodes[number];
        match effect {
            Effect::Append(entry) => {
                let running = node.decided.len() as u64 + 1;
                assert_eq!(entry.height(), Height(running), "only the running height is logged");
                node.log.push(entry);
            }
            Effect::Publish(message) => {
                self.judge(number, &message);
                self.published.push(message.clone());
                self.broadcast(number, || Event::Take(Input::Message(message.clone())));
            }
            Effect::SetTimer(timer, duration) => {
                let at_ms = self.now_ms + u64::try_from(duration.as_millis()).unwrap();
                self.sequence += 1;
                node.timers.insert(timer, self.sequence);
                self.queue.insert((at_ms, self.sequence), (number, Event::Fire(timer, self.sequence)));
            }
            Effect::CancelTimer(timer) => drop(node.timers.remove(&timer)),
            Effect::CancelTimers => node.timers.clear(),
            Effect::RoundStarted { height, .. } => {
                for body in node.bodies.clone().into_iter().filter(|body| body.height == height) {
                    let input = Self::judged(&self.bad_bodies, body);
                    self.after(0, number, Event::Take(input));
                }
            }
            Effect::Build { height, round } => self.build(number, height, round),
            Effect::Restream { height, round, valid_round, proposer, body: hash } => {
                self.broadcast(number, || Event::Arrived(Body { height, round, valid_round, proposer, hash }));
            }
            Effect::Decide { certificate } => self.decide(number, certificate),
            Effect::Equivocation(evidence) => node.evidence.extend(evidence),
            Effect::Refused(refusal) => panic!("an honest network refused something: {refusal}"),
            Effect::Ahead { member, height } => self.catch_up(number, member, height),
            Effect::Behind { member, height } => self.help(number, member, height),
        }
    }

    /// Every body is another one, also the second for the same round after a crash: the harder case.
    fn build(&mut self, number: usize, height: Height, round: u32) {
        self.bodies_built += 1;
        let hash = Hash::of(&self.bodies_built.to_le_bytes());
        if self.nodes[number].conduct == Conduct::BuildsBadBodies {
            self.bad_bodies.insert(hash);
        }
        let body = Body { height, round, valid_round: None, proposer: self.nodes[number].keypair.id(), hash };
        self.broadcast(number, || Event::Arrived(body));
        self.after(5, number, Event::Take(Input::Built { height, round, body: hash }));
    }

    /// Half of the members hear the one first, half the other; in the end everybody hears everything.
    fn say_two_things(&mut self, number: usize) {
        let (height, round) = (Height(1), 0);
        let keypair = self.nodes[number].keypair.clone();
        for (turn, name) in [b"one", b"two"].into_iter().enumerate() {
            let hash = Hash::of(name);
            let body = Body { height, round, valid_round: None, proposer: keypair.id(), hash };
            for to in (0..self.nodes.len()).filter(|&to| to != number) {
                let at_ms = if to % 2 == turn { 100 } else { 101 };
                let mut say = |event| self.after(at_ms, to, event);
                say(Event::Arrived(body));
                for message in [
                    propose(&keypair, height, round, hash),
                    vote(&keypair, VoteKind::Prevote, height, round, Some(hash)),
                    vote(&keypair, VoteKind::Precommit, height, round, Some(hash)),
                ] {
                    say(Event::Take(Input::Message(message)));
                }
            }
        }
    }

    /// A vote and, if there is a chair to misuse, a proposal with its body, for every member another one.
    fn babble(&mut self, number: usize) {
        let n = self.nodes.len();
        let keypair = self.nodes[number].keypair.clone();
        for to in (0..n).filter(|&to| to != number) {
            let height = Height(self.nodes[to].decided.len() as u64 + 1);
            let round = self.dice.below(3) as u32;
            let known = self.said.values().filter_map(|&(body, _)| body).nth(self.dice.below(8) as usize);
            let hash = known.unwrap_or_else(|| Hash::of(&[self.dice.below(2) as u8]));
            let kind = if self.dice.percent(50) { VoteKind::Prevote } else { VoteKind::Precommit };
            let body = (!self.dice.percent(25)).then_some(hash);
            self.after(1, to, Event::Take(Input::Message(vote(&keypair, kind, height, round, body))));
            if validators(n, height).proposer(round) == keypair.id() {
                let body = Body { height, round, valid_round: None, proposer: keypair.id(), hash };
                self.after(1, to, Event::Arrived(body));
                self.after(1, to, Event::Take(Input::Message(propose(&keypair, height, round, hash))));
            }
        }
        let pause_ms = 1 + self.dice.below(60);
        self.after(pause_ms, number, Event::Babble);
    }

    fn decide(&mut self, number: usize, certificate: Certificate) {
        let height = certificate.height;
        certificate.verify(&NETWORK, &validators(self.nodes.len(), height)).unwrap();
        for other in &self.nodes {
            if let Some(theirs) = other.decided.get(&height) {
                assert_eq!(theirs.body, certificate.body, "two decisions at height {height}");
            }
        }
        assert!(!self.bad_bodies.contains(&certificate.body), "a bad body was decided");
        let node = &mut self.nodes[number];
        assert_eq!(height.0, node.decided.len() as u64 + 1, "heights are decided one after the other");
        node.log.clear();
        node.decided.insert(height, certificate);
        if height.0 < self.heights {
            self.start_soon(number, height.next());
        }
    }

    /// No member ever says two things for one slot, whether it crashed in between or not.
    fn judge(&mut self, number: usize, message: &Message) {
        let (what, said) = match message {
            Message::Vote(vote) if vote.kind == VoteKind::Prevote => ("prevote", (vote.body, None)),
            Message::Vote(vote) => ("precommit", (vote.body, None)),
            Message::Proposal(proposal) => ("proposal", (Some(proposal.body), proposal.valid_round)),
            Message::PolkaCertificate(_) | Message::RoundCertificate(_) => return,
        };
        let signer = message.signer().unwrap();
        let own = signer == self.nodes[number].keypair.id();
        assert!(own || what == "proposal", "only proposals are repeated for others");
        let slot = (what, signer, message.height(), message.round());
        assert_eq!(*self.said.entry(slot).or_insert(said), said, "two statements for {slot:?}");
    }

    fn catch_up(&mut self, number: usize, member: MemberId, height: Height) {
        let next = Height(self.nodes[number].decided.len() as u64 + 1);
        if height == next {
            return self.after(1, number, Event::Start(next));
        }
        let theirs = self.nodes.iter().find(|node| node.keypair.id() == member);
        if let Some(certificate) = theirs.and_then(|node| node.decided.get(&next)).cloned() {
            self.after(10, number, Event::Take(Input::Synced { certificate }));
        }
    }

    fn help(&mut self, number: usize, member: MemberId, height: Height) {
        let to = self.nodes.iter().position(|node| node.keypair.id() == member).unwrap();
        if let Some(certificate) = self.nodes[number].decided.get(&height).cloned() {
            self.after(10, to, Event::Take(Input::Synced { certificate }));
        }
    }

    fn crash(&mut self, number: usize) {
        let node = &mut self.nodes[number];
        node.crashes_left -= 1;
        node.engine = None;
        node.timers.clear();
        node.bodies.clear();
        if self.mishaps.disk == Disk::Forgets {
            node.log.clear();
        }
        let down_ms = 20 + self.dice.below(2_000);
        self.after(down_ms, number, Event::Restart);
    }

    fn boot(&mut self, number: usize) {
        let n = self.nodes.len();
        let node = &mut self.nodes[number];
        let mut engine = Engine::new(node.keypair.clone(), NETWORK, TIMEOUTS);
        let tip = Height(node.decided.len() as u64);
        assert_eq!(engine.rest_at(tip, validators(n, tip.next())).unwrap(), []);
        node.engine = Some(engine);
    }

    fn restart(&mut self, number: usize) {
        self.boot(number);
        let n = self.nodes.len();
        let node = &mut self.nodes[number];
        let next = Height(node.decided.len() as u64 + 1);
        if let Some(engine) = &mut node.engine
            && next.0 <= self.heights
        {
            let effects = engine.resume(next, validators(n, next), node.log.clone()).unwrap();
            self.carry_out(number, effects);
        }
    }

    fn start_soon(&mut self, number: usize, height: Height) {
        let pause_ms = self.dice.below(self.mishaps.delay_ms + 1);
        self.after(pause_ms, number, Event::Start(height));
    }

    fn after(&mut self, delay_ms: u64, number: usize, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now_ms + delay_ms, self.sequence), (number, event));
    }

    fn broadcast(&mut self, from: usize, event: impl Fn() -> Event) {
        for to in (0..self.nodes.len()).filter(|&to| to != from) {
            let copies = if self.dice.percent(self.mishaps.doubled) { 2 } else { 1 };
            for _ in 0..copies {
                if !self.dice.percent(self.mishaps.lost) {
                    let delay_ms = 1 + self.dice.below(self.mishaps.delay_ms + 1);
                    self.after(delay_ms, to, event());
                }
            }
        }
    }
}
