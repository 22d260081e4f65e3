//! `summary.json`. Its names are stable; `docs/testnet.md` explains each of them.

use std::collections::{BTreeMap, BTreeSet};

use althing_protocol::{
    epidemic::Topology,
    ids::{Hash, Height, NetworkId},
    model::Width,
    update::Codec,
};
use serde::Serialize;

use super::{ExchangeSummary, Findings, RoundRow, StepRow, rounded};
use crate::{
    hunt::Kill,
    observer::{AdviceSummary, Decisions, Observer, PatienceSummary, median},
    scenario::Plot,
    setup::Federation,
    status::Wire,
};

/// Decimals of a figure in seconds or megabytes.
const DECIMALS: i32 = 3;
/// Decimals of an accuracy, since the test set has 10,000 samples, and of other parts of a whole.
const ACCURACY_DECIMALS: i32 = 4;

/// What a run amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Whether it did all that was asked: exit code 0.
    pub passed: bool,
    /// Why not, for people; empty if it passed.
    pub failures: Vec<String>,
    /// What did not go as hoped but says nothing against the federation.
    pub remarks: Vec<String>,
    /// The federation's id.
    pub network: NetworkId,
    /// What was asked for.
    pub options: Asked,
    /// The seed.
    pub seed: u64,
    /// Node processes.
    pub nodes: usize,
    /// Rounds with a decided Settle, empty ones among them.
    pub rounds_settled: u64,
    /// Settled rounds into which no update entered.
    pub rounds_empty: u64,
    /// Of the last settled model, from 0 to 1.
    pub final_accuracy: Option<f64>,
    /// One entry per round from the first.
    pub accuracy_by_round: Vec<Option<f64>>,
    /// On what accuracy was measured.
    pub accuracy_source: Option<String>,
    /// Members whose Settle was decided at least once.
    pub distinct_aggregators: usize,
    /// Plans and Settles that another than the elected aggregator had to propose.
    pub takeovers: u64,
    /// Whether all ledgers verify and agree; an epidemic federation has none.
    pub heads_equal: Option<bool>,
    /// Whether every body of every ledger conserves supply; an epidemic federation has none.
    pub supply_conserved: Option<bool>,
    /// Whether the market simulator pays everybody the same for the same bids, to the micro-credit; unknown without a
    /// ledger that verifies.
    pub replay_agrees: Option<bool>,
    /// Height and head of each node's verified ledger.
    pub heads: BTreeMap<String, Head>,
    /// Median length of a round.
    pub seconds_per_round: Option<f64>,
    /// Median length of a round beyond its slowest training.
    pub overhead_seconds_per_round: Option<f64>,
    /// From the first node's start to the last settlement.
    pub wall_s: f64,
    /// Size of the model.
    pub model_bytes: u64,
    /// Bytes of a round's updates, each counted once; median over the rounds that had any.
    pub update_bytes_per_round: Option<u64>,
    /// How often members were hired, by the width of their contract.
    pub widths_hired: BTreeMap<String, u64>,
    /// Bytes sent by all nodes together.
    pub wire_bytes: u64,
    /// The same, by direction and kind.
    pub wire: Wire,
    /// Most memory that each node had resident, in millions of bytes.
    pub peak_rss_mb: BTreeMap<String, f64>,
    /// What each node has spent of its privacy budget, in epsilon; empty if training was without noise.
    pub epsilon_spent: BTreeMap<String, f64>,
    /// What each node owns, in micro-credits.
    pub credits: BTreeMap<String, u64>,
    /// Ever minted, in micro-credits.
    pub minted: u64,
    /// Ever burned, in micro-credits.
    pub burned: u64,
    /// Agents' decisions, by who made them.
    pub decisions: Decisions,
    /// The same by role, and what a language model was asked.
    pub advice: AdviceSummary,
    /// Whether anything has waited for the language model.
    pub patience: PatienceSummary,
    /// Nodes that attacked.
    pub attackers: BTreeMap<String, Attacker>,
    /// Part of all credits that they own together, 0 to 1; `None` without any credit.
    pub attackers_share: Option<f64>,
    /// How often updates of a node only pretended to be work; nodes of whom none did are left out.
    pub refused: BTreeMap<String, u64>,
    /// Nodes that were killed on purpose.
    pub kills: Vec<KillRecord>,
    /// Steps of epidemic exchange, if there were any.
    pub exchange: Option<ExchangeSummary>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Asked {
    /// Rounds wanted.
    pub rounds: u64,
    /// How the data was divided.
    pub partition: String,
    /// What was trained.
    pub model: String,
    /// Schema of the data.
    pub dataset: String,
    /// How models travelled.
    pub exchange: Topology,
    /// How updates became a model.
    pub rule: String,
    /// What was done to them before.
    pub mixing: String,
    /// Nodes that a round hired at the most; `None` if that was left to the genesis.
    pub winners: Option<u16>,
    /// How updates were coded.
    pub codec: Codec,
    /// The widths on the menu.
    pub widths: Vec<Width>,
    /// Every how many rounds the aggregator was killed.
    pub kill_aggregator_every: Option<u64>,
    /// Each node's privacy budget: epsilon; none if training was without noise.
    pub epsilon: Option<f64>,
    /// The delta that it is at.
    pub delta: Option<f64>,
}

/// A node that attacked.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Attacker {
    /// How.
    pub attack: String,
    /// From which round.
    pub from_round: u64,
    /// Part of all credits that it owns, 0 to 1; `None` without any credit.
    pub credits_share: Option<f64>,
}

/// The end of a ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Head {
    /// Decided heights.
    pub height: u64,
    /// Hash of the last body.
    pub head: Hash,
}

/// A kill, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KillRecord {
    /// In which round.
    pub round: u64,
    /// Which node.
    pub node: String,
    /// From the kill to the restart.
    pub down_s: Option<f64>,
    /// From the restart until it had that round's decision again.
    pub catch_up_s: Option<f64>,
}

impl Summary {
    /// Draws the conclusions.
    pub fn of(findings: &Findings<'_>, rows: &[RoundRow], steps: &[StepRow]) -> Self {
        let Findings { options, federation, observer, traffic, audit, .. } = findings;
        let last = rows.last();
        let settle = last.and_then(|row| observer.rounds().get(&row.round)?.settle.as_ref());
        let has_ledger = !options.is_epidemic();
        let proposers: BTreeSet<&str> = rows.iter().map(|row| row.settled_by.as_str()).collect();
        let mut summary = Self {
            passed: false,
            failures: Vec::new(),
            remarks: findings.remarks.clone(),
            network: federation.network,
            options: Asked {
                rounds: options.rounds,
                partition: options.partition.clone(),
                model: options.model.clone(),
                dataset: options.dataset.clone(),
                exchange: options.exchange,
                rule: options.rule().to_string(),
                mixing: options.mixing().to_string(),
                winners: options.winners(),
                codec: options.codec,
                widths: options.widths.clone(),
                kill_aggregator_every: options.kill_aggregator_every,
                epsilon: options.epsilon,
                delta: options.epsilon.map(|_| options.delta),
            },
            seed: options.seed,
            nodes: federation.nodes.len(),
            rounds_settled: rows.len() as u64,
            rounds_empty: rows.iter().filter(|row| row.updates == 0).count() as u64,
            final_accuracy: last.and_then(|row| row.accuracy).map(accuracy),
            accuracy_by_round: accuracy_by_round(rows),
            accuracy_source: findings.accuracy_source.clone(),
            distinct_aggregators: proposers.len(),
            takeovers: rows.iter().map(|row| row.takeovers).sum(),
            heads_equal: has_ledger
                .then(|| audit.heads_equal(observer, settle.map_or(Height(1), |settle| settle.height))),
            supply_conserved: has_ledger.then(|| audit.supply_conserved(observer)),
            replay_agrees: audit.replayed,
            heads: heads(findings),
            seconds_per_round: median_s(rows, |row| row.seconds),
            overhead_seconds_per_round: median_s(rows, |row| row.overhead_s),
            wall_s: seconds(findings.wall.as_secs_f64()),
            model_bytes: settle.map_or(0, |settle| settle.model.size),
            update_bytes_per_round: median(
                rows.iter().map(|row| row.update_bytes).filter(|bytes| *bytes > 0).collect(),
            ),
            widths_hired: widths_hired(rows),
            wire_bytes: traffic.total().sent_bytes,
            wire: traffic.total(),
            peak_rss_mb: by_name(federation, findings.peak_rss_bytes, |bytes| seconds(*bytes as f64 / 1e6)),
            epsilon_spent: epsilon_spent(findings),
            credits: last.map(|row| by_name(federation, &row.balances, |balance| *balance)).unwrap_or_default(),
            minted: last.map_or(0, |row| row.minted),
            burned: last.map_or(0, |row| row.burned),
            decisions: observer.decisions(),
            advice: observer.advice().summary(),
            patience: observer.patience(),
            attackers: BTreeMap::new(),
            attackers_share: None,
            refused: refusals(rows),
            kills: findings.kills.iter().map(|kill| KillRecord::of(kill, federation)).collect(),
            exchange: ExchangeSummary::of(steps, federation.nodes.len()),
        };
        if !has_ledger {
            summary.take_from_steps(observer, steps);
        }
        for (node, plot) in federation.attackers() {
            let credits_share = summary.share([&node.name]);
            let Plot { attack, from_round } = plot;
            summary
                .attackers
                .insert(node.name.clone(), Attacker { attack: attack.to_string(), from_round, credits_share });
        }
        summary.attackers_share = summary.share(summary.attackers.keys());
        summary.failures = summary.why_it_failed(findings);
        summary.passed = summary.failures.is_empty();
        summary
    }

    /// Fills the figures that rounds and steps have in common from the steps.
    fn take_from_steps(&mut self, observer: &Observer, steps: &[StepRow]) {
        let last = self.exchange.as_ref().and_then(|exchange| exchange.final_accuracy);
        self.final_accuracy = last.map(|spread| spread.mean);
        self.accuracy_by_round = steps.iter().map(|row| Some(row.accuracy?.mean)).collect();
        self.seconds_per_round = median_s(steps, |row| row.seconds);
        self.overhead_seconds_per_round = median_s(steps, |row| Some((row.seconds? - row.training_s?).max(0.0)));
        let models = observer.steps().iter().flat_map(|(_, nodes)| nodes.values().map(|ended| ended.model.size));
        self.model_bytes = models.max().unwrap_or(0);
    }

    fn why_it_failed(&self, findings: &Findings<'_>) -> Vec<String> {
        let mut failures = findings.complaints.clone();
        let wanted = self.options.rounds;
        let steps_ended = self.exchange.as_ref().map_or(0, |exchange| exchange.steps_ended);
        match self.options.exchange {
            Topology::Elected if self.rounds_settled < wanted => {
                failures.push(format!("{} of {wanted} rounds were settled", self.rounds_settled));
            }
            Topology::Epidemic { .. } if steps_ended < wanted => {
                failures.push(format!("{steps_ended} of {wanted} steps were ended by every node"));
            }
            Topology::Elected | Topology::Epidemic { .. } => {}
        }
        for kill in self.kills.iter().filter(|kill| kill.catch_up_s.is_none()) {
            failures.push(format!("{}, killed in round {}, did not come back", kill.node, kill.round));
        }
        failures.extend(self.patience.complaints());
        failures.extend(findings.audit.complaints.iter().cloned());
        if self.heads_equal == Some(false) {
            failures.push("the ledgers do not agree, or not all of them verify".to_owned());
        }
        if self.supply_conserved == Some(false) {
            failures.push("supply is not conserved, or not all ledgers verify".to_owned());
        }
        if self.replay_agrees == Some(false) {
            failures.push("the market simulator pays otherwise than the nodes: see `testnet trace`".to_owned());
        }
        failures
    }

    /// The part of all credits that these nodes own.
    fn share<'a>(&self, names: impl IntoIterator<Item = &'a String>) -> Option<f64> {
        let owned: u64 = names.into_iter().filter_map(|name| self.credits.get(name)).sum();
        let all: u64 = self.credits.values().sum();
        (all > 0).then(|| accuracy(owned as f64 / all as f64))
    }

    /// As the file has it.
    pub fn to_json(&self) -> String {
        // Every key is a string and every float is finite, so this cannot fail; an empty file would say so.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }
}

impl KillRecord {
    fn of(kill: &Kill, federation: &Federation) -> Self {
        let span = |from: u64, to: u64| seconds(to.saturating_sub(from) as f64 / 1000.0);
        let catch_up = kill.restarted_ms.zip(kill.back_ms);
        Self {
            round: kill.round,
            node: federation.nodes.get(kill.node).map(|node| node.name.clone()).unwrap_or_default(),
            down_s: kill.restarted_ms.map(|restarted| span(kill.killed_ms, restarted)),
            catch_up_s: catch_up.map(|(restarted, back)| span(restarted, back)),
        }
    }
}

fn seconds(value: f64) -> f64 {
    rounded(value, DECIMALS)
}

fn accuracy(value: f64) -> f64 {
    rounded(value, ACCURACY_DECIMALS)
}

fn widths_hired(rows: &[RoundRow]) -> BTreeMap<String, u64> {
    let mut hired = BTreeMap::new();
    for width in rows.iter().flat_map(|row| &row.widths) {
        *hired.entry(width.to_string()).or_default() += 1;
    }
    hired
}

fn accuracy_by_round(rows: &[RoundRow]) -> Vec<Option<f64>> {
    let last = rows.last().map_or(0, |row| row.round);
    let of = |round| rows.iter().find(|row| row.round == round)?.accuracy.map(accuracy);
    (1..=last).map(of).collect()
}

/// How often each node's updates were refused.
fn refusals(rows: &[RoundRow]) -> BTreeMap<String, u64> {
    let mut refused = BTreeMap::new();
    for node in rows.iter().flat_map(|row| &row.refused) {
        *refused.entry(node.clone()).or_insert(0) += 1;
    }
    refused
}

/// The median over the rounds that have the figure, to the millisecond.
fn median_s<T>(rows: &[T], figure: impl Fn(&T) -> Option<f64>) -> Option<f64> {
    let milliseconds = rows.iter().filter_map(figure).map(|value| (value * 1000.0).round() as u64).collect();
    median(milliseconds).map(|value| value as f64 / 1000.0)
}

fn by_name<T, U>(federation: &Federation, values: &[T], show: impl Fn(&T) -> U) -> BTreeMap<String, U> {
    federation.nodes.iter().zip(values).map(|(node, value)| (node.name.clone(), show(value))).collect()
}

fn epsilon_spent(findings: &Findings<'_>) -> BTreeMap<String, f64> {
    let nodes = findings.federation.nodes.iter().zip(findings.observer.nodes());
    let spent = |micro: u64| rounded(micro as f64 / 1e6, ACCURACY_DECIMALS);
    nodes.filter_map(|(node, view)| Some((node.name.clone(), spent(view.privacy?.spent_micro)))).collect()
}

fn heads(findings: &Findings<'_>) -> BTreeMap<String, Head> {
    let nodes = findings.federation.nodes.iter().zip(&findings.audit.ledgers);
    let verified = nodes.filter_map(|(node, ledger)| Some((node, ledger.as_ref()?)));
    verified.map(|(node, ledger)| (node.name.clone(), Head { height: ledger.heights, head: ledger.head })).collect()
}
