//! What the page shows beyond the status: the past rounds, the members, the agents' last words, and what went wrong.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use althing_protocol::{
    event::{DecidedBy, Event, Role},
    genesis::Genesis,
    ids::{BlobRef, MemberId, Round},
    ledger::Ledger,
    model::Width,
};

use crate::blobs::Transit;

/// Rounds that are shown.
const ROUNDS_MAX: usize = 300;

/// Faults that are shown.
const FAULTS_MAX: usize = 20;

/// Decisions of one agent in one round that are shown: more than there are questions to it.
const SAID_MAX: usize = 4;

/// What a node remembers of itself for its page. It begins anew with every start.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Board {
    /// What the founder calls the federation.
    pub federation: String,
    /// What is trained, on what.
    pub task: String,
    /// The members, in the order of the genesis.
    pub members: Vec<Row>,
    /// Promised to the winners of the open round, in micro-credits.
    pub escrow: u64,
    /// Rounds that were settled, the oldest first.
    pub rounds: VecDeque<Past>,
    /// What each agent decided in the last round in which it decided anything, in that order.
    pub said: BTreeMap<Role, Vec<Said>>,
    /// What went wrong, the latest first.
    pub faults: VecDeque<Fault>,
    /// Members whose updates of the open round are here.
    pub arrived: BTreeSet<MemberId>,
    /// Models and updates on their way to this node.
    pub transits: Vec<Transit>,
    /// The settled model, and the round that it came from.
    pub model: Option<(Round, BlobRef)>,
    /// The width of each contract on the menu.
    widths: Vec<Width>,
    opened_ms: Option<u64>,
    /// Members hired for the open round, and for how much of the model.
    hired: BTreeMap<MemberId, Width>,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its key.
    pub id: MemberId,
    /// What the founder calls it.
    pub name: String,
    /// Whether this node is connected to it, or is it.
    pub is_here: bool,
    /// From 0 to 1,000.
    pub reputation: u32,
    /// What it owns, in micro-credits.
    pub balance: u64,
    /// What it was promised for the open round, in micro-credits.
    pub promised: u64,
    /// Times it was hired.
    pub hired: u64,
    /// Times it delivered.
    pub delivered: u64,
}

/// A round that was settled.
#[derive(Debug, Clone, PartialEq)]
pub struct Past {
    /// Which.
    pub round: Round,
    /// From its opening to its settlement, if this node was there, in milliseconds.
    pub took_ms: Option<u64>,
    /// Members that were hired, if this node was there.
    pub hired: usize,
    /// Updates that entered the model.
    pub updates: usize,
    /// What was paid, in micro-credits.
    pub paid: u64,
    /// Whether another member took over from the elected one.
    pub taken_over: bool,
    /// What the model that it started from was worth, if this node knows.
    pub scored: Option<Scored>,
}

/// What a model is worth on the member's own held-out examples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Mean cross-entropy.
    pub loss: f32,
    /// Part of the examples whose class it finds, from 0 to 1.
    pub accuracy: f32,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// In which round.
    pub round: Round,
    /// Who made it.
    pub by: DecidedBy,
    /// What it was, in words that code wrote.
    pub choice: String,
}

/// Something that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When, in milliseconds since 1970, by the node's clock.
    pub at_ms: u64,
    /// What.
    pub what: String,
}

impl Row {
    /// Of a member of whom only the name is known.
    fn new(id: MemberId, name: &str) -> Self {
        let name = name.to_owned();
        Self { id, name, is_here: false, reputation: 0, balance: 0, promised: 0, hired: 0, delivered: 0 }
    }
}

impl Board {
    /// Of a federation of which nothing is known but its genesis.
    pub fn new(genesis: &Genesis) -> Self {
        Self {
            federation: genesis.name.clone(),
            task: format!("{} on {}", genesis.task.model, genesis.task.dataset),
            members: genesis.members.iter().map(|member| Row::new(member.id, &member.name)).collect(),
            widths: genesis.contracts.iter().map(|contract| contract.width).collect(),
            ..Self::default()
        }
    }

    /// What this member is called.
    pub fn name(&self, id: &MemberId) -> String {
        self.members.iter().find(|row| row.id == *id).map_or_else(|| id.short(), |row| row.name.clone())
    }

    /// How much of the model a member was hired for in the open round, if it was.
    pub fn hired_for(&self, id: &MemberId) -> Option<Width> {
        self.hired.get(id).copied()
    }

    /// Members that were hired for the open round.
    pub fn hired(&self) -> usize {
        self.hired.len()
    }

    /// Takes in what happened at `at_ms`.
    pub fn hear(&mut self, at_ms: u64, event: &Event) {
        match event {
            Event::RoundOpened { .. } => {
                self.opened_ms = Some(at_ms);
                self.hired.clear();
                self.arrived.clear();
            }
            Event::Planned { awards, .. } => {
                let width = |place: u8| self.widths.get(usize::from(place)).copied().unwrap_or(Width::Full);
                self.hired = awards.iter().map(|award| (award.member, width(award.contract))).collect();
            }
            Event::Received { member, .. } => {
                self.arrived.insert(*member);
            }
            Event::Settled { round, updates, refused, payments, agreement_round, model, .. } => {
                self.model = Some((*round, *model));
                for (member, pretence) in refused {
                    self.went_wrong(at_ms, format!("round {round}: {} is not paid: {pretence}", self.name(member)));
                }
                let took_ms = self.opened_ms.take().map(|opened| at_ms.saturating_sub(opened));
                let paid = payments.values().fold(0_u64, |sum, paid| sum.saturating_add(*paid));
                let (updates, taken_over) = (*updates, *agreement_round > 0);
                let hired = std::mem::take(&mut self.hired).len();
                self.arrived.clear();
                push(&mut self.rounds, Past { round: *round, took_ms, hired, updates, paid, taken_over, scored: None });
            }
            Event::Decided { round, role, by, choice, .. } => {
                let said = self.said.entry(*role).or_default();
                said.retain(|earlier| earlier.round == *round);
                said.truncate(SAID_MAX - 1);
                said.push(Said { round: *round, by: *by, choice: choice.clone() });
            }
            Event::Forfeited { round, why } => self.went_wrong(at_ms, format!("round {round} is forfeited: {why}")),
            Event::Misbehaved { member, why } => {
                self.went_wrong(at_ms, format!("{} misbehaved: {why}", self.name(member)));
            }
            Event::Refused { member, why } => self.went_wrong(at_ms, format!("refused {}: {why}", member.short())),
            Event::Hindered { why } => self.went_wrong(at_ms, format!("hindered: {why}")),
            Event::Benched { round, role, until } => {
                let what = format!("round {round}: the model did worse than rules as {role:?}; it rests until {until}");
                self.went_wrong(at_ms, what.to_lowercase());
            }
            _ => {}
        }
    }

    /// What the model that the last settled round started from is worth.
    pub fn score(&mut self, scored: Option<Scored>) {
        if let Some(last) = self.rounds.back_mut() {
            last.scored = scored;
        }
    }

    /// Brings the members up to date: those of the genesis and whoever has joined, without those who have left.
    pub fn count(&mut self, ledger: &Ledger, me: &MemberId, present: &BTreeSet<MemberId>) {
        self.members.retain(|row| ledger.accounts.contains_key(&row.id));
        for (id, name) in &ledger.roll.names {
            if !self.members.iter().any(|row| row.id == *id) {
                self.members.push(Row::new(*id, name));
            }
        }
        for row in &mut self.members {
            row.is_here = row.id == *me || present.contains(&row.id);
            row.promised = ledger.escrow.awards.get(&row.id).copied().unwrap_or(0);
            if let Some(account) = ledger.accounts.get(&row.id) {
                (row.reputation, row.balance) = (account.reputation, account.balance);
                (row.hired, row.delivered) = (account.hired, account.delivered);
            }
        }
        let awards = ledger.escrow.awards.values();
        self.escrow = awards.fold(ledger.escrow.bonus, |sum, award| sum.saturating_add(*award));
    }

    fn went_wrong(&mut self, at_ms: u64, what: String) {
        self.faults.push_front(Fault { at_ms, what });
        self.faults.truncate(FAULTS_MAX);
    }
}

fn push(rounds: &mut VecDeque<Past>, past: Past) {
    if rounds.len() == ROUNDS_MAX {
        rounds.pop_front();
    }
    rounds.push_back(past);
}
