//! Who decided, role by role, and what a language model had to do with it.

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::event::{DecidedBy, Role};
use serde::Serialize;

use super::{Decisions, median};

/// What the nodes have told of their agents.
#[derive(Debug, Clone, Default)]
pub struct Advice {
    roles: BTreeMap<Role, Decisions>,
    followers: BTreeSet<usize>,
    orders: u64,
    setbacks: BTreeMap<String, u64>,
    latencies_ms: Vec<u64>,
    benched: BTreeMap<Role, u64>,
}

/// The same in figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct AdviceSummary {
    /// Decisions of each role, by who made them.
    pub by_role: BTreeMap<Role, Decisions>,
    /// Nodes of which at least one decision followed a model's order.
    pub nodes_with_orders: usize,
    /// Questions that brought an order.
    pub orders: u64,
    /// Questions that brought none, by why.
    pub setbacks: BTreeMap<String, u64>,
    /// Median time from a question to its order or setback, in seconds.
    pub latency_s: Option<f64>,
    /// How often a role's model was benched.
    pub benched: BTreeMap<Role, u64>,
}

impl Advice {
    pub(super) fn decided(&mut self, node: usize, role: Role, by: DecidedBy) {
        self.roles.entry(role).or_default().count(by);
        if by == DecidedBy::Model {
            self.followers.insert(node);
        }
    }

    pub(super) fn asked(&mut self, choice: Option<&str>, why: Option<&str>, latency_ms: u64) {
        self.latencies_ms.push(latency_ms);
        if choice.is_some() {
            self.orders += 1;
        } else {
            *self.setbacks.entry(why.unwrap_or("unknown").to_owned()).or_default() += 1;
        }
    }

    pub(super) fn benched(&mut self, role: Role) {
        *self.benched.entry(role).or_default() += 1;
    }

    /// The figures.
    pub fn summary(&self) -> AdviceSummary {
        AdviceSummary {
            by_role: self.roles.clone(),
            nodes_with_orders: self.followers.len(),
            orders: self.orders,
            setbacks: self.setbacks.clone(),
            latency_s: median(self.latencies_ms.clone()).map(|ms| ms as f64 / 1e3),
            benched: self.benched.clone(),
        }
    }
}
