//! What the attacks amounted to. The names in `summary.json` are stable; `docs/testnet.md` explains them.

use std::{fmt::Write as _, fs, path::Path};

use althing_protocol::{epidemic::Topology, sim::attack::Attack};
use serde::{Deserialize, Serialize};

use super::{AttacksOptions, Defence};

/// How much of the clean accuracy an attack may cost under the robust rule, 0 to 1.
const TOLERANCE: f64 = 0.03;

/// What the attacks amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Node processes.
    pub nodes: u16,
    /// Those of them that attacked.
    pub liars: u16,
    /// Rounds of every run.
    pub rounds: u64,
    /// What was trained.
    pub model: String,
    /// How the data was divided.
    pub partition: String,
    /// How models travelled.
    pub exchange: Topology,
    /// The robust rule.
    pub rule: String,
    /// What was done to updates before it.
    pub mixing: String,
    /// How much of the clean accuracy an attack may cost.
    pub tolerance: f64,
    /// Without any attack.
    pub clean: Pair,
    /// With each.
    pub attacks: Vec<AttackResult>,
    /// Whether no attack cost more under the robust rule.
    pub holds: Option<bool>,
}

/// The same under the robust rule and under the plain mean; `None` for a run that failed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pair {
    /// Under the robust rule.
    pub robust: Option<Outcome>,
    /// Under the plain mean.
    pub mean: Option<Outcome>,
}

/// What a run amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// Of the last model, from 0 to 1.
    pub accuracy: f64,
    /// Part of all credits that those who attacked own, 0 to 1.
    pub attackers_share: Option<f64>,
}

/// What an attack amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttackResult {
    /// Which one.
    pub attack: String,
    /// What came of it.
    #[serde(flatten)]
    pub pair: Pair,
    /// What it cost of the clean accuracy under the robust rule; below zero, it did no harm.
    pub cost: Option<f64>,
    /// Whether that is little enough.
    pub holds: Option<bool>,
}

/// What is read of the summary of a run.
#[derive(Debug, Deserialize)]
struct Report {
    passed: bool,
    final_accuracy: Option<f64>,
    attackers_share: Option<f64>,
}

impl Outcome {
    /// Of the run whose report is here, if it passed.
    pub(super) fn read(report: &Path) -> Option<Self> {
        let text = fs::read_to_string(report.join("summary.json")).ok()?;
        let report: Report = serde_json::from_str(&text).ok()?;
        let accuracy = report.final_accuracy.filter(|_| report.passed)?;
        Some(Self { accuracy, attackers_share: report.attackers_share })
    }
}

impl AttackResult {
    pub(super) fn of(attack: Attack, pair: Pair, clean: &Pair) -> Self {
        let both = clean.robust.as_ref().zip(pair.robust.as_ref());
        let cost = both.map(|(clean, attacked)| ((clean.accuracy - attacked.accuracy) * 1e4).round() / 1e4);
        Self { attack: attack.to_string(), pair, cost, holds: cost.map(|cost| cost <= TOLERANCE) }
    }
}

impl Summary {
    pub(super) fn of(options: &AttacksOptions, clean: Pair, attacks: Vec<AttackResult>) -> Self {
        let (rule, mixing) = options.rule(Defence::Robust);
        let verdicts: Option<Vec<bool>> = attacks.iter().map(|attack| attack.holds).collect();
        Self {
            nodes: options.nodes,
            liars: options.liars(),
            rounds: options.rounds,
            model: options.model.clone(),
            partition: options.partition.clone(),
            exchange: options.exchange,
            rule: rule.to_string(),
            mixing: mixing.to_string(),
            tolerance: TOLERANCE,
            clean,
            attacks,
            holds: verdicts.map(|verdicts| verdicts.into_iter().all(|holds| holds)),
        }
    }

    /// As JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to become JSON: its keys are words, and every number is finite.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The figures for people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  {} of {} nodes attack: {}, {}, {} rounds, {}; the robust rule is {} after {}\n",
            self.liars, self.nodes, self.model, self.partition, self.rounds, self.exchange, self.rule, self.mixing
        );
        let _ = writeln!(text, "  {:<12} {:>9} {:>9} {:>9}  attackers' credits", "attack", "robust", "cost", "mean");
        push(&mut text, "none", &self.clean, None);
        for AttackResult { attack, pair, cost, .. } in &self.attacks {
            push(&mut text, attack, pair, *cost);
        }
        let verdict = match self.holds {
            Some(true) => "no attack costs more than 3 points under the robust rule",
            Some(false) => "MISSED: an attack costs more than 3 points under the robust rule",
            None => "a run failed, so nothing is known",
        };
        let _ = write!(text, "\n  result       {verdict}");
        text
    }
}

fn push(text: &mut String, attack: &str, pair: &Pair, cost: Option<f64>) {
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let accuracy = |outcome: &Option<Outcome>| {
        outcome.as_ref().map_or_else(|| "failed".to_owned(), |outcome| percent(outcome.accuracy))
    };
    let mark = if cost.is_some_and(|cost| cost > TOLERANCE) { "  MISSED" } else { "" };
    let share = pair.robust.as_ref().and_then(|outcome| outcome.attackers_share).filter(|_| cost.is_some());
    let row = format!(
        "  {attack:<12} {:>9} {:>9} {:>9}  {}{mark}",
        accuracy(&pair.robust),
        cost.map_or_else(String::new, |cost| format!("{:.2}", 100.0 * cost)),
        accuracy(&pair.mean),
        share.map(percent).unwrap_or_default()
    );
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}", row.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(robust: f64, mean: f64) -> Pair {
        let outcome = |accuracy| Some(Outcome { accuracy, attackers_share: Some(0.125) });
        Pair { robust: outcome(robust), mean: outcome(mean) }
    }

    #[test]
    fn an_attack_is_measured_by_the_clean_run_under_the_same_rule() {
        let clean = pair(0.95, 0.97);
        let near = AttackResult::of(Attack::Mimic, pair(0.92, 0.5), &clean);
        assert_eq!((near.cost, near.holds), (Some(0.03), Some(true)), "three points are little enough");
        let far = AttackResult::of(Attack::SignFlip, pair(0.9199, 0.97), &clean);
        assert_eq!(far.holds, Some(false));
        let failed = AttackResult::of(Attack::Nan, Pair { robust: None, ..pair(0.9, 0.9) }, &clean);
        assert_eq!((failed.cost, failed.holds), (None, None));
        let mut text = String::new();
        push(&mut text, "sign-flip", &far.pair, far.cost);
        assert_eq!(text, "  sign-flip      91.99 %      3.01   97.00 %  12.50 %  MISSED\n");
    }

    #[test]
    fn only_a_run_that_passed_has_an_outcome() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.json");
        assert_eq!(Outcome::read(folder.path()), None);
        fs::write(&path, r#"{"passed":true,"final_accuracy":0.5,"attackers_share":0.25,"other":1}"#).unwrap();
        let outcome = Outcome { accuracy: 0.5, attackers_share: Some(0.25) };
        assert_eq!(Outcome::read(folder.path()), Some(outcome));
        fs::write(&path, r#"{"passed":false,"final_accuracy":0.5,"attackers_share":null}"#).unwrap();
        assert_eq!(Outcome::read(folder.path()), None);
    }
}
