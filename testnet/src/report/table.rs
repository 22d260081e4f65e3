//! The last words of a run, for people.

use std::fmt::Write as _;

use super::{ExchangeSummary, Spread, Summary, format_credits};
use crate::observer::{AdviceSummary, Decisions, PatienceSummary};

/// The table that ends a run.
pub fn table(summary: &Summary) -> String {
    let mut text = String::new();
    let verdict = if summary.passed { "passed" } else { "FAILED" };
    line(&mut text, "result", verdict);
    for failure in &summary.failures {
        line(&mut text, "", failure);
    }
    for remark in &summary.remarks {
        line(&mut text, "remark", remark);
    }
    if summary.heads_equal.is_some() {
        let rounds = format!(
            "{} settled, {} of them empty, in {:.1} s",
            summary.rounds_settled, summary.rounds_empty, summary.wall_s
        );
        line(&mut text, "rounds", &rounds);
    }
    if let Some(exchange) = &summary.exchange {
        push_exchange(&mut text, exchange, summary.wall_s);
    }
    let figure = |value: Option<f64>, digits: usize| value.map_or_else(unknown, |value| format!("{value:.digits$}"));
    line(&mut text, "accuracy", &figure(summary.final_accuracy, 4));
    let pace = format!(
        "{} s, of which {} s beyond the slowest training (medians)",
        figure(summary.seconds_per_round, 2),
        figure(summary.overhead_seconds_per_round, 2)
    );
    line(&mut text, if summary.heads_equal.is_some() { "a round" } else { "a step" }, &pace);
    if let (Some(equal), Some(conserved)) = (summary.heads_equal, summary.supply_conserved) {
        let aggregators = format!("{} distinct, {} takeovers", summary.distinct_aggregators, summary.takeovers);
        line(&mut text, "aggregators", &aggregators);
        line(&mut text, "ledgers", if equal { "verified, and all agree" } else { "DISAGREE" });
        line(&mut text, "supply", if conserved { "conserved" } else { "NOT conserved" });
        if let Some(agrees) = summary.replay_agrees {
            line(&mut text, "simulator", if agrees { "pays the same" } else { "PAYS OTHERWISE" });
        }
    }
    if !summary.attackers.is_empty() {
        let share = summary.attackers_share.map_or_else(unknown, |share| format!("{:.1} %", 100.0 * share));
        line(&mut text, "attackers", &format!("{} nodes, who own {share} of all credits", summary.attackers.len()));
    }
    line(&mut text, "agents", &agents(summary));
    if let Some(words) = patience(&summary.patience) {
        line(&mut text, "waiting", &words);
    }
    line(&mut text, "rule", &format!("{}, mixing {}", summary.options.rule, summary.options.mixing));
    let wire = format!(
        "{:.1} MB sent, {:.1} MB of them models of {:.2} MB",
        megabytes(summary.wire.sent_bytes),
        megabytes(summary.wire.blob_sent_bytes),
        megabytes(summary.model_bytes)
    );
    line(&mut text, "wire", &wire);
    if let (Some(epsilon), Some(delta)) = (summary.options.epsilon, summary.options.delta) {
        let spent = summary.epsilon_spent.values().copied();
        let (least, most) = (spent.clone().fold(f64::INFINITY, f64::min), spent.fold(0.0, f64::max));
        line(&mut text, "privacy", &format!("epsilon {least:.3} to {most:.3} spent of {epsilon} at delta {delta:e}"));
    }
    let size = summary.update_bytes_per_round.map_or_else(unknown, |bytes| format!("{:.3} MB", megabytes(bytes)));
    line(&mut text, "updates", &format!("{size} a round, coded by {}", summary.options.codec));
    let hired: Vec<String> = summary.widths_hired.iter().map(|(width, times)| format!("{width} {times} x")).collect();
    line(&mut text, "hired for", &format!("width {}", if hired.is_empty() { unknown() } else { hired.join(", ") }));
    text.push('\n');
    push_nodes(&mut text, summary);
    text
}

fn push_exchange(text: &mut String, exchange: &ExchangeSummary, wall_s: f64) {
    line(text, "steps", &format!("{} ended by every node, in {wall_s:.1} s", exchange.steps_ended));
    if let Some(Spread { worst, best, .. }) = exchange.final_accuracy {
        line(text, "own models", &format!("accuracy from {worst:.4} to {best:.4} after the last step"));
    }
    line(text, "exchanged", &format!("{} models accepted, {} refused", exchange.accepted, exchange.refused));
}

fn push_nodes(text: &mut String, summary: &Summary) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "  {:<12} {:>12} {:>14} {:>8}  remarks", "node", "credits", "peak memory", "height");
    for (name, memory) in &summary.peak_rss_mb {
        let credits = summary.credits.get(name).map_or_else(unknown, |micro| format_credits(*micro));
        let height = summary.heads.get(name).map_or_else(unknown, |head| head.height.to_string());
        let kills: Vec<String> = summary
            .kills
            .iter()
            .filter(|kill| kill.node == *name)
            .map(|kill| format!("round {}", kill.round))
            .collect();
        let attack = summary.attackers.get(name).map(|attacker| format!("attacks: {}", attacker.attack));
        let mut remarks: Vec<String> = attack.into_iter().chain(kills).collect();
        remarks.extend(summary.epsilon_spent.get(name).map(|spent| format!("epsilon {spent:.3}")));
        let row = format!("  {name:<12} {credits:>12} {memory:>11.1} MB {height:>8}  {}", remarks.join(", "));
        let _ = writeln!(text, "{}", row.trim_end());
    }
}

/// Who decided, role by role.
fn agents(summary: &Summary) -> String {
    let Decisions { model, rules, fallback } = summary.decisions;
    if model + fallback + summary.advice.orders == 0 && summary.advice.setbacks.is_empty() {
        return format!("{rules} decisions, all by rules");
    }
    let AdviceSummary { orders, nodes_with_orders, latency_s, .. } = &summary.advice;
    let setbacks: u64 = summary.advice.setbacks.values().sum();
    let latency = latency_s.map_or_else(unknown, |seconds| format!("{seconds:.1} s"));
    format!(
        "{model} decisions by a model's orders, {rules} by rules, {fallback} by rules in a model's place\n\
         {:15}{orders} orders and {setbacks} setbacks, {latency} each (median); {nodes_with_orders} nodes followed one",
        ""
    )
}

/// What has not waited for the model; nothing if no question took it long.
fn patience(found: &PatienceSummary) -> Option<String> {
    let took = found.longest_decision_ms?;
    let figure = |seconds: Option<f64>| seconds.map_or_else(unknown, |seconds| format!("{seconds:.2} s"));
    Some(format!(
        "the longest that a decision took with a question open: {took:.1} ms, of {} decisions\n\
         {:15}{} of {} phases with a question open began and ended meanwhile ({} each, {} without one; medians)\n\
         {:15}{} of them ended with an answer, where chance makes that {:.1}",
        found.decisions,
        "",
        found.phases_within,
        found.phases,
        figure(found.phase_within_s),
        figure(found.phase_without_s),
        "",
        found.phases_ended_with_answer,
        found.by_chance,
    ))
}

fn line(text: &mut String, what: &str, words: &str) {
    let _ = writeln!(text, "  {what:<12} {words}");
}

/// What stands for a figure that could not be measured.
fn unknown() -> String {
    "?".to_owned()
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
