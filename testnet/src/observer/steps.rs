//! Steps of epidemic exchange, as the nodes tell them. Every node counts its own; a figure of step *t* is that of all
//! nodes' steps *t*, whenever they took them.

use std::collections::BTreeMap;

use althing_protocol::{event::Event, ids::BlobRef};

use super::{Line, median};

/// A step that a node has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When, in Unix milliseconds.
    pub at_ms: u64,
    /// Its own model after it.
    pub model: BlobRef,
    /// Models of others that entered it.
    pub accepted: usize,
    /// Models of others that did not.
    pub refused: usize,
    /// Time that training took, in milliseconds.
    pub training_ms: u64,
}

/// All steps of all nodes.
#[derive(Debug, Default)]
pub struct Steps(BTreeMap<u64, BTreeMap<usize, Ended>>);

impl Steps {
    /// The nodes' steps, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &BTreeMap<usize, Ended>)> {
        self.0.iter().map(|(step, nodes)| (*step, nodes))
    }

    /// Step `number` of all nodes that have ended it.
    pub fn get(&self, number: u64) -> Option<&BTreeMap<usize, Ended>> {
        self.0.get(&number)
    }

    /// The highest number that any node has ended, 0 before the first.
    pub fn last(&self) -> u64 {
        self.0.last_key_value().map_or(0, |(step, _)| *step)
    }

    /// Takes in a line of `node`, if it ends a step.
    pub(super) fn observe(&mut self, node: usize, line: &Line) {
        let Event::Stepped { step, model, accepted, refused, training_ms, .. } = line.event else { return };
        let ended = Ended { at_ms: line.at_ms, model, accepted, refused, training_ms };
        self.0.entry(step.0).or_default().insert(node, ended);
    }

    /// From the end of the step before to the end of step `number`, at the median node, in milliseconds.
    pub fn duration_ms(&self, number: u64) -> Option<u64> {
        let (before, nodes) = (self.0.get(&number.checked_sub(1)?)?, self.0.get(&number)?);
        let span = |(node, ended): (&usize, &Ended)| Some(ended.at_ms.saturating_sub(before.get(node)?.at_ms));
        median(nodes.iter().filter_map(span).collect())
    }
}
