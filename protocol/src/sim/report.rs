//! What came of a run.

use std::collections::BTreeMap;

use super::{epidemic::Stepped, property::Violation};
use crate::{body::Body, event::Award, ids::Hash, ids::Height, state::State, time::Time, wire::Decision};

/// How much of what happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Messages that arrived.
    pub messages: u64,
    /// Forgeries that arrived, each of which was turned away.
    pub forgeries: u64,
    /// Times that a member died.
    pub crashes: u64,
    /// Lies that were told.
    pub lies: u64,
    /// Decisions that came from another than the elected chair.
    pub takeovers: u64,
    /// Rounds that settled without an update.
    pub empty_rounds: u64,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The seed that the run came from.
    pub seed: u64,
    /// Hash of everything that happened.
    pub trace: Hash,
    /// When it ended, in virtual time.
    pub ended: Time,
    /// Where each member stands; the last durable state of one that is dead.
    pub states: Vec<State>,
    /// Steps of epidemic exchange that each member has ended, over all its lives.
    pub steps: Vec<Vec<Stepped>>,
    /// Every decided body.
    pub chain: BTreeMap<Height, Body>,
    /// Every decision with a certificate of it, from the first height on.
    pub decisions: Vec<Decision>,
    /// When each was first decided by anybody honest.
    pub decided_at: BTreeMap<Height, Time>,
    /// Whom each Plan hires.
    pub awards: BTreeMap<Height, Vec<Award>>,
    /// How much of what.
    pub counts: Counts,
    /// What must not have happened.
    pub violations: Vec<Violation>,
}

impl Report {
    /// The violations as text, with how to see them again; nothing if there are none.
    pub fn complaint(&self) -> Option<String> {
        if self.violations.is_empty() {
            return None;
        }
        let lines: Vec<String> = self.violations.iter().map(ToString::to_string).collect();
        let again = format!("ALTHING_SIM_SEED={} cargo test -p althing-protocol --test sim one_seed", self.seed);
        Some(format!("seed {}:\n  {}\n  run it again: {again}", self.seed, lines.join("\n  ")))
    }
}
