//! The loop: takes what is next and lets it happen. Who lives, who is connected, what goes wrong.

use std::{collections::BTreeMap, rc::Rc};

use super::{
    agent::Agent,
    archive::Archive,
    byzantine::{Liar, Lie},
    fault::Fault,
    forger::Forger,
    link::Link,
    network::Network,
    node::{Doom, Node, Store},
    property::{Sight, Witness},
    queue::{Event, Life, Queue},
    report::{Counts, Report},
    rng::Rng,
    scenario::Scenario,
    trace::Trace,
};
use crate::{
    event::Phase,
    ids::{Height, MemberId, Round},
    machine::{Input, Machine, Verdict},
    state::{Federation, State},
    time::Time,
};

/// A member notices that another is there within so many milliseconds, ...
const ARRIVAL_MS: u64 = 100;

/// ... and that it is gone within so many.
const LOSS_MS: u64 = 400;

/// A spammer speaks up so often, in milliseconds.
const SPAM_MS: u64 = 300;

/// A death of the chair that awaits its round and phase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ambush {
    pub(super) round: Round,
    pub(super) phase: Phase,
    pub(super) down_ms: Option<u64>,
}

/// A federation, and the world around it.
pub(super) struct World<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) federation: Federation,
    pub(super) queue: Queue,
    pub(super) nodes: Vec<Node>,
    pub(super) places: BTreeMap<MemberId, usize>,
    pub(super) network: Network,
    pub(super) link: Link,
    pub(super) archive: Archive,
    pub(super) witness: Witness,
    pub(super) forger: Forger,
    pub(super) trace: Trace,
    pub(super) counts: Counts,
    pub(super) rng: Rng,
    ambushes: Vec<Ambush>,
    /// When all must have settled which round; unknown until the faults cease.
    goal: Option<(Time, Round)>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let federation = Federation::new(scenario.genesis());
        let mut rng = Rng::new(scenario.seed ^ 0x5eed);
        let mut archive = Archive::default();
        let model = archive.put(Scenario::first_model());
        let mut nodes = Vec::new();
        for (place, identity) in scenario.identities().into_iter().enumerate() {
            let agent =
                Agent { rng: rng.fork(), habits: scenario.habits, max_norm: federation.genesis.limits.max_update_norm };
            let lies = scenario.liars.get(&place).filter(|lies| !lies.is_empty());
            nodes.push(Node {
                id: identity.keypair.id(),
                machine: None,
                life: 0,
                store: Store::holding(model),
                last: State::genesis(&federation),
                timers: BTreeMap::new(),
                set: 0,
                peers: BTreeMap::new(),
                seeking: BTreeMap::new(),
                questions: BTreeMap::new(),
                asking: None,
                asked: 0,
                agent,
                liar: lies
                    .map(|lies| Liar::new(lies.clone(), identity.keypair.clone(), federation.network, rng.fork())),
                doom: None,
                identity,
            });
        }
        Self {
            scenario,
            queue: Queue::default(),
            places: nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect(),
            network: Network::new(nodes.len()),
            link: scenario.link,
            archive,
            witness: Witness::new(&federation.genesis),
            forger: Forger::new(&federation, rng.fork()),
            trace: Trace::new(),
            counts: Counts::default(),
            rng,
            ambushes: Vec::new(),
            goal: None,
            nodes,
            federation,
        }
    }

    pub(super) fn run(mut self) -> Report {
        for who in 0..self.nodes.len() {
            let at = self.rng.within(0, 300);
            self.queue.put_in_ms(at, Event::Restart { who });
            if self.lies(who, Lie::Spam) {
                self.queue.put_in_ms(SPAM_MS, Event::Spam { who });
            }
        }
        for (place, (at, _)) in self.scenario.faults.iter().enumerate() {
            self.queue.put(*at, Event::Fault(place));
        }
        self.queue.put(self.scenario.calm_at, Event::Calm);
        while self.witness.violations().is_empty() && !self.is_over() {
            let Some(event) = self.queue.take() else { break };
            self.happen(event);
        }
        self.report()
    }

    /// Over once the goal is reached, or its time is up, which is a violation.
    fn is_over(&mut self) -> bool {
        let Some((until, round)) = self.goal else { return false };
        let behind: Vec<usize> = self
            .scenario
            .honest()
            .filter(|who| self.is_expected(*who) && self.nodes[*who].state().round < round)
            .collect();
        if behind.is_empty() {
            return true;
        }
        if self.queue.now() > until {
            let where_ = |who: &usize| {
                let node = &self.nodes[*who];
                format!("{who} is in {:?} of round {}", node.machine.as_ref().map(Machine::phase), node.state().round)
            };
            let standing: Vec<String> = behind.iter().map(where_).collect();
            let why = format!("round {round} is not settled everywhere: {}", standing.join(", "));
            self.witness.complain("every round ends", self.queue.now(), why);
        }
        false
    }

    /// Whether this member lives or will again.
    fn is_expected(&self, who: usize) -> bool {
        let for_ever = |fault: &Fault| matches!(fault, Fault::Crash { member, down_ms: None } if *member == who);
        let dies_for_ever = self.scenario.faults.iter().any(|(_, fault)| for_ever(fault));
        self.nodes[who].machine.is_some() || !(dies_for_ever || self.was_ambushed_for_ever())
    }

    fn was_ambushed_for_ever(&self) -> bool {
        let for_ever = |fault: &Fault| matches!(fault, Fault::CrashOfChair { down_ms: None, .. });
        self.scenario.faults.iter().any(|(_, fault)| for_ever(fault))
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Gossip { to, life, from, bytes } => self.hear(to, life, from, &bytes),
            Event::Forgery { to, life, from, author, bytes } => self.hear_forgery(to, life, from, author, &bytes),
            Event::Question { to, life, from, asked_in, bytes } => self.hear_question(to, life, from, asked_in, bytes),
            Event::Answer { to, life, from, bytes } => self.hear_answer(to, life, from, bytes),
            Event::Patience { who, life, from, question } => self.lose_patience(who, life, from, question),
            Event::Timer { who, life, timer, set } => {
                if self.nodes[who].life == life && self.nodes[who].rings(timer, set) {
                    self.step(who, Input::TimerFired(timer));
                }
            }
            Event::Done { who, life, input, stored } => {
                if self.nodes[who].life == life {
                    self.nodes[who].store.blobs.extend(stored);
                    self.step(who, input);
                }
            }
            Event::Seek { who, life, blob } => self.seek(who, life, blob),
            Event::Blob { who, life, blob, from, sent_in } => self.receive_blob(who, life, blob, from, sent_in),
            Event::Look { who, peer } => self.look(who, peer),
            Event::Restart { who } => self.start(who),
            Event::Spam { who } => self.spam(who),
            Event::Fault(place) => {
                let scenario = self.scenario;
                if let Some((_, fault)) = scenario.faults.get(place) {
                    self.go_wrong(fault);
                }
            }
            Event::Calm => self.calm(),
        }
    }

    fn go_wrong(&mut self, fault: &Fault) {
        match fault {
            Fault::Crash { member, down_ms } => self.crash(*member, *down_ms),
            Fault::CrashAtWrite { member, writes, moment, down_ms } => {
                self.nodes[*member].doom = Some(Doom { writes: *writes, moment: *moment, down_ms: *down_ms });
            }
            Fault::CrashOfChair { round, phase, down_ms } => {
                self.ambushes.push(Ambush { round: *round, phase: *phase, down_ms: *down_ms });
            }
            Fault::Blackout { down_ms } => {
                for who in 0..self.nodes.len() {
                    let down_ms = down_ms + self.rng.below(500);
                    self.crash(who, Some(down_ms));
                }
            }
            Fault::Partition { sides } => {
                self.network.part(sides);
                self.look_around();
            }
            Fault::Heal => {
                self.network.heal();
                self.look_around();
            }
        }
    }

    /// The faults cease; from now on every round must end.
    fn calm(&mut self) {
        self.link = self.link.calm();
        self.network.heal();
        self.look_around();
        for node in &mut self.nodes {
            node.doom = None;
        }
        let farthest = self.nodes.iter().map(|node| node.state().round).max().unwrap_or_default();
        let until = Time(self.queue.now().0 + self.scenario.patience_ms);
        self.goal = Some((until, Round(farthest.0 + self.scenario.rounds)));
    }

    /// Ends the life of `who`, for so long.
    pub(super) fn crash(&mut self, who: usize, down_ms: Option<u64>) {
        if self.nodes[who].machine.is_none() {
            return;
        }
        self.counts.crashes += 1;
        self.trace.note(self.queue.now(), who, "crash", &[]);
        self.nodes[who].die();
        self.look_around();
        if let Some(down_ms) = down_ms {
            // Whoever starts again has done so before the faults cease, so that all of them count as faults.
            let at = Time(self.queue.now().0 + down_ms).min(self.scenario.calm_at);
            self.queue.put(at, Event::Restart { who });
        }
    }

    fn start(&mut self, who: usize) {
        let node = &mut self.nodes[who];
        if node.machine.is_some() {
            return;
        }
        node.life += 1;
        self.trace.note(self.queue.now(), who, "start", &[]);
        let durable = node.store.durable();
        match Machine::recover(self.federation.clone(), node.identity.clone(), durable, self.queue.now()) {
            Ok((machine, effects)) => {
                node.machine = Some(machine);
                self.look_around();
                self.carry_out(who, effects);
            }
            Err(error) => self.witness.complain("a sound machine goes on", self.queue.now(), format!("{who}: {error}")),
        }
    }

    /// Whether what `a` sends can reach `b` now.
    pub(super) fn joined(&self, a: usize, b: usize) -> bool {
        a != b && self.network.joins(a, b) && self.nodes[a].machine.is_some() && self.nodes[b].machine.is_some()
    }

    /// Lets everybody find out, sooner or later, whom it is connected to.
    fn look_around(&mut self) {
        for who in 0..self.nodes.len() {
            for peer in 0..self.nodes.len() {
                if self.nodes[who].machine.is_some() && who != peer {
                    let most = if self.joined(who, peer) { ARRIVAL_MS } else { LOSS_MS };
                    let span = self.rng.within(1, most);
                    self.queue.put_in_ms(span, Event::Look { who, peer });
                }
            }
        }
    }

    fn look(&mut self, who: usize, peer: usize) {
        let there = self.joined(who, peer).then(|| self.nodes[peer].life);
        let known = self.nodes[who].peers.get(&peer).copied();
        if self.nodes[who].machine.is_none() || there == known {
            return;
        }
        let (id, life) = (self.nodes[peer].id, self.nodes[who].life);
        if known.is_some() {
            self.nodes[who].peers.remove(&peer);
            self.forget_question(who, peer);
            self.step(who, Input::PeerDown(id));
        }
        if let Some(peer_life) = there.filter(|_| self.nodes[who].life == life) {
            self.nodes[who].peers.insert(peer, peer_life);
            self.step(who, Input::PeerUp(id));
        }
    }

    /// Hands `input` to a member that lives.
    pub(super) fn step(&mut self, who: usize, input: Input) {
        let now = self.queue.now();
        let Some(machine) = &mut self.nodes[who].machine else { return };
        match machine.handle(input, now) {
            Ok(effects) => self.carry_out(who, effects),
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{who}: {error}")),
        }
    }

    /// What was sent before its sender died arrives all the same.
    fn hear(&mut self, to: usize, life: Life, from: usize, bytes: &Rc<[u8]>) {
        let now = self.queue.now();
        if self.nodes[to].life != life || !self.network.joins(from, to) {
            return;
        }
        let author = self.nodes[from].id;
        let Some(machine) = &mut self.nodes[to].machine else { return };
        self.counts.messages += 1;
        self.trace.note(now, to, "hear", bytes);
        match machine.receive(author, author, bytes, now) {
            Ok((verdict, effects)) => {
                if self.scenario.liars.is_empty() && verdict == Verdict::Reject {
                    self.witness.complain("nobody honest is refused", now, format!("{to} refuses what {from} says"));
                }
                self.carry_out(to, effects);
            }
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{to}: {error}")),
        }
    }

    fn hear_forgery(&mut self, to: usize, life: Life, from: usize, author: MemberId, bytes: &Rc<[u8]>) {
        let now = self.queue.now();
        if self.nodes[to].life != life || !self.joined(from, to) {
            return;
        }
        let via = self.nodes[from].id;
        let Some(machine) = &mut self.nodes[to].machine else { return };
        self.counts.forgeries += 1;
        self.trace.note(now, to, "forgery", bytes);
        match machine.receive(author, via, bytes, now) {
            Ok((verdict, effects)) => self.witness.see(now, &Sight::Forgery { who: to, verdict, effects: &effects }),
            Err(error) => self.witness.complain("a sound machine goes on", now, format!("{to}: {error}")),
        }
    }

    fn spam(&mut self, who: usize) {
        self.queue.put_in_ms(SPAM_MS, Event::Spam { who });
        let Some(machine) = &self.nodes[who].machine else { return };
        let (author, bytes) = self.forger.forge(machine.state(), &self.nodes[who].identity.keypair);
        let bytes: Rc<[u8]> = bytes.into();
        for to in 0..self.nodes.len() {
            if self.joined(who, to) {
                let life = self.nodes[to].life;
                self.queue.put_in_ms(1, Event::Forgery { to, life, from: who, author, bytes: Rc::clone(&bytes) });
            }
        }
    }

    /// Lets the chair die if somebody waits for it here.
    pub(super) fn spring_ambush(&mut self, who: usize, round: Round, phase: Phase) {
        let is_chair = self.nodes[who].machine.as_ref().is_some_and(|machine| machine.chair() == self.nodes[who].id);
        let waits = |ambush: &Ambush| ambush.round == round && ambush.phase == phase;
        if let Some(place) = self.ambushes.iter().position(waits).filter(|_| is_chair) {
            let ambush = self.ambushes.remove(place);
            self.crash(who, ambush.down_ms);
        }
    }

    pub(super) fn lies(&self, who: usize, lie: Lie) -> bool {
        self.scenario.liars.get(&who).is_some_and(|lies| lies.contains(&lie))
    }

    fn report(self) -> Report {
        let (chain, violations) = self.witness.finish();
        let height = chain.keys().next_back().copied().unwrap_or(Height(0));
        let mut trace = self.trace;
        trace.note(self.queue.now(), 0, "end", &height.0.to_le_bytes());
        Report {
            seed: self.scenario.seed,
            trace: trace.hash(),
            ended: self.queue.now(),
            states: self.nodes.iter().map(|node| node.state().clone()).collect(),
            chain,
            counts: self.counts,
            violations,
        }
    }
}
