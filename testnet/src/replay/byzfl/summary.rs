//! What the grid amounted to. The names in `summary.json` are stable; `docs/replay.md` explains them.

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use althing_node::learn::model::Architecture;
use serde::Serialize;

use super::{
    course::{ARCHITECTURE, BATCH, CLIP, LEARNING_RATE, MOMENTUM, WEIGHT_DECAY},
    grid::{self, HONEST},
    options::Options,
    record::Played,
};

/// How much worse than the published one a cell may be: the publication gives two decimals.
const TOLERANCE: f64 = 0.02;

/// What the grid amounted to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Name of the experiment.
    pub replay: &'static str,
    /// What was trained.
    pub model: Architecture,
    /// Members who do not lie.
    pub honest: usize,
    /// How updates became a model.
    pub rule: String,
    /// What was done to them before.
    pub mixing: String,
    /// Samples of a batch.
    pub batch: usize,
    /// Step size.
    pub learning_rate: f32,
    /// How much of a member's momentum lives on.
    pub momentum: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Longest momentum that counts in full.
    pub clip: f64,
    /// Steps of a run.
    pub steps: u32,
    /// Runs of each kind.
    pub seeds: u16,
    /// Every pair of a similarity and a number of liars, in the order of the options.
    pub cells: Vec<Cell>,
    /// How much worse than the published one a cell may be.
    pub tolerance: f64,
    /// Whether every published cell is reached; `None` if there is none here.
    pub holds: Option<bool>,
    /// Length of what was played now, in seconds.
    pub wall_s: f64,
}

/// A pair of a similarity and a number of liars.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cell {
    /// Part of every member's data that is drawn from all.
    pub similarity: f64,
    /// Members who lie.
    pub liars: usize,
    /// The accuracy under each attack, from 0 to 1: the mean over the seeds, at the reading where that is best.
    pub attacks: BTreeMap<String, f64>,
    /// The attack that harms most.
    pub worst_attack: String,
    /// The accuracy under it.
    pub accuracy: f64,
    /// The worst accuracy over the attacks after the last step.
    pub final_accuracy: f64,
    /// The published accuracy of this cell, if there is one.
    pub published: Option<f64>,
    /// Whether ours is at least the published one less the tolerance.
    pub holds: Option<bool>,
}

impl Cell {
    /// Of runs that differ in attack and seed only. `None` without any.
    fn of(played: &[&Played]) -> Option<Self> {
        let first = &played.first()?.run;
        let mut curves: BTreeMap<String, Vec<&Played>> = BTreeMap::new();
        for one in played {
            curves.entry(one.run.play.to_string()).or_default().push(one);
        }
        let means: BTreeMap<&String, Vec<f64>> = curves.iter().map(|(attack, runs)| (attack, means(runs))).collect();
        let best = |curve: &Vec<f64>| curve.iter().copied().max_by(f64::total_cmp).unwrap_or(0.0);
        let attacks: BTreeMap<String, f64> = means.iter().map(|(name, curve)| ((*name).clone(), best(curve))).collect();
        let (worst_attack, accuracy) = attacks.iter().min_by(|a, b| a.1.total_cmp(b.1))?;
        let last = means.values().filter_map(|curve| curve.last().copied()).min_by(f64::total_cmp)?;
        let published = grid::published(first);
        Some(Self {
            similarity: first.similarity.share(),
            liars: first.liars,
            worst_attack: worst_attack.clone(),
            accuracy: rounded(*accuracy),
            final_accuracy: rounded(last),
            published,
            // Rounded as the publication rounds; a hundredth of the tolerance covers the decimal fractions of a float.
            holds: published.map(|published| hundredths(*accuracy) >= published - TOLERANCE - 1e-9),
            attacks: attacks.iter().map(|(name, accuracy)| (name.clone(), rounded(*accuracy))).collect(),
        })
    }
}

/// The mean over runs of each of their readings.
fn means(runs: &[&Played]) -> Vec<f64> {
    let readings = runs.iter().map(|played| played.readings.len()).min().unwrap_or(0);
    let mean =
        |place: usize| runs.iter().map(|played| played.readings[place].accuracy).sum::<f64>() / runs.len() as f64;
    (0..readings).map(mean).collect()
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn hundredths(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

impl Summary {
    /// Sums up what was played of the grid that `options` ask for.
    pub(super) fn of(options: &Options, played: &[Played], wall: Duration) -> Self {
        let mut cells = Vec::new();
        for similarity in &options.similarity {
            for &liars in &options.liars {
                let is_here =
                    |played: &&Played| played.run.similarity == *similarity && played.run.liars == usize::from(liars);
                cells.extend(Cell::of(&played.iter().filter(is_here).collect::<Vec<_>>()));
            }
        }
        let verdicts: Vec<bool> = cells.iter().filter_map(|cell| cell.holds).collect();
        Self {
            replay: "byzfl",
            model: ARCHITECTURE,
            honest: HONEST,
            rule: options.rule.to_string(),
            mixing: options.mixing.to_string(),
            batch: BATCH,
            learning_rate: LEARNING_RATE,
            momentum: MOMENTUM,
            weight_decay: WEIGHT_DECAY,
            clip: CLIP,
            steps: options.steps,
            seeds: options.seeds,
            cells,
            tolerance: TOLERANCE,
            holds: (!verdicts.is_empty()).then(|| verdicts.iter().all(|&holds| holds)),
            wall_s: (wall.as_secs_f64() * 10.0).round() / 10.0,
        }
    }

    /// As JSON, with a line break at its end.
    pub fn to_json(&self) -> String {
        // Nothing in it can fail to become JSON: its keys are words, and every number is finite.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }

    /// The cells for people, published beside ours.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "  replay       byzfl: {} honest members, {} after {}, {}, {} steps, {} seed(s)\n",
            self.honest, self.rule, self.mixing, self.model, self.steps, self.seeds
        );
        let _ = writeln!(text, "  similarity  liars    ours  published  worst attack");
        for cell in &self.cells {
            let published = cell.published.map_or_else(|| "-".to_owned(), |published| format!("{published:.2}"));
            let verdict = if cell.holds == Some(false) { "  MISSED" } else { "" };
            let _ = writeln!(
                text,
                "  {:>10.2}  {:>5}  {:>6.4}  {published:>9}  {}{verdict}",
                cell.similarity, cell.liars, cell.accuracy, cell.worst_attack
            );
        }
        let verdict = match self.holds {
            Some(true) => "every cell is at least the published one less 0.02",
            Some(false) => "MISSED: a cell is worse than the published one by more than 0.02",
            None => "nothing is published for these options",
        };
        let _ = writeln!(text, "\n  published    {verdict}\n  time         {:.1} s", self.wall_s);
        text
    }
}
