//! The loop: takes what is next and lets it happen.

use std::collections::BTreeMap;

use super::{
    agent::{Agent, Assault, Workshop},
    archive::Archive,
    byzantine::{Liar, Lie},
    fault::Fault,
    forger::Forger,
    hearing::SPAM_MS,
    link::Link,
    network::Network,
    node::{Node, Store},
    property::{Record, Witness},
    queue::{Event, Queue},
    report::{Counts, Report},
    rng::Rng,
    scenario::Scenario,
    trace::Trace,
};
use crate::{
    body::{Body, Evidence},
    epidemic::Topology,
    event::Phase,
    ids::{Height, MemberId, Round},
    machine::{Input, Machine},
    state::{Federation, State},
    time::Time,
};

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
    pub(super) workshop: Workshop,
    pub(super) witness: Witness,
    pub(super) forger: Forger,
    pub(super) trace: Trace,
    pub(super) counts: Counts,
    pub(super) rng: Rng,
    pub(super) ambushes: Vec<Ambush>,
    /// When all must have ended so many rounds or steps; unknown until the faults cease.
    pub(super) goal: Option<(Time, u64)>,
}

impl<'a> World<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let federation = Federation::new(scenario.genesis());
        let mut rng = Rng::new(scenario.seed ^ 0x5eed);
        let mut archive = Archive::default();
        let model = archive.put(Scenario::first_model());
        let mut nodes = Vec::new();
        for (place, identity) in scenario.identities().into_iter().enumerate() {
            let (members, liars) = (scenario.everybody(), scenario.attackers.len());
            let assault = scenario.attackers.get(&place).map(|&attack| Assault { attack, members, liars });
            let mut agent = Agent::new(rng.fork(), scenario.habits, &federation.genesis);
            agent.assault = assault;
            let lies = scenario.liars.get(&place).filter(|lies| !lies.is_empty());
            nodes.push(Node {
                id: identity.keypair.id(),
                machine: None,
                life: 0,
                store: Store::holding(model),
                copy: None,
                last: State::genesis(&federation),
                steps: Vec::new(),
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
        let is_honest = |place: &usize| !scenario.attackers.contains_key(place);
        let honest = scenario.honest().filter(is_honest).map(|place| nodes[place].id).collect();
        Self {
            scenario,
            queue: Queue::default(),
            places: nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect(),
            network: Network::new(nodes.len()),
            link: scenario.link,
            archive,
            workshop: Workshop::default(),
            witness: Witness::new(&federation.genesis, honest),
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
        self.instruct_later();
        self.knock_later();
        self.vote_later();
        while self.witness.violations().is_empty() && !self.is_over() {
            let Some(event) = self.queue.take() else { break };
            self.happen(event);
        }
        self.report()
    }

    /// Over once the goal is reached, or its time is up, which is a violation.
    fn is_over(&mut self) -> bool {
        let Some((until, goal)) = self.goal else { return false };
        let behind: Vec<usize> =
            self.scenario.honest().filter(|who| self.is_expected(*who) && self.reached(*who) < goal).collect();
        if behind.is_empty() {
            return true;
        }
        if self.queue.now() > until {
            let where_ = |who: &usize| {
                let phase = self.nodes[*who].machine.as_ref().map(Machine::phase);
                format!("{who} is in {phase:?} after {}", self.reached(*who))
            };
            let standing: Vec<String> = behind.iter().map(where_).collect();
            let why = format!("{goal} rounds or steps are not ended everywhere: {}", standing.join(", "));
            self.witness.complain("every round ends", self.queue.now(), why);
        }
        false
    }

    /// Rounds that this member has settled, or steps that it has ended where there are no rounds.
    pub(super) fn reached(&self, who: usize) -> u64 {
        match self.federation.genesis.exchange.topology {
            Topology::Elected => self.nodes[who].state().round.0,
            Topology::Epidemic { .. } => self.nodes[who].steps.len() as u64,
        }
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
                    if let Input::BlobLost(blob) = &input {
                        self.nodes[who].store.clear(blob);
                    }
                    self.step(who, input);
                }
            }
            Event::Seek { who, life, blob } => self.seek(who, life, blob),
            Event::Blob { who, life, blob, from, sent_in } => self.receive_blob(who, life, blob, from, sent_in),
            Event::Look { who, peer } => self.look(who, peer),
            Event::Restart { who } => self.start(who),
            Event::Spam { who } => self.spam(who),
            Event::Instruct => self.instruct(),
            Event::Knock => self.knock(),
            Event::Vote => self.vote(),
            Event::Fault(place) => {
                let scenario = self.scenario;
                if let Some((_, fault)) = scenario.faults.get(place) {
                    self.go_wrong(fault);
                }
            }
            Event::Calm => self.calm(),
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

    pub(super) fn lies(&self, who: usize, lie: Lie) -> bool {
        self.scenario.liars.get(&who).is_some_and(|lies| lies.contains(&lie))
    }

    fn report(self) -> Report {
        let Record { chain, decisions, decided_at, awards, violations } = self.witness.finish();
        let takeovers = chain.values().filter(|body| body.header.agreement_round > 0).count() as u64;
        let is_empty = |body: &&Body| matches!(&body.evidence, Evidence::Settle(settle) if settle.updates.is_empty());
        let empty_rounds = chain.values().filter(is_empty).count() as u64;
        let height = chain.keys().next_back().copied().unwrap_or(Height(0));
        let mut trace = self.trace;
        trace.note(self.queue.now(), 0, "end", &height.0.to_le_bytes());
        Report {
            seed: self.scenario.seed,
            trace: trace.hash(),
            ended: self.queue.now(),
            states: self.nodes.iter().map(|node| node.state().clone()).collect(),
            steps: self.nodes.iter().map(|node| node.steps.clone()).collect(),
            chain,
            decisions: decisions.into_values().collect(),
            decided_at,
            awards,
            counts: Counts { takeovers, empty_rounds, ..self.counts },
            violations,
        }
    }
}
