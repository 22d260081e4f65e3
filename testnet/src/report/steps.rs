//! What steps of epidemic exchange amounted to: one row for each number, over all nodes that have ended it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Findings, rounded};
use crate::observer::{Ended, median};

/// Decimals of an accuracy: the test set has 10,000 samples.
const ACCURACY_DECIMALS: i32 = 4;

/// Accuracy of the own models of nodes that do not attack, from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// Over all of them.
    pub mean: f64,
    /// The least.
    pub worst: f64,
    /// The most.
    pub best: f64,
}

impl Spread {
    /// Of `values`, to the decimals that are measured; nothing for none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let shown = |value| rounded(value, ACCURACY_DECIMALS);
        let worst = values.iter().copied().min_by(f64::total_cmp)?;
        let best = values.iter().copied().max_by(f64::total_cmp)?;
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Some(Self { mean: shown(mean), worst: shown(worst), best: shown(best) })
    }
}

/// A step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Which, by each node's own count.
    pub step: u64,
    /// Nodes that have ended it.
    pub nodes: usize,
    /// Length at the median node, in seconds; unknown for the first.
    pub seconds: Option<f64>,
    /// Training at the median node, in seconds.
    pub training_s: Option<f64>,
    /// Of the own models of nodes that do not attack, once all of them are judged.
    pub accuracy: Option<Spread>,
    /// Models that entered another member's.
    pub accepted: usize,
    /// Models that came and did not.
    pub refused: usize,
    /// Bytes sent by all nodes together while it was the highest.
    pub sent_bytes: u64,
    /// Those of them that were models.
    pub blob_sent_bytes: u64,
}

/// The exchange of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ExchangeSummary {
    /// Steps that every node has ended.
    pub steps_ended: u64,
    /// One entry per step from the first.
    pub accuracy_by_step: Vec<Option<Spread>>,
    /// After the last step that every node has ended.
    pub final_accuracy: Option<Spread>,
    /// Models that entered another member's.
    pub accepted: usize,
    /// Models that came and did not.
    pub refused: usize,
}

impl ExchangeSummary {
    /// What `rows` amount to in a federation of `nodes`; nothing if there was no step.
    pub fn of(rows: &[StepRow], nodes: usize) -> Option<Self> {
        let full = rows.iter().rev().find(|row| row.nodes == nodes);
        (!rows.is_empty()).then(|| Self {
            steps_ended: full.map_or(0, |row| row.step),
            accuracy_by_step: rows.iter().map(|row| row.accuracy).collect(),
            final_accuracy: full.and_then(|row| row.accuracy),
            accepted: rows.iter().map(|row| row.accepted).sum(),
            refused: rows.iter().map(|row| row.refused).sum(),
        })
    }
}

/// Rows of the steps up to the last one asked for.
pub fn step_rows(findings: &Findings<'_>) -> Vec<StepRow> {
    let wanted = findings.observer.steps().iter().take_while(|(step, _)| *step <= findings.options.rounds);
    wanted.map(|(step, ended)| row(findings, step, ended)).collect()
}

fn row(findings: &Findings<'_>, step: u64, nodes: &BTreeMap<usize, Ended>) -> StepRow {
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let ended: Vec<&Ended> = nodes.values().collect();
    // What a node that attacks thinks of its own model concerns nobody.
    let honest = nodes.iter().filter(|(node, _)| findings.federation.nodes[**node].plot.is_none());
    let judged: Vec<Option<f64>> =
        honest.map(|(_, ended)| findings.accuracies.get(&ended.model.hash).copied()).collect();
    let accuracies: Option<Vec<f64>> = judged.into_iter().collect();
    let until = findings.traffic.up_to(step).unwrap_or_default();
    let before = findings.traffic.up_to(step.saturating_sub(1)).unwrap_or_default();
    StepRow {
        step,
        nodes: ended.len(),
        seconds: findings.observer.steps().duration_ms(step).map(seconds),
        training_s: median(ended.iter().map(|ended| ended.training_ms).collect()).map(seconds),
        accuracy: accuracies.and_then(|accuracies| Spread::of(&accuracies)),
        accepted: ended.iter().map(|ended| ended.accepted).sum(),
        refused: ended.iter().map(|ended| ended.refused).sum(),
        sent_bytes: until.sent_bytes.saturating_sub(before.sent_bytes),
        blob_sent_bytes: until.blob_sent_bytes.saturating_sub(before.blob_sent_bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(step: u64, nodes: usize, accuracy: Option<f64>) -> StepRow {
        StepRow {
            step,
            nodes,
            seconds: None,
            training_s: None,
            accuracy: accuracy.and_then(|value| Spread::of(&[value])),
            accepted: 5,
            refused: 1,
            sent_bytes: 0,
            blob_sent_bytes: 0,
        }
    }

    #[test]
    fn a_spread_has_its_ends_and_its_middle() {
        assert_eq!(Spread::of(&[]), None);
        let spread = Spread::of(&[0.9, 0.5, 0.73333]).unwrap();
        assert_eq!((spread.worst, spread.best, spread.mean), (0.5, 0.9, 0.7111));
    }

    #[test]
    fn a_step_counts_once_every_node_has_ended_it() {
        let rows = [row(1, 3, Some(0.5)), row(2, 3, Some(0.75)), row(3, 2, Some(0.8))];
        let summary = ExchangeSummary::of(&rows, 3).unwrap();
        assert_eq!((summary.steps_ended, summary.final_accuracy.unwrap().mean), (2, 0.75));
        assert_eq!((summary.accuracy_by_step.len(), summary.accepted, summary.refused), (3, 15, 3));
        assert_eq!(ExchangeSummary::of(&rows[2..], 3).unwrap().steps_ended, 0);
        assert_eq!(ExchangeSummary::of(&[], 3), None);
    }
}
