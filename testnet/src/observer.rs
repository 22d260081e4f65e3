//! What the nodes' lines amount to: a pure fold from (node, line) to rounds.
//!
//! The same decision is reported by every node, at its own time and perhaps again after a restart. What was decided
//! counts once; when it happened is kept for every node, and figures take the median node.

mod advice;
mod patience;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::{
    detection::Pretence,
    event::{Account, Credits, DecidedBy, Event, Phase},
    ids::{BlobRef, Hash, Height, MemberId},
};
use serde::{Deserialize, Serialize};

pub use self::advice::{Advice, AdviceSummary};
pub use self::patience::{DECISION_MS_MOST, PatienceSummary};
pub use self::steps::{Ended, Steps};

/// One line of a node's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Line {
    /// Reads a line. One that is not an event known here is none of our business.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}

/// Everything that is known of a run from its nodes' lines.
#[derive(Debug, Default)]
pub struct Observer {
    nodes: Vec<NodeView>,
    rounds: BTreeMap<u64, RoundView>,
    decisions: Decisions,
    advice: Advice,
    patience: patience::Patience,
    conflicts: BTreeSet<Height>,
    bodies: BTreeMap<Height, Hash>,
    unbalanced: BTreeSet<Height>,
    steps: Steps,
}

/// What a node has said of itself.
#[derive(Debug, Clone, Default)]
pub struct NodeView {
    /// Last height that it is known to have, in this life.
    pub height: Height,
    /// Last round that it is known to have settled, in this life.
    pub round: u64,
    /// Last step of epidemic exchange that it has ended, in this life.
    pub step: u64,
    /// Where it listens, in this life.
    pub address: Option<String>,
    /// `host:port` of its HTTP side, in this life.
    pub http: Option<String>,
    /// Settle bodies that it has reported, over all lives.
    pub bodies: BTreeMap<Height, Hash>,
    /// Its privacy account, if it has one, over all lives.
    pub privacy: Option<Account>,
    /// Whether its last word was that it stopped in good order.
    pub farewell: Option<Farewell>,
}

/// A node has stopped in good order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell;

/// Agents' decisions, by who made them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Decisions {
    /// By a language model.
    pub model: u64,
    /// By rules, because they were asked.
    pub rules: u64,
    /// By rules, because the model failed.
    pub fallback: u64,
}

/// What is known of a round.
#[derive(Debug, Clone, Default)]
pub struct RoundView {
    /// Who was elected to chair it.
    pub elected: Option<MemberId>,
    /// Its last phase at any node.
    pub phase: Option<Phase>,
    /// Its Plan, once decided.
    pub plan: Option<PlanView>,
    /// Its Settle, once decided.
    pub settle: Option<SettleView>,
    opened_ms: BTreeMap<usize, u64>,
    settled_ms: BTreeMap<usize, u64>,
    /// Bytes of each node's update.
    update_bytes: BTreeMap<usize, u64>,
}

/// A decided Plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanView {
    /// The agreement's round in which it was decided.
    pub agreement_round: u32,
    /// Bids that were opened.
    pub bids: usize,
    /// Members that were hired.
    pub winners: usize,
    /// For which places of the menu, in rank order.
    pub contracts: Vec<u8>,
}

/// A decided Settle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettleView {
    /// Its height.
    pub height: Height,
    /// Who proposed it.
    pub proposer: MemberId,
    /// The agreement's round in which it was decided.
    pub agreement_round: u32,
    /// The model that everybody adopts.
    pub model: BlobRef,
    /// Updates that entered it.
    pub updates: usize,
    /// Members whose updates only pretended to be work, and how.
    pub refused: BTreeMap<MemberId, Pretence>,
    /// Slowest training among them, in milliseconds.
    pub slowest_training_ms: u64,
    /// What the members were paid, all together, in micro-credits.
    pub paid: u64,
    /// Credits after it.
    pub credits: Credits,
}

impl RoundView {
    /// From opening to settlement at the median node, in milliseconds.
    pub fn duration_ms(&self) -> Option<u64> {
        let span = |(node, settled): (&usize, &u64)| Some(settled.saturating_sub(*self.opened_ms.get(node)?));
        median(self.settled_ms.iter().filter_map(span).collect())
    }

    /// What the round took beyond its slowest training, in milliseconds.
    pub fn overhead_ms(&self) -> Option<u64> {
        Some(self.duration_ms()?.saturating_sub(self.settle.as_ref()?.slowest_training_ms))
    }

    /// Bytes of the updates that nodes have made in it, each counted once.
    pub fn update_bytes(&self) -> u64 {
        self.update_bytes.values().sum()
    }

    /// Decisions of this round that another than the elected aggregator had to propose: 0, 1 or 2.
    pub fn takeovers(&self) -> u64 {
        let plan = self.plan.as_ref().is_some_and(|plan| plan.agreement_round > 0);
        let settle = self.settle.as_ref().is_some_and(|settle| settle.agreement_round > 0);
        u64::from(plan) + u64::from(settle)
    }
}

/// The middle one, or the lower of the two middle ones.
pub fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len().checked_sub(1)? / 2).copied()
}

impl Observer {
    /// Nothing heard yet, of `nodes` nodes.
    pub fn new(nodes: usize) -> Self {
        Self { nodes: vec![NodeView::default(); nodes], ..Self::default() }
    }

    /// The nodes, by their place in the federation.
    pub fn nodes(&self) -> &[NodeView] {
        &self.nodes
    }

    /// The rounds, from the first.
    pub const fn rounds(&self) -> &BTreeMap<u64, RoundView> {
        &self.rounds
    }

    /// Steps of epidemic exchange.
    pub const fn steps(&self) -> &Steps {
        &self.steps
    }

    /// What the agents have decided.
    pub const fn decisions(&self) -> Decisions {
        self.decisions
    }

    /// Who decided what, and what a language model had to do with it.
    pub const fn advice(&self) -> &Advice {
        &self.advice
    }

    /// Whether anything has waited for a language model.
    pub fn patience(&self) -> PatienceSummary {
        self.patience.summary()
    }

    /// Heights for which two nodes have reported different bodies. There must be none.
    pub const fn conflicts(&self) -> &BTreeSet<Height> {
        &self.conflicts
    }

    /// Heights after which credits did not add up. There must be none.
    pub const fn unbalanced(&self) -> &BTreeSet<Height> {
        &self.unbalanced
    }

    /// The last round that any node has settled, 0 before the first.
    pub fn last_settled(&self) -> u64 {
        let settled = self.rounds.iter().rev().find(|(_, round)| round.settle.is_some());
        settled.map_or(0, |(number, _)| *number)
    }

    /// Whether `node` has, in its present life, the decision that settled `round`.
    pub fn has_settled(&self, node: usize, round: u64) -> bool {
        let Some(settle) = self.rounds.get(&round).and_then(|round| round.settle.as_ref()) else { return false };
        self.nodes.get(node).is_some_and(|view| view.height >= settle.height)
    }

    /// `node` begins another life: what it said of itself no longer holds.
    pub fn restarted(&mut self, node: usize) {
        if let Some(view) = self.nodes.get_mut(node) {
            let bodies = std::mem::take(&mut view.bodies);
            *view = NodeView { bodies, privacy: view.privacy, ..NodeView::default() };
        }
    }

    /// Takes in a line of `node`.
    pub fn observe(&mut self, node: usize, line: &Line) {
        let Some(view) = self.nodes.get_mut(node) else { return };
        self.patience.observe(node, line);
        match &line.event {
            Event::Started { height, .. } => view.height = *height,
            Event::Synced { height } => view.height = view.height.max(*height),
            Event::Listening { address } => view.address = Some(address.clone()),
            Event::Serving { address } => view.http = Some(address.clone()),
            Event::Stopped => view.farewell = Some(Farewell),
            Event::RoundOpened { round, aggregator } => {
                let round = self.rounds.entry(round.0).or_default();
                round.elected.get_or_insert(*aggregator);
                round.opened_ms.entry(node).or_insert(line.at_ms);
            }
            Event::PhaseEntered { round, phase } => {
                let round = self.rounds.entry(round.0).or_default();
                round.phase = round.phase.max(Some(*phase));
            }
            Event::Guarded { account } => view.privacy = *account,
            Event::Debited { account, .. } => view.privacy = Some(*account),
            Event::Decided { role, by, .. } => {
                self.decisions.count(*by);
                self.advice.decided(node, *role, *by);
            }
            Event::Advised { choice, why, latency_ms, .. } => {
                self.advice.asked(choice.as_deref(), why.as_deref(), *latency_ms);
            }
            Event::Benched { role, .. } => self.advice.benched(*role),
            Event::Stepped { step, .. } => {
                view.step = view.step.max(step.0);
                self.steps.observe(node, line);
            }
            Event::Trained { round, update, .. } => {
                self.rounds.entry(round.0).or_default().update_bytes.insert(node, update.size);
            }
            Event::Planned { .. } => self.observe_plan(node, &line.event),
            Event::Settled { .. } => self.observe_settle(node, line),
            Event::PeerUp { .. }
            | Event::PeerDown { .. }
            | Event::Received { .. }
            | Event::Arrived { .. }
            | Event::Forfeited { .. }
            | Event::Withdrawn { .. }
            | Event::Adopted { .. }
            | Event::Transferred { .. }
            | Event::JobFunded { .. }
            | Event::MemberJoined { .. }
            | Event::MemberLeft { .. }
            | Event::MemberRemoved { .. }
            | Event::Voted { .. }
            | Event::VoteSuspended { .. }
            | Event::VoteRestored { .. }
            | Event::JobEnded { .. }
            | Event::ExchangeBegun { .. }
            | Event::ExchangeEnded { .. }
            | Event::Misbehaved { .. }
            | Event::Doubted { .. }
            | Event::Refused { .. }
            | Event::Hindered { .. } => {}
        }
    }

    fn observe_plan(&mut self, node: usize, event: &Event) {
        let Event::Planned { round, height, elected, agreement_round, bids, awards, .. } = event else { return };
        self.nodes[node].height = self.nodes[node].height.max(*height);
        let view = self.rounds.entry(round.0).or_default();
        view.elected.get_or_insert(*elected);
        let contracts = awards.iter().map(|award| award.contract).collect();
        let plan = PlanView { agreement_round: *agreement_round, bids: *bids, winners: awards.len(), contracts };
        view.plan.get_or_insert(plan);
    }

    fn observe_settle(&mut self, node: usize, line: &Line) {
        let Event::Settled { round, height, body, elected, proposer, agreement_round, .. } = &line.event else {
            return;
        };
        let Event::Settled { model, updates, refused, slowest_training_ms, payments, credits, .. } = &line.event else {
            return;
        };
        let own = &mut self.nodes[node];
        own.height = own.height.max(*height);
        own.round = own.round.max(round.0);
        own.bodies.insert(*height, *body);
        if self.bodies.entry(*height).or_insert(*body) != body {
            self.conflicts.insert(*height);
        }
        if !credits.balanced() {
            self.unbalanced.insert(*height);
        }
        let view = self.rounds.entry(round.0).or_default();
        view.elected.get_or_insert(*elected);
        view.settled_ms.entry(node).or_insert(line.at_ms);
        view.settle.get_or_insert_with(|| SettleView {
            height: *height,
            proposer: *proposer,
            agreement_round: *agreement_round,
            model: *model,
            updates: *updates,
            refused: refused.clone(),
            slowest_training_ms: *slowest_training_ms,
            paid: payments.values().fold(0, |sum, payment| sum.saturating_add(*payment)),
            credits: credits.clone(),
        });
    }
}

impl Decisions {
    fn count(&mut self, by: DecidedBy) {
        match by {
            DecidedBy::Model => self.model += 1,
            DecidedBy::Rules => self.rules += 1,
            DecidedBy::Fallback => self.fallback += 1,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
