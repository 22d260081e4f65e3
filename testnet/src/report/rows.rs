//! One row for every settled round.

use althing_protocol::{ids::MemberId, model::Width};

use super::Findings;
use crate::observer::{RoundView, SettleView};

/// A settled round.
#[derive(Debug, Clone, PartialEq)]
pub struct RoundRow {
    /// Which.
    pub round: u64,
    /// Who was elected to chair it.
    pub elected: String,
    /// Whose Settle was decided.
    pub settled_by: String,
    /// Decisions that another than the elected had to propose.
    pub takeovers: u64,
    /// Bids that were opened.
    pub bids: usize,
    /// Members that were hired.
    pub winners: usize,
    /// The widths that they were hired for.
    pub widths: Vec<Width>,
    /// Updates that entered the model.
    pub updates: usize,
    /// Nodes whose updates only pretended to be work.
    pub refused: Vec<String>,
    /// Bytes of the updates that were made, each counted once.
    pub update_bytes: u64,
    /// Length at the median node, in seconds.
    pub seconds: Option<f64>,
    /// Slowest training, in seconds.
    pub training_s: f64,
    /// Length beyond the slowest training, in seconds.
    pub overhead_s: Option<f64>,
    /// Of the settled model, from 0 to 1.
    pub accuracy: Option<f64>,
    /// Paid to members, in micro-credits.
    pub paid: u64,
    /// Ever minted, in micro-credits.
    pub minted: u64,
    /// Ever burned, in micro-credits.
    pub burned: u64,
    /// Not yet given to anybody, in micro-credits.
    pub pool: u64,
    /// What each node owns after it, in micro-credits, in the order of the federation.
    pub balances: Vec<u64>,
    /// Bytes sent in this round by all nodes together.
    pub sent_bytes: u64,
    /// Those of them that were models and updates.
    pub blob_sent_bytes: u64,
}

/// Rows of the settled rounds up to the last one asked for. What the nodes did while they were being stopped is left out.
pub fn rows(findings: &Findings<'_>) -> Vec<RoundRow> {
    let wanted = findings.observer.rounds().range(..=findings.options.rounds);
    let settled = wanted.filter_map(|(number, view)| Some((*number, view, view.settle.as_ref()?)));
    settled.map(|(number, view, settle)| row(findings, number, view, settle)).collect()
}

fn row(findings: &Findings<'_>, round: u64, view: &RoundView, settle: &SettleView) -> RoundRow {
    let name = |id: &MemberId| findings.federation.name_of(id);
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let until = findings.traffic.up_to(round).unwrap_or_default();
    let before = findings.traffic.up_to(round.saturating_sub(1)).unwrap_or_default();
    let width = |contract: &u8| findings.federation.widths.get(usize::from(*contract)).copied();
    let owns = |id: &MemberId| settle.credits.balances.get(id).copied().unwrap_or_default();
    RoundRow {
        round,
        elected: view.elected.as_ref().map_or_else(String::new, name),
        settled_by: name(&settle.proposer),
        takeovers: view.takeovers(),
        bids: view.plan.as_ref().map_or(0, |plan| plan.bids),
        winners: view.plan.as_ref().map_or(0, |plan| plan.winners),
        widths: view.plan.iter().flat_map(|plan| &plan.contracts).filter_map(width).collect(),
        updates: settle.updates,
        refused: settle.refused.keys().map(name).collect(),
        update_bytes: view.update_bytes(),
        seconds: view.duration_ms().map(seconds),
        training_s: seconds(settle.slowest_training_ms),
        overhead_s: view.overhead_ms().map(seconds),
        accuracy: findings.accuracies.get(&settle.model.hash).copied(),
        paid: settle.paid,
        minted: settle.credits.minted,
        burned: settle.credits.burned,
        pool: settle.credits.pool,
        balances: findings.federation.nodes.iter().map(|node| owns(&node.id)).collect(),
        sent_bytes: until.sent_bytes.saturating_sub(before.sent_bytes),
        blob_sent_bytes: until.blob_sent_bytes.saturating_sub(before.blob_sent_bytes),
    }
}
