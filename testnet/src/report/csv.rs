//! Tables for spreadsheets. No field holds a comma, a quote or a line break, so nothing is quoted.

use super::{RoundRow, StepRow};

/// Header of `rounds.csv`.
const ROUNDS: &str = "round,elected,settled_by,takeovers,bids,winners,updates,seconds,training_s,overhead_s,accuracy,\
    paid_micro,minted_micro,burned_micro,pool_micro,credits_min_micro,credits_max_micro,sent_bytes,blob_sent_bytes,update_bytes,refused\n";

/// `rounds.csv`: a line for every settled round. An unknown figure is an empty field.
pub(super) fn rounds(rows: &[RoundRow]) -> String {
    let mut text = ROUNDS.to_owned();
    for row in rows {
        let fields = [
            row.round.to_string(),
            row.elected.clone(),
            row.settled_by.clone(),
            row.takeovers.to_string(),
            row.bids.to_string(),
            row.winners.to_string(),
            row.updates.to_string(),
            decimal(row.seconds, 3),
            decimal(Some(row.training_s), 3),
            decimal(row.overhead_s, 3),
            decimal(row.accuracy, 4),
            row.paid.to_string(),
            row.minted.to_string(),
            row.burned.to_string(),
            row.pool.to_string(),
            row.balances.iter().min().copied().unwrap_or_default().to_string(),
            row.balances.iter().max().copied().unwrap_or_default().to_string(),
            row.sent_bytes.to_string(),
            row.blob_sent_bytes.to_string(),
            row.update_bytes.to_string(),
            row.refused.len().to_string(),
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// Header of `steps.csv`.
const STEPS: &str = "step,nodes,seconds,training_s,accuracy_mean,accuracy_worst,accuracy_best,accepted,refused,\
    sent_bytes,blob_sent_bytes\n";

/// `steps.csv`: a line for every step of epidemic exchange. An unknown figure is an empty field.
pub(super) fn steps(rows: &[StepRow]) -> String {
    let mut text = STEPS.to_owned();
    for row in rows {
        let fields = [
            row.step.to_string(),
            row.nodes.to_string(),
            decimal(row.seconds, 3),
            decimal(row.training_s, 3),
            decimal(row.accuracy.map(|accuracy| accuracy.mean), 4),
            decimal(row.accuracy.map(|accuracy| accuracy.worst), 4),
            decimal(row.accuracy.map(|accuracy| accuracy.best), 4),
            row.accepted.to_string(),
            row.refused.to_string(),
            row.sent_bytes.to_string(),
            row.blob_sent_bytes.to_string(),
        ];
        text.push_str(&fields.join(","));
        text.push('\n');
    }
    text
}

/// `credits.csv`: what every node owned after every settled round, in micro-credits.
pub(super) fn credits(names: &[&str], rows: &[RoundRow]) -> String {
    let mut text = format!("round,{}\n", names.join(","));
    for row in rows {
        let balances: Vec<String> = row.balances.iter().map(u64::to_string).collect();
        text.push_str(&format!("{},{}\n", row.round, balances.join(",")));
    }
    text
}

fn decimal(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(String::new, |value| format!("{value:.digits$}"))
}
